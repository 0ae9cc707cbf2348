//! [`Type`]: what policies may do with a value, as the JSON schema of a tool tells it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

/// How deep a schema is followed; what lies deeper is text.
const DEEPEST: usize = 6;
/// How many references in a row are followed.
const MOST_REFERENCES: usize = 16;

/// What a value is to policies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Type {
    /// Text; and whatever has no type of its own, as compact JSON.
    Text,
    /// A whole number of 64 bits.
    Long,
    /// A number with four digits after the point.
    Decimal,
    /// `true` or `false`.
    Bool,
    /// A list, without order.
    Set(Box<Type>),
    /// An object.
    Record(BTreeMap<String, Slot>),
}

/// A value that has a name: an argument, or a field of one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Slot {
    /// What it is.
    pub(super) kind: Type,
    /// Whether it is always there.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) required: bool,
    /// What its text says.
    #[serde(default, skip_serializing_if = "Form::is_plain")]
    pub(super) form: Form,
}

/// What a text says beyond its letters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Form {
    /// Nothing that is known.
    #[default]
    Plain,
    /// It is an address of the web, which has a host.
    Url,
    /// It is an address of e-mail, which has a domain.
    Email,
}

impl Form {
    fn is_plain(&self) -> bool {
        *self == Self::Plain
    }

    /// What policies call the part of such a text that says where it leads, alone and in a list.
    pub(super) fn part(self) -> Option<(&'static str, &'static str)> {
        match self {
            Self::Plain => None,
            Self::Url => Some(("host", "hosts")),
            Self::Email => Some(("domain", "domains")),
        }
    }

    /// That part of a text; empty where it has none, so that no list of hosts holds it.
    pub(super) fn part_of(self, text: &str) -> String {
        match self {
            Self::Plain => String::new(),
            Self::Url => {
                let host =
                    url::Url::parse(text.trim()).ok().and_then(|url| url.host_str().map(str::to_owned));
                host.map(|host| host.trim_end_matches('.').to_ascii_lowercase()).unwrap_or_default()
            }
            Self::Email => {
                let address = text.trim();
                // `Ann <ann@example.org>` leads where the address in the brackets does.
                let address = match (address.rfind('<'), address.strip_suffix('>')) {
                    (Some(open), Some(inner)) => inner.get(open + 1..).unwrap_or_default(),
                    _ => address,
                };
                let odd = |c: char| c.is_whitespace() || c.is_control() || matches!(c, ',' | ';' | '<' | '>');
                match address.rsplit_once('@') {
                    Some((_, domain)) if !address.contains(odd) => domain.to_ascii_lowercase(),
                    _ => String::new(),
                }
            }
        }
    }
}

impl Type {
    /// Reads the arguments of a tool out of its schema.
    pub(super) fn arguments(schema: &Value) -> BTreeMap<String, Slot> {
        let schema = resolve(schema, schema);
        fields(schema, schema, 0)
    }

    /// Whether it is one value that can be written as text.
    pub(super) fn is_scalar(&self) -> bool {
        !matches!(self, Self::Set(_) | Self::Record(_))
    }

    /// The type of one value of it: of a list, that of its elements.
    pub(super) fn element(&self) -> &Self {
        match self {
            Self::Set(element) => element,
            other => other,
        }
    }

    /// The type as Cedar's schemas have it, of a value that has no label of its own.
    pub(super) fn cedar(&self) -> Map<String, Value> {
        let declared = match self {
            Self::Text => json!({ "type": "String" }),
            Self::Long => json!({ "type": "Long" }),
            Self::Decimal => json!({ "type": "Extension", "name": "decimal" }),
            Self::Bool => json!({ "type": "Boolean" }),
            Self::Set(element) => json!({ "type": "Set", "element": element.cedar() }),
            Self::Record(fields) => {
                let attributes = fields.iter().map(|(name, slot)| {
                    let mut declared = slot.kind.cedar();
                    declared.insert("required".to_owned(), slot.required.into());
                    (name.clone(), Value::Object(declared))
                });
                json!({ "type": "Record", "attributes": attributes.collect::<Map<_, _>>() })
            }
        };
        declared.as_object().cloned().unwrap_or_default()
    }
}

/// The fields of an object's schema.
fn fields(schema: &Value, root: &Value, depth: usize) -> BTreeMap<String, Slot> {
    let required: Vec<&str> = schema
        .get("required")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let properties = schema.get("properties").and_then(Value::as_object);
    let read = properties.into_iter().flatten().map(|(name, schema)| {
        let schema = resolve(schema, root);
        let (kind, nullable) = read(schema, root, depth);
        let form = match kind.element() {
            Type::Text => form(name, schema, root),
            _ => Form::Plain,
        };
        (name.clone(), Slot { kind, required: !nullable && required.contains(&name.as_str()), form })
    });
    read.collect()
}

/// The type that a schema has, and whether nothing may stand in its place.
fn read(schema: &Value, root: &Value, depth: usize) -> (Type, bool) {
    if depth > DEEPEST {
        return (Type::Text, true);
    }
    let schema = resolve(schema, root);
    for key in ["anyOf", "oneOf"] {
        if let Some(choices) = schema.get(key).and_then(Value::as_array) {
            return choice(choices, root, depth);
        }
    }
    if let Some([only]) = schema.get("allOf").and_then(Value::as_array).map(Vec::as_slice) {
        return read(only, root, depth + 1);
    }
    let (names, nullable) = match schema.get("type") {
        Some(Value::String(name)) => (vec![name.as_str()], name == "null"),
        Some(Value::Array(names)) => {
            let names: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
            let nullable = names.contains(&"null");
            (names.into_iter().filter(|name| *name != "null").collect(), nullable)
        }
        _ => (listed(schema).into_iter().collect(), false),
    };
    let kind = match names.as_slice() {
        ["integer"] => Type::Long,
        ["number"] | ["integer", "number"] | ["number", "integer"] => Type::Decimal,
        ["boolean"] => Type::Bool,
        ["array"] => {
            let element = schema.get("items").map_or(Type::Text, |items| read(items, root, depth + 1).0);
            Type::Set(Box::new(element))
        }
        ["object"] => Type::Record(fields(schema, root, depth + 1)),
        _ => Type::Text,
    };
    (kind, nullable)
}

