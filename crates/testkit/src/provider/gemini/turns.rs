//! What is wrong with the turns of a conversation.

use std::collections::HashSet;

use serde_json::{Map, Value};

use super::super::received::{at, list};
use super::check::unknown;
use super::model::Model;
use super::tools::is_name;

/// What a part can hold; it holds one of these.
const DATA: &[&str] = &[
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "executableCode",
    "codeExecutionResult",
    "toolCall",
    "toolResponse",
];

/// What may stand beside it.
const BESIDE: &[&str] = &["thought", "thoughtSignature", "mediaResolution", "videoMetadata", "partMetadata"];

/// Types of media that are taken (ai.google.dev/gemini-api/docs, image, audio, video and document understanding).
const MEDIA: &[&str] = &[
    "image/png",
    "image/jpeg",
    "image/webp",
    "image/heic",
    "image/heif",
    "audio/wav",
    "audio/mp3",
    "audio/mpeg",
    "audio/aiff",
    "audio/aac",
    "audio/ogg",
    "audio/flac",
    "video/mp4",
    "video/mpeg",
    "video/webm",
    "application/pdf",
];

pub(super) fn check(contents: &Value, model: Model, faults: &mut Vec<String>) {
    let turns = list(contents);
    if turns.is_empty() {
        faults.push("`contents` is missing or empty".into());
    }
    let mut seen = HashSet::new();
    for (index, turn) in turns.iter().enumerate() {
        let before = index.checked_sub(1).and_then(|before| turns.get(before)).unwrap_or(&Value::Null);
        let mut found = Vec::new();
        one(turn, before, &mut seen, &mut found);
        faults.extend(found.into_iter().map(|fault| format!("content {index}: {fault}")));
    }
    let last = turns.last().unwrap_or(&Value::Null);
    if !held(last, "functionCall").is_empty() {
        faults.push("at the end calls have no response".into());
    }
    if last["role"] == "model" && model.takes_no_prefill() {
        faults.push("requests ending with a model turn are not supported".into());
    }
    if model.signs() {
        signatures(turns, faults);
    }
}

fn one<'a>(turn: &'a Value, before: &'a Value, seen: &mut HashSet<&'a str>, faults: &mut Vec<String>) {
    unknown(turn, &["role", "parts"], "contents", faults);
    let role = turn["role"].as_str().unwrap_or("user");
    if !["user", "model"].contains(&role) {
        faults.push(format!("unknown role `{role}`"));
    }
    let parts = list(&turn["parts"]);
    if parts.is_empty() {
        faults.push("contents.parts must not be empty".into());
    }
    parts.iter().for_each(|each| part(each, faults));
    let (calls, responses) = (held(turn, "functionCall"), held(turn, "functionResponse"));
    if role == "user" && !calls.is_empty() {
        faults.push("a call in a turn of the user".into());
    }
    if role == "model" && !responses.is_empty() {
        faults.push("a response in a turn of the model".into());
    }
    if !calls.is_empty() && (before.is_null() || before["role"] == "model") {
        faults.push(
            "a function call turn comes immediately after a user turn or after a function response turn"
                .into(),
        );
    }
    let asked = held(before, "functionCall");
    if asked.len() != responses.len() {
        faults.push(format!("{} responses for {} calls", responses.len(), asked.len()));
    }
    for (call, response) in asked.iter().zip(&responses) {
        // Who names no call is understood by the order.
        let is_named = response["id"].is_null() || call["id"] == response["id"];
        if call["name"] != response["name"] || !is_named {
            faults.push(format!(
                "the response of {} `{}` stands where that of {} `{}` should",
                response["name"], response["id"], call["name"], call["id"]
            ));
        }
    }
    for id in calls.iter().filter_map(|call| call["id"].as_str()) {
        if !seen.insert(id) {
            faults.push(format!("the call id `{id}` is used twice"));
        }
    }
}

