//! The steps of a run as a tree.

use std::collections::BTreeSet;

use adjutant::agent::summary::{State, Step, Summary};
use adjutant_core::usage::Usage;
use serde_json::Value;

use crate::screen::{Output, Style, clean, count, duration, first_line};
use crate::turn::asked;

/// How much of what went into a step is shown, in characters.
const LONGEST_INPUT: usize = 60;
/// How much of an error is shown, in characters.
const LONGEST_ERROR: usize = 160;

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

/// The steps of a run as a tree, and below it what they took together.
pub(super) fn render(summary: &Summary, output: Output) -> String {
    let mut text = String::new();
    let last = summary.steps.iter().map(|step| step.segment).max().unwrap_or(0);
    for segment in 0..=last {
        let mut root = Node::default();
        let steps = summary.steps.iter().filter(|step| step.segment == segment);
        for step in steps.filter(|step| !READINGS.contains(&step.kind)) {
            let path: Vec<&str> = step.key.as_str().split('/').filter(|part| !part.is_empty()).collect();
            root.insert(&path, step);
        }
        if last > 0 {
            text.push_str(&format!("segment {segment}\n"));
        }
        root.children.iter().for_each(|child| draw(child, 1, output, &mut text));
    }
    let cost = summary.cost.map_or_else(|| "price unknown".to_owned(), |cost| cost.to_string());
    let took = duration(summary.updated.since(summary.started));
    text.push_str(&format!("{}, {cost}, {took}\n", usage(&summary.usage)));
    text
}

fn draw(node: &Node<'_>, depth: usize, output: Output, text: &mut String) {
    // A scope around one step needs no line of its own.
    let mut name = node.name.to_owned();
    let mut node = node;
    while let (None, [only]) = (node.step, node.children.as_slice()) {
        name = format!("{name}/{}", only.name);
        node = only;
    }
    let indent = "  ".repeat(depth);
    match node.step {
        None => text.push_str(&format!("{indent}{name}\n")),
        Some(step) => {
            text.push_str(&format!("{indent}{}\n", line(&name, step, output)));
            let unknown = not_understood(&step.unknown).map(|unknown| output.shaded(Style::Dim, &unknown));
            text.extend(unknown.map(|unknown| format!("{indent}  {unknown}\n")));
        }
    }
    node.children.iter().for_each(|child| draw(child, depth + 1, output, text));
}

fn line(name: &str, step: &Step, output: Output) -> String {
    let name = output.shaded(Style::Cyan, &clean(name));
    let mut parts = vec![format!("{name}  {}", clean(&subject(step))).trim_end().to_owned()];
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
        (_, Some(model), _) => model.as_str().unwrap_or_default().to_owned(),
        (_, _, Some(arguments)) => arguments.to_string(),
        ("effect", ..) if !input.is_null() => input.to_string(),
        _ => String::new(),
    };
    first_line(&text, LONGEST_INPUT)
}

fn usage(usage: &Usage) -> String {
    format!("{} in, {} out", count(usage.input, "token"), usage.output)
}
