//! [`Effective`]: a setting as it holds, and where it comes from.

use adjutant_agent::definition::document::{Content, Node};
use serde::Serialize;
use serde_json::Value;
use url::Url;

use super::keys::{KEYS, named};
use super::overlay::Overlay;

/// Tables whose values may be secrets, whatever their keys are called.
const SECRET_TABLES: [&str; 5] = ["headers", "environment", "credentials", "extra", "variables"];

/// What keys are called whose values may be secrets, or may have some among their words.
const SECRET_WORDS: [&str; 8] =
    ["secret", "password", "token", "authorization", "credential", "passphrase", "command", "arguments"];

/// The keys of `[secrets]` that say where a secret is.
const PLACES: [&str; 3] = ["env", "file", "vault"];

/// What is said in the place of what may be a secret.
const HIDDEN: &str = "[hidden]";

/// A setting as it holds, and where it comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Effective {
    /// The keys that lead to it, joined by dots.
    pub key: String,
    /// What holds; none where nothing does. What stands in the file as `${NAME}` is shown so, and what may be a secret is hidden.
    pub value: Option<Value>,
    /// The file and line, the variable or the flag that says so; none where nobody does.
    pub from: Option<String>,
    /// The variable that would say otherwise, where there is one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub variable: Option<String>,
}

impl Effective {
    /// All settings, given the tree of the file as it was written with what was laid over it.
    pub(in crate::project) fn all(root: &Node, overlay: &Overlay, file: &str) -> Vec<Self> {
        let mut all: Vec<Self> = KEYS
            .iter()
            .map(|key| {
                let keys: Vec<&str> = key.path.split('.').collect();
                let node = keys.iter().try_fold(root, |node, key| node.get(key));
                let default = (!key.default.is_empty()).then(|| Value::String(key.default.to_owned()));
                Self {
                    key: key.path.to_owned(),
                    value: node.map_or(default, |node| Some(shown(&keys, node))),
                    from: node.map(|node| origin(node, overlay, file)),
                    variable: Some(key.variable()),
                }
            })
            .collect();
        walk(root, &mut Vec::new(), &mut |keys, node| {
            let key = keys.join(".");
            if named(&key).is_none() {
                let from = Some(origin(node, overlay, file));
                let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                all.push(Self { key, value: Some(shown(&keys, node)), from, variable: None });
            }
        });
        all
    }
}

fn origin(node: &Node, overlay: &Overlay, file: &str) -> String {
    match (node.place.line, overlay.by(node.place.column)) {
        (0, Some(by)) => by.to_owned(),
        (line, _) => format!("{file}:{line}"),
    }
}

/// A value as it may be shown.
fn shown(keys: &[&str], node: &Node) -> Value {
    match &node.content {
        Content::Boolean(_) | Content::Integer(_) | Content::Float(_) => node.to_json(),
        Content::Text(text) if tells_of_itself(text) => Value::String(HIDDEN.to_owned()),
        _ if may_be_secret(keys) => Value::String(HIDDEN.to_owned()),
        _ => node.to_json(),
    }
}

/// Whether what stands there may be a secret, by the keys that lead to it.
fn may_be_secret(keys: &[&str]) -> bool {
    // Those of the program's own table name secrets.
    let Some((last, tables)) = keys.split_last().filter(|_| named(&keys.join(".")).is_none()) else {
        return false;
    };
    match tables.first() {
        Some(&"secrets") => !PLACES.contains(last),
        None if *last == "secrets" => true,
        Some(&"server") => false,
        _ => {
            tables.iter().any(|table| SECRET_TABLES.contains(table))
                || SECRET_WORDS.iter().any(|word| last.contains(word))
                || *last == "key"
        }
    }
}

/// Whether a text is an address that may let in whoever has it.
fn tells_of_itself(text: &str) -> bool {
    let url = Url::parse(text).ok().filter(Url::has_host);
    url.is_some_and(|url| !url.username().is_empty() || url.password().is_some() || url.query().is_some())
}

/// Visits everything that is no table.
fn walk<'a>(node: &'a Node, keys: &mut Vec<String>, visit: &mut impl FnMut(&[String], &'a Node)) {
    let within = |keys: &mut Vec<String>, name: String, node: &'a Node, visit: &mut _| {
        keys.push(name);
        walk(node, keys, visit);
        keys.pop();
    };
    match &node.content {
        Content::Table(entries) => {
            entries.iter().for_each(|entry| within(keys, entry.key.clone(), &entry.value, visit));
        }
        Content::List(items) if items.iter().any(|item| item.entries().is_some()) => {
            items.iter().enumerate().for_each(|(index, item)| within(keys, index.to_string(), item, visit));
        }
        _ => visit(keys, node),
    }
}
