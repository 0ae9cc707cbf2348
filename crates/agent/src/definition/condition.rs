//! [`Condition`]: when an agent has done enough, as a value that composes.

use std::time::Duration;

use adjutant_core::Result;
use adjutant_core::money::Money;
use adjutant_core::time::format_duration;
use serde::{Deserialize, Serialize};

use super::document::{Content, Node, Problems, Table};
use super::source::Named;
use crate::ending::Figures;

/// When an agent has done enough. It is looked at once a turn, over what is recorded of the run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Condition {
    /// Any of these holds.
    Any(Vec<Condition>),
    /// All of these hold.
    All(Vec<Condition>),
    /// This tool was called, and did not fail.
    Tool(String),
    /// The model had so many turns.
    Steps(u32),
    /// It has called so many tools.
    ToolCalls(u32),
    /// So many tokens were used.
    Tokens(u64),
    /// So much money was used, over all calls whose price is known.
    Money(Money),
    /// It has worked for so long, in milliseconds, without the time in which it waited for people.
    WallTime(u64),
    /// So many calls failed in a row.
    Errors(u32),
    /// The same was done so often with the same result.
    Repeats(u32),
    /// The model said exactly this, but for white space around it.
    Says(String),
    /// What the model said holds this.
    Contains(String),
    /// A model judges so of the work up to now. Not in a workflow, which has gates.
    Judged(Box<Judged>),
}

/// What a model judges of the work up to now, on a scale from 0 to 100.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Judged {
    /// What it judges by, in words.
    pub rubric: String,
    /// Where the score must lie.
    pub bound: Bound,
}

/// Where a score must lie, from 0 to 100.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// There, or above.
    AtLeast(u8),
    /// Below.
    Below(u8),
}

impl Judged {
    /// What is judged where the author asks for confidence alone.
    const CONFIDENCE: &str =
        "How likely is it that the assistant gets there: that what it does leads to what was asked for?";

    fn holds(&self, score: u8) -> bool {
        match self.bound {
            Bound::AtLeast(least) => score >= least,
            Bound::Below(least) => score < least,
        }
    }
}

/// What conditions are held against.
pub(crate) struct Now<'a> {
    pub(crate) figures: Figures,
    /// Over all calls whose price is known.
    pub(crate) money: Money,
    /// The tools that were called and did not fail.
    pub(crate) called: &'a [String],
    /// What the model said last.
    pub(crate) said: &'a str,
    /// What was judged, as far as it was asked for; none where no model has judged.
    pub(crate) scores: &'a [(Judged, Option<u8>)],
}

/// What becomes of a condition.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found<'a> {
    /// It holds, for this reason in words.
    Holds(String),
    /// It does not hold.
    No,
    /// That lies with a model.
    Asks(&'a Judged),
}

impl Condition {
    /// Any of these.
    pub fn any(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::Any(conditions.into_iter().collect())
    }

    /// All of these.
    pub fn all(conditions: impl IntoIterator<Item = Self>) -> Self {
        Self::All(conditions.into_iter().collect())
    }

    /// This tool was called, and did not fail.
    pub fn tool(name: impl Into<String>) -> Self {
        Self::Tool(name.into())
    }

    /// So much money was used, written as `0.50 USD`. Fails with [`Code::InputInvalid`](adjutant_core::Code::InputInvalid).
    pub fn money(amount: &str) -> Result<Self> {
        amount.parse().map(Self::Money)
    }

    /// It has worked for so long.
    pub fn wall_time(longest: Duration) -> Self {
        Self::WallTime(u64::try_from(longest.as_millis()).unwrap_or(u64::MAX))
    }

    /// The tools that it names.
    pub(crate) fn tools(&self) -> Vec<&str> {
        match self {
            Self::Any(of) | Self::All(of) => of.iter().flat_map(Self::tools).collect(),
            Self::Tool(name) => vec![name],
            _ => Vec::new(),
        }
    }

    /// It is less likely than this that the agent gets where it is to go, as a model judges: from 0 to 1.
    pub fn confidence_below(least: f64) -> Self {
        let rubric = Judged::CONFIDENCE.to_owned();
        Self::Judged(Box::new(Judged { rubric, bound: Bound::Below(percent(least)) }))
    }

    /// The work is at least so good by a rubric, as a model judges: from 0 to 1.
    pub fn quality(rubric: impl Into<String>, least: f64) -> Self {
        Self::Judged(Box::new(Judged { rubric: rubric.into(), bound: Bound::AtLeast(percent(least)) }))
    }

    /// Both of two, where there are two: either of them is enough.
    pub(crate) fn either(one: Option<Self>, other: Option<Self>) -> Option<Self> {
        match (one, other) {
            (Some(one), Some(other)) => Some(Self::any([one, other])),
            (one, other) => one.or(other),
        }
    }

