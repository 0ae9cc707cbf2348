//! [`Document`]: the text as a tree, and references within it.

use std::borrow::Cow;

use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value};
use serde_saphyr::{DuplicateKeyPolicy, MergeKeyPolicy};

/// The longest document, in bytes. The largest that are published have a third of it.
pub const LONGEST_DOCUMENT: u64 = 40 << 20;

/// How many values a YAML document may have, and so how much an alias can multiply.
const MOST_NODES: usize = 4_000_000;
/// How many references in a row are followed.
const MOST_HOPS: usize = 32;

/// An OpenAPI document, 3.0 or 3.1.
#[derive(Clone, Debug)]
pub struct Document {
    root: Value,
    name: String,
}

impl Document {
    /// Reads a document: JSON where it begins with `{`, otherwise YAML. `name` is what a person knows it by.
    ///
    /// Fails with [`Code::ToolInvalid`], with line and column where the text is wrong.
    pub fn read(text: &str, name: &str) -> Result<Self> {
        let text = text.trim_start_matches('\u{feff}');
        let root = if text.trim_start().starts_with('{') { json(text) } else { yaml(text) };
        let root = root.map_err(|(place, why)| {
            let at = place.map(|(line, column)| format!(":{line}:{column}")).unwrap_or_default();
            Error::new(Code::ToolInvalid, format!("`{name}{at}` cannot be read: {why}"))
        })?;
        let document = Self { root, name: name.to_owned() };
        document.check()?;
        Ok(document)
    }

    fn check(&self) -> Result<()> {
        let version = self.root.get("openapi").and_then(Value::as_str).unwrap_or_default();
        if version == "3" || ["3.0", "3.1", "3.2"].iter().any(|known| is_of(version, known)) {
            return match self.root.get("paths") {
                Some(Value::Object(_)) => Ok(()),
                Some(_) => Err(self.fault("#/paths", "is no object")),
                None => Err(self.fault("#", "it has no `paths`, so there is nothing to call")),
            };
        }
        let error = match self.root.get("swagger").and_then(Value::as_str) {
            Some(old) => self.fault("#/swagger", format!("Swagger `{}` is not read", bounded(old, 20))),
            None if version.is_empty() => self.fault("#", "it is no OpenAPI document: `openapi` is missing"),
            None => self.fault("#/openapi", format!("OpenAPI `{}` is not known", bounded(version, 20))),
        };
        Err(error.with_help("give a document of OpenAPI 3.0 or 3.1; converters make one of Swagger 2.0"))
    }

    /// What a person knows it by.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The whole tree.
    pub(super) fn root(&self) -> &Value {
        &self.root
    }

    /// The paths.
    pub(super) fn paths(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.root.get("paths").and_then(Value::as_object).into_iter().flat_map(Map::iter)
    }

    /// A mistake at a place, which is a JSON pointer.
    pub(super) fn fault(&self, at: &str, why: impl AsRef<str>) -> Error {
        Error::new(Code::ToolInvalid, format!("`{}` at `{}`: {}", self.name, bounded(at, 300), why.as_ref()))
    }

    /// What a node stands for: itself, or what its `$ref` leads to. `at` is the pointer of the node.
    pub(super) fn resolve<'a>(&'a self, mut node: &'a Value, at: &str) -> Result<(&'a Value, Cow<'a, str>)> {
        let mut place = Cow::Owned(at.to_owned());
        for _ in 0..MOST_HOPS {
            let Some(reference) = node.get("$ref").and_then(Value::as_str) else { return Ok((node, place)) };
            node = self.target(reference, &place)?;
            place = Cow::Borrowed(reference);
        }
        Err(self.fault(at, "its `$ref` leads in a circle"))
    }

    /// What a reference leads to.
    pub(super) fn target(&self, reference: &str, at: &str) -> Result<&Value> {
        let shown = bounded(reference, 100);
        let Some(pointer) = reference.strip_prefix('#') else {
            return Err(self
                .fault(at, format!("the reference `{shown}` leads out of the document"))
                .with_help("bundle the document into one file: nothing is fetched for it"));
        };
        let decoded = percent_encoding::percent_decode_str(pointer).decode_utf8_lossy();
        if !decoded.is_empty() && !decoded.starts_with('/') {
            let why = format!("the reference `{shown}` is no JSON pointer");
            return Err(self.fault(at, why).with_help("write it as `#/components/...`"));
        }
        self.root
            .pointer(&decoded)
            .ok_or_else(|| self.fault(at, format!("the reference `{shown}` leads nowhere")))
    }
}

fn is_of(version: &str, known: &str) -> bool {
    version.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
}

