//! [`Difference`]: how two definitions differ.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// A place where two definitions differ.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Difference {
    /// The JSON pointer to it; what has a name stands in a list under that.
    pub at: String,
    /// What stands there in the first; nothing where that has no such place.
    pub from: Option<Value>,
    /// What stands there in the second.
    pub to: Option<Value>,
}

/// The leaves in which two values differ, in the order of their places.
pub(crate) fn differences(from: &Value, to: &Value) -> Vec<Difference> {
    let (mut before, mut after) = (BTreeMap::new(), BTreeMap::new());
    leaves(from, String::new(), &mut before);
    leaves(to, String::new(), &mut after);
    let mut places: Vec<&String> = before.keys().chain(after.keys()).collect();
    places.sort_unstable();
    places.dedup();
    let differing = places.into_iter().filter(|at| before.get(*at) != after.get(*at));
    differing
        .map(|at| Difference {
            at: at.clone(),
            from: before.get(at).map(|value| (*value).clone()),
            to: after.get(at).map(|value| (*value).clone()),
        })
        .collect()
}

fn leaves<'a>(value: &'a Value, at: String, found: &mut BTreeMap<String, &'a Value>) {
    match value {
        Value::Object(entries) if !entries.is_empty() => {
            entries.iter().for_each(|(key, value)| leaves(value, format!("{at}/{key}"), found));
        }
        Value::Array(items) if !items.is_empty() => {
            let named = |index: usize, item: &Value| match item.get("name").and_then(Value::as_str) {
                // A tool that was put before another does not make all others differ.
                Some(name) => name.to_owned(),
                None => index.to_string(),
            };
            items.iter().enumerate().for_each(|(index, item)| {
                leaves(item, format!("{at}/{}", named(index, item)), found);
            });
        }
        _ => {
            found.insert(at, value);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_tool_that_was_put_before_another_is_all_that_differs() {
        let from = json!({"instructions": "a", "tools": [{"name": "x", "t": 1}], "same": []});
        let to = json!({"instructions": "b", "tools": [{"name": "y"}, {"name": "x", "t": 2}], "same": []});
        let found = differences(&from, &to);
        let places: Vec<&str> = found.iter().map(|difference| difference.at.as_str()).collect();
        assert_eq!(places, ["/instructions", "/tools/x/t", "/tools/y/name"]);
        assert_eq!((&found[2].from, &found[2].to), (&None, &Some(json!("y"))));
    }
}
