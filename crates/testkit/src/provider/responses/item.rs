//! What is wrong with the items of a request.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::list;
use super::check::is_name;

/// Items of tools that run on the provider's side.
const HOSTED: &[&str] = &[
    "web_search_call",
    "file_search_call",
    "code_interpreter_call",
    "image_generation_call",
    "mcp_list_tools",
    "mcp_call",
    "shell_call",
    "shell_call_output",
    "tool_search_call",
    "tool_search_output",
    "compaction",
];

/// Whether a model made an item.
pub(super) fn is_made(item: &Value) -> bool {
    let kind = item["type"].as_str().unwrap_or("message");
    match kind {
        "message" => item["role"] == "assistant",
        "function_call" | "reasoning" => true,
        kind => HOSTED.contains(&kind),
    }
}

/// Checks the items of an input, each by itself and as a conversation.
pub(super) fn check_all(items: &[Value], stored: bool, faults: &mut Vec<String>) {
    let mut open: Vec<&str> = Vec::new();
    let mut seen: HashSet<&str> = HashSet::new();
    for (at, item) in items.iter().enumerate() {
        let mut fault = |what: String| faults.push(format!("input[{at}]: {what}"));
        match item["type"].as_str().unwrap_or("message") {
            "message" => {
                if item["role"] != "assistant" && !open.is_empty() {
                    fault(format!("no tool output found for the calls {open:?}"));
                    open.clear();
                }
                check_message(item, &mut fault);
            }
            "reasoning" => {
                check_reasoning(item, stored, &mut fault);
                let leads =
                    items.iter().skip(at + 1).find(|next| next["type"] != "reasoning").is_some_and(is_made);
                if !leads {
                    fault("reasoning was provided without its required following item".into());
                }
            }
            "function_call" => {
                check_call(item, &mut fault);
                let id = item["call_id"].as_str().unwrap_or_default();
                if !seen.insert(id) {
                    fault(format!("the call id `{id}` is used twice"));
                }
                open.push(id);
            }
            "function_call_output" => {
                let id = item["call_id"].as_str().unwrap_or_default();
                match open.iter().position(|open| *open == id) {
                    Some(place) => drop(open.remove(place)),
                    None => fault(format!("no tool call found for the output with the call id `{id}`")),
                }
                check_content(&item["output"], true, &mut fault);
                only(item, &["type", "id", "call_id", "output", "status"], &mut fault);
            }
            kind if HOSTED.contains(&kind) => {
                if item["id"].as_str().is_none_or(str::is_empty) {
                    fault(format!("an item of the type `{kind}` needs its id"));
                }
            }
            kind => fault(format!("unknown type `{kind}`")),
        }
    }
    if !open.is_empty() {
        faults.push(format!("at the end no tool output is found for the calls {open:?}"));
    }
}

fn check_message(item: &Value, fault: &mut impl FnMut(String)) {
    only(item, &["type", "id", "role", "content", "phase", "status"], fault);
    let content = &item["content"];
    match item["role"].as_str().unwrap_or_default() {
        "user" => check_content(content, true, fault),
        "developer" | "system" => check_content(content, false, fault),
        "assistant" => {
            let parts = list(content);
            let is_said = |part: &Value| {
                part["type"] == "output_text" && part["text"].is_string()
                    || part["type"] == "refusal" && part["refusal"].is_string()
            };
            if !content.is_string() && (parts.is_empty() || !parts.iter().all(is_said)) {
                fault(
                    "the content of an assistant must be a text, or parts `output_text` and `refusal`".into(),
                );
            }
        }
        role => fault(format!("unknown role `{role}`")),
    }
    let phase = &item["phase"];
    let is_phase = phase == "commentary" || phase == "final_answer";
    if !phase.is_null() && (!is_phase || item["role"] != "assistant") {
        fault(format!("the phase {phase} does not belong here"));
    }
    if item["id"].as_str().is_some_and(|id| !id.starts_with("msg_")) {
        fault("the id of a message must begin with `msg_`".into());
    }
}

fn check_reasoning(item: &Value, stored: bool, fault: &mut impl FnMut(String)) {
    only(item, &["type", "id", "summary", "encrypted_content", "status"], fault);
    let is_part = |part: &Value| part["type"] == "summary_text" && part["text"].is_string();
    if !item["summary"].is_array() || !list(&item["summary"]).iter().all(is_part) {
        fault("`summary` must be a list of `summary_text`".into());
    }
    if item["id"].as_str().is_some_and(|id| !id.starts_with("rs_")) {
        fault("the id of reasoning must begin with `rs_`".into());
    }
    if !stored && item["encrypted_content"].as_str().is_none_or(str::is_empty) {
        fault(
            "items are not persisted when `store` is set to false, so reasoning needs its encrypted content"
                .into(),
        );
    }
}

fn check_call(item: &Value, fault: &mut impl FnMut(String)) {
    only(item, &["type", "id", "call_id", "name", "arguments", "status"], fault);
    let id = item["call_id"].as_str().unwrap_or_default();
    if !(1..=64).contains(&id.len()) {
        fault(format!("the call id `{id}` has not 1 to 64 characters"));
    }
    let name = item["name"].as_str().unwrap_or_default();
    if !is_name(name) {
        fault(format!("a call has the invalid name `{name}`"));
    }
    let arguments = item["arguments"].as_str().map(serde_json::from_str::<Value>);
    if !matches!(arguments, Some(Ok(Value::Object(_)))) {
        fault(format!("the arguments of the call of `{name}` are not the text of a JSON object"));
    }
    if item["id"].as_str().is_some_and(|id| !id.starts_with("fc_")) {
        fault("the id of a call must begin with `fc_`".into());
    }
}

/// The content of a message or a result.
fn check_content(content: &Value, media: bool, fault: &mut impl FnMut(String)) {
    if content.is_string() {
        return;
    }
    if list(content).is_empty() {
        fault("the content is neither a text nor a list of parts".into());
    }
    for part in list(content) {
        let kind = part["type"].as_str().unwrap_or_default();
        let whole = match kind {
            "input_text" => part["text"].is_string(),
            "input_image" if media => is_image(part),
            "input_file" if media => is_file(part),
            _ => false,
        };
        if !whole {
            fault(format!("a content part of the type `{kind}` is unknown, out of place or not whole"));
        }
    }
}

fn is_image(part: &Value) -> bool {
    let address = part["image_url"].as_str().unwrap_or_default();
    let has_address =
        address.starts_with("https://") || address.starts_with("http://") || is_data(address, "image/");
    let detail = part["detail"].as_str().unwrap_or("auto");
    has_address && ["auto", "low", "high", "original"].contains(&detail)
}

fn is_file(part: &Value) -> bool {
    match (part["file_data"].as_str(), part["file_url"].as_str()) {
        (Some(data), None) => {
            is_data(data, "") && part["filename"].as_str().is_some_and(|name| !name.is_empty())
        }
        (None, Some(url)) => url.starts_with("http") && part["filename"].is_null(),
        _ => false,
    }
}

/// Whether a text is a data URL in base 64 of such a type.
fn is_data(address: &str, kind: &str) -> bool {
    let data = address.strip_prefix("data:").and_then(|rest| rest.split_once(";base64,"));
    data.is_some_and(|(named, data)| named.starts_with(kind) && named.contains('/') && !data.is_empty())
}

fn only(item: &Value, fields: &[&str], fault: &mut impl FnMut(String)) {
    for name in item.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !fields.contains(&name.as_str()) {
            fault(format!("unknown field `{name}`"));
        }
    }
}
