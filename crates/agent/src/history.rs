//! Rebuilds what was said, and what was sent, from the journal alone.
//!
//! A model step records its predecessor's digest and what was added. Following these links back and making their
//! changes again gives the transcript at any step. What a step said is read from its own record.

use std::collections::BTreeMap;

use adjutant_core::error::Audience;
use adjutant_core::hash::Digest;
use adjutant_core::id::StepKey;
use adjutant_core::json::Json;
use adjutant_core::message::{Message, Part};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry as Recorded, Kind, Letter, Operation, Outcome, Record};
use adjutant_model::{Request, unseen};

use crate::answer::Answer;
use crate::compact::Compaction;
use crate::conversation::Earlier;
use crate::definition::{Definition, Point};
use crate::guard::{self, Blocked};
use crate::input::{Input, heard};
use crate::link::{Entry, Link};
use crate::memory::Memory;
use crate::note;
use crate::output::Form;
use crate::reply::Reply;
use crate::returned::{Called, Returned};
use crate::runtime;
use crate::search;
use crate::takeover;
use crate::think::MODEL;
use crate::transcript::{COMPACT, NOTE, Transcript};

/// The transcript of a run as its model would be sent it at the end of `records`, and always a valid one: a call
/// that has no result, because the run was cancelled or failed, is given one that says so. What people said and a run
/// that is over has not heard comes last, for the next turn to hear.
///
/// `earlier` is what was said in the session before, as far as it is still there. Where turns that the run has seen
/// were erased since, they are left out, and so is every summary that may tell of them.
///
/// Fails with [`Code::StoreCorrupt`] when the records do not belong together.
pub fn transcript(records: &[Record], earlier: Option<&Earlier>) -> Result<Transcript> {
    let journal = Journal::read(records, earlier)?;
    let last = journal.links.last_key_value().filter(|(_, place)| place.0 == journal.segment);
    let Some((place, link)) = last.and_then(|(_, place)| journal.link(place)) else {
        return journal.unsent().map(|transcript| journal.left_unheard(transcript));
    };
    let mut transcript = journal.follow(place, &link, &mut BTreeMap::new())?;
    match journal.ended.and_then(|outcome| outcome.as_ref().ok()).and_then(|json| json.to::<Reply>().ok()) {
        Some(reply) => match &reply.blocked {
            Some(blocked) => return journal.without(transcript, place.0, &reply.rest, blocked),
            None => journal.apply(&mut transcript, place.0, &reply.rest)?,
        },
        None => journal.close(&mut transcript, place)?,
    }
    Ok(journal.left_unheard(transcript))
}

/// One request to a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Sent {
    /// The segment of the step.
    pub segment: u32,
    /// The step.
    pub key: StepKey,
    /// The model's id.
    pub model: String,
    /// What it was sent, exactly.
    pub request: Request,
}

/// The requests of a run exactly as they were sent, in their order. `definition` is the one that the run is pinned to.
///
/// Fails like [`transcript`], and with [`Code::NotFound`] when `earlier` is not what the run has seen.
pub fn requests(records: &[Record], earlier: Option<&Earlier>, definition: &Definition) -> Result<Vec<Sent>> {
    let journal = Journal::read(records, earlier)?;
    journal.check()?;
    let form = definition.output.as_ref().map(|schema| Form::new(&definition.name, schema)).transpose()?;
    let mut known = BTreeMap::new();
    let links = journal.links.values().filter_map(|place| journal.link(place));
    let answer = |place: &Place| journal.outcomes.get(place)?.as_ref().ok()?.to::<Answer>().ok();
    links
        .filter(|(place, _)| answer(place).is_none_or(|answer| answer.unasked.is_none()))
        .map(|(place, link)| {
            let transcript = journal.follow(place, &link, &mut known)?;
            let messages = unseen::hide(transcript.messages().to_vec(), &link.unseen);
            let messages = if definition.mark { guard::marked(messages) } else { messages };
            let form = form.as_ref().filter(|_| link.output);
            let tools = search::offered(definition, &link.found);
            let mut request = runtime::request(definition, messages, &tools, link.tool_choice, form);
            let held_to = answer(place).and_then(|answer| answer.held_to);
            request.max_output_tokens = held_to.or(request.max_output_tokens);
            Ok(Sent { segment: place.0, key: place.1.clone(), model: link.model, request })
        })
        .collect()
}

