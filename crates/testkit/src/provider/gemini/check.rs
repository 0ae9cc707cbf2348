//! What is wrong with a request, as a strict provider sees it.
//!
//! The fields are those of `GenerateContentRequest` at ai.google.dev/api/generate-content, the rules those that its error
//! messages and the guides name.

use serde_json::Value;

use super::super::received::{at, list};
use super::model::Model;
use super::{settings, tools, turns};

const FIELDS: &[&str] = &[
    "contents",
    "systemInstruction",
    "tools",
    "toolConfig",
    "safetySettings",
    "generationConfig",
    "cachedContent",
    "labels",
    "serviceTier",
];

/// Everything that is wrong with the body of a request; empty where nothing is.
pub(super) fn faults_of(body: &Value, model: Model, is_vertex: bool) -> Vec<String> {
    let mut faults = Vec::new();
    if !body.is_object() {
        return vec!["the body is not an object".into()];
    }
    unknown(body, FIELDS, "", &mut faults);
    turns::check(&body["contents"], model, &mut faults);
    instruction(&body["systemInstruction"], &mut faults);
    tools::check(body, model, is_vertex, &mut faults);
    settings::check(&body["generationConfig"], model, &mut faults);
    if model.is_old()
        && !list(&body["tools"]).is_empty()
        && !at(body, "/generationConfig/responseMimeType").is_null()
    {
        faults.push("function calling with a response mime type is unsupported".into());
    }
    faults
}

/// Names the fields of a value that are not known, as Google does.
pub(super) fn unknown(value: &Value, known: &[&str], at: &str, faults: &mut Vec<String>) {
    for name in value.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !known.contains(&name.as_str()) {
            faults.push(format!("unknown name `{name}` at `{at}`: cannot find field"));
        }
    }
}

