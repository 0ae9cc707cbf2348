//! What is wrong with a request, as a strict provider sees it.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{at, list};
use super::item;

/// The fields that a body may have.
const FIELDS: &[&str] = &[
    "model",
    "input",
    "instructions",
    "max_output_tokens",
    "temperature",
    "top_p",
    "top_logprobs",
    "reasoning",
    "text",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "max_tool_calls",
    "include",
    "store",
    "previous_response_id",
    "conversation",
    "stream",
    "stream_options",
    "truncation",
    "prompt_cache_key",
    "prompt_cache_options",
    "prompt_cache_retention",
    "metadata",
    "safety_identifier",
    "user",
    "service_tier",
    "background",
    "context_management",
];

const INCLUDED: &[&str] = &[
    "reasoning.encrypted_content",
    "message.output_text.logprobs",
    "web_search_call.action.sources",
    "web_search_call.results",
    "file_search_call.results",
    "code_interpreter_call.outputs",
    "computer_call_output.output.image_url",
    "message.input_image.image_url",
];

const EFFORTS: &[&str] = &["none", "minimal", "low", "medium", "high", "xhigh", "max"];

/// Everything that is wrong with the body of a request; empty where nothing is.
pub(super) fn faults_of(body: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(fields) = body.as_object() else { return vec!["the body is not an object".into()] };
    for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        faults.push(format!("unknown parameter `{name}`"));
    }
    if body["model"].as_str().is_none_or(str::is_empty) {
        faults.push("`model` is missing".into());
    }
    match &body["input"] {
        Value::String(text) if !text.is_empty() => {}
        Value::Array(items) if !items.is_empty() => {
            item::check_all(items, body["store"] != false, &mut faults);
        }
        _ => faults.push("`input` is missing or empty".into()),
    }
    check_tools(body, &mut faults);
    check_options(body, &mut faults);
    check_format(at(body, "/text/format"), &mut faults);
    faults
}

fn check_tools(body: &Value, faults: &mut Vec<String>) {
    let tools = list(&body["tools"]);
    if body.get("tools").is_some() && tools.is_empty() {
        faults.push("`tools` is not a list with tools".into());
    }
    let mut names = HashSet::new();
    for tool in tools {
        match tool["type"].as_str() {
            Some("function") => {
                let name = tool["name"].as_str().unwrap_or_default();
                if !is_name(name) || !names.insert(name) {
                    faults.push(format!("the tool `{name}` has an invalid name, or one that is taken"));
                }
                let parameters = &tool["parameters"];
                if parameters["type"] != "object" {
                    faults
                        .push(format!("the parameters of the tool `{name}` are not the schema of an object"));
                }
                // Where nothing is said the schema is rewritten, and the model's arguments are not what was asked.
                match tool["strict"].as_bool() {
                    None => faults.push(format!("the tool `{name}` does not say whether it is strict")),
                    Some(true) if !is_closed(parameters) => {
                        faults.push(format!("invalid schema for the strict tool `{name}`"));
                    }
                    Some(_) => {}
                }
            }
            Some(kind) if !kind.is_empty() => {}
            _ => faults.push("a tool has no type".into()),
        }
    }
    match &body["tool_choice"] {
        Value::Null => {}
        _ if tools.is_empty() => faults.push("`tool_choice` without `tools`".into()),
        Value::String(choice) if ["auto", "none", "required"].contains(&choice.as_str()) => {}
        choice
            if choice["type"] == "function"
                && choice["name"].as_str().is_some_and(|name| names.contains(name)) => {}
        choice => faults.push(format!("`tool_choice` is {choice}")),
    }
    if body.get("parallel_tool_calls").is_some() && tools.is_empty() {
        faults.push("`parallel_tool_calls` without `tools`".into());
    }
}