/// The request exactly as the model step `key` of a segment sent it.
///
/// Fails like [`requests`], and with [`Code::NotFound`] when there is no such model step.
pub fn request(
    records: &[Record],
    earlier: Option<&Earlier>,
    definition: &Definition,
    segment: u32,
    key: &StepKey,
) -> Result<Request> {
    let sent = requests(records, earlier, definition)?;
    let found = sent.into_iter().find(|sent| sent.segment == segment && sent.key == *key);
    found.map(|sent| sent.request).ok_or_else(|| {
        Error::new(Code::NotFound, format!("`{key}` is not a step in which a model was asked"))
    })
}

/// Whether a run whose records these are can go on from `earlier`: it has not asked a model yet, or was sent the same
/// then, or has nothing left of it in a later segment.
///
/// Fails with [`Code::NotFound`] when turns of the session that it has seen were erased since.
pub(crate) fn check(records: &[Record], earlier: Option<&Earlier>) -> Result<()> {
    let journal = Journal::read(records, earlier)?;
    match journal.states.last() {
        Some(state) if !Memory::read(state)?.conversation.transcript().borrows() => Ok(()),
        _ => journal.check(),
    }
}

/// A step's segment and key.
type Place = (u32, StepKey);

/// The records of a run by what they are about.
#[derive(Default)]
struct Journal<'a> {
    input: Option<&'a Json>,
    operations: BTreeMap<Place, &'a Operation>,
    outcomes: BTreeMap<Place, &'a Outcome>,
    /// The model steps, in the order in which they were asked for.
    links: BTreeMap<u64, Place>,
    /// The steps in the order in which they were asked for, each with its segment.
    order: Vec<Place>,
    /// The steps of calls, by the step path of the turn and the call's id.
    calls: BTreeMap<(u32, StepKey, String), StepKey>,
    digests: BTreeMap<Digest, Place>,
    /// What was said before the run, as a summary that was asked for before the first model step was made of it.
    summarised: Option<Entry>,
    /// What each segment but the first began with.
    states: Vec<&'a Json>,
    segment: u32,
    /// What people said and the run had not read when it ended.
    unheard: Vec<&'a Json>,
    ended: Option<&'a Outcome>,
    /// What is left of what was said in the session before.
    earlier: Option<&'a Earlier>,
    /// Whether the run was sent other words as what was said before.
    altered: bool,
}

impl<'a> Journal<'a> {
    fn read(records: &'a [Record], earlier: Option<&'a Earlier>) -> Result<Self> {
        let mut journal = Self { earlier, ..Self::default() };
        records.iter().for_each(|record| journal.take(record));
        if let Some(seen) = journal.seen() {
            journal.altered = seen != earlier.map(Earlier::entry).transpose()?;
        }
        Ok(journal)
    }

    /// What a model was sent first of what was said before the run; the outer none where it was sent nothing yet.
    fn seen(&self) -> Option<Option<Entry>> {
        let first = self.links.values().find(|(segment, _)| *segment == 0);
        match first.and_then(|place| self.link(place)) {
            Some((_, link)) => Some(link.entries.into_iter().find(|entry| entry.turn_before().is_some())),
            None => self.summarised.clone().map(Some),
        }
    }

    /// Fails when what was said before is not what the run has seen.
    fn check(&self) -> Result<()> {
        if !self.altered {
            return Ok(());
        }
        let seen = self.seen().flatten();
        let message = match seen.as_ref().and_then(Entry::turn_before) {
            Some(run) => format!(
                "what was said in the session up to the run `{run}` is not here as this run has seen it: turns were \
                 erased since"
            ),
            None => "this run began its session, and now there are turns before it".to_owned(),
        };
        Err(Error::new(Code::NotFound, message)
            .with_help("cancel this run, if it is not over, and say the same in a new turn of the session"))
    }

