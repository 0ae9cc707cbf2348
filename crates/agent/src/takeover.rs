//! Takeover: a person does the agent's work for a while.
//!
//! Somebody takes a run by a letter that it reads between two of its turns ([`Taking`]). It then waits for what they do,
//! one [`Deed`] after the other: they say something, in their own name or the agent's, write anew what was said, call a
//! tool, and at last hand the run back. Each deed is the answer to a signal, so it is recorded, replayed, and shown like
//! everything else that people answer. Calls go through the choke point as the agent's own do.

use std::sync::Arc;

use adjutant_core::hash::Digest;
use adjutant_core::id::{CallId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::message::{Message, Part, Role, ToolCall};
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::act;
use crate::approval;
use crate::conversation::Conversation;
use crate::guard::Watch;
use crate::memory::Memory;
use crate::note::{Note, tell};
use crate::purse::Purse;
use crate::routine::Around;
use crate::rules::Log;
use crate::runtime::Runtime;
use crate::transcript::Transcript;

/// How the names of the signals begin that deeds are given to.
pub const PREFIX: &str = "take:";

/// The scope of a takeover within its turn.
pub(crate) const SCOPE: &str = "takeover";

/// What a person does with a run that they have taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deed {
    /// They say something to the agent.
    Say(String),
    /// They say something as the agent.
    Speak(String),
    /// They write anew what stands at a place of the transcript, counted from 0.
    Rewrite {
        /// The place.
        place: usize,
        /// What stands there from now on.
        text: String,
    },
    /// They call a tool as the agent would.
    Call {
        /// The tool.
        tool: String,
        /// The arguments.
        arguments: Value,
    },
    /// They hand the run back, and may tell the agent something.
    HandBack(Option<String>),
}

/// A deed, and who has done it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Done {
    /// Who.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// What.
    pub deed: Deed,
}

/// What a run is sent that somebody takes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Taking {
    /// Who takes it.
    pub takes: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What a run waits with that somebody has taken.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Taken {
    /// Who has taken it.
    pub taken_by: String,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// How many messages there are.
    pub messages: usize,
    /// Why the deed before was none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub refused: Option<String>,
}

/// Waits for what the person does who has taken the run, until they hand it back.
pub(crate) async fn hold(
    step: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    log: &Log,
    watch: &Watch,
    taking: Taking,
) -> Result<()> {
    let ctx = step.scope(SCOPE);
    let Taking { takes, reason } = taking;
    tell(&ctx.scope("taken"), &mut memory.conversation, Note::Taken(takes.clone())).await?;
    let mut refused = None;
    for number in 0u32.. {
        let messages = memory.conversation.messages().len();
        let taken =
            Taken { taken_by: takes.clone(), reason: reason.clone(), messages, refused: refused.take() };
        let name = signal(&ctx, number);
        let key = ctx.path().join(&name, 0);
        let answer = ctx.signal(&name, Json::of(&taken)?).await?;
        memory.recorded += 1;
        match answer.to::<Done>() {
            Ok(Done { by, deed: Deed::HandBack(words), .. }) => {
                return tell(&ctx.scope("back"), &mut memory.conversation, Note::Back(by, words)).await;
            }
            Ok(Done { by, deed: Deed::Call { tool, arguments }, .. }) => {
                let call = call(&key, &tool, &arguments);
                memory.conversation.by_hand(key, spoken(vec![Part::ToolCall(call.clone())]));
                make(&ctx, agent, memory, (log, watch), &call, &by).await?;
            }
            Ok(Done { deed: Deed::Rewrite { place, text }, .. }) => {
                if let Err(error) =
                    memory.conversation.rewrite(key, place, &text, agent.overhead(&memory.found))
                {
                    refused = Some(error.message().to_owned());
                }
            }
            Ok(Done { deed, .. }) => {
                if let Some(message) = said(&deed) {
                    memory.conversation.by_hand(key, message);
                }
            }
            Err(_) => refused = Some("what was done cannot be read".to_owned()),
        }
    }
    Ok(())
}

/// Makes a call of the person, through the choke point.
async fn make(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    memory: &mut Memory,
    (log, watch): (&Log, &Watch),
    call: &ToolCall,
    by: &str,
) -> Result<()> {
    let purse = Purse::new(&agent.definition.limits, &memory.tally, 0);
    let before = ctx.asked();
    let (step, message) = {
        let around = Around {
            conversation: &memory.conversation,
            purse: &purse,
            whole: false,
            log,
            slots: None,
            watch,
            program: None,
            by_hand: Some(by),
            idle: None,
        };
        act::by_hand(ctx.scope("call"), agent, call, around).await?
    };
    memory.recorded += u32::try_from(ctx.asked() - before).unwrap_or(u32::MAX);
    memory.conversation.result(step, message);
    Ok(())
}

/// The name of the signal that the next deed is given to.
fn signal(ctx: &Ctx, number: u32) -> String {
    format!("{PREFIX}{}.{number}", approval::place(ctx))
}

/// The call that a deed makes. Its id is that of no other call.
fn call(key: &StepKey, tool: &str, arguments: &Value) -> ToolCall {
    let id = format!("hand_{}", Digest::of(key.as_str().as_bytes()).short());
    ToolCall { id: CallId::from(id.as_str()), name: tool.to_owned(), arguments: arguments.to_string() }
}

fn spoken(parts: Vec<Part>) -> Message {
    Message::assistant(parts)
}

