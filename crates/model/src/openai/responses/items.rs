//! A transcript as the list of items that the wire wants.

use adjutant_core::message::{Message, Native, Part, Reasoning, Role, ToolCall};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::NAME;
use super::content::{self, misplaced};
use crate::call_id::plain;
use crate::openai::parameters::arguments;

/// A transcript on the wire.
#[derive(Debug, Default)]
pub(super) struct Transcript {
    /// What the author of the agent says before everybody else.
    pub(super) instructions: String,
    /// What follows.
    pub(super) input: Vec<Value>,
}

/// The messages of a transcript, with the reasoning in it that is of this origin or, for a model that does not reason and
/// refuses that of others, without. Fails with `model-unsupported` where the wire cannot carry a part, and with
/// `input-invalid` where there is nothing to answer.
pub(super) fn transcript<'a>(
    messages: impl IntoIterator<Item = &'a Message>,
    origin: &str,
    reasons: bool,
) -> Result<Transcript> {
    let mut instructions: Vec<String> = Vec::new();
    let mut items = Items { list: Vec::new(), origin, reasons };
    for message in messages {
        match message.role {
            Role::System if items.list.is_empty() => instructions.push(words(message)?),
            Role::System => {
                items.given(json!({"type": "message", "role": "developer", "content": words(message)?}));
            }
            Role::User => {
                items.given(
                    json!({"type": "message", "role": "user", "content": content::said(&message.parts)?}),
                );
            }
            Role::Assistant => items.made(&message.parts)?,
            Role::Tool => items.answers(&message.parts)?,
        }
    }
    let mut input = items.finish();
    if input.is_empty() {
        if instructions.is_empty() {
            return Err(Error::new(Code::InputInvalid, "the request has no messages"));
        }
        input = vec![json!({"type": "message", "role": "developer", "content": instructions.join("\n\n")})];
        instructions.clear();
    }
    Ok(Transcript { instructions: instructions.join("\n\n"), input })
}

/// What an assistant message keeps beside its text: whether it only comments or is the answer. OpenAI wants it back.
pub(super) fn phase(phase: &str) -> Native {
    Native { provider: NAME.to_owned(), value: json!({"phase": phase}) }
}

/// The phase of the text before a part of the provider's own that is no item; none where it is an item.
fn phase_of(value: &Value) -> Option<&str> {
    match value.get("type") {
        None => value.get("phase").and_then(Value::as_str),
        Some(_) => None,
    }
}

fn words(message: &Message) -> Result<String> {
    match message.parts.iter().find(|part| part.as_text().is_none()) {
        Some(other) => Err(misplaced(other, "a system message")),
        None => Ok(message.text()),
    }
}

/// How an item came to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Origin {
    /// Others gave it to the model.
    Given,
    /// The model made it.
    Made,
    /// The model thought it, for the sake of what it made next.
    Thought,
}

#[derive(Debug)]
struct Items<'a> {
    list: Vec<(Origin, Value)>,
    /// Who decrypts what is encrypted.
    origin: &'a str,
    /// Whether the model takes reasoning.
    reasons: bool,
}

impl Items<'_> {
    fn given(&mut self, item: Value) {
        self.list.push((Origin::Given, item));
    }

    fn made(&mut self, parts: &[Part]) -> Result<()> {
        let mut text = String::new();
        for part in parts {
            match part {
                Part::Text { text: said } => text.push_str(said),
                Part::Native(native) if self.owns(&native.provider) => match phase_of(&native.value) {
                    Some(phase) => self.said(&mut text, Some(phase)),
                    None => self.made_item(&mut text, Origin::Made, native.value.clone()),
                },
                Part::Reasoning(reasoning) => {
                    if let Some(item) = self.thought(reasoning) {
                        self.made_item(&mut text, Origin::Thought, item);
                    }
                }
                // What belongs to another provider means nothing here.
                Part::Native(_) => {}
                Part::ToolCall(call) => self.made_item(&mut text, Origin::Made, called(call)),
                other => return Err(misplaced(other, "an assistant message")),
            }
        }
        self.said(&mut text, None);
        Ok(())
    }

    fn made_item(&mut self, text: &mut String, origin: Origin, item: Value) {
        self.said(text, None);
        self.list.push((origin, item));
    }

    /// Ends the message of the text so far.
    fn said(&mut self, text: &mut String, phase: Option<&str>) {
        if text.is_empty() {
            return;
        }
        let mut item = Map::new();
        item.insert("type".into(), "message".into());
        item.insert("role".into(), "assistant".into());
        item.insert("content".into(), std::mem::take(text).into());
        if let Some(phase) = phase {
            item.insert("phase".into(), phase.into());
        }
        self.list.push((Origin::Made, item.into()));
    }

    fn answers(&mut self, parts: &[Part]) -> Result<()> {
        for part in parts {
            let Part::ToolResult(result) = part else { return Err(misplaced(part, "a tool message")) };
            let output = content::answered(result)?;
            let call = plain(&result.call);
            self.given(json!({"type": "function_call_output", "call_id": call, "output": output}));
        }
        Ok(())
    }

    /// Whether something is this server's to understand. What was kept before servers were told apart is taken for its own.
    fn owns(&self, provider: &str) -> bool {
        provider == NAME || provider == self.origin
    }

    /// Reasoning as it came; none where the model refuses it, or where it is not of this origin and so cannot be read.
    fn thought(&self, reasoning: &Reasoning) -> Option<Value> {
        let is_own = reasoning.provider.as_deref().is_some_and(|provider| self.owns(provider));
        let encrypted = reasoning.encrypted.as_ref().filter(|_| is_own && self.reasons)?;
        let summary =
            (!reasoning.text.is_empty()).then(|| json!({"type": "summary_text", "text": reasoning.text}));
        let mut item = Map::new();
        item.insert("type".into(), "reasoning".into());
        item.insert("summary".into(), summary.into_iter().collect());
        item.insert("encrypted_content".into(), encrypted.as_str().into());
        // The content is bound to the id that it came with; without one it is accepted as well.
        if let Some(id) = &reasoning.id {
            item.insert("id".into(), id.as_str().into());
        }
        Some(item.into())
    }

    /// The items without the reasoning that led to nothing: the API refuses reasoning "without its required following
    /// item", as an interrupted answer leaves it.
    fn finish(mut self) -> Vec<Value> {
        let mut leads = false;
        let mut kept = Vec::with_capacity(self.list.len());
        while let Some((origin, item)) = self.list.pop() {
            match origin {
                Origin::Made => leads = true,
                Origin::Given => leads = false,
                Origin::Thought if !leads => continue,
                Origin::Thought => {}
            }
            kept.push(item);
        }
        kept.reverse();
        kept
    }
}

