//! [`Transcript`]: what a model is sent, and the few changes that it goes through.
//!
//! The loop and [`history`](crate::history) make the same changes with the same functions, so a transcript that is
//! rebuilt from the journal is the one that was sent.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::message::{Message, Part, Role};
use adjutant_model::token::BYTES_PER_TOKEN;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::shorten;

/// The name of the steps whose messages are the runtime's own words.
pub(crate) const NOTE: &str = "note";
/// The name of the steps that summarise.
pub(crate) const COMPACT: &str = "compact";

/// What a model is sent: the messages of a conversation, oldest first. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Transcript {
    messages: Arc<Vec<Arc<Message>>>,
    /// The label of everything together: what a model that has read all of it writes is no better.
    label: Label,
    /// Whether something that was said in it is gone, because the turn that said it was erased.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
}

impl Transcript {
    /// The messages.
    pub fn messages(&self) -> &[Arc<Message>] {
        &self.messages
    }

    /// The messages, to be held beside the transcript.
    pub(crate) fn shared(&self) -> Arc<Vec<Arc<Message>>> {
        Arc::clone(&self.messages)
    }

    /// The label of everything together.
    pub fn label(&self) -> &Label {
        &self.label
    }

    /// Whether something that was said in it is gone, because the turn that said it was erased.
    pub fn is_partial(&self) -> bool {
        self.partial
    }

    /// The digest of all messages.
    pub(crate) fn digest(&self) -> Result<Digest> {
        Ok(Digest::of(Json::of(self.messages.as_ref())?.as_str().as_bytes()))
    }

    /// Notes that something that was said up to here is gone. Nobody knows any more whether what the model read there
    /// could be believed.
    pub(crate) fn tear(&mut self) {
        self.partial = true;
        self.label = self.label.join(&Label::untrusted());
    }

    pub(crate) fn push(&mut self, message: impl Into<Arc<Message>>) {
        let message = message.into();
        if !message.label.is_default() {
            self.label = self.label.join(&message.label);
        }
        Arc::make_mut(&mut self.messages).push(message);
    }

    /// Takes over what was said before, without its instructions: those of now count.
    pub(crate) fn follow(&mut self, earlier: &Self) {
        let said = earlier.messages.iter().filter(|message| message.role != Role::System);
        said.for_each(|message| self.push(Arc::clone(message)));
        self.partial |= earlier.partial;
    }

    /// Adds what a model said, if it said anything.
    pub(crate) fn answer(&mut self, step: StepKey, answer: &Answer) -> Option<&Arc<Message>> {
        let message = answer.message()?.from_step(step).labelled(self.label.clone());
        self.push(message);
        self.messages.last()
    }

    /// Shortens the tool results among the first `before` messages to so many tokens each.
    pub(crate) fn shorten(&mut self, before: usize, tokens: u32) {
        let most = usize::try_from(u64::from(tokens) * BYTES_PER_TOKEN).unwrap_or(usize::MAX);
        for message in Arc::make_mut(&mut self.messages).iter_mut().take(before) {
            if message.results().any(|result| result.as_text().len() > most) {
                shorten_results(Arc::make_mut(message), most);
            }
        }
    }

    /// Puts a summary in the place of the first `count` messages after the instructions. What the run was started with
    /// and the last words of a person among them stay, as they say what is to be done.
    pub(crate) fn summarise(&mut self, count: usize, step: StepKey, answer: &Answer) {
        let text = format!(
            "[Summary of the conversation so far, written by the runtime to save room]\n{}",
            answer.text().trim()
        );
        let summary = Message::user(text).from_step(step).labelled(self.label.clone());
        self.replace(count, summary);
    }

    /// Leaves out the first `count` messages after the instructions, and says so.
    pub(crate) fn forget(&mut self, count: usize) {
        let text = format!(
            "[{count} earlier messages were left out here by the runtime, as there is no room for them]"
        );
        let note = Message::user(text).labelled(self.label.clone());
        self.replace(count, note.from_step(StepKey::root().join(COMPACT, 0)));
    }

    fn replace(&mut self, count: usize, with: Message) {
        let start = self.start();
        let messages = Arc::make_mut(&mut self.messages);
        let end = (start + count).min(messages.len());
        let gone: Vec<_> = messages.drain(start..end).collect();
        let kept = std::iter::once(Arc::new(with)).chain(words(&gone));
        messages.splice(start..start, kept).for_each(drop);
    }

    /// Where the conversation begins, after the instructions.
    pub(crate) fn start(&self) -> usize {
        self.messages.iter().take_while(|message| message.role == Role::System).count()
    }
}

/// The message that the run was started with, and the last that a person said, where they are among these.
fn words(messages: &[Arc<Message>]) -> impl Iterator<Item = Arc<Message>> {
    let said = || messages.iter().enumerate().rev().filter(|(_, message)| is_said_by_a_person(message));
    let last = said().next();
    // What came in with a run has no step; that of this run comes after those of earlier turns.
    let input = said().find(|(_, message)| message.step.is_none());
    let both =
        input.into_iter().chain(last.filter(|(place, _)| input.is_none_or(|(first, _)| first != *place)));
    both.map(|(_, message)| Arc::clone(message)).collect::<Vec<_>>().into_iter()
}

/// Whether a message of the role `user` is not one of the runtime's own.
fn is_said_by_a_person(message: &Message) -> bool {
    let own = |step: &StepKey| matches!(step.name(), NOTE | COMPACT);
    message.role == Role::User && !message.step.as_ref().is_some_and(own)
}

fn shorten_results(message: &mut Message, most: usize) {
    for part in &mut message.parts {
        if let Part::ToolResult(result) = part {
            shorten::result(result, most, |bytes| {
                format!("{bytes} bytes of this earlier result left out here to save room")
            });
        }
    }
}
