//! Puts what a call asks to the person: field by field, or an address to go to.

use adjutant::tool::{Answer, Question, Wanted};
use serde_json::{Map, Value};

use super::interrupts::Interrupt;
use super::people::People;
use crate::exit::Ended;
use crate::screen::{Output, Style, clean};

/// What a person types instead of a value.
const DECLINE: &str = "/decline";
const CANCEL: &str = "/cancel";

/// What came of it.
pub(crate) enum Put {
    /// The person answered.
    Answered(Answer),
    /// Nobody is there any more.
    Left,
    /// The program was told to stop.
    Interrupted(Interrupt),
}

/// What was typed at one prompt.
enum Typed {
    Value(Value),
    Nothing,
    Over(Put),
}

/// Puts a question to the person until they have given an answer that fits.
pub(crate) async fn put(question: &Question, people: &mut People, output: Output) -> Ended<Put> {
    let asks = output.painted(Style::Yellow, "asks");
    output.raw_talk(&format!("{} {asks}: {}\n", clean(&question.from), clean(&question.message)));
    loop {
        let content = match &question.wanted {
            Wanted::Visit(address) => {
                output.raw_talk(&format!("  open {}\n", clean(address)));
                match typed("press Enter when it is done", None, people, output).await? {
                    Typed::Over(put) => return Ok(put),
                    _ => return Ok(Put::Answered(Answer::Accept(None))),
                }
            }
            Wanted::Values(_) => match fields(question, people, output).await? {
                Ok(content) => content,
                Err(put) => return Ok(put),
            },
        };
        match question.fitting(Answer::Accept(Some(content))) {
            Ok(answer) => return Ok(Put::Answered(answer)),
            Err(error) => output.raw_talk(&format!("{}\n", clean(error.message()))),
        }
    }
}

/// Asks for each field. Without any, the person agrees.
async fn fields(
    question: &Question,
    people: &mut People,
    output: Output,
) -> Ended<Result<Map<String, Value>, Put>> {
    let mut content = Map::new();
    let mut prompts: Vec<_> = question.fields().map(|(name, schema)| (name, Some(schema))).collect();
    if prompts.is_empty() {
        prompts.push(("press Enter to agree", None));
    }
    for (name, schema) in prompts {
        let prompt = schema.map_or(name.to_owned(), |schema| prompt(question, name, schema));
        match typed(&prompt, schema, people, output).await? {
            Typed::Value(value) => drop(content.insert(name.to_owned(), value)),
            Typed::Nothing => {}
            Typed::Over(put) => return Ok(Err(put)),
        }
    }
    Ok(Ok(content))
}

/// Reads a line.
async fn typed(prompt: &str, schema: Option<&Value>, people: &mut People, output: Output) -> Ended<Typed> {
    output.raw_talk(&format!("  {} ({DECLINE}, {CANCEL}): ", clean(prompt)));
    let line = tokio::select! {
        biased;
        interrupt = people.interrupts.next() => {
            output.raw_talk("\n");
            return Ok(Typed::Over(Put::Interrupted(interrupt)));
        }
        line = people.keyboard.line() => line,
    };
    if !people.is_terminal() || line.is_none() {
        output.raw_talk("\n");
    }
    Ok(match line.as_deref().map(str::trim) {
        None => Typed::Over(Put::Left),
        Some(DECLINE) => Typed::Over(Put::Answered(Answer::Decline)),
        Some(CANCEL) => Typed::Over(Put::Answered(Answer::Cancel)),
        Some("") => Typed::Nothing,
        Some(text) => Typed::Value(schema.map_or(Value::Null, |schema| read(text, schema))),
    })
}

/// What a field is called and takes, in one line.
fn prompt(question: &Question, name: &str, schema: &Value) -> String {
    let word = |key: &str| schema.get(key).and_then(Value::as_str);
    let about = word("title").or(word("description")).map(|about| format!(" ({about})")).unwrap_or_default();
    let kind = match options(schema) {
        options if options.is_empty() => word("format").or(word("type")).unwrap_or("text").to_owned(),
        options => options.join(" | "),
    };
    let must = match schema.get("default") {
        Some(default) => format!(", otherwise {default}"),
        None if question.requires(name) => String::new(),
        None => ", may be left out".to_owned(),
    };
    format!("{name}{about}: {kind}{must}")
}

/// What there is to choose from.
fn options(schema: &Value) -> Vec<String> {
    let schema = schema.get("items").unwrap_or(schema);
    let shown = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        return values.iter().map(shown).collect();
    }
    let choices = schema.get("oneOf").or_else(|| schema.get("anyOf")).and_then(Value::as_array);
    choices.into_iter().flatten().filter_map(|choice| choice.get("const")).map(shown).collect()
}

/// What a person typed as the value of a field. Numbers are read where the answer is checked.
fn read(text: &str, schema: &Value) -> Value {
    match schema.get("type").and_then(Value::as_str) {
        Some("boolean") => match text.to_lowercase().as_str() {
            "y" | "yes" | "true" => true.into(),
            "n" | "no" | "false" => false.into(),
            _ => text.into(),
        },
        Some("array") if !text.starts_with('[') => {
            text.split(',').map(|item| Value::from(item.trim())).collect()
        }
        _ => text.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_typed_is_read_by_the_kind_of_the_field() {
        for (text, schema, expected) in [
            ("yes", json!({ "type": "boolean" }), json!(true)),
            ("N", json!({ "type": "boolean" }), json!(false)),
            ("perhaps", json!({ "type": "boolean" }), json!("perhaps")),
            ("red, blue", json!({ "type": "array" }), json!(["red", "blue"])),
            ("[\"red\"]", json!({ "type": "array" }), json!("[\"red\"]")),
            ("7", json!({ "type": "integer" }), json!("7")),
            ("yes", json!({ "type": "string" }), json!("yes")),
        ] {
            assert_eq!(read(text, &schema), expected, "{text} {schema}");
        }
    }

    #[test]
    fn a_prompt_says_what_a_field_takes() {
        let schema = json!({ "type": "object", "required": ["size"], "properties": {} });
        let question = Question { from: "x".into(), message: "?".into(), wanted: Wanted::Values(schema) };
        for (name, schema, expected) in [
            ("size", json!({ "type": "integer", "title": "How large" }), "size (How large): integer"),
            ("mail", json!({ "type": "string", "format": "email" }), "mail: email, may be left out"),
            (
                "hue",
                json!({ "enum": ["red", "blue"], "default": "red" }),
                "hue: red | blue, otherwise \"red\"",
            ),
            (
                "hue",
                json!({ "type": "array", "items": { "anyOf": [{ "const": "a", "title": "A" }] } }),
                "hue: a, may be left out",
            ),
        ] {
            assert_eq!(prompt(&question, name, &schema), expected);
        }
    }
}
