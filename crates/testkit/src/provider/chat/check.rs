//! What is wrong with a request, as a strict provider sees it.

use std::collections::{HashSet, VecDeque};

use serde_json::Value;

use super::super::received::{at, list};
use super::server::Server;

/// The fields that a body may have.
const FIELDS: &[&str] = &[
    "model",
    "messages",
    "tools",
    "tool_choice",
    "parallel_tool_calls",
    "stream",
    "stream_options",
    "response_format",
    "max_tokens",
    "max_completion_tokens",
    "temperature",
    "top_p",
    "stop",
    "seed",
    "n",
    "user",
    "metadata",
    "store",
    "reasoning_effort",
    "frequency_penalty",
    "presence_penalty",
    "logit_bias",
    "logprobs",
    "top_logprobs",
    "verbosity",
    "service_tier",
    "prompt_cache_key",
    "safety_identifier",
    "modalities",
    "audio",
    "prediction",
];

/// Everything that is wrong with the body of a request to a server; empty where nothing is.
pub(super) fn faults_of(body: &Value, server: &Server) -> Vec<String> {
    let mut faults = Vec::new();
    let Some(fields) = body.as_object() else { return vec!["the body is not an object".into()] };
    let is_known = |name: &str| {
        server.more.contains(&name) || (FIELDS.contains(&name) && !server.refused.contains(&name))
    };
    for name in fields.keys().filter(|name| !is_known(name)) {
        faults.push(format!("unknown field `{name}`"));
    }
    if body["model"].as_str().is_none_or(str::is_empty) {
        faults.push("`model` is missing".into());
    }
    match body["messages"].as_array() {
        Some(messages) if !messages.is_empty() => check_messages(messages, server, &mut faults),
        _ => faults.push("`messages` is missing or empty".into()),
    }
    check_tools(body, server, &mut faults);
    check_options(body, server, &mut faults);
    (server.own)(body, &mut faults);
    faults
}

fn check_messages(messages: &[Value], server: &Server, faults: &mut Vec<String>) {
    let mut open: VecDeque<String> = VecDeque::new();
    let mut seen: HashSet<String> = HashSet::new();
    for (at, message) in messages.iter().enumerate() {
        let mut fault = |what: String| faults.push(format!("message {at}: {what}"));
        let role = message["role"].as_str().unwrap_or_default();
        if role != "tool" && !open.is_empty() {
            fault(format!("the calls {open:?} have no result yet"));
            open.clear();
        }
        check_fields(message, role, server, &mut fault);
        if role == "system" && at > 0 && !server.late_system {
            fault("System message must be at the beginning.".into());
        }
        let content = &message["content"];
        match role {
            "system" | "developer" if content.is_string() => {}
            "user" if content.is_string() => {}
            "user" if content.is_array() => check_content(content, server, &mut fault),
            "assistant" => {
                let calls = list(&message["tool_calls"]);
                if !message["tool_calls"].is_null() && calls.is_empty() {
                    fault("`tool_calls` is not a list with calls".into());
                }
                match content {
                    Value::Array(_) if server.parts.contains(&"thinking") => {
                        check_content(content, server, &mut fault);
                    }
                    Value::String(_) => {}
                    Value::Null if !calls.is_empty() => {}
                    _ => fault("an assistant message needs a text or calls".into()),
                }
                for call in calls {
                    check_call(call, &mut fault);
                    let id = call["id"].as_str().unwrap_or_default().to_owned();
                    if id.is_empty() || !seen.insert(id.clone()) {
                        fault(format!("the call id `{id}` is empty or used twice"));
                    }
                    open.push_back(id);
                }
            }
            "tool" => {
                let id = message["tool_call_id"].as_str().unwrap_or_default();
                match open.front() {
                    Some(next) if next == id => drop(open.pop_front()),
                    Some(next) if open.iter().any(|other| other == id) => {
                        fault(format!("the result for `{id}` comes before the one for `{next}`"));
                        open.retain(|other| other != id);
                    }
                    _ => fault(format!("the result for `{id}` answers no open call")),
                }
                match content {
                    Value::String(_) => {}
                    Value::Array(_) if server.result_parts => check_content(content, server, &mut fault),
                    _ => fault("a result must be text".into()),
                }
            }
            "system" | "developer" | "user" => {
                fault(format!("the content of a {role} message has the wrong type"));
            }
            other => fault(format!("unknown role `{other}`")),
        }
    }
    if !open.is_empty() {
        faults.push(format!("at the end the calls {open:?} have no result"));
    }
}