fn check_options(body: &Value, faults: &mut Vec<String>) {
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(what.to_owned());
        }
    };
    fault(
        body["stream"] != true && body.get("stream_options").is_some(),
        "`stream_options` without `stream`",
    );
    let number = |name: &str, range: std::ops::RangeInclusive<f64>| {
        let value = &body[name];
        value.is_null() || value.as_f64().is_some_and(|number| range.contains(&number))
    };
    fault(!number("temperature", 0.0..=2.0), "`temperature` is not between 0 and 2");
    fault(!number("top_p", 0.0..=1.0), "`top_p` is not between 0 and 1");
    fault(
        body.get("max_output_tokens").is_some_and(|most| most.as_u64().is_none_or(|most| most < 16)),
        "`max_output_tokens` is below 16",
    );
    for name in ["instructions", "prompt_cache_key"] {
        let text = &body[name];
        fault(!text.is_null() && text.as_str().is_none_or(str::is_empty), &format!("`{name}` is no text"));
    }
    let effort = at(body, "/reasoning/effort");
    let is_effort = effort.as_str().is_some_and(|effort| EFFORTS.contains(&effort));
    fault(!effort.is_null() && !is_effort, "`reasoning.effort` is unknown");
    let is_included = |item: &Value| item.as_str().is_some_and(|item| INCLUDED.contains(&item));
    fault(!list(&body["include"]).iter().all(is_included), "`include` names something unknown");
    let options = &body["prompt_cache_options"];
    let is_ttl = matches!(options["ttl"].as_str(), None | Some("30m" | "12h"));
    let is_mode = matches!(options["mode"].as_str(), None | Some("implicit" | "explicit"));
    fault(
        !options.is_null() && (!options.is_object() || !is_ttl || !is_mode),
        "`prompt_cache_options` is wrong",
    );
    // The two generations that say it most clearly; `m` is the tests' own.
    let model = body["model"].as_str().unwrap_or_default();
    let reasons = model.starts_with("gpt-6.2");
    fault(
        reasons && body.get("temperature").is_some(),
        "Unsupported parameter: 'temperature' is not supported with this model.",
    );
    fault(
        model.starts_with("gpt-4") && !list(&body["include"]).is_empty(),
        "Encrypted content is not supported with this model.",
    );
}

fn check_format(format: &Value, faults: &mut Vec<String>) {
    match format["type"].as_str() {
        None if format.is_null() => {}
        Some("text" | "json_object") => {}
        Some("json_schema") => {
            if !format["name"].as_str().is_some_and(is_name) {
                faults.push("the name of the output schema is invalid".into());
            }
            if at(format, "/schema/type") != "object" {
                faults.push("the output schema is not the schema of an object".into());
            }
            if format["strict"] == true && !is_closed(&format["schema"]) {
                faults.push("invalid schema for `text.format`".into());
            }
        }
        kind => faults.push(format!("`text.format` has the type {kind:?}")),
    }
}

/// Whether every object of a schema names all of its properties as required and allows no others.
fn is_closed(schema: &Value) -> bool {
    let inner = |value: &Value| match value {
        Value::Object(fields) => fields.values().filter(|value| value.is_object()).all(is_closed),
        _ => true,
    };
    let is_object = schema["type"] == "object";
    let required = list(&schema["required"]);
    let names = |name: &String| required.iter().any(|value| value == name.as_str());
    let all = schema["properties"].as_object().is_none_or(|properties| properties.keys().all(names));
    (!is_object || (all && schema["additionalProperties"] == false))
        && schema["properties"].as_object().into_iter().flatten().all(|(_, value)| is_closed(value))
        && inner(&schema["items"])
}

