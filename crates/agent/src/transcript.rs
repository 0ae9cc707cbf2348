//! [`Transcript`]: what a model is sent, and the few changes that it goes through.
//!
//! The loop and [`history`](crate::history) make the same changes with the same functions, so a transcript that is
//! rebuilt from the journal is the one that was sent.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::message::{Message, Part, Role};
use adjutant_core::{Code, Error, Result};
use adjutant_model::token::BYTES_PER_TOKEN;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::shorten;

/// The name of the steps whose messages are the runtime's own words.
pub(crate) const NOTE: &str = "note";
/// The name of the steps that summarise.
pub(crate) const COMPACT: &str = "compact";

/// How much of what people said is kept once no model is sent it any more, in bytes of text.
const MOST_APART: usize = 1 << 20;

/// What a model is sent: the messages of a conversation, oldest first. Cheap to clone.
///
/// What was said in earlier turns is not written with it, or it would outlive those turns when they are erased. Only where
/// it stands is, and the session puts it back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(from = "Recorded", into = "Recorded")]
pub struct Transcript {
    messages: Arc<Vec<Arc<Message>>>,
    /// The messages of earlier turns, by their places.
    borrowed: Arc<BTreeMap<usize, Borrowed>>,
    /// The label of everything together: what a model that has read all of it writes is no better.
    label: Label,
    /// Whether something that was said in it is gone, because the turn that said it was erased.
    partial: bool,
    /// What people said in this run and no model is sent any more, word for word: a summary is no word of theirs.
    apart: Arc<Vec<Arc<Message>>>,
    /// What people said in earlier turns, whether or not a model is still sent it.
    before: Arc<Vec<Arc<Message>>>,
}

/// A message of an earlier turn.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Borrowed {
    /// Its place in the transcript of the turn before.
    place: usize,
    /// To how many bytes its results were shortened, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    shortened: Vec<usize>,
}

/// A transcript as it is written.
#[derive(Serialize, Deserialize)]
struct Recorded {
    /// The messages of this run.
    messages: Vec<Arc<Message>>,
    /// Where those of earlier turns stand between them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    earlier: Arc<BTreeMap<usize, Borrowed>>,
    label: Label,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    partial: bool,
    #[serde(default, skip_serializing_if = "no_messages")]
    apart: Arc<Vec<Arc<Message>>>,
}

fn no_messages(messages: &Arc<Vec<Arc<Message>>>) -> bool {
    messages.is_empty()
}

impl From<Transcript> for Recorded {
    fn from(Transcript { messages, borrowed, label, partial, apart, before: _ }: Transcript) -> Self {
        let own = messages.iter().enumerate().filter(|(place, _)| !borrowed.contains_key(place));
        Self {
            messages: own.map(|(_, message)| Arc::clone(message)).collect(),
            earlier: borrowed,
            label,
            partial,
            apart,
        }
    }
}

impl From<Recorded> for Transcript {
    fn from(Recorded { messages, earlier, label, partial, apart }: Recorded) -> Self {
        let (messages, before) = (Arc::new(messages), Arc::default());
        Self { messages, borrowed: earlier, label, partial, apart, before }
    }
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

