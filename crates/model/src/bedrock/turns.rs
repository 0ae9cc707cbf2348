//! A transcript as the interface wants conversations: instructions apart, a user first, and then in turns.
//!
//! docs.aws.amazon.com/bedrock, "Converse", and what its refusals say: all results of one answer stand in the next
//! message; no text is blank; a message with a document has a text.

use std::sync::Arc;

use adjutant_core::message::{Message, Role};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::content;
use super::media::Names;
use super::traits::Traits;

/// What stands for the part of a conversation that is no longer there.
const BEFORE: &str = "(What was said before is left out.)";
/// What stands beside a document that nobody said anything about.
const SEE: &str = "(See the document.)";

/// A transcript as the interface has it.
#[derive(Debug, Default)]
pub(super) struct Conversation {
    pub(super) system: Vec<Value>,
    pub(super) turns: Vec<Turn>,
}

/// A message of a conversation.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) side: Side,
    pub(super) blocks: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    User,
    Assistant,
}

impl Conversation {
    /// Fails with `model-unsupported` where the interface cannot carry a part, and with `input-invalid` where there is
    /// nothing to answer.
    pub(super) fn of(messages: &[Arc<Message>], traits: &Traits) -> Result<Self> {
        let mut conversation = Self::default();
        let mut names = Names::default();
        for message in messages {
            conversation.add(message, traits, &mut names)?;
        }
        if conversation.turns.is_empty() {
            return Err(Error::new(Code::InputInvalid, "the request has no messages"));
        }
        conversation.turns.iter_mut().for_each(Turn::explain_documents);
        Ok(conversation)
    }

    fn add(&mut self, message: &Message, traits: &Traits, names: &mut Names) -> Result<()> {
        let mut blocks = Vec::with_capacity(message.parts.len());
        for part in &message.parts {
            blocks.extend(match message.role {
                Role::System => content::system(part)?,
                Role::User => content::user(part, names)?,
                Role::Assistant => content::assistant(part, traits)?,
                Role::Tool => Some(content::tool(part, traits, names)?),
            });
        }
        match message.role {
            Role::System => self.system.extend(blocks),
            Role::Assistant => self.say(Side::Assistant, blocks, traits),
            Role::User | Role::Tool => {
                if blocks.is_empty() {
                    blocks.push(content::nothing());
                }
                self.say(Side::User, blocks, traits);
            }
        }
        Ok(())
    }

    fn say(&mut self, side: Side, blocks: Vec<Value>, traits: &Traits) {
        if blocks.is_empty() {
            return;
        }
        match self.turns.last_mut() {
            None if side == Side::Assistant => {
                self.turns.push(Turn { side: Side::User, blocks: vec![json!({"text": BEFORE})] });
            }
            Some(last) if last.side == side => {
                let apart = last.has("toolResult") != blocks.iter().any(|block| is(block, "toolResult"));
                if side == Side::Assistant || traits.results.with_text || !apart {
                    last.blocks.extend(blocks);
                    return;
                }
                self.turns.push(Turn { side: Side::Assistant, blocks: vec![content::nothing()] });
            }
            _ => {}
        }
        self.turns.push(Turn { side, blocks });
    }

    /// The names of the tools that were called, each once.
    pub(super) fn called(&self) -> Vec<&str> {
        let blocks = self.turns.iter().flat_map(|turn| &turn.blocks);
        let mut names: Vec<&str> =
            blocks.filter_map(|block| block.pointer("/toolUse/name")?.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        names
    }
}

impl Turn {
    fn has(&self, member: &str) -> bool {
        self.blocks.iter().any(|block| is(block, member))
    }

    fn explain_documents(&mut self) {
        if self.has("document") && !self.has("text") {
            self.blocks.push(json!({"text": SEE}));
        }
    }
}

/// Whether a block is of that kind: it has one member, called like it.
pub(super) fn is(block: &Value, member: &str) -> bool {
    block.get(member).is_some()
}

impl From<Turn> for Value {
    fn from(turn: Turn) -> Self {
        let role = match turn.side {
            Side::User => "user",
            Side::Assistant => "assistant",
        };
        json!({"role": role, "content": turn.blocks})
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource, Part, ToolCall, ToolResult};