/// What all choices have in common.
fn choice(choices: &[Value], root: &Value, depth: usize) -> (Type, bool) {
    let is_null = |choice: &&Value| choice.get("type").and_then(Value::as_str) == Some("null");
    let nullable = choices.iter().any(|choice| is_null(&choice));
    let mut kinds =
        choices.iter().filter(|choice| !is_null(choice)).map(|choice| read(choice, root, depth + 1));
    let Some((first, mut absent)) = kinds.next() else { return (Type::Text, nullable) };
    for (kind, nullable) in kinds {
        absent |= nullable;
        if kind != first {
            return (Type::Text, absent || nullable);
        }
    }
    (first, absent || nullable)
}

/// The type of the values that a schema lists, where it names none.
fn listed(schema: &Value) -> Option<&'static str> {
    let listed = schema.get("enum").and_then(Value::as_array).map(Vec::as_slice);
    let values = listed.or_else(|| schema.get("const").map(std::slice::from_ref))?;
    let all = |is: fn(&Value) -> bool| !values.is_empty() && values.iter().all(is);
    match () {
        () if all(Value::is_string) => Some("string"),
        () if all(Value::is_i64) => Some("integer"),
        () if all(Value::is_number) => Some("number"),
        () if all(Value::is_boolean) => Some("boolean"),
        () if schema.get("properties").is_some() => Some("object"),
        () => None,
    }
}

/// What a schema refers to within its own document.
fn resolve<'a>(mut schema: &'a Value, root: &'a Value) -> &'a Value {
    for _ in 0..MOST_REFERENCES {
        let target =
            schema.get("$ref").and_then(Value::as_str).and_then(|reference| reference.strip_prefix('#'));
        match target.and_then(|pointer| root.pointer(pointer)) {
            Some(target) => schema = target,
            None => break,
        }
    }
    schema
}

/// What the text of an argument says, by its format, else by its name.
fn form(name: &str, schema: &Value, root: &Value) -> Form {
    let inner = schema.get("items").map_or(schema, |items| resolve(items, root));
    match inner.get("format").and_then(Value::as_str) {
        Some("uri" | "url" | "iri" | "uri-reference" | "iri-reference") => return Form::Url,
        Some("email" | "idn-email") => return Form::Email,
        Some(_) => return Form::Plain,
        None => {}
    }
    let words: Vec<String> =
        name.split(['_', '-', '.']).map(|word| word.trim_end_matches('s').to_ascii_lowercase()).collect();
    let ends_in = |last: &[&str]| words.last().is_some_and(|word| last.contains(&word.as_str()));
    match () {
        () if ends_in(&["url", "uri", "href"]) => Form::Url,
        () if ends_in(&["email", "mail"]) => Form::Email,
        () => Form::Plain,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(schema: &Value) -> String {
        let slots = Type::arguments(
            &json!({ "type": "object", "properties": { "a": schema }, "required": ["a"],
            "$defs": { "level": { "enum": ["low", "high"] }, "loop": { "type": "object", "properties": { "next": { "$ref": "#/$defs/loop" } } } } }),
        );
        let slot = slots.get("a").unwrap();
        format!("{:?} {} {:?}", slot.kind, slot.required, slot.form)
    }

    #[test]
    fn schemas_are_types() {
        for (schema, expected) in [
            (json!({ "type": "string" }), "Text true Plain"),
            (json!({ "type": "integer" }), "Long true Plain"),
            (json!({ "type": "number" }), "Decimal true Plain"),
            (json!({ "type": ["boolean", "null"] }), "Bool false Plain"),
            (
                json!({ "type": "array", "items": { "type": "string", "format": "email" } }),
                "Set(Text) true Email",
            ),
            (json!({ "anyOf": [{ "type": "integer" }, { "type": "null" }] }), "Long false Plain"),
            (json!({ "anyOf": [{ "type": "integer" }, { "type": "string" }] }), "Text true Plain"),
            (json!({ "$ref": "#/$defs/level" }), "Text true Plain"),
            (json!({ "allOf": [{ "$ref": "#/$defs/level" }] }), "Text true Plain"),
            (json!({ "const": 3 }), "Long true Plain"),
            (json!({ "type": "string", "format": "uri" }), "Text true Url"),
            (json!(true), "Text true Plain"),
        ] {
            assert_eq!(of(&schema), expected, "{schema}");
        }
        assert!(of(&json!({ "$ref": "#/$defs/loop" })).starts_with("Record"), "ends");
    }

    #[test]
    fn hosts_and_domains_are_where_a_text_leads() {
        for (form, text, part) in [
            (Form::Url, "https://user@Example.org:8080/a", "example.org"),
            (Form::Url, "https://example.org@evil.test/", "evil.test"),
            (Form::Url, "https://example.org./", "example.org"),
            (Form::Url, "example.org", ""),
            (Form::Email, "Ann <ann@Example.org>", "example.org"),
            (Form::Email, "a@b.test, c@d.test", ""),
            (Form::Email, "a@b.test <c@d.test>", "d.test"),
            (Form::Email, "nobody", ""),
        ] {
            assert_eq!(form.part_of(text), part, "{text}");
        }
    }
}