/// The message that a deed adds, if it adds one.
fn said(deed: &Deed) -> Option<Message> {
    match deed {
        Deed::Say(text) => Some(Message::user(text)),
        Deed::Speak(text) => Some(spoken(vec![Part::text(text)])),
        Deed::Rewrite { .. } | Deed::Call { .. } | Deed::HandBack(_) => None,
    }
}

/// The message that the recorded deed at `key` has added.
pub(crate) fn added(key: &StepKey, answer: &Json) -> Option<Message> {
    match answer.to::<Done>().ok()?.deed {
        Deed::Call { tool, arguments } => Some(spoken(vec![Part::ToolCall(call(key, &tool, &arguments))])),
        deed => said(&deed),
    }
}

/// Makes the change of the recorded deed, where it writes something anew.
pub(crate) fn rewrite(transcript: &mut Transcript, answer: &Json) -> Result<()> {
    match answer.to::<Done>()?.deed {
        Deed::Rewrite { place, text } => transcript.rewrite(place, &text),
        _ => Ok(()),
    }
}

/// Reads a letter by which somebody takes the run; none where it is a message.
pub(crate) fn taking(sent: &Json) -> Option<Taking> {
    sent.to::<Taking>().ok()
}

/// Checks what can be seen of a deed before it is sent. Fails with [`Code::InputInvalid`].
pub fn check(deed: &Deed, messages: usize) -> Result<()> {
    let wrong = |why: String| Err(Error::new(Code::InputInvalid, why));
    match deed {
        Deed::Say(text) | Deed::Speak(text) | Deed::Rewrite { text, .. } if text.trim().is_empty() => {
            wrong("the message is empty".to_owned())
        }
        Deed::Rewrite { place, .. } if *place >= messages => {
            wrong(format!("there is no message {place}: the last is {}", messages.saturating_sub(1)))
        }
        Deed::Call { arguments, .. } if !arguments.is_object() => {
            wrong("the arguments of a call are an object".to_owned())
        }
        _ => Ok(()),
    }
}

/// Fails as writing a message of a transcript anew does: with [`Code::InputInvalid`] where that cannot be.
pub fn try_rewrite(mut transcript: Transcript, place: usize, text: &str) -> Result<()> {
    transcript.rewrite(place, text)
}

/// The letter by which somebody takes a run.
pub(crate) fn letter(by: &str, reason: Option<&str>) -> Json {
    let mut letter = json!({ "takes": by });
    if let (Value::Object(fields), Some(reason)) = (&mut letter, reason) {
        fields.insert("reason".to_owned(), reason.into());
    }
    letter.into()
}

impl Conversation {
    /// Adds what a person has done.
    fn by_hand(&mut self, step: StepKey, message: Message) {
        self.did(step.clone(), message.from_step(step));
    }
}

impl Transcript {
    /// Writes anew what a message of this run says. What it calls or answers stays, so the transcript stays valid. Fails
    /// with [`Code::InputInvalid`].
    pub(crate) fn rewrite(&mut self, place: usize, text: &str) -> Result<()> {
        let wrong = |why: &str| Err(Error::new(Code::InputInvalid, format!("message {place} {why}")));
        if self.is_borrowed(place) {
            return wrong("was said in an earlier turn of the session").map_err(|error| {
                error.with_help("only what was said in the turn that runs can be written anew")
            });
        }
        let Some(message) = self.message_mut(place) else { return wrong("is not there") };
        if message.role == Role::System {
            return wrong("is the agent's prompt");
        }
        let mut results = 0;
        for part in &mut message.parts {
            if let Part::ToolResult(result) = part {
                results += 1;
                result.content = vec![Part::text(text)];
                result.data = None;
            }
        }
        if results == 0 {
            // What a provider has signed is not true of other words.
            message.parts.retain(|part| matches!(part, Part::ToolCall(_)));
            message.parts.insert(0, Part::text(text));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{ToolResult, transcript_fault};

    use super::*;

    #[test]
    fn a_letter_is_no_message_and_a_message_is_no_letter() {
        let taking = |json: Json| super::taking(&json).map(|taking| (taking.takes, taking.reason));
        assert_eq!(taking(letter("ann", Some("why"))), Some(("ann".to_owned(), Some("why".to_owned()))));
        assert_eq!(taking(Json::of(&Message::user("x")).unwrap()), None);
        assert_eq!(taking(json!({ "takes": "ann", "role": "user" }).into()), None);
        assert_eq!(taking(json!("takes").into()), None);
    }

    #[test]
    fn what_is_written_anew_keeps_the_transcript_valid() {
        let call = ToolCall { id: "c".into(), name: "read".into(), arguments: "{}".into() };
        let mut transcript = Transcript::default();
        for message in [
            Message::system("prompt"),
            Message::user("a"),
            Message::assistant(vec![Part::text("b"), Part::ToolCall(call.clone())]),
            Message::tool(ToolResult::text(&call, "c")),
        ] {
            transcript.push(message);
        }
        for (place, allowed) in [(0, false), (1, true), (2, true), (3, true), (4, false)] {
            assert_eq!(transcript.rewrite(place, "new").is_ok(), allowed, "{place}");
        }
        let messages: Vec<Message> =
            transcript.messages().iter().map(|message| (**message).clone()).collect();
        assert_eq!(transcript_fault(&messages), None);
        assert_eq!(messages.iter().filter(|message| message.text() == "new").count(), 2);
        assert!(messages[3].results().all(|result| result.as_text() == "new"));
    }
}