    fn take(&mut self, record: &'a Record) {
        let segment = record.segment;
        self.segment = self.segment.max(segment);
        match &record.entry {
            Recorded::Admitted(admission) => self.input = Some(&admission.input),
            Recorded::Issued { key, operation, .. } => {
                self.begun(record.offset, (segment, key.clone()), operation);
            }
            Recorded::Answered { key, operation, outcome, .. } => {
                self.operations.insert((segment, key.clone()), operation);
                self.outcomes.insert((segment, key.clone()), outcome);
            }
            Recorded::Completed { key, outcome } | Recorded::Late { key, outcome } => {
                self.outcomes.insert((segment, key.clone()), outcome);
            }
            Recorded::RolledOver { state, .. } => self.states.push(state),
            Recorded::Received(Letter::Message { payload }) => self.unheard.push(payload),
            Recorded::Ended(outcome) => self.ended = Some(outcome),
            _ => {}
        }
    }

    fn begun(&mut self, offset: u64, place: Place, operation: &'a Operation) {
        if operation.name == MODEL && operation.input.to::<Link>().is_ok() {
            self.links.insert(offset, place.clone());
            self.digests.insert(Digest::of(operation.input.as_str().as_bytes()), place.clone());
        } else if operation.name == COMPACT {
            let compaction = operation.input.to::<Compaction>().ok();
            self.summarised = self.summarised.take().or_else(|| compaction?.session);
        } else if let Ok(called) = Called::read(&operation.input) {
            // Of a call that was pending, the last step counts.
            let turn = place.1.scope().scope();
            self.calls.insert((place.0, turn, called.call.to_string()), place.1.clone());
        }
        self.order.push(place.clone());
        self.operations.insert(place, operation);
    }

