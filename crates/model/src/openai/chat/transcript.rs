//! A transcript as the messages of the wire, in the order that a server takes.

use adjutant_core::message::{Message, Part, Role, ToolResult};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::content::Style;
use super::quirks::Order;
use crate::request::Request;

/// What a model says between a tool and a user, where it said nothing and somebody must.
const BRIDGE: &str = "I have the results.";

/// The messages. Fails with `input-invalid` where there are none, and with `model-unsupported` where the wire cannot carry a
/// part.
pub(super) fn messages(request: &Request, style: &Style<'_>, order: Order) -> Result<Vec<Value>> {
    if request.messages.is_empty() {
        return Err(Error::new(Code::InputInvalid, "the request has no messages"));
    }
    let mut wire = Vec::with_capacity(request.messages.len());
    let mut results: Vec<&ToolResult> = Vec::new();
    let silent = |message: &Message| order == Order::Strict && is_silent(message);
    for message in request.messages.iter().filter(|message| !silent(message)) {
        let before = results.len();
        results.extend(message.results());
        if results.len() == before {
            wire.extend(style.media_of_results(&results)?);
            results.clear();
        }
        wire.extend(style.encode(message)?);
    }
    wire.extend(style.media_of_results(&results)?);
    Ok(match order {
        Order::Any => wire,
        Order::SystemFirst => system_first(wire),
        Order::Strict => bridged(system_first(wire)),
    })
}

/// Whether a model says nothing in a message, and calls nothing.
fn is_silent(message: &Message) -> bool {
    let says = |part: &Part| match part {
        Part::Text { text } => !text.is_empty(),
        Part::Reasoning(_) | Part::Native(_) => false,
        _ => true,
    };
    message.role == Role::Assistant && !message.parts.iter().any(says)
}

/// All instructions in one message before the others.
fn system_first(wire: Vec<Value>) -> Vec<Value> {
    let (system, others): (Vec<Value>, Vec<Value>) =
        wire.into_iter().partition(|message| message.get("role").is_some_and(|role| role == "system"));
    let texts: Vec<&str> =
        system.iter().filter_map(|message| message.get("content").and_then(Value::as_str)).collect();
    let first = (!texts.is_empty()).then(|| json!({"role": "system", "content": texts.join("\n\n")}));
    first.into_iter().chain(others).collect()
}

/// A word of the model wherever a user would speak after a tool.
fn bridged(wire: Vec<Value>) -> Vec<Value> {
    let mut bridged: Vec<Value> = Vec::with_capacity(wire.len());
    for message in wire {
        let after_tool = bridged.last().and_then(|last| last.get("role")).is_some_and(|role| role == "tool");
        if after_tool && message.get("role").is_some_and(|role| role == "user") {
            bridged.push(json!({"role": "assistant", "content": BRIDGE}));
        }
        bridged.push(message);
    }
    bridged
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource, ToolCall};

    use super::*;
    use crate::openai::chat::Quirks;

    /// The roles of a transcript, each with its content where that is a text.
    fn shown(messages: &[Message], quirks: &Quirks) -> String {
        let request = Request::new(messages.to_vec());
        let wire = messages_of(&request, quirks);
        let one = |message: &Value| {
            let role = message["role"].as_str().unwrap().to_owned();
            message["content"].as_str().map_or(role.clone(), |content| format!("{role}: {content}"))
        };
        wire.iter().map(one).collect::<Vec<_>>().join(" | ")
    }

    fn messages_of(request: &Request, quirks: &Quirks) -> Vec<Value> {
        super::messages(request, &Style::new(quirks, None), quirks.order).unwrap()
    }

    #[test]
    fn each_server_has_its_order() {
        let call = |id: &str| ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into() };
        let image =
            Media { media_type: "image/png".into(), name: None, source: MediaSource::Base64("AA==".into()) };
        let mut seen = ToolResult::text(&call("1"), "a cat");
        seen.content.push(Part::Image(image));
        let transcript = [
            Message::system("be kind"),
            Message::user("look twice"),
            Message::assistant(vec![Part::ToolCall(call("1")), Part::ToolCall(call("2"))]),
            Message::tool(seen),
            Message::tool(ToolResult::text(&call("2"), "a dog")),
            Message::user("hurry"),
            Message::assistant(vec![]),
            Message::system("be brief"),
            Message::user("well?"),
        ];
        assert_eq!(
            shown(&transcript, &Quirks::COMMON),
            "system: be kind | user: look twice | assistant | tool: a cat | tool: a dog | user | user: hurry | assistant:  | \
             system: be brief | user: well?"
        );
        assert_eq!(
            shown(&transcript, &Quirks::VLLM),
            "system: be kind\n\nbe brief | user: look twice | assistant | tool: a cat | tool: a dog | user | user: hurry | \
             assistant:  | user: well?"
        );
        assert_eq!(
            shown(&transcript, &Quirks::MISTRAL),
            "system: be kind\n\nbe brief | user: look twice | assistant | tool | tool: a dog | assistant: I have the results. | \
             user: hurry | user: well?"
        );
    }
}