fn instruction(instruction: &Value, faults: &mut Vec<String>) {
    if instruction.is_null() {
        return;
    }
    unknown(instruction, &["role", "parts"], "systemInstruction", faults);
    let parts = list(&instruction["parts"]);
    if parts.is_empty() {
        faults.push("`systemInstruction` has no parts".into());
    }
    for part in parts {
        unknown(part, &["text"], "systemInstruction.parts", faults);
        if part["text"].as_str().is_none_or(str::is_empty) {
            faults.push("a part of `systemInstruction` has no text".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// What is wrong with a request with these fields beside a greeting.
    fn with(model: &str, extra: &Value) -> String {
        let mut body = json!({"contents": [{"role": "user", "parts": [{"text": "hi"}]}]});
        body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
        faults_of(&body, Model::named(model), false).join("; ")
    }

    #[test]
    fn fields_are_checked() {
        let schema = json!({"type": "object", "properties": {"a": {"type": "string"}}});
        let look = json!({"name": "look", "parametersJsonSchema": schema});
        let tools = |function: &Value| json!([{"functionDeclarations": [function]}]);
        let calling =
            |config: Value| json!({"tools": tools(&look), "toolConfig": {"functionCallingConfig": config}});
        let config = |config: Value| json!({"generationConfig": config});
        let thinking = |thinking: Value| config(json!({"thinkingConfig": thinking}));
        let form = json!({"responseMimeType": "application/json", "responseJsonSchema": schema});
        let cases = [
            ("m", json!({}), ""),
            ("m", json!({"wrong": 1}), "unknown name `wrong` at ``: cannot find field"),
            ("m", json!({"systemInstruction": {"parts": [{"text": "a"}]}}), ""),
            ("m", json!({"systemInstruction": {"parts": []}}), "`systemInstruction` has no parts"),
            (
                "m",
                json!({"systemInstruction": {"parts": [{"text": ""}]}}),
                "a part of `systemInstruction` has no text",
            ),
            ("m", json!({"tools": tools(&look)}), ""),
            ("m", json!({"tools": []}), "`tools` is not a list with tools"),
            (
                "m",
                json!({"tools": tools(&json!({"name": "7"}))}),
                "the function `7` has an invalid name, or one that is taken",
            ),
            (
                "m",
                json!({"tools": [{"functionDeclarations": [look, look]}]}),
                "the function `look` has an invalid name, or one that is taken",
            ),
            (
                "m",
                json!({"tools": tools(&json!({"name": "a", "parameters": schema, "parametersJsonSchema": schema}))}),
                "the function `a` has parameters twice",
            ),
            (
                "m",
                json!({"tools": tools(&json!({"name": "a", "parametersJsonSchema": []}))}),
                "the parameters of the function `a` are not the schema of an object",
            ),
            (
                "m",
                json!({"tools": tools(&json!({"name": "a", "parameters": {"type": "OBJECT", "properties": {}}}))}),
                "the parameters of the function `a` have no properties",
            ),
            ("m", json!({"tools": [{"magic": {}}]}), "unknown name `magic` at `tools`: cannot find field"),
            (
                "gemini-2.5-pro",
                json!({"tools": [{"functionDeclarations": [look]}, {"googleSearch": {}}]}),
                "tool use with function calling is unsupported",
            ),
            (
                "gemini-3-pro",
                json!({"tools": [{"functionDeclarations": [look]}, {"googleSearch": {}}]}),
                "`includeServerSideToolInvocations` is needed beside functions",
            ),
            ("m", calling(json!({"mode": "ANY", "allowedFunctionNames": ["look"]})), ""),
            (
                "m",
                calling(json!({"mode": "AUTO", "allowedFunctionNames": ["look"]})),
                "`allowedFunctionNames` with the mode `AUTO`",
            ),
            (
                "m",
                calling(json!({"mode": "ANY", "allowedFunctionNames": ["x"]})),
                "the function `x` is allowed and not declared",
            ),
            ("m", calling(json!({"mode": "any"})), "the mode is `any`"),
            (
                "m",
                json!({"toolConfig": {"functionCallingConfig": {"mode": "ANY"}}}),
                "a function must be called, and there is none",
            ),
            (
                "gemini-2.5-pro",
                json!({"tools": tools(&look), "generationConfig": form}),
                "function calling with a response mime type is unsupported",
            ),
            ("gemini-3-pro", json!({"tools": tools(&look), "generationConfig": form}), ""),
            (
                "m",
                config(json!({"responseJsonSchema": schema})),
                "a schema without `responseMimeType: application/json`",
            ),
            (
                "m",
                config(
                    json!({"responseMimeType": "application/json", "responseJsonSchema": {"type": "string", "pattern": "a"}}),
                ),
                "the schema has the keyword `pattern`",
            ),
            ("m", config(json!({"temperature": 3})), "`temperature` is not between 0 and 2"),
            ("m", config(json!({"maxOutputTokens": 0})), "`maxOutputTokens` is not a positive number"),
            (
                "m",
                config(json!({"stopSequences": ["a", "b", "c", "d", "e", "f"]})),
                "more than 5 stop sequences",
            ),
            (
                "m",
                config(json!({"max_tokens": 1})),
                "unknown name `max_tokens` at `generationConfig`: cannot find field",
            ),
            ("m", thinking(json!({"includeThoughts": true, "thinkingLevel": "low"})), ""),
            (
                "m",
                thinking(json!({"thinkingBudget": 1, "thinkingLevel": "low"})),
                "a thinking budget and a thinking level",
            ),
            ("gemini-2.0-flash", thinking(json!({})), "this model does not think"),
            (
                "gemini-2.5-pro",
                thinking(json!({"thinkingLevel": "low"})),
                "thinking level is not supported for this model",
            ),
            (
                "gemini-4-argon",
                thinking(json!({"thinkingBudget": 1})),
                "thinking budget is not supported for this model",
            ),
            (
                "gemini-4-argon",
                thinking(json!({"thinkingLevel": "minimal"})),
                "the thinking level `minimal` is not supported for this model",
            ),
            ("m", thinking(json!({"thinkingLevel": "xlow"})), "the thinking level is `xlow`"),
            (
                "gemini-3-pro",
                config(json!({"presencePenalty": 1})),
                "penalties are not supported for this model",
            ),
        ];
        for (model, extra, fault) in cases {
            assert_eq!(with(model, &extra), fault, "{model} {extra}");
        }
        assert_eq!(faults_of(&json!([]), Model::named("m"), false), ["the body is not an object"]);
    }
}
