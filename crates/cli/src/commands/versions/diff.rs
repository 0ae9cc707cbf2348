//! `adjutant versions diff`: how two versions of a name differ.

use std::collections::BTreeMap;

use adjutant::agent::Definition;
use adjutant::{Adjutant, FILES};
use adjutant_core::Result;
use clap::Args;
use serde::Serialize;
use serde_json::Value;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Style};

/// Shows how two versions of an agent or a workflow differ: each place of the definition with what stands there.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// A label, the beginning of a hash, or `files` for what the project's files say now.
    #[arg(value_name = "A")]
    from: String,
    /// The same for the other one.
    #[arg(value_name = "B")]
    to: String,
}

/// A place where two definitions differ.
#[derive(Debug, PartialEq, Serialize)]
struct Difference {
    /// The JSON pointer to it.
    at: String,
    from: Option<Value>,
    to: Option<Value>,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let Arguments { name, from, to } = arguments;
    let (from, to) = (definition(adjutant, name, from).await?, definition(adjutant, name, to).await?);
    let differences = differences(&value(&from), &value(&to));
    if output.json {
        output.json(&differences)?;
    } else if differences.is_empty() {
        output.talk("they are the same");
    } else {
        output.foreign(&render(&differences, output))?;
    }
    Ok(Exit::Success)
}

async fn definition(adjutant: &Adjutant, name: &str, version: &str) -> Result<Definition> {
    let versions = adjutant.versions();
    match version {
        FILES => versions.of_files(name),
        _ => versions.definition(&versions.find(name, version).await?.definition).await,
    }
}

fn value(definition: &Definition) -> Value {
    serde_json::to_value(definition).unwrap_or_default()
}

/// The leaves in which two values differ, in the order of their places.
fn differences(from: &Value, to: &Value) -> Vec<Difference> {
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

fn render(differences: &[Difference], output: Output) -> String {
    let mut text = String::new();
    for Difference { at, from, to } in differences {
        text.push_str(&format!("{}\n", output.shaded(Style::Bold, at)));
        let (from, to) = (lines(from.as_ref()), lines(to.as_ref()));
        let (gone, new) = changed(&from, &to);
        for (sign, style, lines) in [("-", Style::Red, gone), ("+", Style::Green, new)] {
            for line in lines {
                text.push_str(&format!("{}\n", output.shaded(style, &format!("{sign} {line}"))));
            }
        }
    }
    text
}

/// A value as lines: a text by its own.
fn lines(value: Option<&Value>) -> Vec<String> {
    match value {
        None => Vec::new(),
        Some(Value::String(text)) => text.lines().map(str::to_owned).collect(),
        Some(value) => vec![value.to_string()],
    }
}

/// What differs of two texts between the lines that they begin and end with alike.
fn changed<'a>(from: &'a [String], to: &'a [String]) -> (&'a [String], &'a [String]) {
    let alike = from.iter().zip(to).take_while(|(from, to)| from == to).count();
    let (from, to) = (from.get(alike..).unwrap_or_default(), to.get(alike..).unwrap_or_default());
    let alike = from.iter().rev().zip(to.iter().rev()).take_while(|(from, to)| from == to).count();
    (from.get(..from.len() - alike).unwrap_or_default(), to.get(..to.len() - alike).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn each_place_that_differs_is_told() {
        let from = json!({"instructions": "a\nb\nc", "tools": [{"name": "x", "t": 1}], "same": []});
        let to =
            json!({"instructions": "a\nB\nc", "tools": [{"name": "y"}, {"name": "x", "t": 2}], "same": []});
        let found = differences(&from, &to);
        let places: Vec<&str> = found.iter().map(|difference| difference.at.as_str()).collect();
        assert_eq!(places, ["/instructions", "/tools/x/t", "/tools/y/name"]);
        let text = render(&found, Output::new(crate::screen::ColorChoice::Never, false));
        assert_eq!(text, "/instructions\n- b\n+ B\n/tools/x/t\n- 1\n+ 2\n/tools/y/name\n+ y\n");
    }
}