    fn link<'b>(&self, place: &'b Place) -> Option<(&'b Place, Link)> {
        let link = self.operations.get(place)?.input.to().ok()?;
        Some((place, link))
    }

    /// The transcript that the model step at `place` was sent. `known` are those of other links, by their digests.
    fn follow(
        &self,
        place: &Place,
        link: &Link,
        known: &mut BTreeMap<Digest, Transcript>,
    ) -> Result<Transcript> {
        let mut chain = vec![link.clone()];
        let mut previous = link.previous;
        let begin = loop {
            if let Some(transcript) = previous.and_then(|digest| known.get(&digest)) {
                break transcript.clone();
            }
            let Some(before) = previous.and_then(|digest| self.digests.get(&digest)) else {
                // What no link of this segment refers to is what the segment began with.
                break self.begin(place.0)?;
            };
            let (_, link) = self.link(before).ok_or_else(|| missing(&before.1))?;
            previous = link.previous;
            chain.push(link);
        };
        let mut transcript = begin;
        for link in chain.iter().rev() {
            self.apply(&mut transcript, place.0, &link.entries)?;
        }
        if let Some(operation) = self.operations.get(place) {
            known.insert(Digest::of(operation.input.as_str().as_bytes()), transcript.clone());
        }
        Ok(transcript)
    }

    /// What there is in a segment in which no model was asked. Others may have answered in the agent's place.
    fn unsent(&self) -> Result<Transcript> {
        let reply =
            self.ended.and_then(|outcome| outcome.as_ref().ok()).and_then(|json| json.to::<Reply>().ok());
        let is_answer = |entry: &Entry| matches!(entry, Entry::Answer(_));
        match reply.filter(|reply| reply.blocked.is_none() && reply.rest.iter().any(is_answer)) {
            Some(reply) => {
                let mut transcript = self.begin(self.segment)?;
                self.apply(&mut transcript, self.segment, &reply.rest)?;
                Ok(transcript)
            }
            None => self.unasked(),
        }
    }

    /// What there is in a segment before a model is asked for the first time. A run that ended before has been told
    /// something all the same; its prompt is in no record, and the next turn brings its own.
    fn unasked(&self) -> Result<Transcript> {
        let mut transcript = self.begin(self.segment)?;
        if self.segment == 0 {
            self.follow_session(&mut transcript);
            transcript.push(self.said()?);
        }
        Ok(transcript)
    }

    fn begin(&self, segment: u32) -> Result<Transcript> {
        let Some(index) = segment.checked_sub(1) else { return Ok(Transcript::default()) };
        let state = usize::try_from(index).ok().and_then(|index| self.states.get(index));
        let state = state.ok_or_else(|| {
            Error::new(Code::StoreCorrupt, format!("the journal has no beginning of segment {segment}"))
        })?;
        let mut transcript = Memory::read(state)?.conversation.transcript().clone();
        match self.altered {
            true => transcript.forsake(),
            false => transcript.restore(self.earlier.map(|earlier| &earlier.transcript))?,
        }
        Ok(transcript)
    }

    fn apply(&self, transcript: &mut Transcript, segment: u32, entries: &[Entry]) -> Result<()> {
        // These count messages from the first on, of which some are gone; a summary may tell of them.
        let counts = |entry: &Entry| {
            matches!(
                entry,
                Entry::Shortened { .. }
                    | Entry::Summarised { .. }
                    | Entry::Forgotten { .. }
                    | Entry::Rewrote(_)
            )
        };
        let is_void = |entry: &&Entry| self.altered && counts(entry);
        for entry in entries.iter().filter(|entry| !is_void(entry)) {
            match entry {
                Entry::Instructions(text) => transcript.push(Message::system(text)),
                Entry::Earlier(_) | Entry::Remaining { .. } => self.follow_session(transcript),
                Entry::Input => transcript.push(self.said()?),
                Entry::Heard(key) => self.hear(transcript, segment, key)?,
                Entry::Note(key) => {
                    transcript.push(note::read(&self.outcome(segment, key)?.clone()?, key.clone())?);
                }
                Entry::Answer(key) => {
                    transcript.answer(key.clone(), &self.answer(segment, key)?);
                }
                Entry::Result(key) => transcript.push(self.result(segment, key)?),
                Entry::Did(key) => self.did(transcript, segment, key)?,
                Entry::Rewrote(key) => takeover::rewrite(transcript, &self.outcome(segment, key)?.clone()?)?,
                Entry::Shortened { before, tokens } => transcript.shorten(*before, *tokens),
                Entry::Summarised { messages, step } => {
                    transcript.summarise(*messages, step.clone(), &self.answer(segment, step)?);
                }
                Entry::Forgotten { messages } => transcript.forget(*messages),
            }
        }
        Ok(())
    }

    /// The transcript of a run that a guardrail has ended: without what it did not let pass.
    fn without(
        &self,
        mut transcript: Transcript,
        segment: u32,
        rest: &[Entry],
        blocked: &Blocked,
    ) -> Result<Transcript> {
        if blocked.on == Point::Input {
            let mut transcript = self.begin(0)?;
            self.follow_session(&mut transcript);
            transcript.push(guard::held_back(blocked));
            return Ok(self.left_unheard(transcript));
        }
        let passed: Vec<_> =
            rest.iter().filter(|entry| !matches!(entry, Entry::Answer(_))).cloned().collect();
        self.apply(&mut transcript, segment, &passed)?;
        transcript.push(Message::assistant(vec![Part::text(guard::held_back(blocked).text())]));
        Ok(self.left_unheard(transcript))
    }

    /// Adds what is left of what was said in the session before.
    fn follow_session(&self, transcript: &mut Transcript) {
        if let Some(earlier) = self.earlier {
            transcript.follow(&earlier.transcript);
        }
        if self.altered {
            transcript.tear();
        }
    }

    /// Adds what happened after the last request of a run that has no reply.
    fn close(&self, transcript: &mut Transcript, (segment, key): &Place) -> Result<()> {
        if let Some(Ok(_)) = self.outcomes.get(&(*segment, key.clone())) {
            let answer = self.answer(*segment, key)?;
            let message = transcript.answer(key.clone(), &answer).cloned();
            for call in message.iter().flat_map(|message| message.calls()) {
                let id = (*segment, key.scope(), call.id.to_string());
                let step = self
                    .calls
                    .get(&id)
                    .filter(|step| self.outcomes.contains_key(&(*segment, (*step).clone())));
                transcript.push(match step {
                    Some(step) => self.result(*segment, step)?,
                    None => Returned::Failed(self.unfinished()).message(key.clone(), &Called::raw(call)),
                });
            }
        }
        let inbox = key.scope().join("inbox", 0);
        if self.outcomes.contains_key(&(*segment, inbox.clone())) {
            self.hear(transcript, *segment, &inbox)?;
        }
        self.close_takeover(transcript, *segment, &key.scope().join(takeover::SCOPE, 0))
    }

    /// Adds what a person did who had taken the run and whom nobody has answered yet.
    fn close_takeover(&self, transcript: &mut Transcript, segment: u32, scope: &StepKey) -> Result<()> {
        let within = format!("{}/", scope.as_str());
        let steps =
            self.order.iter().filter(|(place, key)| *place == segment && key.as_str().starts_with(&within));
        for (_, key) in steps {
            let Some(Ok(answer)) = self.outcomes.get(&(segment, key.clone())) else { continue };
            let operation = self.operations.get(&(segment, key.clone()));
            match operation {
                Some(Operation { kind: Kind::Signal, name, .. }) if name.starts_with(takeover::PREFIX) => {
                    if let Some(message) = takeover::added(key, answer) {
                        let calls: Vec<_> = message.calls().cloned().collect();
                        transcript.push(message.from_step(key.clone()));
                        for call in calls {
                            let made = self.calls.get(&(segment, scope.clone(), call.id.to_string()));
                            transcript.push(match made {
                                Some(step) if self.outcomes.contains_key(&(segment, step.clone())) => {
                                    self.result(segment, step)?
                                }
                                _ => Returned::Failed(self.unfinished())
                                    .message(key.clone(), &Called::raw(&call)),
                            });
                        }
                    } else if !self.altered {
                        // What could not be written anew was refused then, too.
                        let _ = takeover::rewrite(transcript, answer);
                    }
                }
                Some(Operation { name, .. }) if name == NOTE => {
                    transcript.push(Message::user(answer.to::<String>()?).from_step(key.clone()));
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn did(&self, transcript: &mut Transcript, segment: u32, key: &StepKey) -> Result<()> {
        let answer = self.outcome(segment, key)?.clone()?;
        let message = takeover::added(key, &answer).ok_or_else(|| missing(key))?;
        transcript.push(message.from_step(key.clone()));
        Ok(())
    }

    /// Adds what the run was told and ended without hearing.
    fn left_unheard(&self, mut transcript: Transcript) -> Transcript {
        self.unheard.iter().filter_map(|message| heard(message)).for_each(|message| transcript.push(message));
        transcript
    }

    /// Why a call has no result.
    fn unfinished(&self) -> Error {
        match self.ended {
            Some(Err(error)) => {
                Error::new(error.code(), format!("the run ended before the call did: {error}"))
            }
            _ => Error::new(Code::RunCancelled, "the run has no result of the call yet"),
        }
    }

    fn said(&self) -> Result<Message> {
        let input =
            self.input.ok_or_else(|| Error::new(Code::StoreCorrupt, "the journal has no beginning"))?;
        let message = input.to::<Input>()?.message;
        let left = self.outcomes.get(&(0, guard::said_at())).and_then(|outcome| outcome.as_ref().ok());
        Ok(left.and_then(guard::left).and_then(|left| left.into_iter().next()).unwrap_or(message))
    }

    fn hear(&self, transcript: &mut Transcript, segment: u32, key: &StepKey) -> Result<()> {
        let messages = self.outcome(segment, key)?.clone()?.to::<Vec<Json>>()?;
        let left =
            self.outcomes.get(&(segment, guard::heard_at(key))).and_then(|outcome| outcome.as_ref().ok());
        let said = || messages.iter().filter_map(heard).collect();
        let messages = left.and_then(guard::left).unwrap_or_else(said);
        messages.into_iter().for_each(|message| transcript.push(message.from_step(key.clone())));
        Ok(())
    }

    fn answer(&self, segment: u32, key: &StepKey) -> Result<Answer> {
        Answer::read(&self.outcome(segment, key)?.clone()?)
    }

    fn result(&self, segment: u32, key: &StepKey) -> Result<Message> {
        let operation = self.operations.get(&(segment, key.clone())).ok_or_else(|| missing(key))?;
        let called = Called::read(&operation.input)?;
        let returned = match self.outcome(segment, key)? {
            Ok(recorded) => match Returned::read(recorded) {
                Returned::Pending(_) => Returned::Failed(self.unfinished()),
                returned => returned,
            },
            Err(error) if error.code().audience() == Audience::Model => Returned::Failed(error.clone()),
            Err(error) => Returned::Failed(Error::new(error.code(), format!("the call failed: {error}"))),
        };
        Ok(returned.message(key.clone(), &called))
    }

    fn outcome(&self, segment: u32, key: &StepKey) -> Result<&'a Outcome> {
        self.outcomes.get(&(segment, key.clone())).copied().ok_or_else(|| missing(key))
    }
}

fn missing(key: &StepKey) -> Error {
    Error::new(
        Code::StoreCorrupt,
        format!("the journal refers to the step `{key}` and does not have its outcome"),
    )
}