/// A text of a document, in a message: short.
pub(super) fn bounded(text: &str, most: usize) -> String {
    match text.char_indices().nth(most) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// Adds a step to a JSON pointer.
pub(super) fn within(at: &str, key: &str) -> String {
    format!("{at}/{}", key.replace('~', "~0").replace('/', "~1"))
}

type Fault = (Option<(u64, u64)>, String);

fn json(text: &str) -> Result<Value, Fault> {
    serde_json::from_str(text).map_err(|error| {
        let whole = error.to_string();
        let why = whole.rsplit_once(" at line ").map_or(whole.as_str(), |(why, _)| why);
        (Some((error.line() as u64, error.column() as u64)), why.to_owned())
    })
}

fn yaml(text: &str) -> Result<Value, Fault> {
    let options = serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MOST_NODES * 2,
            max_nodes: MOST_NODES,
            max_depth: 100,
            max_aliases: 10_000,
            max_anchors: 10_000,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: 200_000,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        merge_keys: MergeKeyPolicy::Merge,
        strict_booleans: true,
        with_snippet: false,
    };
    serde_saphyr::from_str_with_options::<Value>(text, options).map_err(|error| {
        let place = error.location().map(|at| (at.line(), at.column()));
        let whole = error.to_string();
        let first = whole.lines().next().unwrap_or_default();
        let why = first.rsplit_once(" at line ").map_or(first, |(why, _)| why);
        (place, bounded(why, 200))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> String {
        Document::read(text, "shop.yaml").unwrap_err().to_string()
    }

    #[test]
    fn both_spellings_are_read() {
        let yaml =
            "openapi: 3.1.0\npaths:\n  /a:\n    get:\n      responses:\n        200: {description: ok}\n";
        let document = Document::read(yaml, "shop.yaml").unwrap();
        assert_eq!(document.root().pointer("/paths/~1a/get/responses/200/description").unwrap(), "ok");
        assert!(Document::read("{\"openapi\": \"3.0.3\", \"paths\": {}}", "a").is_ok());
    }

    #[test]
    fn what_is_no_document_is_said_with_its_place() {
        for (text, start) in [
            ("{\n  \"openapi\": \"3.0.0\",,\n}", "`shop.yaml:2:22` cannot be read: "),
            ("openapi: 3.1.0\npaths: [", "`shop.yaml:"),
            ("openapi: 3.1.0\nopenapi: 3.1.0\n", "`shop.yaml:2:1` cannot be read: "),
            ("{\"swagger\": \"2.0\"}", "`shop.yaml` at `#/swagger`: Swagger `2.0` is not read"),
            ("{}", "`shop.yaml` at `#`: it is no OpenAPI document: `openapi` is missing"),
            ("{\"openapi\": \"4.0\"}", "`shop.yaml` at `#/openapi`: OpenAPI `4.0` is not known"),
            ("{\"openapi\": \"3.0.1\"}", "`shop.yaml` at `#`: it has no `paths`"),
            ("{\"openapi\": \"3.0.1\", \"paths\": []}", "`shop.yaml` at `#/paths`: is no object"),
        ] {
            let message = fault(text);
            assert!(message.starts_with(start), "{text}: {message}");
        }
        assert!(fault(&"[".repeat(200_000)).contains("cannot be read"));
        assert!(fault(&format!("{{\"a\": {}", "[".repeat(200_000))).contains("recursion limit"));
    }

    #[test]
    fn references_stay_within() {
        let text = r##"{"openapi": "3.0.1", "paths": {}, "a": {"$ref": "#/b"}, "b": {"$ref": "#/c~1d"}, "c/d": {"x": 1},
            "loop": {"$ref": "#/loop"}, "file": {"$ref": "other.json#/a"}, "web": {"$ref": "http://127.0.0.1/x"},
            "none": {"$ref": "#/nowhere"}, "anchor": {"$ref": "#name"}, "space": {"$ref": "#/c~1d%20e"}, "c/d e": {"y": 1}}"##;
        let document = Document::read(text, "shop.json").unwrap();
        let at = |key: &str| {
            let resolved = document.resolve(&document.root()[key], &format!("#/{key}"));
            resolved.map(|(node, _)| node.to_string()).unwrap_or_else(|error| error.message().to_owned())
        };
        assert_eq!(at("a"), "{\"x\":1}");
        assert_eq!(at("space"), "{\"y\":1}");
        assert_eq!(at("loop"), "`shop.json` at `#/loop`: its `$ref` leads in a circle");
        assert_eq!(
            at("file"),
            "`shop.json` at `#/file`: the reference `other.json#/a` leads out of the document"
        );
        assert!(at("web").ends_with("leads out of the document"));
        assert_eq!(at("none"), "`shop.json` at `#/none`: the reference `#/nowhere` leads nowhere");
        assert!(at("anchor").ends_with("is no JSON pointer"));
    }
}
