//! The steps of a run as a tree.

use std::collections::{BTreeMap, BTreeSet};

use adjutant::agent::approval;
use adjutant::agent::summary::{State, Step, Summary};
use adjutant::agent::{Did, GuardVerdict, Opinion};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::usage::Usage;
use serde_json::Value;

use crate::screen::{Output, Style, clean, count, duration, first_line};
use crate::turn::{asked, to_do};

/// How much of what went into a step is shown, in characters.
const LONGEST_INPUT: usize = 60;
/// How much of an error is shown, in characters.
const LONGEST_ERROR: usize = 160;

/// How many of the scores that a judge or a service gave are shown.
const MOST_SCORES: usize = 3;

/// Steps that answer at once and tell a reader nothing; `--json` has them.
const READINGS: [&str; 3] = ["inbox", "random", "version"];

/// One scope or step.
#[derive(Default)]
struct Node<'a> {
    name: &'a str,
    step: Option<&'a Step>,
    children: Vec<Node<'a>>,
}

impl<'a> Node<'a> {
    fn insert(&mut self, path: &[&'a str], step: &'a Step) {
        let Some((first, rest)) = path.split_first() else {
            self.step = Some(step);
            return;
        };
        let place =
            self.children.iter().position(|child| child.name == *first).unwrap_or(self.children.len());
        if place == self.children.len() {
            self.children.push(Node { name: first, ..Node::default() });
        }
        if let Some(child) = self.children.get_mut(place) {
            child.insert(rest, step);
        }
    }
}

/// Draws runs as trees.
struct Tree<'a> {
    output: Output,
    /// The runs that a run has waited for, and those that these have waited for.
    children: &'a BTreeMap<RunId, Summary>,
    text: String,
}

/// The steps of a run as a tree, with those of the runs that it waited for, and below it what they took together.
pub(super) fn render(summary: &Summary, children: &BTreeMap<RunId, Summary>, output: Output) -> String {
    let mut tree = Tree { output, children, text: String::new() };
    tree.run(summary, 1);
    let cost = summary.cost.map_or_else(|| "price unknown".to_owned(), |cost| cost.to_string());
    let took = duration(summary.updated.since(summary.started));
    tree.text.push_str(&format!("{}, {cost}, {took}\n", usage(&summary.usage)));
    tree.text
}

impl Tree<'_> {
    fn run(&mut self, summary: &Summary, depth: usize) {
        let last = summary.steps.iter().map(|step| step.segment).max().unwrap_or(0);
        for segment in 0..=last {
            let mut root = Node::default();
            let steps = summary.steps.iter().filter(|step| step.segment == segment);
            let asked: BTreeSet<StepKey> =
                steps.clone().filter(|step| is_approval(step)).map(|step| step.key.scope()).collect();
            let is_shown = |step: &&Step| {
                !(READINGS.contains(&step.kind) || asked.contains(&step.key.scope()) && is_around(step))
            };
            for step in steps.filter(is_shown) {
                let path: Vec<&str> = step.key.as_str().split('/').filter(|part| !part.is_empty()).collect();
                root.insert(&path, step);
            }
            if last > 0 {
                let indent = "  ".repeat(depth - 1);
                self.text.push_str(&format!("{indent}segment {segment}\n"));
            }
            root.children.iter().for_each(|child| self.node(child, depth));
        }
    }

    fn node(&mut self, node: &Node<'_>, depth: usize) {
        // A scope around one step needs no line of its own.
        let mut name = node.name.to_owned();
        let mut node = node;
        while let (None, [only]) = (node.step, node.children.as_slice()) {
            name = format!("{name}/{}", only.name);
            node = only;
        }
        let indent = "  ".repeat(depth);
        match node.step {
            None => self.text.push_str(&format!("{indent}{name}\n")),
            Some(step) => {
                self.text.push_str(&format!("{indent}{}\n", line(&name, step, self.output)));
                let unknown =
                    not_understood(&step.unknown).map(|unknown| self.output.shaded(Style::Dim, &unknown));
                self.text.extend(unknown.map(|unknown| format!("{indent}  {unknown}\n")));
                let children = self.children;
                if let Some(child) = step.run.as_ref().and_then(|run| children.get(run)) {
                    self.run(child, depth + 1);
                }
            }
        }
        node.children.iter().for_each(|child| self.node(child, depth + 1));
    }
}

/// Whether a step waits for a person's approval.
fn is_approval(step: &Step) -> bool {
    step.kind == "signal" && step.key.name().starts_with(approval::PREFIX)
}

/// Whether a step stands around an approval and says nothing that the approval does not: how long there is to answer, who is
/// told, what is kept of the answer.
fn is_around(step: &Step) -> bool {
    let is_ours = ["approval", "notify", "grant"].contains(&step.key.name());
    step.kind == "timer" || (step.kind == "effect" && is_ours && step.input.value().get("call").is_none())
}

