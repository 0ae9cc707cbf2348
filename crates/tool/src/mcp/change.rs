//! What has changed between what was accepted and what is offered. Pure.

use std::collections::BTreeMap;
use std::fmt;

use adjutant_core::json::Json;
use serde_json::Value;

use super::offer::{Pin, PinnedTool};

/// How many lines of one text are compared; of longer ones the whole is shown as changed.
const MOST_LINES: usize = 1_000;

/// One change. Shown, it is a text for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Change {
    /// The server's own name of the tool or the prompt; none for the server itself.
    pub tool: Option<String>,
    /// Whether it is a prompt.
    pub is_prompt: bool,
    /// What has happened to it: `new`, `gone` or `changed`.
    pub kind: &'static str,
    /// The difference, line by line: `+` is new, `-` was there before, a blank is the same.
    pub lines: Vec<String>,
}

/// What has changed, tool by tool.
pub fn changes(before: &Pin, after: &Pin) -> Vec<Change> {
    let mut found = Vec::new();
    if before.resources != after.resources {
        let (kind, sign) = if after.resources { ("new", '+') } else { ("gone", '-') };
        found.push(Change { tool: None, is_prompt: false, kind, lines: vec![format!("{sign} resources")] });
    }
    compare(&before.tools, &after.tools, false, &mut found);
    compare(&before.prompts, &after.prompts, true, &mut found);
    found.sort_by(|a, b| (a.is_prompt, &a.tool).cmp(&(b.is_prompt, &b.tool)));
    found
}

/// What has changed among the tools, or among the prompts.
fn compare(
    before: &BTreeMap<String, PinnedTool>,
    after: &BTreeMap<String, PinnedTool>,
    is_prompt: bool,
    found: &mut Vec<Change>,
) {
    let names = before.keys().chain(after.keys().filter(|name| !before.contains_key(*name)));
    for name in names {
        let (was, is) = (before.get(name), after.get(name));
        let kind = match (was, is) {
            (None, _) => "new",
            (_, None) => "gone",
            (Some(was), Some(is)) if was.digest == is.digest => continue,
            _ => "changed",
        };
        let mut lines = compared(&was.map(text).unwrap_or_default(), &is.map(text).unwrap_or_default());
        if !lines.iter().any(|line| line.starts_with(['+', '-'])) {
            lines = vec!["~ something that cannot be seen".to_owned()];
        }
        found.push(Change { tool: Some(name.clone()), is_prompt, kind, lines });
    }
}

/// A tool as lines for people.
fn text(tool: &PinnedTool) -> String {
    let mut text = tool.description.clone();
    let mut part = |name: &str, value: &Value| {
        // In the order of the keys, which is no part of what a schema says.
        let sorted = Json::from(value.clone());
        let pretty = serde_json::to_string_pretty(&sorted.value()).unwrap_or_else(|_| sorted.to_string());
        text.push_str(&format!("\n{name}: {pretty}"));
    };
    part("arguments", &tool.parameters);
    if let Some(output) = &tool.output {
        part("result", output);
    }
    if !tool.hints.is_empty() {
        part("hints", &Value::Object(tool.hints.clone()));
    }
    text
}

/// The difference of two texts, by the longest common sequence of their lines.
fn compared(before: &str, after: &str) -> Vec<String> {
    let (a, b): (Vec<&str>, Vec<&str>) = (before.lines().collect(), after.lines().collect());
    if a.len() > MOST_LINES || b.len() > MOST_LINES {
        let (gone, new) =
            (a.iter().map(|line| format!("- {line}")), b.iter().map(|line| format!("+ {line}")));
        return gone.chain(new).collect();
    }
    let width = b.len() + 1;
    // How long the common sequence of what is left of both is, for every pair of places.
    let mut common = vec![0_u16; (a.len() + 1) * width];
    let at = |common: &[u16], i: usize, j: usize| common.get(i * width + j).copied().unwrap_or_default();
    for (i, x) in a.iter().enumerate().rev() {
        for (j, y) in b.iter().enumerate().rev() {
            let longest = match x == y {
                true => at(&common, i + 1, j + 1) + 1,
                false => at(&common, i + 1, j).max(at(&common, i, j + 1)),
            };
            if let Some(cell) = common.get_mut(i * width + j) {
                *cell = longest;
            }
        }
    }
    let (mut i, mut j, mut lines) = (0, 0, Vec::new());
    loop {
        match (a.get(i), b.get(j)) {
            (Some(x), Some(y)) if x == y => {
                lines.push(format!("  {x}"));
                (i, j) = (i + 1, j + 1);
            }
            (Some(x), y) if y.is_none() || at(&common, i + 1, j) >= at(&common, i, j + 1) => {
                lines.push(format!("- {x}"));
                i += 1;
            }
            (_, Some(y)) => {
                lines.push(format!("+ {y}"));
                j += 1;
            }
            _ => return lines,
        }
    }
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = if self.is_prompt { "prompt " } else { "" };
        write!(f, "{what}{}: {}", self.tool.as_deref().unwrap_or("the server"), self.kind)?;
        self.lines.iter().try_for_each(|line| write!(f, "\n  {line}"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn tool(digest: &str, description: &str) -> PinnedTool {
        PinnedTool {
            digest: digest.into(),
            description: description.into(),
            parameters: json!({ "type": "object" }),
            ..PinnedTool::default()
        }
    }

    fn pin(tools: &[(&str, PinnedTool)]) -> Pin {
        Pin {
            tools: tools.iter().map(|(name, tool)| ((*name).to_owned(), tool.clone())).collect(),
            ..Pin::default()
        }
    }

    #[test]
    fn a_change_reads_as_a_change() {
        let before = pin(&[
            ("a", tool("1", "Adds.\nTwo numbers.")),
            ("b", tool("2", "Same.")),
            ("c", tool("3", "Old.")),
        ]);
        let after = pin(&[
            ("a", tool("4", "Adds.\nThree numbers.")),
            ("b", tool("2", "Same.")),
            ("d", tool("5", "New.")),
        ]);
        let changes = changes(&before, &after);
        let kinds: Vec<_> =
            changes.iter().map(|change| (change.tool.as_deref().unwrap(), change.kind)).collect();
        assert_eq!(kinds, [("a", "changed"), ("c", "gone"), ("d", "new")]);
        let shown = changes[0].to_string();
        assert!(
            shown
                .starts_with("a: changed\n    Adds.\n  - Two numbers.\n  + Three numbers.\n    arguments: {"),
            "{shown}"
        );
        assert!(changes[2].lines.iter().all(|line| line.starts_with('+')));
    }

    #[test]
    fn what_cannot_be_seen_is_a_change() {
        let changes = changes(&pin(&[("a", tool("1", "Adds."))]), &pin(&[("a", tool("2", "Adds."))]));
        assert_eq!(changes[0].lines, ["~ something that cannot be seen"]);
    }
}
