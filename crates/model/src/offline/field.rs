//! A tool's parameters, as far as rules understand a JSON schema.

use adjutant_core::tool::ToolSpec;
use serde_json::Value;

use super::words::{name_words, stem};

/// One parameter of a tool, or one property of an output schema.
#[derive(Clone, Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    pub(super) schema: &'a Value,
    pub(super) required: bool,
    /// The stems of the name's words.
    stems: Vec<String>,
}

/// What a parameter is for, by its type, its format and its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Meaning {
    Choice,
    Flag,
    Integer,
    Number,
    Email,
    Address,
    Date,
    Path,
    Sql,
    Sum,
    /// An id or a number that is written as text.
    Id,
    /// What to search for.
    Query,
    /// What another agent is asked: all that the person says.
    Task,
    /// What somebody says: a summary, a message.
    Prose,
    Person,
    Text,
    List,
    Object,
}

/// The parameters of a tool.
pub(super) fn fields(tool: &ToolSpec) -> Vec<Field<'_>> {
    properties(&tool.parameters, &tool.parameters)
}

/// The properties of an object schema within its root.
pub(super) fn properties<'a>(schema: &'a Value, root: &'a Value) -> Vec<Field<'a>> {
    let required = |name: &str| {
        schema
            .get("required")
            .and_then(Value::as_array)
            .is_some_and(|list| list.iter().any(|item| item == name))
    };
    let all = schema.get("properties").and_then(Value::as_object);
    all.into_iter()
        .flatten()
        .map(|(name, schema)| Field {
            name,
            schema: resolve(schema, root),
            required: required(name),
            stems: name_words(name).iter().map(|word| stem(word)).collect(),
        })
        .collect()
}

/// A schema behind its references and its choices that are only there to allow `null`.
pub(super) fn resolve<'a>(schema: &'a Value, root: &'a Value) -> &'a Value {
    let mut schema = schema;
    // A reference may point in a circle.
    for _ in 0..16 {
        let target = schema.get("$ref").and_then(Value::as_str).and_then(|path| path.strip_prefix('#'));
        let options = ["anyOf", "oneOf", "allOf"].iter().find_map(|word| schema.get(word)?.as_array());
        let next = match (target, options) {
            (Some(path), _) => root.pointer(path),
            (None, Some(options)) => options.iter().find(|option| type_of(option) != Some("null")),
            (None, None) => None,
        };
        match next {
            Some(next) => schema = next,
            None => break,
        }
    }
    schema
}

/// The type that a schema names; the first but `null` where it names several.
pub(super) fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type")? {
        Value::String(name) => Some(name),
        Value::Array(names) => names.iter().filter_map(Value::as_str).find(|name| *name != "null"),
        _ => None,
    }
}

impl Field<'_> {
    /// Whether the name has one of these words.
    pub(super) fn is_named(&self, names: &[&str]) -> bool {
        self.stems.iter().any(|stem| names.iter().any(|name| super::words::stem(name) == *stem))
    }

    /// The stems of the name's words.
    pub(super) fn stems(&self) -> &[String] {
        &self.stems
    }

    /// The description, or nothing.
    pub(super) fn description(&self) -> &str {
        self.schema.get("description").and_then(Value::as_str).unwrap_or_default()
    }

    /// What the parameter is for.
    pub(super) fn meaning(&self) -> Meaning {
        if self.schema.get("enum").is_some() || self.schema.get("const").is_some() {
            return Meaning::Choice;
        }
        match type_of(self.schema) {
            Some("boolean") => Meaning::Flag,
            Some("integer") => Meaning::Integer,
            Some("number") => Meaning::Number,
            Some("array") => Meaning::List,
            Some("object") => Meaning::Object,
            _ => self.meaning_of_text(),
        }
    }

    fn meaning_of_text(&self) -> Meaning {
        match self.schema.get("format").and_then(Value::as_str) {
            Some("email") => return Meaning::Email,
            Some("uri" | "url" | "iri") => return Meaning::Address,
            Some("date" | "date-time") => return Meaning::Date,
            _ => {}
        }
        let by_name: [(Meaning, &[&str]); 10] = [
            (Meaning::Email, &["email", "mail"]),
            (Meaning::Address, &["url", "uri", "link"]),
            (Meaning::Sql, &["sql", "statement"]),
            (Meaning::Sum, &["expression", "formula", "calculation"]),
            (Meaning::Path, &["path", "file", "filename", "document"]),
            (
                Meaning::Query,
                &[
                    "query", "q", "search", "keyword", "question", "term", "topic", "pattern", "phrase",
                    "word",
                ],
            ),
            (Meaning::Task, &["task", "prompt", "instruction"]),
            (Meaning::Prose, PROSE),
            (
                Meaning::Id,
                &["id", "number", "code", "key", "sku", "ref", "reference", "order", "invoice", "ticket"],
            ),
            (Meaning::Date, &["date", "day", "since", "until"]),
        ];
        if let Some((meaning, _)) = by_name.iter().find(|(_, names)| self.is_named(names)) {
            return *meaning;
        }
        if self.is_named(&["customer", "user", "person", "owner", "author", "name"]) {
            return Meaning::Person;
        }
        Meaning::Text
    }
}

const PROSE: &[&str] = &[
    "summary",
    "title",
    "subject",
    "description",
    "message",
    "body",
    "text",
    "content",
    "note",
    "reason",
    "comment",
    "detail",
    "problem",
    "issue",
    "complaint",
    "answer",
    "reply",
];

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_parameter_is_understood_by_type_format_and_name() {
        let cases = [
            ("number", json!({"type": "integer"}), Meaning::Integer),
            ("number", json!({"type": "string"}), Meaning::Id),
            ("order_id", json!({"type": "string"}), Meaning::Id),
            ("to", json!({"type": "string", "format": "email"}), Meaning::Email),
            ("page_url", json!({"type": ["string", "null"]}), Meaning::Address),
            ("path", json!({"anyOf": [{"type": "string"}, {"type": "null"}]}), Meaning::Path),
            ("sql", json!({"type": "string"}), Meaning::Sql),
            ("query", json!({"type": "string"}), Meaning::Query),
            ("summary", json!({"$ref": "#/$defs/text"}), Meaning::Prose),
            ("priority", json!({"enum": ["low", "high"]}), Meaning::Choice),
            ("task", json!({"type": "string"}), Meaning::Task),
            ("urgent", json!({"type": "boolean"}), Meaning::Flag),
            ("round", json!({"$ref": "#/properties/round"}), Meaning::Text),
            ("city", json!({"type": "string"}), Meaning::Text),
        ];
        for (name, schema, meaning) in cases {
            let root = json!({"properties": {name: schema}, "$defs": {"text": {"type": "string"}}});
            assert_eq!(properties(&root, &root)[0].meaning(), meaning, "{root}");
        }
    }
}