fn line(name: &str, step: &Step, output: Output) -> String {
    let name = output.shaded(Style::Cyan, &clean(name));
    let mut parts = vec![format!("{name}  {}", clean(&subject(step))).trim_end().to_owned()];
    parts.extend(step.verdicts.iter().filter_map(|verdict| found(verdict, output)));
    parts.extend(step.opinion.as_ref().map(said));
    parts.extend(step.ended.map(|ended| duration(ended.since(step.started))));
    parts.extend(step.usage.as_ref().map(usage));
    parts.extend(step.cost.as_ref().map(ToString::to_string));
    match &step.state {
        State::Done => {}
        State::Open => parts.push(output.shaded(Style::Yellow, "open")),
        State::Dropped => parts.push("dropped".to_owned()),
        State::Failed(error) => {
            let why = first_line(&clean(error.message()), LONGEST_ERROR);
            parts.push(output.shaded(Style::Red, &format!("failed: {}: {why}", error.code())));
        }
        State::Unknown(reason) => {
            let why = first_line(&clean(reason), LONGEST_ERROR);
            parts.push(output.shaded(Style::Yellow, &format!("outcome unknown: {why}")));
        }
    }
    parts.join(", ")
}

/// What a guardrail did about what it found; none where it found nothing.
fn found(verdict: &GuardVerdict, output: Output) -> Option<String> {
    let (did, style) = match verdict.did {
        Did::Passed => return None,
        Did::Warned => ("warned of", Style::Yellow),
        Did::Masked => ("masked", Style::Yellow),
        Did::Pseudonymised => ("pseudonymised", Style::Yellow),
        Did::Blocked => ("blocked", Style::Red),
    };
    let kinds: BTreeSet<&str> = verdict.found.iter().map(|found| found.hit.category.as_str()).collect();
    let kinds = Vec::from_iter(kinds).join(", ");
    Some(output.shaded(style, &clean(&format!("{} {did} {kinds}", verdict.guardrail))))
}

/// What a judge or a service has said: the surest of its scores.
fn said(opinion: &Opinion) -> String {
    let shown = opinion.scores.iter().take(MOST_SCORES);
    let shown: Vec<_> = shown.map(|score| format!("{} {:.2}", score.category, score.score)).collect();
    let said = match (shown.is_empty(), opinion.scores.len().saturating_sub(MOST_SCORES)) {
        (true, _) => "no score".to_owned(),
        (false, 0) => shown.join(", "),
        (false, lower) => format!("{} and {lower} lower", shown.join(", ")),
    };
    let why = opinion.reason.as_ref().map(|reason| format!(" ({reason})")).unwrap_or_default();
    first_line(&clean(&format!("{said}{why}")), LONGEST_ERROR)
}

/// What of a model's answer was not understood, by its names; `--json` has the whole. None where there was nothing.
fn not_understood(unknown: &[Value]) -> Option<String> {
    let fields = unknown.iter().filter_map(Value::as_object).flatten();
    let names: BTreeSet<&str> = fields.map(|(name, _)| name.as_str()).collect();
    let names = Vec::from_iter(names).join(", ");
    let names = first_line(&clean(&names), LONGEST_ERROR);
    (!unknown.is_empty()).then(|| format!("not understood: {names}"))
}

/// What a step is about, in a few words.
fn subject(step: &Step) -> String {
    let input = step.input.value();
    let text = match (step.kind, input.get("model"), input.get("arguments")) {
        ("signal", ..) => asked(&step.input),
        ("child", ..) => step.run.as_ref().map(|run| format!("run {run}")).unwrap_or_default(),
        (_, Some(model), _) => model.as_str().unwrap_or_default().to_owned(),
        (_, _, Some(arguments)) => arguments.to_string(),
        ("effect", ..) if input.get("guardrails").is_some() => looked_at(&input),
        ("effect", ..) if step.key.as_str().contains("/todo#") => listed(&input),
        ("effect", ..) if !input.is_null() => input.to_string(),
        _ => String::new(),
    };
    first_line(&text, LONGEST_INPUT)
}

/// Where guardrails look, and which they are.
fn looked_at(input: &Value) -> String {
    let text = |key: &str| input.get(key).and_then(Value::as_str);
    let names = input.get("guardrails").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<_> = names.filter_map(Value::as_str).collect();
    let tool = text("tool").map(|tool| format!(" of {tool}")).unwrap_or_default();
    format!("{}{tool}: {}", text("on").unwrap_or_default(), names.join(", "))
}

/// What is done and what is not.
fn listed(input: &Value) -> String {
    let items = |key: &str| -> Vec<String> {
        let items = input.get(key).and_then(Value::as_array).into_iter().flatten();
        items.filter_map(Value::as_str).map(str::to_owned).collect()
    };
    to_do(&items("done"), &items("open"))
}

fn usage(usage: &Usage) -> String {
    format!("{} in, {} out", count(usage.input, "token"), usage.output)
}

#[cfg(test)]
mod tests {
    use adjutant::tool::moderation::Score;

    use super::*;

    #[test]
    fn an_opinion_is_told_in_words() {
        let score = |(category, score): (&str, f64)| Score { category: category.to_owned(), score };
        let one = vec![("tone", 0.9)];
        let four = vec![("a", 1.0), ("b", 0.5), ("c", 0.25), ("d", 0.0)];
        for (scores, reason, expected) in [
            (one, Some("rude\nand loud"), "tone 0.90 (rude"),
            (four, None, "a 1.00, b 0.50, c 0.25 and 1 lower"),
            (Vec::new(), None, "no score"),
        ] {
            let scores = scores.into_iter().map(score).collect();
            let told = said(&Opinion { scores, reason: reason.map(str::to_owned) });
            assert!(told.starts_with(expected) && !told.contains('\n'), "{told}");
        }
    }
}