    /// What people have said, oldest first and word for word: also what has made way for a summary. The oldest of more than
    /// a million bytes of the latter is let go.
    pub fn words(&self) -> impl Iterator<Item = &Arc<Message>> {
        let own =
            self.messages.iter().enumerate().filter(|(place, message)| {
                !self.borrowed.contains_key(place) && is_said_by_a_person(message)
            });
        self.before.iter().chain(self.apart.iter()).chain(own.map(|(_, message)| message))
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

    /// Whether messages of earlier turns stand in it.
    pub(crate) fn borrows(&self) -> bool {
        !self.borrowed.is_empty()
    }

    /// Puts the messages of earlier turns back into a transcript that was read, given what was said before the run.
    /// Fails with [`Code::StoreCorrupt`] where they are not there.
    pub(crate) fn restore(&mut self, earlier: Option<&Self>) -> Result<()> {
        let missing = || Error::new(Code::StoreCorrupt, "what was said in the session before is not there");
        let mut own =
            std::mem::take(&mut self.messages).iter().map(Arc::clone).collect::<Vec<_>>().into_iter();
        let mut messages = Vec::with_capacity(own.len() + self.borrowed.len());
        for (place, borrowed) in self.borrowed.iter() {
            messages.extend(own.by_ref().take(place.saturating_sub(messages.len())));
            let said =
                earlier.and_then(|earlier| earlier.messages.get(borrowed.place)).ok_or_else(missing)?;
            let mut said = Arc::clone(said);
            for most in &borrowed.shortened {
                shorten_results(Arc::make_mut(&mut said), *most);
            }
            messages.push(said);
        }
        messages.extend(own);
        self.messages = Arc::new(messages);
        self.before = earlier.map(Self::said).unwrap_or_default();
        Ok(())
    }

    /// Leaves out of a transcript that was read what was said in earlier turns, and every summary that may tell of it:
    /// some of those turns were erased.
    pub(crate) fn forsake(&mut self) {
        (self.borrowed, self.before) = (Arc::default(), Arc::default());
        Arc::make_mut(&mut self.messages)
            .retain(|message| message.step.as_ref().is_none_or(|step| step.name() != COMPACT));
        self.tear();
    }

    pub(crate) fn push(&mut self, message: impl Into<Arc<Message>>) {
        let message = message.into();
        if !message.label.is_default() {
            self.label = self.label.join(&message.label);
        }
        Arc::make_mut(&mut self.messages).push(message);
    }

    /// Whether the message at a place is one of an earlier turn.
    pub(crate) fn is_borrowed(&self, place: usize) -> bool {
        self.borrowed.contains_key(&place)
    }

    pub(crate) fn message_mut(&mut self, place: usize) -> Option<&mut Message> {
        Arc::make_mut(&mut self.messages).get_mut(place).map(Arc::make_mut)
    }

    /// Takes over what was said before, without its instructions: those of now count.
    pub(crate) fn follow(&mut self, earlier: &Self) {
        let said = earlier.messages.iter().enumerate().filter(|(_, message)| message.role != Role::System);
        for (place, message) in said {
            let borrowed = Borrowed { place, shortened: Vec::new() };
            Arc::make_mut(&mut self.borrowed).insert(self.messages.len(), borrowed);
            self.push(Arc::clone(message));
        }
        self.partial |= earlier.partial;
        // Some of what it was made of may be told by no message any more.
        self.label = self.label.join(&earlier.label);
        self.before = earlier.said();
    }

    /// What people have said up to its end.
    fn said(&self) -> Arc<Vec<Arc<Message>>> {
        Arc::new(self.words().cloned().collect())
    }

    /// Adds what a model said, if it said anything. It is no better than all that was read; of what is not a model's own words,
    /// such as what a workflow has made, the message itself may say that it is worse.
    pub(crate) fn answer(&mut self, step: StepKey, answer: &Answer) -> Option<&Arc<Message>> {
        let message = answer.message()?.from_step(step);
        let label = self.label.join(&message.label);
        let message = message.labelled(label);
        self.push(message);
        self.messages.last()
    }

    /// Adds words of those for whom it works, which no model is sent: those of the user of the run that asked this one.
    pub(crate) fn entrust(&mut self, words: impl IntoIterator<Item = String>) {
        self.set_apart(words.into_iter().map(|text| Arc::new(Message::user(text))).collect());
    }

    /// Shortens the tool results among the first `before` messages to so many tokens each.
    pub(crate) fn shorten(&mut self, before: usize, tokens: u32) {
        let most = usize::try_from(u64::from(tokens) * BYTES_PER_TOKEN).unwrap_or(usize::MAX);
        for (place, message) in Arc::make_mut(&mut self.messages).iter_mut().enumerate().take(before) {
            if message.results().any(|result| result.as_text().len() > most) {
                shorten_results(Arc::make_mut(message), most);
                if self.borrowed.contains_key(&place)
                    && let Some(borrowed) = Arc::make_mut(&mut self.borrowed).get_mut(&place)
                {
                    borrowed.shortened.push(most);
                }
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
        let words = words(&gone);
        let kept = words.iter().filter_map(|place| gone.get(*place)).map(Arc::clone);
        let left = gone.iter().enumerate().filter(|(place, message)| {
            !words.contains(place)
                && !self.borrowed.contains_key(&(start + place))
                && is_said_by_a_person(message)
        });
        let left: Vec<_> = left.map(|(_, message)| Arc::clone(message)).collect();
        messages.splice(start..start, std::iter::once(Arc::new(with)).chain(kept)).for_each(drop);
        // Those that are kept follow what is put in the place of all, and the rest follows them.
        let moved = |(place, borrowed): (&usize, &Borrowed)| {
            let place = match place.checked_sub(end) {
                Some(after) => start + 1 + words.len() + after,
                None if *place < start => *place,
                None => start + 1 + words.iter().position(|kept| start + kept == *place)?,
            };
            Some((place, borrowed.clone()))
        };
        self.borrowed = Arc::new(self.borrowed.iter().filter_map(moved).collect());
        self.set_apart(left);
    }

    /// Keeps what people said and no model is sent any more.
    fn set_apart(&mut self, left: Vec<Arc<Message>>) {
        if left.is_empty() {
            return;
        }
        let apart = Arc::make_mut(&mut self.apart);
        apart.extend(left);
        let mut bytes = 0_usize;
        let kept = apart.iter().rev().take_while(|message| {
            bytes = bytes.saturating_add(message.text().len());
            bytes <= MOST_APART
        });
        let let_go = apart.len() - kept.count();
        apart.drain(..let_go);
    }

    /// Where the conversation begins, after the instructions.
    pub(crate) fn start(&self) -> usize {
        self.messages.iter().take_while(|message| message.role == Role::System).count()
    }
}

/// The places of the message that the run was started with, and of the last that a person said, where they are among
/// these.
fn words(messages: &[Arc<Message>]) -> Vec<usize> {
    let said = || messages.iter().enumerate().rev().filter(|(_, message)| is_said_by_a_person(message));
    let last = said().next();
    // What came in with a run has no step; that of this run comes after those of earlier turns.
    let input = said().find(|(_, message)| message.step.is_none());
    let both =
        input.into_iter().chain(last.filter(|(place, _)| input.is_none_or(|(first, _)| first != *place)));
    both.map(|(place, _)| place).collect()
}

/// Whether a message of the role `user` is not one of the runtime's own.
pub(crate) fn is_said_by_a_person(message: &Message) -> bool {
    let own = |step: &StepKey| matches!(step.name(), NOTE | COMPACT);
    message.role == Role::User && !message.step.as_ref().is_some_and(own)
}

/// Whether a message stands in the place of others that are left out.
pub(crate) fn is_in_the_place_of_others(message: &Message) -> bool {
    message.step.as_ref().is_some_and(|step| step.name() == COMPACT)
}

/// What stands where a part of an earlier result was left out.
const LEFT_OUT: &str = "bytes of this earlier result left out here to save room";

/// Whether a part of a result was left out that a model has read.
pub(crate) fn is_shortened(result: &str) -> bool {
    result.contains(LEFT_OUT)
}

fn shorten_results(message: &mut Message, most: usize) {
    for part in &mut message.parts {
        if let Part::ToolResult(result) = part {
            shorten::result(result, most, |bytes| format!("{bytes} {LEFT_OUT}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{ToolCall, ToolResult};
    use proptest::prelude::*;

    use super::*;

    /// What may become of a transcript.
    #[derive(Clone, Debug)]
    enum Happens {
        Said(Label),
        Read(Label),
        Answered,
        Shortened(u32),
        Forgotten(usize),
        Summarised(usize),
        /// Another turn of the session begins.
        Turned,
        /// A segment ends, and the next reads what this one wrote.
        Rolled,
        Torn,
    }

    fn label() -> impl Strategy<Value = Label> {
        let readers = prop_oneof![
            Just(adjutant_core::label::Readers::Anyone),
            prop::collection::btree_set("[ab]", 0..2).prop_map(adjutant_core::label::Readers::Only),
        ];
        (readers, prop::option::of("[a-c]")).prop_map(|(readers, source)| {
            let label =
                source.map_or_else(Label::default, |source| Label::untrusted_from(format!("web:{source}")));
            Label { readers, ..label }
        })
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            label().prop_map(Happens::Said),
            label().prop_map(Happens::Read),
            Just(Happens::Answered),
            (1u32..9).prop_map(Happens::Shortened),
            (0usize..9).prop_map(Happens::Forgotten),
            (0usize..9).prop_map(Happens::Summarised),
            Just(Happens::Turned),
            Just(Happens::Rolled),
            Just(Happens::Torn),
        ]
    }

    proptest! {
        #[test]
        fn a_label_never_shrinks(all in prop::collection::vec(happens(), 0..24)) {
            let (mut transcript, mut earlier) = (Transcript::default(), None::<Transcript>);
            let mut read = Label::default();
            let step = |name: &str| StepKey::root().join(name, 0);
            let answer = Answer::read(&Json::of("what came of it").unwrap()).unwrap();
            for one in all {
                match one {
                    Happens::Said(label) => {
                        read = read.join(&label);
                        transcript.push(Message::user("word ".repeat(20)).labelled(label));
                    }
                    Happens::Read(label) => {
                        read = read.join(&label);
                        let call = ToolCall { id: "c".into(), name: "t".into(), arguments: "{}".into() };
                        transcript.push(Message::tool(ToolResult::text(&call, "x".repeat(99))).labelled(label));
                    }
                    Happens::Answered => drop(transcript.answer(step("model"), &answer).cloned()),
                    Happens::Shortened(tokens) => transcript.shorten(usize::MAX, tokens),
                    Happens::Forgotten(count) => transcript.forget(count),
                    Happens::Summarised(count) => transcript.summarise(count, step(COMPACT), &answer),
                    Happens::Turned => {
                        let mut next = Transcript::default();
                        next.push(Message::system("again"));
                        next.follow(&transcript);
                        earlier = Some(std::mem::replace(&mut transcript, next));
                    }
                    Happens::Rolled => {
                        let mut next: Transcript = Json::of(&transcript).unwrap().to().unwrap();
                        next.restore(earlier.as_ref()).unwrap();
                        prop_assert_eq!(&next, &transcript);
                        transcript = next;
                    }
                    Happens::Torn => {
                        transcript.tear();
                        read = read.join(&Label::untrusted());
                    }
                }
                prop_assert!(read.is_within(transcript.label()), "{:?} of {:?}", transcript.label(), read);
                let written = transcript.messages().iter().filter(|message| {
                    message.role == Role::Assistant || is_in_the_place_of_others(message)
                });
                for message in written {
                    prop_assert!(message.label.is_within(transcript.label()));
                }
                // What a person has said is neither lost nor made more of.
                prop_assert!(transcript.words().all(|message| message.text().starts_with("word ")));
            }
        }
    }

    /// An earlier turn of `before` messages, in which every word is `theirs`, and one of this run after it.
    fn said(before: usize) -> (Transcript, Transcript) {
        let call = ToolCall { id: "c".into(), name: "read".into(), arguments: "{}".into() };
        let message = |place: usize, word: &str| match place % 3 {
            0 => Message::user(word),
            1 => Message::assistant(vec![Part::ToolCall(call.clone())]),
            _ => Message::tool(ToolResult::text(&call, word.repeat(100))),
        };
        let mut earlier = Transcript::default();
        earlier.push(Message::system("theirs"));
        (0..before).for_each(|place| earlier.push(message(place, "theirs")));
        let mut transcript = Transcript::default();
        transcript.push(Message::system("mine"));
        transcript.follow(&earlier);
        (0..6).for_each(|place| transcript.push(message(place, "mine")));
        (earlier, transcript)
    }

    #[test]
    fn what_was_said_before_is_not_written_and_comes_back() {
        for before in 0..8 {
            for changes in [vec![], vec![0], vec![2], vec![5], vec![2, 3], vec![9, 1], vec![30]] {
                let (earlier, mut transcript) = said(before);
                for forgotten in changes {
                    transcript.shorten(before, 20 - u32::try_from(forgotten.min(10)).unwrap());
                    transcript.forget(forgotten);
                }
                let written = Json::of(&transcript).unwrap();
                assert!(!written.as_str().contains("theirs"), "{written:?}");
                let mut read: Transcript = written.to().unwrap();
                assert_eq!(read.borrows(), transcript.borrows());
                if read.borrows() {
                    assert_eq!(read.clone().restore(None).unwrap_err().code(), Code::StoreCorrupt);
                }
                let mut torn = read.clone();
                read.restore(Some(&earlier)).unwrap();
                assert_eq!(read, transcript);
                torn.forsake();
                assert!(torn.is_partial() && !torn.borrows());
                assert!(torn.messages().iter().all(|message| !format!("{message:?}").contains("theirs")));
            }
        }
    }

    #[test]
    fn peoples_words_outlive_what_is_put_in_their_place() {
        let (earlier, mut transcript) = said(7);
        let words =
            |transcript: &Transcript| transcript.words().map(|message| message.text()).collect::<Vec<_>>();
        let expected = words(&transcript);
        assert_eq!(expected, ["theirs", "theirs", "theirs", "mine", "mine"]);
        transcript.forget(8);
        transcript.forget(3);
        transcript.push(Message::user("more"));
        transcript.forget(4);
        let all: Vec<_> = expected.iter().map(String::as_str).chain(["more"]).collect();
        assert_eq!(words(&transcript), all);
        let written = Json::of(&transcript).unwrap();
        let mut read: Transcript = written.to().unwrap();
        read.restore(Some(&earlier)).unwrap();
        assert_eq!(words(&read), all);
    }

    #[test]
    fn the_oldest_of_very_many_words_are_let_go() {
        let mut transcript = Transcript::default();
        for place in 0..5 {
            transcript.push(Message::user(format!("{place}{}", "x".repeat(400_000))));
        }
        transcript.forget(4);
        let first: String = transcript.words().map(|message| message.text().remove(0)).collect();
        assert_eq!(first, "1234", "the first of three that no model is sent");
    }

    #[test]
    fn what_the_first_version_wrote_is_read_as_it_stands() {
        let mut one = Transcript::default();
        one.push(Message::user("a"));
        let (messages, label) = (Json::of(&one.messages()).unwrap(), Json::of(&Label::default()).unwrap());
        let written = format!(r#"{{"messages":{},"label":{}}}"#, messages.as_str(), label.as_str());
        let mut read: Transcript = Json::parse(&written).unwrap().to().unwrap();
        read.restore(None).unwrap();
        assert_eq!(read, one);
    }
}
