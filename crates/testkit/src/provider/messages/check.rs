//! What is wrong with a request, as a strict provider sees it.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{Received, at, list};
use super::block::{self, Place, is_filled};
use super::option;

/// The fields that a body may have.
const FIELDS: &[&str] = &[
    "model",
    "max_tokens",
    "messages",
    "system",
    "stream",
    "stop_sequences",
    "thinking",
    "output_config",
    "tools",
    "tool_choice",
    "cache_control",
    "metadata",
    "service_tier",
    "speed",
    "inference_geo",
    "container",
    "temperature",
    "top_p",
    "top_k",
    "context_management",
    "mcp_servers",
];

/// Everything that is wrong with a request; empty where nothing is.
pub(super) fn faults_of(request: &Received) -> Vec<String> {
    let body = &request.body;
    let mut faults = Vec::new();
    let Some(fields) = body.as_object() else { return vec!["the body is not an object".to_owned()] };
    for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        faults.push(format!("{name}: Extra inputs are not permitted"));
    }
    if !is_filled(&body["model"]) {
        faults.push("`model` is missing".to_owned());
    }
    let system = &body["system"];
    if !system.is_null() && !system.is_string() && list(system).is_empty() {
        faults.push("`system` is neither a text nor a list of blocks".to_owned());
    }
    faults.extend(list(system).iter().filter_map(|block| block::fault_of(block, Place::System)));
    match list(&body["messages"]) {
        [] => faults.push("`messages` is missing or empty".to_owned()),
        messages => check_messages(messages, &mut faults),
    }
    let within = |key: &str| list(&body[key]).iter().flat_map(block::marks);
    let own = body.get("cache_control");
    let marks: Vec<&Value> =
        within("tools").chain(within("system")).chain(within_messages(body)).chain(own).collect();
    if at(body, "/thinking/type") == "enabled" && !is_thought_through(list(&body["messages"])) {
        faults.push("Expected `thinking` or `redacted_thinking`, but found `tool_use`.".to_owned());
    }
    option::check_headers(request, &mut faults);
    option::check_tools(body, &mut faults);
    option::check_model(body, &mut faults);
    option::check_rest(body, &marks, &mut faults);
    faults
}

fn within_messages(body: &Value) -> impl Iterator<Item = &Value> {
    list(&body["messages"]).iter().flat_map(|message| list(&message["content"])).flat_map(block::marks)
}

fn check_messages(messages: &[Value], faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    let mut before = "assistant";
    let mut open: Vec<&str> = Vec::new();
    let mut waiting: Vec<&str> = Vec::new();
    for (number, message) in messages.iter().enumerate() {
        let mut fault = |what: String| faults.push(format!("messages.{number}: {what}"));
        let role = message["role"].as_str().unwrap_or_default();
        let place = match role {
            "user" => Place::User,
            "assistant" => Place::Assistant,
            _ => {
                fault(format!("unknown role `{role}`"));
                continue;
            }
        };
        if role == before {
            fault(format!("a message of the {role} where the other side should speak"));
        }
        before = role;
        let content = &message["content"];
        let blocks = list(content);
        if blocks.is_empty() && content.as_str().is_none_or(|text| text.trim().is_empty()) {
            fault("a message says nothing".to_owned());
        }
        blocks.iter().filter_map(|block| block::fault_of(block, place)).for_each(&mut fault);
        match place {
            Place::Assistant => {
                for block in blocks.iter().filter(|block| block["type"] == "tool_use") {
                    let id = block["id"].as_str().unwrap_or_default();
                    if !seen.insert(id) {
                        fault(format!("the call id `{id}` is used twice"));
                    }
                    open.push(id);
                }
                waiting = unanswered(blocks);
            }
            _ => {
                if !waiting.is_empty() && open.is_empty() {
                    fault(format!("the hosted calls {waiting:?} have no result"));
                }
                check_results(blocks, &mut open, &mut fault);
            }
        }
    }
    if !open.is_empty() {
        faults.push(format!("at the end the calls {open:?} have no result"));
    }
    if before == "assistant" && waiting.is_empty() {
        faults.push("Prefilling assistant messages is not supported for this model.".to_owned());
    }
}

/// Whether the calls that the last results answer begin with thinking, or there are none.
fn is_thought_through(messages: &[Value]) -> bool {
    let [.., asked, last] = messages else { return true };
    let first = |message: &Value| at(message, "/content/0/type").as_str().unwrap_or_default().to_owned();
    first(last) != "tool_result" || matches!(first(asked).as_str(), "thinking" | "redacted_thinking")
}

