//! In what two requests differ.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use adjutant_core::json::Json;
use serde_json::Value;

/// How many differences are shown.
const MOST: usize = 12;

/// In what a request differs from the recorded one, a line for each place: `- messages[1].content: ...` as it was
/// recorded, `+ ...` as it is now.
pub(super) fn difference(recorded: &Value, now: &Value) -> String {
    let mut lines = Vec::new();
    compare("", recorded, now, &mut lines);
    let more = lines.len().saturating_sub(MOST);
    lines.truncate(MOST);
    let mut text = lines.join("\n");
    if more > 0 {
        let _ = write!(text, "\n... and {more} more");
    }
    text
}

/// In how many places two requests differ.
pub(super) fn distance(recorded: &Value, now: &Value) -> usize {
    let mut lines = Vec::new();
    compare("", recorded, now, &mut lines);
    lines.len()
}

fn compare(path: &str, recorded: &Value, now: &Value, lines: &mut Vec<String>) {
    match (recorded, now) {
        (Value::Object(recorded), Value::Object(now)) => {
            let names: BTreeSet<&String> = recorded.keys().chain(now.keys()).collect();
            for name in names {
                let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
                either(&path, recorded.get(name), now.get(name), lines);
            }
        }
        (Value::Array(recorded), Value::Array(now)) => {
            for index in 0..recorded.len().max(now.len()) {
                either(&format!("{path}[{index}]"), recorded.get(index), now.get(index), lines);
            }
        }
        _ if recorded == now => {}
        _ => lines.push(format!("- {path}: {}\n+ {path}: {}", shown(recorded), shown(now))),
    }
}

fn either(path: &str, recorded: Option<&Value>, now: Option<&Value>, lines: &mut Vec<String>) {
    match (recorded, now) {
        (Some(recorded), Some(now)) => compare(path, recorded, now, lines),
        (Some(recorded), None) => lines.push(format!("- {path}: {}", shown(recorded))),
        (None, Some(now)) => lines.push(format!("+ {path}: {}", shown(now))),
        (None, None) => {}
    }
}

fn shown(value: &Value) -> String {
    const LONGEST: usize = 200;
    let text = Json::from(value.clone()).to_string();
    match text.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn every_place_that_differs_is_shown() {
        let recorded = json!({"a": 1, "list": [1, {"b": "x"}], "gone": true});
        let now = json!({"a": 2, "list": [1, {"b": "y"}, 3], "new": null});
        assert_eq!(
            difference(&recorded, &now),
            "- a: 1\n+ a: 2\n- gone: true\n- list[1].b: \"x\"\n+ list[1].b: \"y\"\n+ list[2]: 3\n+ new: null"
        );
        assert_eq!((distance(&recorded, &now), distance(&now, &now)), (5, 0));
    }

    #[test]
    fn much_is_cut_short() {
        let recorded = json!(vec![0; 100]);
        let now = json!(vec![1; 100]);
        assert!(difference(&recorded, &now).ends_with("\n... and 88 more"));
        assert!(difference(&json!("ä".repeat(1_000)), &json!(1)).len() < 600);
    }
}
