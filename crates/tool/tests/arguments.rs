//! What models write as arguments, from valid to hostile.

use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_tool::{Effect, MAX_ARGUMENTS, ToolSpec, Validator, arguments};
use proptest::prelude::*;
use serde_json::{Value, json};

fn spec(parameters: Value) -> ToolSpec {
    ToolSpec {
        name: "look_up".into(),
        description: "Looks up.".into(),
        parameters,
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

fn order() -> ToolSpec {
    spec(json!({
        "type": "object",
        "properties": {
            "number": {"type": "integer", "minimum": 1},
            "lines": {"type": "array", "items": {"type": "object", "properties": {"count": {"type": "integer"}}}},
            "note": {"anyOf": [{"type": "object", "properties": {"text": {"type": "string"}}}, {"type": "null"}]},
        },
        "required": ["number"],
        "additionalProperties": false,
    }))
}

#[test]
fn what_models_write_is_read() {
    let cases = [
        (r#"{"number": 5}"#, json!({"number": 5})),
        (r#""{\"number\": 5}""#, json!({"number": 5})),
        (r#""{'number': 5,}""#, json!({"number": 5})),
        ("```json\n{\"number\": \"5\"}\n```", json!({"number": 5})),
        (r#"{"number": 5, "note": null, "lines": null}"#, json!({"number": 5, "note": null})),
        (r#"{"number": 5, "lines": "[{\"count\": \"2\"}]"}"#, json!({"number": 5, "lines": [{"count": 2}]})),
    ];
    for (text, value) in cases {
        assert_eq!(arguments(&order(), text).unwrap(), value, "{text}");
    }
    for text in ["", "  ", "null", "{}"] {
        assert_eq!(arguments(&spec(json!({"type": "object"})), text).unwrap(), json!({}), "{text:?}");
    }
}

#[test]
fn what_is_wrong_is_told_with_its_place() {
    let cases = [
        ("", "do not fit its schema: \"number\" is missing"),
        ("[5]", "do not fit its schema: value is not of type \"object\"; value is not of type"),
        (r#"{"number": 0}"#, "do not fit its schema: `/number`: value is less than the minimum of 1"),
        (
            r#"{"number": 1, "lines": [{"count": "x"}]}"#,
            "do not fit its schema: `/lines/0/count`: value is not of type \"integer\"",
        ),
        (
            r#"{"number": 1, "note": {"text": [1]}}"#,
            "do not fit its schema: `/note/text`: value is not of type \"string\"",
        ),
        (r#"{"number": 1, "nubmer": 2}"#, "do not fit its schema: there is no argument `nubmer`"),
        (r#"{"number": "#, "are not JSON: expected a value, but the text ends at line 1, column 12"),
    ];
    for (text, why) in cases {
        let error = arguments(&order(), text).unwrap_err();
        assert_eq!(error.code(), Code::ToolArguments);
        let expected = format!("the arguments of `look_up` {why}");
        assert!(
            error.message().starts_with(expected.split("; value is not").next().unwrap()),
            "{text}: {error}"
        );
        assert!(
            error.help().unwrap().starts_with("the tool expects {lines?: [{count?: integer}], note?: "),
            "{error:?}"
        );
    }
}

#[test]
fn at_most_five_violations_are_named_and_none_is_long() {
    let lines: Vec<_> = (0..50).map(|_| json!({"count": "x".repeat(10_000)})).collect();
    let text = json!({"number": 1, "lines": lines}).to_string();
    let error = arguments(&order(), &text).unwrap_err();
    assert_eq!(error.message().matches("/lines/").count(), 5);
    let long = json!({ "x".repeat(100_000): 1 }).to_string();
    assert!(arguments(&order(), &long).unwrap_err().message().len() < 2_000);
}

#[test]
fn size_and_depth_are_bounded() {
    let validator = Validator::new(&spec(json!({"type": "object"}))).unwrap();
    let began = Instant::now();
    let large = json!({"text": "x\n".repeat(5 << 20)}).to_string();
    validator.read(&large).unwrap();
    let broken = format!("{{'text': '{}',}}", "x\n".repeat(5 << 20));
    validator.read(&broken).unwrap();
    assert!(validator.read(&"[".repeat(10 << 20)).is_err());
    assert!(validator.read(&"{\"a\":".repeat(2 << 20)).is_err());
    assert!(validator.read(&"\"\\\"".repeat(3 << 20)).is_err());
    let error = validator.read(&" ".repeat(MAX_ARGUMENTS + 1)).unwrap_err();
    assert!(error.message().contains("more than the 16777216 that are read"), "{error}");
    assert!(began.elapsed() < Duration::from_secs(20));
}

#[test]
fn a_schema_that_cannot_be_used_is_refused() {
    let cases = [
        (json!({"type": "string"}), "they must have `\"type\": \"object\"`"),
        (json!(true), "they must have"),
        (json!({"type": "object", "properties": {"a": {"type": "whole"}}}), "\"whole\""),
        (json!({"type": "object", "properties": {"a": {"$ref": "https://example.org/a.json"}}}), ""),
        (json!({"type": "object", "properties": {"a": {"$ref": "file:///etc/passwd"}}}), ""),
        (json!({"type": "object", "properties": {"a": {"pattern": "(a"}}}), ""),
    ];
    for (schema, why) in cases {
        let error = Validator::new(&spec(schema.clone())).unwrap_err();
        assert_eq!(error.code(), Code::ToolInvalid, "{schema}");
        assert!(error.message().contains(why), "{error}");
    }
}

proptest! {
    /// Valid arguments come out as they went in.
    #[test]
    fn valid_arguments_are_not_changed(number in 1i64.., counts in prop::collection::vec(any::<i64>(), 0..5), text in ".*") {
        let lines: Vec<_> = counts.into_iter().map(|count| json!({ "count": count })).collect();
        let value = json!({"number": number, "lines": lines, "note": {"text": text}});
        prop_assert_eq!(arguments(&order(), &value.to_string()).ok(), Some(value));
    }

    /// Whatever is read of a text fits the schema, and is read again as the same.
    #[test]
    fn what_is_read_fits(
        number in prop_oneof![any::<i64>().prop_map(Value::from), "[0-9]{1,3}|\\PC{0,3}".prop_map(Value::from)],
        count in prop_oneof![any::<f64>().prop_map(Value::from), "[0-9.]{1,4}".prop_map(Value::from)],
        note in prop_oneof![Just(Value::Null), ".{0,9}".prop_map(Value::from), Just(json!({"text": 5}))],
        damages in prop::collection::vec((any::<prop::sample::Index>(), 0usize..3, "\\PC|[\\[\\]{}\",:']"), 0..3),
    ) {
        let value = json!({"number": number, "lines": [{ "count": count }], "note": note});
        let mut text = value.to_string();
        for (at, removed, inserted) in damages {
            let at = text.floor_char_boundary(at.index(text.len() + 1));
            let end = text.ceil_char_boundary(text.len().min(at + removed));
            text.replace_range(at..end, &inserted);
        }
        let validator = Validator::new(&order()).unwrap();
        match validator.read(&text) {
            Ok(read) => {
                prop_assert_eq!(validator.validate(&read), Ok(()), "{}", text);
                prop_assert_eq!(validator.read(&read.to_string()), Ok(read));
            }
            Err(error) => {
                prop_assert_eq!(error.code(), Code::ToolArguments);
                prop_assert!(error.to_string().len() < 2_000, "{}", error);
            }
        }
    }

    #[test]
    fn no_text_panics(text in ".{0,100}") {
        let _ = arguments(&order(), &text);
    }
}