    /// Whether it holds, and what of it, in words. A model is only asked where all else leaves that open.
    pub(crate) fn look(&self, now: &Now<'_>) -> Found<'_> {
        let figures = &now.figures;
        let (holds, words) = match self {
            Self::Any(of) => {
                let mut found = Found::No;
                for condition in of {
                    match condition.look(now) {
                        Found::No => {}
                        holds @ Found::Holds(_) => return holds,
                        asks @ Found::Asks(_) => found = asks,
                    }
                }
                return found;
            }
            Self::All(of) => {
                let (mut held, mut asked) = (Vec::new(), None);
                for condition in of {
                    match condition.look(now) {
                        Found::No => return Found::No,
                        Found::Holds(words) => held.push(words),
                        Found::Asks(judged) => asked = Some(judged),
                    }
                }
                if let Some(judged) = asked {
                    return Found::Asks(judged);
                }
                (!held.is_empty(), held.join(" and "))
            }
            Self::Tool(name) => (now.called.contains(name), format!("`{name}` was called")),
            Self::Steps(most) => (figures.steps >= *most, format!("it had {most} steps")),
            Self::ToolCalls(most) => (figures.tool_calls >= *most, format!("it had called {most} tools")),
            Self::Tokens(most) => (figures.tokens >= *most, format!("it had used {most} tokens")),
            Self::Money(most) => (now.money >= *most, format!("it had used {most}")),
            Self::WallTime(most) => {
                let longest = format_duration(Duration::from_millis(*most));
                (figures.wall_ms >= *most, format!("it had worked for {longest}"))
            }
            Self::Errors(most) => (figures.errors >= *most, format!("{most} calls had failed in a row")),
            Self::Repeats(most) => (figures.repeats >= *most, format!("it had done the same {most} times")),
            Self::Says(text) => (now.said.trim() == text.trim(), format!("it said `{text}`")),
            Self::Contains(text) => {
                (now.said.contains(text.as_str()), format!("it said something with `{text}`"))
            }
            Self::Judged(judged) => match now.scores.iter().find(|(asked, _)| asked == judged.as_ref()) {
                None => return Found::Asks(judged),
                Some((_, None)) => return Found::No,
                Some((_, Some(score))) => {
                    (judged.holds(*score), format!("`{}` was judged to be {score} of 100", judged.rubric))
                }
            },
        };
        if holds { Found::Holds(words) } else { Found::No }
    }

    /// What of it holds, in words, where no model is asked; none where it does not.
    pub(crate) fn holds(&self, now: &Now<'_>) -> Option<String> {
        match self.look(now) {
            Found::Holds(words) => Some(words),
            Found::No | Found::Asks(_) => None,
        }
    }

    /// Whether a model is asked for any of it.
    pub fn is_judged(&self) -> bool {
        match self {
            Self::Any(of) | Self::All(of) => of.iter().any(Self::is_judged),
            Self::Judged(_) => true,
            _ => false,
        }
    }

    /// Reads `stop` of a table outside an agent's file. Names of tools in it are not looked up: not every agent has them.
    pub fn read_for_all(table: &Table<'_>) -> Option<Self> {
        Self::read(table).0
    }

    /// Reads `stop`, and the names of tools in it with their places.
    pub fn read(table: &Table<'_>) -> (Option<Self>, Vec<Named>) {
        let mut tools = Vec::new();
        let condition = table
            .value("stop")
            .and_then(|node| read(node, &table.name_of("stop"), table.problems(), &mut tools));
        (condition, tools)
    }
}

/// Reads one condition: a table with one key.
fn read(node: &Node, name: &str, problems: &Problems, tools: &mut Vec<Named>) -> Option<Condition> {
    let table = Table::new(node, name, problems)?;
    let before = table.value("tool").map(|node| node.place);
    let tool = table.text("tool").map(|tool| {
        tools.push(Named { name: tool.to_owned(), place: before });
        Condition::tool(tool)
    });
    let found = [
        list(&table, "any", tools).map(Condition::Any),
        list(&table, "all", tools).map(Condition::All),
        tool,
        table.integer("steps", 1..=100_000).map(Condition::Steps),
        table.integer("tool_calls", 1..=1_000_000).map(Condition::ToolCalls),
        table.integer("tokens", 1..=u64::MAX / 2).map(Condition::Tokens),
        table.money("money").map(Condition::Money),
        table.duration("wall_time").map(Condition::wall_time),
        table.integer("errors", 1..=1_000).map(Condition::Errors),
        table.integer("repeats", 2..=1_000).map(Condition::Repeats),
        table.text("says").map(|text| Condition::Says(text.to_owned())),
        table.text("contains").map(|text| Condition::Contains(text.to_owned())),
        table.number("confidence", 0.0..=1.0).map(Condition::confidence_below),
        table.table("judge").and_then(quality),
    ];
    let is_one = node.entries().is_some_and(|entries| entries.len() == 1);
    table.finish();
    if !is_one {
        problems.report_with(
            node.place,
            format!("`{name}` must hold one condition"),
            "write `any: [{ tool: submit }, { steps: 10 }]`, or `all: [..]`",
        );
        return None;
    }
    found.into_iter().flatten().next()
}

/// Reads a rubric, and how good the work must be by it.
fn quality(table: Table<'_>) -> Option<Condition> {
    table.require("rubric", "say in words what the work is judged by");
    let rubric = table.text("rubric").map(|rubric| rubric.trim().to_owned());
    let least = table.number("score", 0.0..=1.0).unwrap_or(GOOD);
    table.finish();
    rubric.map(|rubric| Condition::quality(rubric, least))
}

/// How good work must be where nothing is said.
const GOOD: f64 = 0.8;

/// A share from 0 to 1 in percent.
#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "it lies between 0 and 100")]
fn percent(share: f64) -> u8 {
    (share.clamp(0.0, 1.0) * 100.0).round() as u8
}

fn list(table: &Table<'_>, key: &'static str, tools: &mut Vec<Named>) -> Option<Vec<Condition>> {
    let node = table.value(key)?;
    match &node.content {
        Content::List(items) if !items.is_empty() => {
            let name = table.name_of(key);
            Some(items.iter().filter_map(|item| read(item, &name, table.problems(), tools)).collect())
        }
        _ => {
            table.wrong(key, node, "a list of conditions", "write `[{ tool: submit }, { steps: 10 }]`");
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now(said: &str) -> Now<'_> {
        let figures = Figures {
            steps: 3,
            tool_calls: 2,
            tokens: 100,
            wall_ms: 5_000,
            errors: 1,
            repeats: 2,
            money: None,
        };
        Now { figures, money: Money::from_nanos(10), called: &[], said, scores: &[] }
    }

    #[test]
    fn each_condition_is_held_against_the_figures() {
        let cases = [
            (Condition::Steps(3), true),
            (Condition::Steps(4), false),
            (Condition::ToolCalls(2), true),
            (Condition::ToolCalls(3), false),
            (Condition::Tokens(100), true),
            (Condition::Tokens(101), false),
            (Condition::Money(Money::from_nanos(10)), true),
            (Condition::Money(Money::from_nanos(11)), false),
            (Condition::wall_time(Duration::from_secs(5)), true),
            (Condition::wall_time(Duration::from_secs(6)), false),
            (Condition::Errors(1), true),
            (Condition::Errors(2), false),
            (Condition::Repeats(2), true),
            (Condition::Repeats(3), false),
            (Condition::Says("DONE".into()), true),
            (Condition::Says("DON".into()), false),
            (Condition::Contains("DON".into()), true),
            (Condition::Contains("done".into()), false),
            (Condition::tool("submit"), false),
        ];
        for (condition, expected) in cases {
            assert_eq!(condition.holds(&now(" DONE\n")).is_some(), expected, "{condition:?}");
        }
        let called = Now { called: &["submit".to_owned()], ..now("") };
        assert_eq!(Condition::tool("submit").holds(&called).as_deref(), Some("`submit` was called"));
    }

    #[test]
    fn they_compose() {
        let (yes, no) = (|| Condition::Steps(1), || Condition::Steps(9));
        let holds = |condition: Condition| condition.holds(&now(""));
        assert_eq!(holds(Condition::any([no(), yes()])).as_deref(), Some("it had 1 steps"));
        assert_eq!(holds(Condition::any([no(), no()])), None);
        assert_eq!(holds(Condition::all([yes(), no()])), None);
        let both = Condition::all([yes(), Condition::any([no(), Condition::Tokens(7)])]);
        assert_eq!(holds(both).as_deref(), Some("it had 1 steps and it had used 7 tokens"));
        assert_eq!((holds(Condition::all([])), holds(Condition::any([]))), (None, None));
    }

    #[test]
    fn a_model_is_asked_where_all_else_leaves_it_open() {
        let (yes, no) = (|| Condition::Steps(1), || Condition::Steps(9));
        let good = || Condition::quality("good", 0.5);
        let judged = Judged { rubric: "good".to_owned(), bound: Bound::AtLeast(50) };
        let asks = Found::Asks(&judged);
        assert_eq!(good().look(&now("")), asks);
        assert_eq!(Condition::any([good(), no()]).look(&now("")), asks);
        assert_eq!(Condition::all([good(), yes()]).look(&now("")), asks);
        assert_eq!(Condition::all([good(), no()]).look(&now("")), Found::No);
        assert!(matches!(Condition::any([good(), yes()]).look(&now("")), Found::Holds(_)));
        for (score, holds) in [(Some(50), true), (Some(49), false), (None, false)] {
            let scores = [(judged.clone(), score)];
            assert_eq!(good().holds(&Now { scores: &scores, ..now("") }).is_some(), holds, "{score:?}");
        }
        let doubt = Condition::confidence_below(0.3);
        let Condition::Judged(judged) = &doubt else { panic!("{doubt:?}") };
        let scores = [(judged.as_ref().clone(), Some(29))];
        assert!(doubt.holds(&Now { scores: &scores, ..now("") }).is_some());
    }
}