    use super::*;

    fn call(id: &str) -> ToolCall {
        ToolCall { id: id.into(), name: "look".into(), arguments: String::new() }
    }

    fn asks(ids: &[&str]) -> Message {
        Message::assistant(ids.iter().map(|id| Part::ToolCall(call(id))).collect())
    }

    fn answers(id: &str) -> Message {
        Message::tool(ToolResult::text(&call(id), "found"))
    }

    fn says(text: &str) -> Message {
        Message::assistant(vec![Part::text(text)])
    }

    /// `user: text, =id | assistant: @id`, the instructions first.
    fn shown(model: &str, messages: Vec<Message>) -> String {
        let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
        let conversation = Conversation::of(&messages, &Traits::of(model)).unwrap();
        let block = |block: &Value| {
            let text = |pointer: &str| block.pointer(pointer).and_then(Value::as_str).map(str::to_owned);
            let called = text("/toolUse/toolUseId").map(|id| format!("@{id}"));
            let result = || text("/toolResult/toolUseId").map(|id| format!("={id}"));
            let document = || text("/document/name").map(|name| format!("[{name}]"));
            called.or_else(result).or_else(document).or_else(|| text("/text")).unwrap()
        };
        let blocks = |blocks: &[Value]| blocks.iter().map(block).collect::<Vec<_>>().join(", ");
        let turn = |turn: &Turn| format!("{:?}: {}", turn.side, blocks(&turn.blocks));
        let turns: Vec<String> = conversation.turns.iter().map(turn).collect();
        format!("{} | {}", blocks(&conversation.system), turns.join(" | "))
    }

    #[test]
    fn a_conversation_goes_in_turns() {
        let file = Part::File(Media {
            media_type: "application/pdf".into(),
            name: Some("a.pdf".into()),
            source: MediaSource::Base64("AA==".into()),
        });
        let claude = "anthropic.claude-sonnet-5";
        let llama = "meta.llama4-scout-17b-instruct-v1:0";
        let user = Message::user;
        let cases = [
            (claude, vec![Message::system("be kind"), user("hi")], "be kind | User: hi"),
            (
                claude,
                vec![user("hi"), asks(&["a", "b"]), answers("b"), answers("a"), says("ok")],
                " | User: hi | Assistant: @a, @b | User: =b, =a | Assistant: ok",
            ),
            (
                claude,
                vec![user("hi"), asks(&["a"]), answers("a"), user("wait"), user("stop")],
                " | User: hi | Assistant: @a | User: =a, wait, stop",
            ),
            (
                llama,
                vec![user("hi"), asks(&["a"]), answers("a"), user("wait"), user("stop")],
                " | User: hi | Assistant: @a | User: =a | Assistant: (nothing) | User: wait, stop",
            ),
            (claude, vec![user("a"), says(" "), user("b")], " | User: a, b"),
            (claude, vec![user(""), says("x")], " | User: (nothing) | Assistant: x"),
            (
                claude,
                vec![says("x"), user("b"), Message::system("late")],
                "late | User: (What was said before is left out.) | Assistant: x | User: b",
            ),
            (claude, vec![Message::new(Role::User, vec![file.clone()])], " | User: [a], (See the document.)"),
            (
                claude,
                vec![Message::new(Role::User, vec![file.clone(), file]), user("see")],
                " | User: [a], [a 2], see",
            ),
        ];
        for (model, messages, expected) in cases {
            assert_eq!(shown(model, messages.clone()), expected, "{messages:?}");
        }
    }

    #[test]
    fn nothing_to_answer_is_refused() {
        let traits = Traits::of("");
        for messages in [vec![], vec![Arc::new(Message::system("be kind"))]] {
            let error = Conversation::of(&messages, &traits).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::InputInvalid, "the request has no messages"));
        }
    }
}
