//! [`Conversation`]: the transcript while it grows, and how much of it is recorded already.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::message::Message;
use adjutant_model::{ToolChoice, token};
use adjutant_policy::detect::Pseudonyms;
use adjutant_policy::facts::Past;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::handoff::Standing;
use crate::lesson::Lesson;
use crate::link::{Entry, Link, Unseen};
use crate::transcript::Transcript;

/// The transcript while it grows, and how much of it is recorded already.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Conversation {
    transcript: Transcript,
    /// What no link holds yet.
    entries: Vec<Entry>,
    previous: Option<Digest>,
    /// What everything together counts: as the provider counted it last, and an estimate of what came since.
    tokens: u64,
}

/// What was said in a session before this run.
#[derive(Clone, Debug, PartialEq)]
pub struct Earlier {
    /// The run that was the turn before.
    pub run: RunId,
    /// All that was said up to its end.
    pub transcript: Transcript,
    /// The calls that were made up to its end.
    pub past: Arc<[Past]>,
    /// What the pseudonyms in it stand for.
    pub names: Pseudonyms,
    /// Who has the conversation, and from which message on: of all but instructions, counted from 0.
    pub standing: Option<(Standing, usize)>,
    /// What was learned from attempts that failed.
    pub lessons: Arc<[Lesson]>,
}

impl Earlier {
    /// How a run that begins with it records that.
    pub(crate) fn entry(&self) -> Result<Entry> {
        let run = self.run.clone();
        Ok(match self.transcript.is_partial() {
            true => Entry::Remaining { run, digest: self.transcript.digest()? },
            false => Entry::Earlier(run),
        })
    }
}

impl Conversation {
    /// A conversation that begins with the instructions, what was said before, and the message that the run was
    /// started with. `overhead` is what tools and schemas add to every request, in tokens.
    pub(crate) fn begin(
        instructions: &str,
        earlier: Option<&Earlier>,
        input: Message,
        overhead: u64,
    ) -> Result<Self> {
        let mut conversation = Self { tokens: overhead, ..Self::default() };
        if !instructions.is_empty() {
            conversation.add(Entry::Instructions(instructions.to_owned()), Message::system(instructions));
        }
        if let Some(earlier) = earlier {
            conversation.entries.push(earlier.entry()?);
            conversation.transcript.follow(&earlier.transcript);
            conversation.recount(overhead);
        }
        conversation.add(Entry::Input, input);
        Ok(conversation)
    }

    /// The transcript as it would be sent now.
    pub fn transcript(&self) -> &Transcript {
        &self.transcript
    }

    /// Puts back what was said in earlier turns.
    pub(crate) fn restore(&mut self, earlier: Option<&Earlier>) -> Result<()> {
        self.transcript.restore(earlier.map(|earlier| &earlier.transcript))
    }

    /// The messages of the transcript.
    pub fn messages(&self) -> &[Arc<Message>] {
        self.transcript.messages()
    }

    /// What a request of the conversation counts, in tokens.
    pub fn tokens(&self) -> u64 {
        self.tokens
    }

    /// Records what is new: the input of the next model step.
    pub(crate) fn link(
        &mut self,
        model: &str,
        tool_choice: ToolChoice,
        output: bool,
        found: Vec<String>,
        unseen: Vec<Unseen>,
        held: bool,
    ) -> Result<Json> {
        let entries = std::mem::take(&mut self.entries);
        let (previous, model) = (self.previous, model.to_owned());
        let (json, digest) =
            Link { previous, entries, model, tool_choice, output, found, unseen, held }.seal()?;
        self.previous = Some(digest);
        Ok(json)
    }

    /// The digest of all that is recorded.
    pub(crate) fn digest(&self) -> Option<Digest> {
        self.previous
    }

    /// What the run began its session with, where no link has recorded it yet.
    pub(crate) fn unrecorded_session(&self) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.turn_before().is_some())
    }

    /// What was said since the last model step.
    pub fn rest(&self) -> &[Entry] {
        &self.entries
    }

    /// Ends the part of the conversation whose steps can be referred to. Its steps are in a segment of their own.
    pub(crate) fn close_segment(&mut self) -> Result<()> {
        self.link("", ToolChoice::Auto, false, Vec::new(), Vec::new(), false).map(drop)
    }

    /// Adds what a model said.
    pub(crate) fn answer(&mut self, step: StepKey, answer: &Answer) {
        if let Some(message) = self.transcript.answer(step.clone(), answer) {
            self.tokens = self.tokens.saturating_add(token::estimate(message));
            self.entries.push(Entry::Answer(step));
        }
        if let Some(usage) = answer.response.usage {
            self.tokens = usage.total();
        }
    }

    /// Adds the result of a call.
    pub(crate) fn result(&mut self, step: StepKey, message: Message) {
        self.add(Entry::Result(step), message);
    }

    /// Adds what the runtime tells the model.
    pub(crate) fn note(&mut self, step: StepKey, message: Message) {
        self.add(Entry::Note(step), message);
    }

    /// Adds what people said meanwhile.
    pub(crate) fn hear(&mut self, step: StepKey, messages: Vec<Message>) {
        for message in messages {
            self.push(message.from_step(step.clone()));
        }
        self.entries.push(Entry::Heard(step));
    }

    /// Adds words of those for whom the run works, which no model is sent.
    pub(crate) fn entrust(&mut self, words: Vec<String>) {
        self.transcript.entrust(words);
    }

    /// Adds what a person has done who has taken the run.
    pub(crate) fn did(&mut self, step: StepKey, message: Message) {
        self.add(Entry::Did(step), message);
    }

    /// Writes anew what a message says, as a person has who has taken the run.
    pub(crate) fn rewrite(&mut self, step: StepKey, place: usize, text: &str, overhead: u64) -> Result<()> {
        self.transcript.rewrite(place, text)?;
        self.entries.push(Entry::Rewrote(step));
        self.recount(overhead);
        Ok(())
    }

    /// Counts what a request offers besides.
    pub(crate) fn grow(&mut self, tokens: u64) {
        self.tokens = self.tokens.saturating_add(tokens);
    }

    /// Shortens old results.
    pub(crate) fn shorten(&mut self, before: usize, tokens: u32, overhead: u64) {
        self.transcript.shorten(before, tokens);
        self.entries.push(Entry::Shortened { before, tokens });
        self.recount(overhead);
    }

    /// Puts a summary in the place of the oldest messages.
    pub(crate) fn summarise(&mut self, messages: usize, step: StepKey, summary: &Answer, overhead: u64) {
        self.transcript.summarise(messages, step.clone(), summary);
        self.entries.push(Entry::Summarised { messages, step });
        self.recount(overhead);
    }

    /// Leaves out the oldest messages.
    pub(crate) fn forget(&mut self, messages: usize, overhead: u64) {
        self.transcript.forget(messages);
        self.entries.push(Entry::Forgotten { messages });
        self.recount(overhead);
    }

    fn add(&mut self, entry: Entry, message: Message) {
        self.entries.push(entry);
        self.push(message);
    }

    fn push(&mut self, message: Message) {
        self.tokens = self.tokens.saturating_add(token::estimate(&message));
        self.transcript.push(message);
    }

    fn recount(&mut self, overhead: u64) {
        let messages = self.messages().iter().map(|message| token::estimate(message));
        self.tokens = messages.fold(overhead, u64::saturating_add);
    }
}