/// The results of a message: they stand first, each answers a call of the message before, and none is missing.
fn check_results(blocks: &[Value], open: &mut Vec<&str>, fault: &mut impl FnMut(String)) {
    let mut is_past = false;
    for block in blocks {
        if block["type"] != "tool_result" {
            is_past = true;
            continue;
        }
        let id = block["tool_use_id"].as_str().unwrap_or_default();
        if is_past {
            fault(format!("the result for `{id}` does not stand before everything else"));
        }
        match open.iter().position(|other| *other == id) {
            Some(place) => drop(open.remove(place)),
            None => fault(format!("the result for `{id}` answers no call of the message before")),
        }
    }
    if !open.is_empty() {
        fault(format!("tool_use ids were found without tool_result blocks immediately after: {open:?}"));
        open.clear();
    }
}

/// The calls of hosted tools that have no result in the same message.
fn unanswered(blocks: &[Value]) -> Vec<&str> {
    let answered: HashSet<&str> = blocks.iter().filter_map(|block| block["tool_use_id"].as_str()).collect();
    let calls = blocks.iter().filter(|block| block["type"] == "server_tool_use");
    calls.filter_map(|block| block["id"].as_str()).filter(|id| !answered.contains(id)).collect()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use http::{HeaderMap, HeaderValue};
    use serde_json::json;

    use super::super::super::interface::Interface;
    use super::*;

    fn check(body: &Value, headers: &[(&'static str, &'static str)], fault: &str) {
        let mut map = HeaderMap::new();
        map.insert("anthropic-version", HeaderValue::from_static("2023-06-01"));
        for (name, value) in headers {
            map.insert(*name, HeaderValue::from_static(value));
        }
        let request = Received {
            interface: Interface::Messages,
            path: "/v1/messages".into(),
            query: String::new(),
            headers: map,
            body: body.clone(),
            bytes: Bytes::new(),
        };
        let faults = faults_of(&request);
        match fault {
            "" => assert_eq!(faults, Vec::<String>::new(), "{body}"),
            fault => assert!(faults.iter().any(|found| found.contains(fault)), "{body}: {faults:?}"),
        }
    }

    #[test]
    fn transcripts_are_checked() {
        let user = json!({"role": "user", "content": "hi"});
        let call = |id: &str| json!({"type": "tool_use", "id": id, "name": "look", "input": {}});
        let assistant = |blocks: &[Value]| json!({"role": "assistant", "content": blocks});
        let asks = |ids: &[&str]| assistant(&ids.iter().map(|id| call(id)).collect::<Vec<_>>());
        let result = |id: &str| json!({"type": "tool_result", "tool_use_id": id, "content": "ok"});
        let answers = |blocks: &[Value]| json!({"role": "user", "content": blocks});
        let text = |text: &str| json!({"type": "text", "text": text});
        let search = json!({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}});
        let found = json!({"type": "web_search_tool_result", "tool_use_id": "s", "content": []});
        let cases = [
            (json!([user]), ""),
            (json!([user, asks(&["a", "b"]), answers(&[result("b"), result("a"), text("go")])]), ""),
            (json!([user, assistant(std::slice::from_ref(&search))]), ""),
            (json!([user, assistant(&[search.clone(), found]), user]), ""),
            (json!([user, assistant(&[search]), user]), "have no result"),
            (json!([]), "missing or empty"),
            (json!([{"role": "robot", "content": "x"}]), "unknown role"),
            (json!([user, user]), "where the other side should speak"),
            (json!([assistant(&[text("a")])]), "where the other side should speak"),
            (json!([user, assistant(&[text("a")])]), "Prefilling"),
            (json!([user, asks(&["a"])]), "at the end the calls"),
            (json!([user, asks(&["a"]), user]), "immediately after"),
            (json!([user, asks(&["a"]), answers(&[text("x"), result("a")])]), "before everything else"),
            (json!([user, asks(&["a"]), answers(&[result("a"), result("a")])]), "answers no call"),
            (json!([user, asks(&["a", "a"]), answers(&[result("a")])]), "used twice"),
            (json!([user, asks(&["a.b"]), answers(&[result("a.b")])]), "does not match"),
            (
                json!([
                    user,
                    assistant(&[json!({"type": "tool_use", "id": "a", "name": "look", "input": "{}"})])
                ]),
                "is not an object",
            ),
            (
                json!([user, assistant(&[json!({"type": "thinking", "thinking": ""})]), user]),
                "without its signature",
            ),
            (json!([answers(&[text(" ")])]), "non-whitespace"),
            (json!([answers(&[])]), "says nothing"),
            (
                json!([answers(&[
                    json!({"type": "image", "source": {"type": "base64", "media_type": "image/tiff", "data": "AAAA"}})
                ])]),
                "not whole",
            ),
            (json!([answers(&[json!({"type": "audio"})])]), "cannot stand"),
        ];
        for (messages, fault) in cases {
            check(&json!({"model": "m", "max_tokens": 9, "messages": messages}), &[], fault);
        }
    }

    #[test]
    fn fields_are_checked() {
        let tools = json!([{"name": "look", "input_schema": {"type": "object"}}]);
        let format =
            |schema: Value| json!({"output_config": {"format": {"type": "json_schema", "schema": schema}}});
        let mark = json!({"type": "ephemeral"});
        let marked = json!({"type": "text", "text": "a", "cache_control": mark});
        type Case<'a> = (Value, &'a [(&'static str, &'static str)], &'a str);
        let cases: Vec<Case<'_>> = vec![
            (json!({"tools": tools, "tool_choice": {"type": "any"}, "temperature": 0.5}), &[], ""),
            (json!({"wrong": 1}), &[], "wrong: Extra inputs are not permitted"),
            (json!({"max_tokens": null}), &[], "`max_tokens` is missing"),
            (json!({"model": "claude-haiku-4-5", "max_tokens": 64001}), &[], "too large"),
            (json!({"temperature": 0.5}), &[("anthropic-version", "2026-10-21")], "has no `temperature`"),
            (json!({"temperature": 1.5}), &[], "not between 0 and 1"),
            (json!({}), &[("anthropic-version", "")], "the version of the interface"),
            (json!({}), &[("anthropic-beta", "made-up")], "unknown beta"),
            (json!({"thinking": {"type": "adaptive", "block_binding": {}}}), &[], "needs the beta"),
            (json!({"model": "claude-opus-5-5", "thinking": {"type": "disabled"}}), &[], "this `thinking`"),
            (json!({"thinking": {"type": "enabled", "budget_tokens": 1024}}), &[], "`budget_tokens`"),
            (json!({"model": "claude-opus-5-5", "temperature": 1}), &[], "no sampling"),
            (
                json!({"max_tokens": 2000, "thinking": {"type": "enabled", "budget_tokens": 1024}, "messages": [
                    {"role": "user", "content": "hi"},
                    {"role": "assistant", "content": [{"type": "tool_use", "id": "a", "name": "look", "input": {}}]},
                    {"role": "user", "content": [{"type": "tool_result", "tool_use_id": "a"}]}]}),
                &[],
                "Expected `thinking`",
            ),
            (json!({"model": "claude-sonnet-4-5", "output_config": {"effort": "low"}}), &[], "this `effort`"),
            (
                json!({"model": "claude-opus-5-5", "tools": tools, "tool_choice": {"type": "any"}}),
                &[],
                "cannot be forced",
            ),
            (json!({"tools": tools, "tool_choice": {"type": "tool", "name": "x"}}), &[], "`tool_choice` is"),
            (json!({"tools": [{"name": "a b", "input_schema": {"type": "object"}}]}), &[], "invalid name"),
            (json!({"tools": [{"name": "a", "input_schema": {}}]}), &[], "not that of an object"),
            (json!({"stop_sequences": [" "]}), &[], "`stop_sequences`"),
            (json!({"cache_control": mark, "system": [marked, marked, marked, marked]}), &[], "5 marks"),
            (format(json!({"type": "object", "properties": {}})), &[], "not closed"),
            (format(json!({"type": "integer", "minimum": 1})), &[], "has `minimum`"),
            (format(json!({"type": "array", "items": {}})), &[], "does not say"),
        ];
        for (extra, headers, fault) in cases {
            let mut body =
                json!({"model": "m", "max_tokens": 9, "messages": [{"role": "user", "content": "hi"}]});
            body.as_object_mut().unwrap().extend(extra.as_object().unwrap().clone());
            check(&body, headers, fault);
        }
    }
}