/// What the parts of a turn hold under a name.
fn held<'a>(turn: &'a Value, name: &str) -> Vec<&'a Value> {
    list(&turn["parts"]).iter().filter_map(|part| part.get(name)).collect()
}

fn part(part: &Value, faults: &mut Vec<String>) {
    let known: Vec<&str> = DATA.iter().chain(BESIDE).copied().collect();
    unknown(part, &known, "contents.parts", faults);
    let holds: Vec<&str> = DATA.iter().copied().filter(|name| part.get(*name).is_some()).collect();
    let [kind] = holds.as_slice() else {
        return faults.push(format!("a part must hold one thing, and holds {holds:?}"));
    };
    let signature = part["thoughtSignature"].as_str();
    if !part["thoughtSignature"].is_null() && !signature.is_some_and(is_base64) {
        faults.push("a thought signature is no base64".into());
    }
    let data = &part[*kind];
    let is_whole = match *kind {
        "text" => data.as_str().is_some_and(|text| !text.is_empty() || signature.is_some()),
        "inlineData" => is_inline(data),
        "fileData" => data["fileUri"].is_string(),
        "functionCall" => is_call(data, faults),
        "functionResponse" => is_response(data, faults),
        "executableCode" => data["code"].is_string(),
        "codeExecutionResult" => data["outcome"].is_string(),
        _ => data.is_object(),
    };
    if !is_whole {
        faults.push(format!("a part with `{kind}` is not whole"));
    }
}

fn is_inline(data: &Value) -> bool {
    let media_type = data["mimeType"].as_str().unwrap_or_default();
    let is_known = MEDIA.contains(&media_type) || media_type.starts_with("text/");
    is_known && data["data"].as_str().is_some_and(|data| !data.is_empty() && is_base64(data))
}

fn is_call(call: &Value, faults: &mut Vec<String>) -> bool {
    unknown(call, &["id", "name", "args"], "functionCall", faults);
    call["name"].as_str().is_some_and(is_name) && (call["args"].is_null() || call["args"].is_object())
}

fn is_response(response: &Value, faults: &mut Vec<String>) -> bool {
    unknown(response, &["id", "name", "response", "parts"], "functionResponse", faults);
    let media = list(&response["parts"]);
    media.iter().all(|part| is_inline(&part["inlineData"]) || at(part, "/fileData/fileUri").is_string())
        && response["name"].as_str().is_some_and(is_name)
        && response["response"].as_object().is_some_and(|response| !Map::is_empty(response))
}

/// Base 64 in either alphabet.
fn is_base64(text: &str) -> bool {
    let body = text.trim_end_matches('=');
    let fits = |b: u8| b.is_ascii_alphanumeric() || b"+/-_".contains(&b);
    text.len().is_multiple_of(4) && text.len() - body.len() <= 2 && body.bytes().all(fits)
}

