//! A transcript as instructions and turns: the interface has the instructions apart, and turns that alternate.

use std::collections::HashSet;
use std::sync::Arc;

use adjutant_core::message::{Message, Role};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::{content, kind_of};

/// A transcript in the order in which the interface has it.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Transcript {
    /// The instructions, wherever they stood.
    pub(super) system: Vec<Value>,
    /// What was said; two turns of one side never follow each other.
    pub(super) turns: Vec<Turn>,
}

#[derive(Debug, PartialEq)]
pub(super) struct Turn {
    pub(super) side: Side,
    pub(super) blocks: Vec<Value>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Side {
    User,
    Assistant,
}

impl Transcript {
    /// Reads a transcript for a model whose thinking this origin signs. Fails with `model-unsupported` where the interface cannot carry a part, and with
    /// `input-invalid` where nobody says anything.
    pub(super) fn of(messages: &[Arc<Message>], origin: &str) -> Result<Self> {
        let mut transcript = Self::default();
        for message in messages {
            transcript.add(message, origin)?;
        }
        match transcript.turns.first() {
            None => Err(Error::new(Code::InputInvalid, "the request has no messages")),
            Some(Turn { side: Side::Assistant, .. }) => Err(Error::new(
                Code::InputInvalid,
                "the conversation does not begin with a message of the user",
            )),
            Some(_) => Ok(transcript),
        }
    }

    fn add(&mut self, message: &Message, origin: &str) -> Result<()> {
        let parts = &message.parts;
        match message.role {
            Role::System => {
                for part in parts {
                    self.system.extend(content::of_system(part)?);
                }
            }
            Role::User => {
                let blocks: Vec<_> = parts
                    .iter()
                    .filter_map(|part| content::of_user(part).transpose())
                    .collect::<Result<_>>()?;
                if !blocks.is_empty() {
                    self.give_up_waiting();
                }
                self.say(Side::User, blocks);
            }
            Role::Tool => {
                let results = parts.iter().map(content::of_tool).collect::<Result<_>>()?;
                self.say(Side::User, results);
            }
            Role::Assistant => {
                let mut blocks = Vec::with_capacity(parts.len());
                for part in parts {
                    content::add_of_assistant(part, origin, &mut blocks)?;
                }
                self.say(Side::Assistant, blocks);
            }
        }
        Ok(())
    }

    fn say(&mut self, side: Side, blocks: Vec<Value>) {
        match self.turns.last_mut() {
            _ if blocks.is_empty() => {}
            Some(turn) if turn.side == side => turn.blocks.extend(blocks),
            _ => self.turns.push(Turn { side, blocks }),
        }
    }

    /// Takes calls of the provider's own tools out that it never answered, since somebody said something instead of
    /// letting it go on: with them the interface refuses the request.
    fn give_up_waiting(&mut self) {
        let Some(turn) = self.turns.last_mut().filter(|turn| turn.side == Side::Assistant) else { return };
        let named = |block: &Value, key: &str| block.get(key).and_then(Value::as_str).map(str::to_owned);
        let answered: HashSet<String> =
            turn.blocks.iter().filter_map(|block| named(block, "tool_use_id")).collect();
        turn.blocks.retain(|block| {
            let is_call = matches!(kind_of(block), "server_tool_use" | "mcp_tool_use");
            !is_call || named(block, "id").is_some_and(|id| answered.contains(&id))
        });
        if turn.blocks.is_empty() {
            self.turns.pop();
        }
    }
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
    use adjutant_core::message::{Native, Part, Reasoning, ToolCall, ToolResult};

    use super::*;

    /// One letter a block; a space between turns.
    fn shown(messages: Vec<Message>) -> String {
        let messages: Vec<_> = messages.into_iter().map(Arc::new).collect();
        let transcript = match Transcript::of(&messages, "anthropic") {
            Ok(transcript) => transcript,
            Err(error) => return error.message().to_owned(),
        };
        let letter = |block: &Value| match block["type"].as_str().unwrap() {
            "text" => block["text"].as_str().unwrap().to_owned(),
            "tool_use" => "C".into(),
            "tool_result" => "R".into(),
            "server_tool_use" => "S".into(),
            "web_search_tool_result" => "W".into(),
            other => other.to_owned(),
        };
        let side = |turn: &Turn| if turn.side == Side::User { '>' } else { '<' };
        let turns = transcript
            .turns
            .iter()
            .map(|turn| format!("{}{}", side(turn), turn.blocks.iter().map(letter).collect::<String>()));
        let system: String = transcript.system.iter().map(letter).collect();
        [system].into_iter().chain(turns).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn turns_alternate_whatever_the_transcript_does() {
        let call = |id: &str| ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into() };
        let calls =
            |ids: &[&str]| Message::assistant(ids.iter().map(|id| Part::ToolCall(call(id))).collect());
        let result = |id: &str| Message::tool(ToolResult::text(&call(id), "ok"));
        let said = |text: &str| Message::assistant(vec![Part::text(text)]);
        let native = |value: Value| Part::Native(Native { provider: "anthropic".into(), value });
        let search = || native(json!({"type": "server_tool_use", "id": "s1"}));
        let found = || native(json!({"type": "web_search_tool_result", "tool_use_id": "s1", "content": []}));
        let searched = |parts| Message::assistant(parts);
        let user = Message::user;
        let foreign = Part::Reasoning(Reasoning { text: "hm".into(), ..Reasoning::default() });
        let cases = [
            (vec![Message::system("s"), user("a"), said("b"), user("c")], "s >a <b >c"),
            (vec![user("a"), user("b")], " >ab"),
            (vec![Message::system("s"), user("a"), Message::system("t"), said("b")], "st >a <b"),
            (vec![user("a"), calls(&["1", "2"]), result("1"), result("2"), user("b")], " >a <CC >RRb"),
            (vec![user("a"), Message::assistant(vec![foreign]), user("b")], " >ab"),
            (vec![user("a"), said(" "), user("b")], " >ab"),
            // It was paused, and goes on.
            (vec![user("a"), searched(vec![search()]), searched(vec![found(), Part::text("b")])], " >a <SWb"),
            (vec![user("a"), searched(vec![search()])], " >a <S"),
            // It was paused, and somebody said something.
            (vec![user("a"), searched(vec![Part::text("b"), search()]), user("c")], " >a <b >c"),
            (vec![user("a"), searched(vec![search()]), user("c")], " >ac"),
            (vec![user("a"), searched(vec![search(), found()]), user("c")], " >a <SW >c"),
            (vec![user(" ")], "the request has no messages"),
            (vec![Message::system("s")], "the request has no messages"),
            (vec![said("b")], "the conversation does not begin with a message of the user"),
        ];
        for (messages, expected) in cases {
            assert_eq!(shown(messages.clone()), expected, "{messages:?}");
        }
    }
}
