//! Rules that a single server has.

use serde_json::Value;

use super::super::received::{at, list};

/// Groq: console.groq.com/docs, "Structured Outputs": no streaming.
pub(super) fn groq(body: &Value, faults: &mut Vec<String>) {
    let asks = at(body, "/response_format/type") == "json_schema";
    if asks && body["stream"] == true {
        faults.push("a form of an answer that is streamed".into());
    }
    if body.get("reasoning_format").is_some() && body.get("include_reasoning").is_some() {
        faults.push("`reasoning_format` and `include_reasoning` together".into());
    }
}

/// DeepSeek: api-docs.deepseek.com, "Thinking Mode" and "JSON Output".
pub(super) fn deepseek(body: &Value, faults: &mut Vec<String>) {
    let messages = list(&body["messages"]);
    let thinks = at(body, "/thinking/type") != "disabled";
    let choice = &body["tool_choice"];
    if thinks && !(choice.is_null() || choice == "auto" || choice == "none") {
        faults.push("Thinking mode does not support this tool_choice".into());
    }
    let calls = messages.iter().any(|message| message["role"] == "tool");
    let said = messages.iter().filter(|message| message["role"] == "assistant");
    let silent = |message: &Value| message["reasoning_content"].as_str().is_none_or(str::is_empty);
    if thinks && calls && said.into_iter().any(silent) {
        faults.push("The reasoning_content in the thinking mode must be passed back to the API.".into());
    }
    match at(body, "/response_format/type").as_str() {
        None | Some("text") => {}
        Some("json_object") if body["messages"].to_string().to_lowercase().contains("json") => {}
        Some(other) => faults.push(format!("This response_format type is unavailable now: {other}")),
    }
    if !matches!(body["reasoning_effort"].as_str(), None | Some("low" | "high" | "max")) {
        faults.push("an unknown `reasoning_effort`".into());
    }
}

/// Mistral: mistral-common's `validator.py`, and what users report of the API.
pub(super) fn mistral(body: &Value, faults: &mut Vec<String>) {
    let mut before = "";
    for message in list(&body["messages"]) {
        let role = message["role"].as_str().unwrap_or_default();
        if before == "tool" && !["assistant", "tool"].contains(&role) {
            faults.push(format!("Unexpected role '{role}' after role 'tool'"));
        }
        before = role;
        let calls = list(&message["tool_calls"]);
        let is_empty = match &message["content"] {
            Value::String(text) => text.is_empty(),
            Value::Array(parts) => parts.is_empty(),
            _ => true,
        };
        if role == "assistant" && is_empty && calls.is_empty() {
            faults.push("Assistant message must have either content or tool_calls".into());
        }
        let ids = calls.iter().map(|call| &call["id"]).chain(message.get("tool_call_id"));
        for id in ids.map(|id| id.as_str().unwrap_or_default()) {
            if id.len() != 9 || !id.bytes().all(|b| b.is_ascii_alphanumeric()) {
                faults.push(format!("Tool call id was {id} but must be a-z, A-Z, 0-9, with a length of 9."));
            }
        }
    }
    if before == "assistant" {
        faults.push("the last message is the model's".into());
    }
    let efforts = [None, Some("none"), Some("low"), Some("medium"), Some("high")];
    if !efforts.contains(&body["reasoning_effort"].as_str()) {
        faults.push("an unknown `reasoning_effort`".into());
    }
}

/// OpenRouter: openrouter.ai/docs, "Reasoning Tokens" and "Structured Outputs".
pub(super) fn openrouter(body: &Value, faults: &mut Vec<String>) {
    for message in list(&body["messages"]) {
        for detail in list(&message["reasoning_details"]) {
            let whole = match detail["type"].as_str() {
                Some("reasoning.text") => detail["text"].is_string(),
                Some("reasoning.summary") => detail["summary"].is_string(),
                Some("reasoning.encrypted") => detail["data"].is_string(),
                _ => false,
            };
            if !whole {
                faults.push(format!("a detail of the reasoning is not whole: {detail}"));
            }
        }
    }
    let asks = at(body, "/response_format/type") == "json_schema";
    if asks && at(body, "/provider/require_parameters") != true {
        faults.push("a form of an answer that whoever serves it may leave out".into());
    }
}

/// LiteLLM, in front of Anthropic: docs.litellm.ai, "'Thinking' / 'Reasoning Content'".
pub(super) fn litellm(body: &Value, faults: &mut Vec<String>) {
    for message in list(&body["messages"]) {
        for block in list(&message["thinking_blocks"]) {
            let whole = match block["type"].as_str() {
                Some("thinking") => {
                    block["thinking"].is_string()
                        && block["signature"].as_str().is_some_and(|s| !s.is_empty())
                }
                Some("redacted_thinking") => block["data"].is_string(),
                _ => false,
            };
            if !whole {
                faults.push(format!("a block of thinking is not whole: {block}"));
            }
        }
    }
}
