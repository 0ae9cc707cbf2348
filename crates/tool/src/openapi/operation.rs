//! The operations of a document, and which of them are wanted.

use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use serde_json::Value;

use super::config::{Config, MOST_OPERATIONS};
use super::document::{Document, bounded, within};
use super::name::{self, Named};

/// The methods, and what happens when a request is made twice (RFC 9110, 9.2).
const METHODS: [(&str, &str, Effect); 7] = [
    ("get", "GET", Effect::Pure),
    ("head", "HEAD", Effect::Pure),
    ("options", "OPTIONS", Effect::Pure),
    ("put", "PUT", Effect::Idempotent),
    ("delete", "DELETE", Effect::Idempotent),
    ("post", "POST", Effect::AtMostOnce),
    ("patch", "PATCH", Effect::AtMostOnce),
];

/// One operation of a document.
#[derive(Clone, Debug)]
pub(super) struct Operation<'a> {
    /// What the tool is called.
    pub(super) name: String,
    pub(super) id: Option<&'a str>,
    pub(super) method: &'static str,
    /// The method in lower case, as the document writes it.
    word: &'static str,
    pub(super) path: &'a str,
    pub(super) node: &'a Value,
    pub(super) at: String,
    /// What holds for all operations of the path, and its place.
    pub(super) item: (&'a Value, String),
    usual: Effect,
}

impl Operation<'_> {
    /// `METHOD /path`.
    pub(super) fn key(&self) -> String {
        format!("{} {}", self.method, self.path)
    }

    /// Whether a person means this one.
    fn is_called(&self, typed: &str) -> bool {
        if self.id == Some(typed) || self.name == typed {
            return true;
        }
        let words = typed.split_once(char::is_whitespace);
        words.is_some_and(|(method, path)| {
            method.eq_ignore_ascii_case(self.method) && path.trim() == self.path
        })
    }

    /// What happens if it is called twice.
    pub(super) fn effect(&self, config: &Config) -> Effect {
        let own = config.effects.iter().find(|(typed, _)| self.is_called(typed)).map(|(_, effect)| *effect);
        own.unwrap_or(match self.carries_key(config) {
            true => Effect::Idempotent,
            false => self.usual,
        })
    }

    /// Whether the idempotency key of a call goes out with it.
    pub(super) fn carries_key(&self, config: &Config) -> bool {
        config.idempotency_header.is_some() && self.usual == Effect::AtMostOnce
    }

    /// The address of a server of its own, if it names one.
    pub(super) fn server(&self) -> Option<&Value> {
        [self.node, self.item.0].into_iter().find_map(|node| node.get("servers")?.as_array()?.first())
    }
}

/// The operations that are wanted. Fails with [`Code::ToolInvalid`] when there are none, or too many to want all, or
/// when something is named that is not there.
pub(super) fn chosen<'a>(document: &'a Document, config: &Config) -> Result<Vec<Operation<'a>>> {
    let all = all(document, config.longest_name)?;
    let invalid = |why: String| Error::new(Code::ToolInvalid, why);
    for typed in config.effects.keys() {
        if !all.iter().any(|operation| operation.is_called(typed)) {
            return Err(missing(document, &all, typed));
        }
    }
    if config.operations.is_empty() {
        return match all.len() {
            0 => Err(invalid(format!("`{}` has no operations", document.name()))),
            count if count > MOST_OPERATIONS => Err(invalid(format!(
                "`{}` has {count} operations, more than {MOST_OPERATIONS}",
                document.name()
            ))
            .with_help("list those that are wanted: `operations = [\"ID\", \"GET /path\"]`")),
            _ => Ok(all),
        };
    }
    let mut chosen: Vec<Operation<'a>> = Vec::with_capacity(config.operations.len());
    for typed in &config.operations {
        let mut meant = all.iter().filter(|operation| operation.is_called(typed));
        let operation = meant.next().ok_or_else(|| missing(document, &all, typed))?;
        if let Some(other) = meant.next() {
            let why = format!("`{}` has two operations `{}`", document.name(), bounded(typed, 100));
            return Err(invalid(why).with_help(format!(
                "name it as `{}` or `{}`",
                operation.key(),
                other.key()
            )));
        }
        if !chosen.iter().any(|already| already.at == operation.at) {
            chosen.push(operation.clone());
        }
    }
    Ok(chosen)
}

fn missing(document: &Document, all: &[Operation<'_>], typed: &str) -> Error {
    let lower = typed.to_lowercase();
    let near = all.iter().find(|operation| {
        let id = operation.id.unwrap_or_default().to_lowercase();
        !id.is_empty() && (id.contains(&lower) || lower.contains(&id))
            || operation.key().to_lowercase().contains(&lower)
    });
    let why = format!("`{}` has no operation `{}`", document.name(), bounded(typed, 100));
    let error = Error::new(Code::ToolInvalid, why);
    match near {
        Some(near) => {
            error.with_help(format!("did you mean `{}`?", near.id.map_or_else(|| near.key(), str::to_owned)))
        }
        None => {
            error.with_help("name it by its `operationId` or as `METHOD /path`, as the document writes it")
        }
    }
}

/// All operations, in the order of their paths.
fn all(document: &Document, longest_name: usize) -> Result<Vec<Operation<'_>>> {
    let mut operations = Vec::new();
    for (path, item) in document.paths().filter(|(path, _)| !path.starts_with("x-")) {
        let at = within("#/paths", path);
        if !path.starts_with('/') {
            return Err(document.fault(&at, "a path must begin with `/`"));
        }
        let (item, at) = document.resolve(item, &at)?;
        for (word, method, usual) in METHODS {
            let Some(node) = item.get(word) else { continue };
            let own = within(&at, word);
            if !node.is_object() {
                return Err(document.fault(&own, "an operation must be an object"));
            }
            let id = node.get("operationId").and_then(Value::as_str).filter(|id| !id.is_empty());
            let item = (item, at.clone().into_owned());
            operations.push(Operation {
                name: String::new(),
                id,
                method,
                word,
                path,
                node,
                at: own,
                item,
                usual,
            });
        }
    }
    let named: Vec<_> = operations
        .iter()
        .map(|operation| Named { id: operation.id, method: operation.word, path: operation.path })
        .collect();
    let names = name::tools(&named, longest_name);
    for (operation, name) in operations.iter_mut().zip(names) {
        operation.name = name;
    }
    Ok(operations)
}