fn called(call: &ToolCall) -> Value {
    json!({
        "type": "function_call",
        "call_id": plain(&call.id),
        "name": call.name,
        "arguments": arguments(&call.arguments),
    })
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::ToolResult;

    use super::*;

    fn call(arguments: &str) -> ToolCall {
        ToolCall { id: "c1".into(), name: "look".into(), arguments: arguments.into() }
    }

    fn reasoning(text: &str, id: Option<&str>) -> Part {
        Part::Reasoning(Reasoning {
            text: text.into(),
            provider: Some(NAME.into()),
            id: id.map(str::to_owned),
            encrypted: Some("gAAA".into()),
            ..Reasoning::default()
        })
    }

    fn native(provider: &str, value: Value) -> Part {
        Part::Native(Native { provider: provider.into(), value })
    }

    fn message(role: &str, content: &str) -> Value {
        json!({"type": "message", "role": role, "content": content})
    }

    /// The items after one of a user.
    fn after_user(messages: impl IntoIterator<Item = Message>) -> Vec<Value> {
        let messages: Vec<Message> = std::iter::once(Message::user("hi")).chain(messages).collect();
        let mut transcript = transcript(&messages, "openai-responses@h", true).unwrap();
        assert_eq!(transcript.input.remove(0), message("user", "hi"));
        transcript.input
    }

    #[test]
    fn messages_are_items() {
        let search = json!({"type": "web_search_call", "id": "ws_1", "status": "completed", "action": {"type": "search"}});
        let called = json!({"type": "function_call", "call_id": "c1", "name": "look", "arguments": "{}"});
        let thought = json!({"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"});
        let cases = [
            (vec![], vec![]),
            (vec![Part::text("a"), Part::text("b")], vec![message("assistant", "ab")]),
            (
                vec![Part::text("a"), Part::ToolCall(call("{}"))],
                vec![message("assistant", "a"), called.clone()],
            ),
            (
                vec![Part::ToolCall(call("{"))],
                vec![
                    json!({"type": "function_call", "call_id": "c1", "name": "look", "arguments": r#"{"invalid_arguments":"{"}"#}),
                ],
            ),
            (
                vec![reasoning("", Some("rs_1")), native(NAME, search.clone()), Part::text("a")],
                vec![thought.clone(), search, message("assistant", "a")],
            ),
            (
                vec![reasoning("hm", None), Part::ToolCall(call("{}"))],
                vec![
                    json!({"type": "reasoning", "summary": [{"type": "summary_text", "text": "hm"}], "encrypted_content": "gAAA"}),
                    called,
                ],
            ),
            (
                vec![
                    Part::text("wait"),
                    Part::Native(phase("commentary")),
                    Part::text("done"),
                    Part::Native(phase("final_answer")),
                ],
                vec![
                    json!({"type": "message", "role": "assistant", "content": "wait", "phase": "commentary"}),
                    json!({"type": "message", "role": "assistant", "content": "done", "phase": "final_answer"}),
                ],
            ),
            // What belongs to others, or says nothing any more, is left out.
            (
                vec![
                    native("anthropic", json!({"type": "server_tool_use"})),
                    Part::Reasoning(Reasoning { encrypted: Some("x".into()), ..Reasoning::default() }),
                    Part::Reasoning(Reasoning {
                        provider: Some(NAME.into()),
                        id: Some("rs_2".into()),
                        ..Reasoning::default()
                    }),
                    Part::Reasoning(Reasoning { text: "plain".into(), ..Reasoning::default() }),
                    Part::text("a"),
                ],
                vec![message("assistant", "a")],
            ),
        ];
        for (parts, expected) in cases {
            assert_eq!(after_user([Message::assistant(parts.clone())]), expected, "{parts:?}");
        }
    }

    #[test]
    fn reasoning_that_led_to_nothing_is_left_out() {
        let kinds = |messages: Vec<Message>| {
            let items = after_user(messages);
            items.iter().map(|item| item["type"].as_str().unwrap().to_owned()).collect::<Vec<_>>().join(" ")
        };
        let thinks = || reasoning("", Some("rs_1"));
        let cases = [
            (vec![Message::assistant(vec![thinks()])], ""),
            (vec![Message::assistant(vec![thinks()]), Message::user("go on")], "message"),
            (vec![Message::assistant(vec![Part::text("a"), thinks(), thinks()])], "message"),
            (
                vec![Message::assistant(vec![thinks(), thinks(), Part::text("a")])],
                "reasoning reasoning message",
            ),
            (
                vec![
                    Message::assistant(vec![thinks(), Part::ToolCall(call("{}")), thinks()]),
                    Message::tool(ToolResult::text(&call(""), "ok")),
                ],
                "reasoning function_call function_call_output",
            ),
        ];
        for (messages, expected) in cases {
            assert_eq!(kinds(messages.clone()), expected, "{messages:?}");
        }
    }

    #[test]
    fn a_model_that_does_not_reason_is_sent_no_reasoning() {
        let message = Message::assistant(vec![reasoning("hm", None), Part::text("a")]);
        let kept = |reasons| transcript([&message], "openai-responses@h", reasons).unwrap().input.len();
        assert_eq!((kept(true), kept(false)), (2, 1));
    }

    #[test]
    fn what_one_server_encrypted_goes_to_no_other() {
        let compaction = json!({"type": "compaction", "encrypted_content": "gAAA"});
        let sent = |origin: &str, provider: &str| {
            let sealed = Reasoning {
                encrypted: Some("x".into()),
                provider: Some(provider.into()),
                ..Reasoning::default()
            };
            let parts = vec![Part::Reasoning(sealed), native(provider, compaction.clone()), Part::text("a")];
            transcript([&Message::assistant(parts)], origin, true).unwrap().input.len()
        };
        let (openai, azure) = ("openai-responses@api.openai.com", "openai-responses@r.openai.azure.com");
        let cases = [
            (openai, openai, 3),
            (azure, openai, 1),
            (openai, azure, 1),
            (azure, NAME, 3),
            (openai, "openai", 1),
        ];
        for (origin, provider, items) in cases {
            assert_eq!(sent(origin, provider), items, "{origin} is sent what is of {provider}");
        }
    }

    #[test]
    fn the_author_speaks_first_as_instructions() {
        let said = |messages: &[Message]| {
            let transcript = transcript(messages, "openai-responses@h", true).unwrap();
            (transcript.instructions, Value::from(transcript.input))
        };
        let (system, user) = (Message::system, Message::user);
        assert_eq!(
            said(&[system("a"), system("b"), user("hi"), system("c")]),
            ("a\n\nb".to_owned(), json!([message("user", "hi"), message("developer", "c")]))
        );
        assert_eq!(said(&[system("a")]), (String::new(), json!([message("developer", "a")])));
        assert_eq!(
            transcript(&[], "openai-responses@h", true).unwrap_err().message(),
            "the request has no messages"
        );
    }

    #[test]
    fn results_follow_their_calls() {
        let long = ToolCall { id: "x".repeat(100).as_str().into(), ..call("{}") };
        let items = after_user([
            Message::assistant(vec![Part::ToolCall(call("{}")), Part::ToolCall(long.clone())]),
            Message::tool(ToolResult::error(&call(""), "no")),
            Message::tool(ToolResult::text(&long, "ok")),
        ]);
        assert_eq!(items[2], json!({"type": "function_call_output", "call_id": "c1", "output": "error: no"}));
        assert_eq!(items[1]["call_id"], items[3]["call_id"]);
        assert!(items[1]["call_id"].as_str().unwrap().len() <= 64);
    }

    #[test]
    fn parts_in_the_wrong_place_are_refused() {
        let result = || Part::ToolResult(ToolResult::text(&call(""), "42"));
        let cases = [
            (Message::new(Role::System, vec![result()]), "a tool result in a system message"),
            (Message::assistant(vec![result()]), "a tool result in an assistant message"),
            (Message::new(Role::Tool, vec![Part::text("a")]), "text in a tool message"),
        ];
        for (message, what) in cases {
            let error = transcript([&message], "openai-responses@h", true).unwrap_err();
            assert_eq!(error.message(), format!("OpenAI's Responses cannot carry {what}"));
        }
    }
}
