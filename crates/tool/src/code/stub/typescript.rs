//! Declarations in TypeScript, of JSON schemas.

use std::collections::BTreeMap;

use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

/// How deep types are written out; what is deeper is `any`.
const DEEPEST: usize = 8;

/// How many choices of a text are written out.
const MOST_CHOICES: usize = 40;

pub(super) fn declare<'a>(tools: impl IntoIterator<Item = &'a ToolSpec>) -> String {
    let mut text = "declare const tools: {\n".to_owned();
    for tool in tools {
        comment(&mut text, &tool.description, 1);
        let schema = Schema { root: &tool.parameters };
        let optional = if required(&tool.parameters).is_empty() { "?" } else { "" };
        let input = schema.of(&tool.parameters, 1, 0);
        text.push_str(&format!("  {}(input{optional}: {input}): Promise<any>;\n", key(&tool.name)));
    }
    text.push_str("};");
    text
}

/// A name as the key of an object.
fn key(name: &str) -> String {
    let begins = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_' || c == '$');
    match begins && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '$') {
        true => name.to_owned(),
        false => Value::from(name).to_string(),
    }
}

/// Writes what is said of something as a comment before it. What is said cannot end the comment.
fn comment(text: &mut String, said: &str, level: usize) {
    let said = said.trim().replace("*/", "* /");
    if said.is_empty() {
        return;
    }
    let indent = "  ".repeat(level);
    let lines: Vec<_> = said.lines().map(str::trim_end).collect();
    match lines.as_slice() {
        [only] => text.push_str(&format!("{indent}/** {only} */\n")),
        lines => {
            text.push_str(&format!("{indent}/**\n"));
            for line in lines {
                text.push_str(format!("{indent} * {line}").trim_end());
                text.push('\n');
            }
            text.push_str(&format!("{indent} */\n"));
        }
    }
}

fn required(schema: &Value) -> Vec<&str> {
    schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str).collect()
}

/// A schema with what its references lead to.
struct Schema<'a> {
    root: &'a Value,
}

impl Schema<'_> {
    /// The type of what fits a schema.
    fn of(&self, schema: &Value, level: usize, depth: usize) -> String {
        let Value::Object(map) = schema else {
            return if *schema == Value::Bool(false) { "never" } else { "any" }.to_owned();
        };
        if depth > DEEPEST {
            return "any".to_owned();
        }
        let of = |schema: &Value| self.of(schema, level, depth + 1);
        if let Some(Value::String(reference)) = map.get("$ref") {
            let target = reference.strip_prefix('#').and_then(|pointer| self.root.pointer(pointer));
            return target.map_or("any".to_owned(), of);
        }
        if let Some(value) = map.get("const") {
            return value.to_string();
        }
        if let Some(Value::Array(choices)) = map.get("enum") {
            return match choices.len() > MOST_CHOICES {
                true => "string".to_owned(),
                false => union(choices.iter().map(Value::to_string)),
            };
        }
        for (keyword, sign) in [("anyOf", " | "), ("oneOf", " | "), ("allOf", " & ")] {
            if let Some(Value::Array(branches)) = map.get(keyword) {
                let types: Vec<_> = branches.iter().map(of).collect();
                return joined(types, sign);
            }
        }
        match map.get("type") {
            Some(Value::Array(types)) => union(types.iter().map(|kind| {
                let mut one = map.clone();
                one.insert("type".to_owned(), kind.clone());
                of(&Value::Object(one))
            })),
            Some(Value::String(kind)) => self.plain(kind, map, level, depth),
            _ if map.contains_key("properties") => self.object(map, level, depth),
            _ => "any".to_owned(),
        }
    }

    fn plain(&self, kind: &str, map: &Map<String, Value>, level: usize, depth: usize) -> String {
        match kind {
            "string" | "boolean" | "null" => kind.to_owned(),
            "integer" | "number" => "number".to_owned(),
            "array" => match map.get("items") {
                Some(items) => {
                    let inner = self.of(items, level, depth + 1);
                    if inner.contains(" | ") || inner.contains(" & ") {
                        format!("Array<{inner}>")
                    } else {
                        format!("{inner}[]")
                    }
                }
                None => "any[]".to_owned(),
            },
            "object" => self.object(map, level, depth),
            _ => "any".to_owned(),
        }
    }

    fn object(&self, map: &Map<String, Value>, level: usize, depth: usize) -> String {
        let others = map.get("additionalProperties").filter(|others| others.is_object());
        let Some(properties) = map.get("properties").and_then(Value::as_object).filter(|map| !map.is_empty())
        else {
            return match (others, map.get("additionalProperties")) {
                (Some(others), _) => format!("Record<string, {}>", self.of(others, level, depth + 1)),
                (None, Some(Value::Bool(false))) => "{}".to_owned(),
                _ => "Record<string, any>".to_owned(),
            };
        };
        let needed = Value::Object(map.clone());
        let needed = required(&needed);
        let mut text = "{\n".to_owned();
        let indent = "  ".repeat(level + 1);
        // In the order of the names, whatever order the schema was read in.
        for (name, schema) in properties.iter().collect::<BTreeMap<_, _>>() {
            comment(&mut text, &said(schema), level + 1);
            let optional = if needed.contains(&name.as_str()) { "" } else { "?" };
            let inner = self.of(schema, level + 1, depth + 1);
            text.push_str(&format!("{indent}{}{optional}: {inner};\n", key(name)));
        }
        if let Some(others) = others {
            text.push_str(&format!("{indent}[name: string]: {};\n", self.of(others, level + 1, depth + 1)));
        }
        text.push_str(&format!("{}}}", "  ".repeat(level)));
        text
    }
}

