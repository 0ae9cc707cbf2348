//! What is wrong with a request, as a strict provider sees it.

use std::collections::HashSet;

use serde_json::Value;

use super::super::received::{Received, at, list};
use super::block::{self, Place};
use super::{model, option, segment_of};

/// The fields that a body may have.
const FIELDS: &[&str] = &[
    "messages",
    "system",
    "inferenceConfig",
    "toolConfig",
    "guardrailConfig",
    "additionalModelRequestFields",
    "additionalModelResponseFieldPaths",
    "promptVariables",
    "requestMetadata",
    "performanceConfig",
    "serviceTier",
    "outputConfig",
];

/// The most marks of the prompt cache.
const MOST_MARKS: usize = 4;

/// Everything that is wrong with a request; empty where nothing is.
pub(super) fn faults_of(request: &Received) -> Vec<String> {
    let body = &request.body;
    let mut faults = Vec::new();
    let Some(fields) = body.as_object() else { return vec!["the body is not an object".to_owned()] };
    for name in fields.keys().filter(|name| !FIELDS.contains(&name.as_str())) {
        faults.push(format!("unknown field `{name}`"));
    }
    let segment = segment_of(&request.path).unwrap_or_default();
    if !segment.bytes().all(|b| b.is_ascii_alphanumeric() || b"-._~%".contains(&b)) {
        faults.push(format!("the model `{segment}` is not encoded as one segment of the path"));
    }
    faults.extend(list(&body["system"]).iter().filter_map(|block| block::fault_of(block, Place::System)));
    match list(&body["messages"]) {
        [] => faults.push("`messages` is missing or empty".to_owned()),
        messages => check_messages(messages, body, &mut faults),
    }
    let lists = list(&body["messages"]).iter().map(|message| &message["content"]);
    check_marks(lists.chain([&body["system"], at(body, "/toolConfig/tools")]), &mut faults);
    option::check(body, &mut faults);
    model::check(&request.asked().model, body, &mut faults);
    faults
}

fn check_messages(messages: &[Value], body: &Value, faults: &mut Vec<String>) {
    let mut seen = HashSet::new();
    let mut documents = HashSet::new();
    let mut open: HashSet<&str> = HashSet::new();
    let mut before = "assistant";
    for (at, message) in messages.iter().enumerate() {
        let mut fault = |what: String| faults.push(format!("messages.{at}: {what}"));
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
            fault("A conversation must begin with a user and alternate between the roles.".to_owned());
        }
        before = role;
        let blocks = list(&message["content"]);
        if blocks.is_empty() {
            fault("the content is empty".to_owned());
        }
        blocks.iter().filter_map(|block| block::fault_of(block, place)).for_each(&mut fault);
        let within = |member: &'static str| {
            blocks.iter().map(move |block| &block[member]).filter(|found| !found.is_null())
        };
        if within("document").next().is_some() && within("text").next().is_none() {
            fault("a message with a document has no text".to_owned());
        }
        for document in within("document") {
            if !documents.insert(document["name"].as_str().unwrap_or_default()) {
                fault(format!("two documents have the name {}", document["name"]));
            }
        }
        if place == Place::User {
            for result in within("toolResult") {
                let id = result["toolUseId"].as_str().unwrap_or_default();
                if !open.remove(id) {
                    fault(format!("the result for `{id}` answers no call of the turn before"));
                }
            }
            if !open.is_empty() {
                fault(format!("Expected toolResult blocks for the following Ids: {open:?}"));
                open.clear();
            }
        }
        for call in within("toolUse").filter(|call| place == Place::Assistant && call["type"].is_null()) {
            let id = call["toolUseId"].as_str().unwrap_or_default();
            if !seen.insert(id) {
                fault(format!("the call id `{id}` is used twice"));
            }
            open.insert(id);
        }
    }
    if before == "assistant" {
        faults.push("This model does not support assistant message prefill.".to_owned());
    }
    if !seen.is_empty() && body["toolConfig"].is_null() {
        faults.push(
            "The toolConfig field must be defined when using toolUse and toolResult content blocks."
                .to_owned(),
        );
    }
}

fn check_marks<'a>(lists: impl Iterator<Item = &'a Value>, faults: &mut Vec<String>) {
    let mut marks = 0;
    for blocks in lists.map(list) {
        let mut before = None;
        for block in blocks {
            if !block["cachePoint"].is_null() {
                marks += 1;
                let bears = |block: &Value| {
                    ["document", "video", "cachePoint"].iter().all(|kind| block[*kind].is_null())
                };
                if !before.is_some_and(bears) {
                    faults.push("a cache point stands where nothing before it can be cached".to_owned());
                }
            }
            before = Some(block);
        }
    }
    if marks > MOST_MARKS {
        faults.push(format!("{marks} cache points, and at most {MOST_MARKS} are allowed"));
    }
}

#[cfg(test)]
mod tests;
