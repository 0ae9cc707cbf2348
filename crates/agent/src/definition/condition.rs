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

    /// What of it holds, in words; none where it does not.
    pub(crate) fn holds(&self, now: &Now<'_>) -> Option<String> {
        let figures = &now.figures;
        let (holds, words) = match self {
            Self::Any(of) => return of.iter().find_map(|condition| condition.holds(now)),
            Self::All(of) => {
                let held: Vec<String> =
                    of.iter().map(|condition| condition.holds(now)).collect::<Option<_>>()?;
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
        };
        holds.then_some(words)
    }

    /// Reads `stop`, and the names of tools in it with their places.
    pub(super) fn read(table: &Table<'_>) -> (Option<Self>, Vec<Named>) {
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
        Now { figures, money: Money::from_nanos(10), called: &[], said }
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
}