/// What a schema says of a value besides its type.
fn said(schema: &Value) -> String {
    let mut said = schema.get("description").and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    if let Some(default) = schema.get("default") {
        let gap = if said.is_empty() { "" } else { " " };
        said.push_str(&format!("{gap}Default: {default}."));
    }
    said
}

fn union(types: impl Iterator<Item = String>) -> String {
    joined(types.collect(), " | ")
}

fn joined(mut types: Vec<String>, sign: &str) -> String {
    types.dedup();
    if types.is_empty() { "any".to_owned() } else { types.join(sign) }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use adjutant_core::tool::Effect;
    use serde_json::json;

    use super::*;

    fn check(parameters: &Value, expected: &str) {
        let text = Schema { root: parameters }.of(parameters, 0, 0);
        assert_eq!(text, expected, "{parameters}");
    }

    #[test]
    fn schemas_become_types() {
        check(&json!({ "type": "string" }), "string");
        check(&json!({ "type": ["integer", "null"] }), "number | null");
        check(&json!({ "enum": ["low", "high"] }), r#""low" | "high""#);
        check(&json!({ "type": "array", "items": { "type": ["string", "null"] } }), "Array<string | null>");
        check(&json!({ "type": "array", "items": { "type": "number" } }), "number[]");
        check(
            &json!({ "type": "object", "additionalProperties": { "type": "number" } }),
            "Record<string, number>",
        );
        check(&json!({ "type": "object", "properties": {}, "additionalProperties": false }), "{}");
        check(&json!({ "anyOf": [{ "type": "string" }, { "const": 7 }] }), "string | 7");
        check(&json!(true), "any");
        check(
            &json!({ "type": "object", "properties": { "a-b": { "$ref": "#/$defs/n" } }, "$defs": { "n": { "type": "number" } } }),
            "{\n  \"a-b\"?: number;\n}",
        );
        // A type that contains itself ends somewhere.
        let text = Schema { root: &json!({ "items": { "$ref": "#" }, "type": "array" }) };
        assert!(text.of(text.root, 0, 0).contains("any"));
    }

    #[test]
    fn a_tool_is_declared_with_what_is_said_of_it() {
        let tool = ToolSpec {
            name: "order".into(),
            description: "Finds an order. */ evil()".into(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "number": { "type": "integer", "description": "As on the invoice." },
                    "lines": { "type": "boolean", "default": false },
                },
                "required": ["number"],
            }),
            effect: Effect::Pure,
            timeout: Duration::from_secs(1),
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        };
        let expected = "\
declare const tools: {
  /** Finds an order. * / evil() */
  order(input: {
    /** Default: false. */
    lines?: boolean;
    /** As on the invoice. */
    number: number;
  }): Promise<any>;
};";
        assert_eq!(declare([&tool]), expected);
    }
}