fn check_fields(message: &Value, role: &str, server: &Server, fault: &mut impl FnMut(String)) {
    let is_known = |name: &str| match (role, name) {
        (_, "role" | "content") | ("tool", "tool_call_id" | "name") | ("assistant", "tool_calls") => true,
        ("user" | "system" | "developer", "name") => true,
        ("assistant", name) => server.said.contains(&name),
        _ => false,
    };
    for name in message.as_object().into_iter().flat_map(|fields| fields.keys()) {
        if !is_known(name) {
            fault(format!("property '{name}' is unsupported in a message of the role `{role}`"));
        }
    }
}

fn check_content(content: &Value, server: &Server, fault: &mut impl FnMut(String)) {
    let parts = list(content);
    if parts.is_empty() {
        fault("the content is an empty list".into());
    }
    for part in parts {
        let kind = part["type"].as_str().unwrap_or_default();
        let whole = match kind {
            "text" => part["text"].is_string(),
            "image_url" => at(part, "/image_url/url").is_string(),
            "thinking" if server.parts.contains(&kind) => {
                list(&part["thinking"]).iter().all(|item| item["type"] == "text" && item["text"].is_string())
            }
            "document_url" if server.parts.contains(&kind) => part["document_url"].is_string(),
            "input_audio" if server.parts.contains(&kind) => part["input_audio"].is_string(),
            "input_audio" => {
                at(part, "/input_audio/data").is_string()
                    && matches!(at(part, "/input_audio/format").as_str(), Some("wav" | "mp3"))
            }
            "file" => at(part, "/file/file_data").is_string() || at(part, "/file/file_id").is_string(),
            _ => false,
        };
        if !whole {
            fault(format!("a content part of the type `{kind}` is unknown or not whole"));
        }
    }
}

fn check_call(call: &Value, fault: &mut impl FnMut(String)) {
    if call["type"] != "function" {
        fault("a call has another type than `function`".into());
    }
    let name = at(call, "/function/name").as_str().unwrap_or_default();
    if !is_name(name) {
        fault(format!("a call has the invalid name `{name}`"));
    }
    let arguments = at(call, "/function/arguments").as_str().map(serde_json::from_str::<Value>);
    if !matches!(arguments, Some(Ok(Value::Object(_)))) {
        fault(format!("the arguments of the call of `{name}` are not the text of a JSON object"));
    }
}

fn check_tools(body: &Value, server: &Server, faults: &mut Vec<String>) {
    let tools = list(&body["tools"]);
    if body.get("tools").is_some() && tools.is_empty() {
        faults.push("`tools` is not a list with tools".into());
    }
    let mut names = HashSet::new();
    for tool in tools {
        let function = &tool["function"];
        let name = function["name"].as_str().unwrap_or_default();
        if tool["type"] != "function" || !is_name(name) || !names.insert(name) {
            faults.push(format!("the tool `{name}` has a wrong type, an invalid name, or one that is taken"));
        }
        if at(function, "/parameters/type") != "object" {
            faults.push(format!("the parameters of the tool `{name}` are not the schema of an object"));
        }
    }
    match &body["tool_choice"] {
        Value::Null => {}
        _ if tools.is_empty() => faults.push("`tool_choice` without `tools`".into()),
        Value::String(choice) if server.choices.contains(&choice.as_str()) => {}
        choice
            if server.named_choice
                && at(choice, "/function/name").as_str().is_some_and(|name| names.contains(name)) => {}
        choice => faults.push(format!("`tool_choice` is {choice}")),
    }
    if body.get("parallel_tool_calls").is_some() && tools.is_empty() {
        faults.push("`parallel_tool_calls` without `tools`".into());
    }
}