/// Whether a text can be the name of a tool.
pub(super) fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(body: &Value, fault: &str) {
        let faults = faults_of(body);
        match fault {
            "" => assert_eq!(faults, Vec::<String>::new(), "{body}"),
            fault => assert!(faults.iter().any(|found| found.contains(fault)), "{body}: {faults:?}"),
        }
    }

    #[test]
    fn conversations_are_checked() {
        let user = json!({"type": "message", "role": "user", "content": "hi"});
        let call =
            |id: &str| json!({"type": "function_call", "call_id": id, "name": "look", "arguments": "{}"});
        let output = |id: &str| json!({"type": "function_call_output", "call_id": id, "output": "ok"});
        let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "x"});
        let said = json!({"role": "assistant", "content": "hi", "phase": "commentary"});
        let image = |url: &str| json!({"role": "user", "content": [{"type": "input_image", "image_url": url, "detail": "auto"}]});
        let file = |part: Value| json!({"role": "user", "content": [part]});
        let with = |item: &Value, key: &str, value: Value| {
            let mut item = item.clone();
            item[key] = value;
            item
        };
        let cases = [
            (json!("hi"), ""),
            (json!([user]), ""),
            (json!([user, thought, said, call("a"), call("b"), output("b"), output("a")]), ""),
            (json!([]), "missing or empty"),
            (json!([user, call("a")]), "at the end no tool output"),
            (json!([call("a"), user, output("a")]), "no tool output found"),
            (json!([user, output("a")]), "no tool call found"),
            (json!([call("a"), output("a"), output("a")]), "no tool call found"),
            (json!([call("a"), output("a"), call("a"), output("a")]), "used twice"),
            (json!([call(&"x".repeat(65)), output(&"x".repeat(65))]), "1 to 64"),
            (
                json!([with(&call("a"), "arguments", json!("{")), output("a")]),
                "not the text of a JSON object",
            ),
            (json!([with(&call("a"), "id", json!("toolu_1")), output("a")]), "begin with `fc_`"),
            (json!([user, thought]), "required following item"),
            (json!([thought, user]), "required following item"),
            (json!([thought, thought, said]), ""),
            (json!([with(&thought, "encrypted_content", json!(null)), said]), "not persisted"),
            (json!([with(&thought, "content", json!([])), said]), "unknown field `content`"),
            (json!([with(&said, "phase", json!("x"))]), "does not belong here"),
            (json!([with(&user, "phase", json!("commentary"))]), "does not belong here"),
            (json!([with(&user, "role", json!("tool"))]), "unknown role"),
            (
                json!([with(&said, "content", json!([{"type": "input_text", "text": "a"}]))]),
                "of an assistant",
            ),
            (json!([image("data:image/png;base64,AA==")]), ""),
            (json!([image("data:text/plain;base64,AA==")]), "input_image"),
            (json!([file(json!({"type": "input_audio", "data": "AA=="}))]), "input_audio"),
            (
                json!([file(json!({"type": "input_file", "file_data": "data:application/pdf;base64,AA=="}))]),
                "input_file",
            ),
            (json!([file(json!({"type": "input_file", "file_url": "https://h/a.pdf"}))]), ""),
            (json!([{"type": "web_search_call", "id": "ws_1", "status": "completed"}]), ""),
            (json!([{"type": "web_search_call"}]), "needs its id"),
            (json!([{"type": "phone_call"}]), "unknown type"),
        ];
        for (input, fault) in cases {
            check(&json!({"model": "m", "store": false, "input": input}), fault);
        }
    }

    #[test]
    fn parameters_are_checked() {
        let tool = |strict: Value| json!([{"type": "function", "name": "look", "parameters": {"type": "object"}, "strict": strict}]);
        let format = |strict: bool, schema: Value| json!({"format": {"type": "json_schema", "name": "a", "schema": schema, "strict": strict}});
        let closed = json!({"type": "object", "properties": {"a": {"type": "string"}}, "required": ["a"], "additionalProperties": false});
        let cases = [
            (json!({"messages": []}), "unknown parameter `messages`"),
            (json!({"stop": ["x"]}), "unknown parameter `stop`"),
            (json!({"tools": tool(json!(false))}), ""),
            (json!({"tools": tool(json!(null))}), "does not say whether"),
            (json!({"tools": tool(json!(true))}), "strict tool"),
            (json!({"tools": [{"type": "function", "function": {"name": "look"}}]}), "invalid name"),
            (json!({"tools": [{"type": "web_search"}], "tool_choice": "none"}), ""),
            (json!({"tool_choice": "none"}), "without `tools`"),
            (
                json!({"tools": tool(json!(false)), "tool_choice": {"type": "function", "name": "x"}}),
                "`tool_choice` is",
            ),
            (json!({"text": format(true, closed.clone())}), ""),
            (json!({"text": format(false, json!({"type": "object"}))}), ""),
            (json!({"text": format(true, json!({"type": "object"}))}), "invalid schema"),
            (json!({"max_output_tokens": 15}), "below 16"),
            (json!({"reasoning": {"effort": "most"}}), "effort"),
            (json!({"include": ["everything"]}), "include"),
            (json!({"prompt_cache_options": {"ttl": "1h"}}), "prompt_cache_options"),
            (json!({"model": "gpt-6.2-sol", "temperature": 1}), "Unsupported parameter"),
            (json!({"model": "gpt-4.1", "include": ["reasoning.encrypted_content"]}), "Encrypted content"),
        ];
        for (fields, fault) in cases {
            let mut body = json!({"model": "m", "input": "hi"});
            for (key, value) in fields.as_object().unwrap() {
                body[key] = value.clone();
            }
            check(&body, fault);
        }
    }
}