/// Since a person last spoke, the first call of each step must be signed.
fn signatures(turns: &[Value], faults: &mut Vec<String>) {
    let is_person = |turn: &Value| turn["role"] != "model" && held(turn, "functionResponse").is_empty();
    let begin = turns.iter().rposition(is_person).unwrap_or(0);
    for turn in turns.iter().skip(begin) {
        let first = list(&turn["parts"]).iter().find(|part| part.get("functionCall").is_some());
        if first.is_some_and(|part| part["thoughtSignature"].is_null()) {
            faults.push("function call is missing a thought_signature in functionCall parts".into());
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn faults(model: &str, turns: &Value) -> Vec<String> {
        let mut faults = Vec::new();
        check(turns, Model::named(model), &mut faults);
        faults
    }

    #[test]
    fn turns_are_checked() {
        let user = || json!({"role": "user", "parts": [{"text": "hi"}]});
        let model = || json!({"role": "model", "parts": [{"text": "hi"}]});
        let call = |id: &str| json!({"functionCall": {"id": id, "name": "look", "args": {}}});
        let response =
            |id: &str| json!({"functionResponse": {"id": id, "name": "look", "response": {"output": "x"}}});
        let asks = |ids: &[&str]| json!({"role": "model", "parts": ids.iter().map(|id| call(id)).collect::<Vec<_>>()});
        let answers = |ids: &[&str]| json!({"role": "user", "parts": ids.iter().map(|id| response(id)).collect::<Vec<_>>()});
        let holding = |part: Value| json!([{"role": "user", "parts": [part]}]);
        let mut signed = asks(&["a", "b"]);
        signed["parts"][0]["thoughtSignature"] = "AAAA".into();
        let nameless = |response: Value| json!([user(), asks(&["a"]), {"role": "user", "parts": [{"functionResponse": response}]}]);
        let cases = [
            ("m", json!([user(), model(), user()]), ""),
            ("m", json!([user(), user(), model()]), ""),
            ("m", json!([]), "missing or empty"),
            ("m", json!([{"role": "system", "parts": [{"text": "a"}]}]), "unknown role `system`"),
            ("m", json!([{"role": "user", "parts": []}]), "must not be empty"),
            ("m", holding(json!({"text": ""})), "a part with `text` is not whole"),
            ("m", holding(json!({"text": "", "thoughtSignature": "AAAA"})), ""),
            ("m", holding(json!({"text": "a", "thoughtSignature": "?"})), "no base64"),
            ("m", holding(json!({})), "must hold one thing"),
            ("m", holding(json!({"text": "a", "inlineData": {}})), "must hold one thing"),
            ("m", holding(json!({"text": "a", "id": 1})), "unknown name `id`"),
            ("m", holding(json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}})), ""),
            ("m", holding(json!({"inlineData": {"mimeType": "image/gif", "data": "AA=="}})), "not whole"),
            ("m", holding(json!({"inlineData": {"mimeType": "image/png", "data": "A"}})), "not whole"),
            ("m", json!([user(), asks(&["a", "b"]), answers(&["a", "b"])]), ""),
            ("m", json!([user(), asks(&["a", "b"]), answers(&["b", "a"])]), "stands where"),
            ("m", nameless(json!({"name": "look", "response": {"output": "x"}})), ""),
            ("m", nameless(json!({"name": "other", "response": {"output": "x"}})), "stands where"),
            ("m", json!([user(), asks(&["a", "b"]), answers(&["a"])]), "1 responses for 2 calls"),
            ("m", json!([user(), asks(&["a"]), user()]), "0 responses for 1 calls"),
            ("m", json!([user(), answers(&["a"])]), "1 responses for 0 calls"),
            ("m", json!([user(), asks(&["a"])]), "at the end calls have no response"),
            ("m", json!([user(), model(), asks(&["a"]), answers(&["a"])]), "comes immediately after"),
            ("m", json!([user(), asks(&["a", "a"]), answers(&["a", "a"])]), "used twice"),
            (
                "m",
                nameless(json!({"id": "a", "name": "look", "response": "x"})),
                "`functionResponse` is not whole",
            ),
            ("gemini-2.5-pro", json!([user(), asks(&["a"]), answers(&["a"])]), ""),
            ("gemini-3-pro", json!([user(), asks(&["a"]), answers(&["a"])]), "missing a thought_signature"),
            ("gemini-3-pro", json!([user(), signed, answers(&["a", "b"])]), ""),
            ("gemini-3-pro", json!([user(), asks(&["a"]), answers(&["a"]), model(), user()]), ""),
            ("gemini-3-pro", json!([user(), model()]), ""),
            ("gemini-3.6-flash", json!([user(), model()]), "ending with a model turn"),
        ];
        for (model, turns, fault) in cases {
            let found = faults(model, &turns);
            match fault {
                "" => assert_eq!(found, Vec::<String>::new(), "{turns}"),
                fault => assert!(found.iter().any(|found| found.contains(fault)), "{turns}: {found:?}"),
            }
        }
    }
}