fn check_options(body: &Value, server: &Server, faults: &mut Vec<String>) {
    let mut fault = |wrong: bool, what: &str| {
        if wrong {
            faults.push(what.to_owned());
        }
    };
    let streams = body["stream"] == true;
    fault(!streams && body.get("stream_options").is_some(), "`stream_options` without `stream`");
    let temperature = &body["temperature"];
    let in_range = temperature.as_f64().is_some_and(|number| (0.0..=2.0).contains(&number));
    fault(!temperature.is_null() && !in_range, "`temperature` is not between 0 and 2");
    for name in ["max_tokens", "max_completion_tokens"] {
        let most = &body[name];
        fault(
            !most.is_null() && most.as_u64().is_none_or(|most| most == 0),
            "the most tokens are not a positive number",
        );
    }
    let format = &body["response_format"];
    if format["type"] == "json_schema" {
        fault(
            !server.form_beside_tools && !list(&body["tools"]).is_empty(),
            "a form of the answer keeps the model from calling its tools",
        );
        fault(
            !at(format, "/json_schema/name").as_str().is_some_and(is_name),
            "the name of the output schema is invalid",
        );
        fault(!at(format, "/json_schema/schema").is_object(), "the output schema is not an object");
    }
}

fn is_name(name: &str) -> bool {
    (1..=64).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(messages: &Value, fault: &str) {
        let faults = faults_of(&json!({"model": "m", "messages": messages}), Server::common());
        match fault {
            "" => assert_eq!(faults, Vec::<String>::new(), "{messages}"),
            fault => assert!(faults.iter().any(|found| found.contains(fault)), "{messages}: {faults:?}"),
        }
    }

    #[test]
    fn transcripts_are_checked() {
        let user = json!({"role": "user", "content": "hi"});
        let call =
            |id: &str| json!({"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}});
        let asks = |ids: &[&str]| {
            let calls: Vec<Value> = ids.iter().map(|id| call(id)).collect();
            json!({"role": "assistant", "content": null, "tool_calls": calls})
        };
        let answers = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
        let broken = json!({"role": "assistant", "content": null, "tool_calls": [{"id": "a", "type": "function", "function": {"name": "look", "arguments": "{"}}]});
        let cases = [
            (json!([user]), ""),
            (json!([user, asks(&["a", "b"]), answers("a"), answers("b")]), ""),
            (json!([]), "missing or empty"),
            (json!([{"role": "robot", "content": "x"}]), "unknown role"),
            (json!([user, asks(&["a"])]), "at the end the calls"),
            (json!([user, asks(&["a"]), user]), "have no result yet"),
            (json!([user, asks(&["a", "b"]), answers("b"), answers("a")]), "comes before"),
            (json!([user, answers("a")]), "answers no open call"),
            (json!([user, asks(&["a"]), answers("a"), answers("a")]), "answers no open call"),
            (json!([user, asks(&["a", "a"]), answers("a"), answers("a")]), "used twice"),
            (json!([user, broken, answers("a")]), "not the text of a JSON object"),
            (json!([{"role": "assistant", "content": null}]), "needs a text or calls"),
            (json!([{"role": "user", "content": [{"type": "image_url"}]}]), "not whole"),
            (json!([{"role": "user", "content": "hi", "thinking": 1}]), "property 'thinking' is unsupported"),
        ];
        for (messages, fault) in cases {
            check(&messages, fault);
        }
    }

    #[test]
    fn fields_are_checked() {
        let with = |extra: Value| {
            let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            faults_of(&body, Server::common()).join("; ")
        };
        let tool =
            |schema: Value| json!([{"type": "function", "function": {"name": "look", "parameters": schema}}]);
        let cases = [
            (json!({"stream": true, "stream_options": {"include_usage": true}}), ""),
            (json!({"tools": tool(json!({"type": "object"})), "tool_choice": "none"}), ""),
            (json!({"wrong": 1}), "unknown field `wrong`"),
            (json!({"stream_options": {}}), "`stream_options` without `stream`"),
            (json!({"tools": []}), "`tools` is not a list with tools"),
            (
                json!({"tools": tool(json!({}))}),
                "the parameters of the tool `look` are not the schema of an object",
            ),
            (json!({"tool_choice": "auto"}), "`tool_choice` without `tools`"),
            (json!({"temperature": 3}), "`temperature` is not between 0 and 2"),
            (json!({"max_tokens": 0}), "the most tokens are not a positive number"),
        ];
        for (extra, fault) in cases {
            assert_eq!(with(extra.clone()), fault, "{extra}");
        }
    }

    #[test]
    fn each_server_has_its_own_rules() {
        let user = json!({"role": "user", "content": "hi"});
        let call = |id: &str, more: Value| {
            let mut message = json!({"role": "assistant", "content": null, "tool_calls": [{"id": id, "type": "function", "function": {"name": "look", "arguments": "{}"}}]});
            message.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            message
        };
        let answer = |id: &str| json!({"role": "tool", "tool_call_id": id, "content": "ok"});
        let tools =
            json!([{"type": "function", "function": {"name": "look", "parameters": {"type": "object"}}}]);
        let form = json!({"type": "json_schema", "json_schema": {"name": "o", "schema": {}}});
        let nine = "aB3dE5gH7";
        let cases = [
            ("/mistral/v1", json!({"messages": [user, call(nine, json!({})), answer(nine)]}), ""),
            (
                "/mistral/v1",
                json!({"messages": [user, call("a", json!({})), answer("a")]}),
                "with a length of 9",
            ),
            (
                "/mistral/v1",
                json!({"messages": [user, call(nine, json!({})), answer(nine), user]}),
                "Unexpected role 'user'",
            ),
            (
                "/mistral/v1",
                json!({"messages": [user, {"role": "assistant", "content": ""}, user]}),
                "either content or",
            ),
            (
                "/mistral/v1",
                json!({"messages": [user, {"role": "assistant", "content": "a", "reasoning_content": "b"}, user]}),
                "'reasoning_content' is unsupported",
            ),
            (
                "/mistral/v1",
                json!({"messages": [user], "stream": true, "stream_options": {}}),
                "unknown field `stream_options`",
            ),
            (
                "/deepseek",
                json!({"messages": [user, call("a", json!({"reasoning_content": "hm"})), answer("a")]}),
                "",
            ),
            (
                "/deepseek",
                json!({"messages": [user, call("a", json!({})), answer("a")]}),
                "must be passed back",
            ),
            (
                "/deepseek",
                json!({"messages": [user], "tools": tools, "tool_choice": "required"}),
                "does not support this tool_choice",
            ),
            ("/deepseek", json!({"messages": [user], "response_format": form}), "type is unavailable"),
            ("/groq/openai/v1", json!({"messages": [user], "response_format": form}), ""),
            (
                "/groq/openai/v1",
                json!({"messages": [user], "response_format": form, "stream": true}),
                "that is streamed",
            ),
            (
                "/groq/openai/v1",
                json!({"messages": [user], "response_format": form, "tools": tools}),
                "keeps the model",
            ),
            ("/openrouter/api/v1", json!({"messages": [user], "response_format": form}), "may leave out"),
            (
                "/openrouter/api/v1",
                json!({"messages": [user, {"role": "assistant", "content": "a", "reasoning_details": [{"type": "x"}]}]}),
                "not whole",
            ),
            (
                "/litellm/v1",
                json!({"messages": [user, {"role": "assistant", "content": "a", "thinking_blocks": [{"type": "thinking", "thinking": "a"}]}]}),
                "not whole",
            ),
            (
                "/vllm/v1",
                json!({"messages": [user, {"role": "system", "content": "a"}]}),
                "must be at the beginning",
            ),
            (
                "/llamacpp/v1",
                json!({"messages": [user], "tools": tools, "tool_choice": {"type": "function", "function": {"name": "look"}}}),
                "`tool_choice` is",
            ),
        ];
        for (root, mut body, fault) in cases {
            body.as_object_mut().unwrap().insert("model".into(), "m".into());
            let server = Server::at(&format!("{root}/chat/completions")).unwrap();
            let faults = faults_of(&body, server);
            match fault {
                "" => assert_eq!(faults, Vec::<String>::new(), "{root} {body}"),
                fault => {
                    assert!(faults.iter().any(|found| found.contains(fault)), "{root} {body}: {faults:?}");
                }
            }
        }
    }
}
