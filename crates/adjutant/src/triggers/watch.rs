//! [`Triggers`]: what comes due is admitted as a run, once.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use adjutant_agent::definition::template;
use adjutant_agent::start::{self, Start};
use adjutant_core::label::Label;
use adjutant_core::message::Message;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result, nearest};
use adjutant_durable::{Admission, Fate, Fired, Firing, FiringTerms, Occurrence};
use adjutant_store::random;
use jiff::tz::TimeZone;
use serde_json::{Map, Value};

use super::decide::{Missed, Next, next};
use super::inbox::{self, Arrived, Inbox};
use super::schedule::Schedule;
use crate::adjutant::Adjutant;
use crate::project::{Overlap, TriggerSettings, TriggerSource};
use crate::run::Run;
use crate::task::Task;

/// What stands for the schedule of a trigger that is off: when it is turned on again, it begins anew.
const OFF: &str = "off";

/// The triggers of a project: what begins runs without a person.
#[derive(Clone)]
pub struct Triggers(Adjutant);

/// Something that a trigger has come to.
pub(super) struct Event {
    pub(super) key: String,
    pub(super) due: Timestamp,
    pub(super) values: Map<String, Value>,
    pub(super) label: Label,
}

impl Triggers {
    pub(crate) fn new(adjutant: Adjutant) -> Self {
        Self(adjutant)
    }

    /// The triggers as they are written.
    pub fn all(&self) -> BTreeMap<String, TriggerSettings> {
        self.0.project().settings().triggers.clone()
    }

    /// When a trigger comes due next; none of one that is off, or that watches a folder.
    pub fn upcoming(&self, trigger: &TriggerSettings) -> Option<Timestamp> {
        match &trigger.source {
            TriggerSource::Cron { schedule, .. } if trigger.enabled => schedule.after(self.0.now()),
            _ => None,
        }
    }

    /// What became of the occurrences of a trigger, or of all triggers, the newest first.
    pub async fn log(&self, name: Option<&str>, most: usize) -> Result<Vec<Occurrence>> {
        self.0.engine().occurrences(name, most).await
    }

    /// Begins a run of a trigger by hand, whether it is on or off and whatever is under way. One that watches a folder is given
    /// the name of a file there. Somebody must drive the run.
    ///
    /// Fails with [`Code::NotFound`], and with [`Code::InputInvalid`] where the file is missing or makes no sense.
    pub async fn fire(&self, name: &str, file: Option<&str>) -> Result<Run> {
        let all = self.all();
        let trigger = all.get(name).ok_or_else(|| {
            let error = Error::new(Code::NotFound, format!("there is no trigger `{name}`"));
            match nearest(name, all.keys().map(String::as_str)) {
                Some(meant) => error.with_help(format!("did you mean `{meant}`?")),
                None => error.with_help("`adjutant triggers list` lists those that there are"),
            }
        })?;
        let now = self.0.now();
        let key = format!("by-hand:{}", random::run_id()?);
        let event = match (&trigger.source, file) {
            (TriggerSource::Cron { schedule, .. }, None) => timed(key, now, name, schedule.zone()),
            (TriggerSource::Folder { folder, shown, .. }, Some(file)) if is_name(file) => {
                let arrived = inbox::read(folder, file)?.ok_or_else(|| {
                    Error::new(Code::NotFound, format!("there is no file `{file}` in `{shown}`"))
                })?;
                Event { key, ..dropped(&arrived, shown, now, name) }
            }
            (TriggerSource::Webhook { .. }, _) => {
                let message = format!("the trigger `{name}` needs a message");
                return Err(Error::new(Code::InputInvalid, message)
                    .with_help("send it one: `adjutant serve` takes it"));
            }
            (TriggerSource::Cron { .. }, Some(_)) => {
                return Err(Error::new(
                    Code::InputInvalid,
                    format!("the trigger `{name}` watches no folder"),
                ));
            }
            (TriggerSource::Folder { shown, .. }, _) => {
                let message = format!("the trigger `{name}` needs a file of `{shown}`");
                return Err(Error::new(Code::InputInvalid, message).with_help("name it: `--file NAME`"));
            }
        };
        let _beginning = self.0.beginning().await;
        let admission = self.admission(name, trigger, &event).await?;
        let run = admission.run.clone();
        self.record(name, &event, Some(admission), FiringTerms::default()).await?;
        Ok(self.0.handle(&run))
    }

    pub(super) fn adjutant(&self) -> &Adjutant {
        &self.0
    }

    /// The run of an occurrence that has one.
    pub(super) fn run_of(&self, name: &str, key: &str) -> Run {
        self.0.task(&id_of(name, key))
    }

    /// Begins to look at all triggers.
    pub fn watch(&self) -> Watch {
        Watch { triggers: self.clone(), inboxes: BTreeMap::new() }
    }

    /// Admits a run for an event, or passes it over. None where it waits, or somebody else has done it.
    pub(super) async fn admit(
        &self,
        name: &str,
        trigger: &TriggerSettings,
        event: &Event,
        since: Option<Timestamp>,
    ) -> Result<(Fired, Option<Occurrence>)> {
        let terms = FiringTerms { since, alone: trigger.overlap != Overlap::Allow };
        let _beginning = self.0.beginning().await;
        let admission = match self.admission(name, trigger, event).await {
            Ok(admission) => admission,
            // The next one may be better; this one never will be.
            Err(error) if matches!(error.code(), Code::PromptVariable | Code::ProjectInvalid) => {
                return self.skip(name, event, since, (error.message().to_owned(), 1)).await;
            }
            Err(error) => return Err(error),
        };
        match self.record(name, event, Some(admission), terms).await? {
            (Fired::Busy(run), _) if trigger.overlap == Overlap::Skip => {
                self.skip(name, event, since, (format!("the run {run} of it is not over"), 1)).await
            }
            fired => Ok(fired),
        }
    }

    async fn skip(
        &self,
        name: &str,
        event: &Event,
        since: Option<Timestamp>,
        (why, count): (String, u64),
    ) -> Result<(Fired, Option<Occurrence>)> {
        let occurrence = self.occurrence(name, event, Fate::Skipped { why, count });
        let terms = FiringTerms { since, alone: false };
        let firing = Firing { occurrence: occurrence.clone(), admission: None, terms };
        let fired = self.0.engine().fire(firing).await?;
        Ok((fired.clone(), (fired == Fired::Recorded).then_some(occurrence)))
    }

    async fn record(
        &self,
        name: &str,
        event: &Event,
        admission: Option<Admission>,
        terms: FiringTerms,
    ) -> Result<(Fired, Option<Occurrence>)> {
        let Some(run) = admission.as_ref().map(|admission| admission.run.clone()) else {
            return Ok((Fired::Known, None));
        };
        let occurrence = self.occurrence(name, event, Fate::Admitted(run));
        let fired = self.0.engine().fire(Firing { occurrence: occurrence.clone(), admission, terms }).await?;
        Ok((fired.clone(), (fired == Fired::Recorded).then_some(occurrence)))
    }

    fn occurrence(&self, name: &str, event: &Event, fate: Fate) -> Occurrence {
        Occurrence {
            trigger: name.to_owned(),
            key: event.key.clone(),
            due: event.due,
            at: self.0.now(),
            fate,
        }
    }

    async fn admission(&self, name: &str, trigger: &TriggerSettings, event: &Event) -> Result<Admission> {
        let text = template::render(&trigger.input, &event.values)?;
        let message = Message::user(text).labelled(event.label.clone());
        let mut task = Task::from(message).id(id_of(name, &event.key));
        if let Some(session) = &trigger.session {
            task = task.session(session.as_str());
        }
        let start = self.0.prepare(trigger.run.as_str(), task).await?;
        let start = Start { by: Some(format!("trigger:{name}")), ..start };
        start::admission(self.0.engine().as_ref(), &self.0.models(), start).await
    }
}

/// What is known of the folders while somebody looks at them.
pub struct Watch {
    triggers: Triggers,
    inboxes: BTreeMap<String, Inbox>,
}

impl Watch {
    /// Looks at every trigger once, and admits what is due. Says what was decided, and what went wrong: that is tried again
    /// the next time.
    pub async fn look(&mut self) -> (Vec<Occurrence>, Vec<Error>) {
        let (mut decided, mut errors) = (Vec::new(), Vec::new());
        for (name, trigger) in self.triggers.all().clone() {
            let looked = match &trigger.source {
                TriggerSource::Cron { schedule, missed, longest_back } => {
                    let rule = (*missed, *longest_back);
                    self.scheduled(&name, &trigger, schedule, rule, &mut decided).await
                }
                TriggerSource::Folder { folder, shown, pattern } if trigger.enabled => {
                    let place = (folder, shown.as_str(), pattern.as_str());
                    self.dropped(&name, &trigger, place, &mut decided).await
                }
                TriggerSource::Folder { .. } | TriggerSource::Webhook { .. } => Ok(()),
            };
            errors.extend(looked.map_err(|error| named(&name, &error)).err());
        }
        (decided, errors)
    }

    async fn scheduled(
        &self,
        name: &str,
        trigger: &TriggerSettings,
        schedule: &Schedule,
        rule: (Missed, Duration),
        decided: &mut Vec<Occurrence>,
    ) -> Result<()> {
        let (triggers, adjutant) = (&self.triggers, &self.triggers.0);
        loop {
            let now = adjutant.now();
            let text = if trigger.enabled { schedule.text() } else { OFF };
            let since = adjutant.engine().since(name, text, now).await?;
            if !trigger.enabled {
                return Ok(());
            }
            let (fired, occurrence) = match next(schedule, rule, since, now) {
                None => return Ok(()),
                Some(Next::Admit(due)) => {
                    let event = timed(due.0.to_string(), due, name, schedule.zone());
                    triggers.admit(name, trigger, &event, Some(since)).await?
                }
                Some(Next::Skip { first, last, count, why }) => {
                    let event = timed(format!("{}-{}", first.0, last.0), last, name, schedule.zone());
                    triggers.skip(name, &event, Some(since), (why, count)).await?
                }
            };
            decided.extend(occurrence);
            if let Fired::Busy(_) = fired {
                return Ok(());
            }
        }
    }

    async fn dropped(
        &mut self,
        name: &str,
        trigger: &TriggerSettings,
        (folder, shown, pattern): (&PathBuf, &str, &str),
        decided: &mut Vec<Occurrence>,
    ) -> Result<()> {
        let now = self.triggers.0.now();
        let inbox = self.inboxes.entry(name.to_owned()).or_default();
        let mut first = Ok(());
        for file in inbox.settled(folder, pattern, now)? {
            // What is wrong with one file keeps no other from being taken.
            let arrived = match read(folder.clone(), file.clone()).await {
                Ok(Some(arrived)) => arrived,
                Ok(None) => continue,
                Err(error) => {
                    first = first.and(Err(error));
                    continue;
                }
            };
            let event = dropped(&arrived, shown, now, name);
            let (fired, occurrence) = match self.triggers.admit(name, trigger, &event, None).await {
                Ok(admitted) => admitted,
                Err(error) => {
                    first = first.and(Err(error));
                    continue;
                }
            };
            decided.extend(occurrence);
            match fired {
                Fired::Busy(_) => break,
                Fired::Recorded | Fired::Known => inbox.done(&file),
            }
        }
        first
    }
}

/// Reads a file, which may be long, without holding up others.
async fn read(folder: PathBuf, file: String) -> Result<Option<Arrived>> {
    let task = tokio::task::spawn_blocking(move || inbox::read(&folder, &file));
    task.await.map_err(|error| Error::new(Code::Internal, "a file cannot be read").caused_by(&error))?
}

/// A time of a schedule. What its run is asked is the author's, word for word.
fn timed(key: String, due: Timestamp, name: &str, zone: &TimeZone) -> Event {
    let mut values = Map::new();
    values.insert("time".to_owned(), Value::String(written(due, zone)));
    values.insert("trigger".to_owned(), Value::String(name.to_owned()));
    Event { key, due, values, label: Label::default() }
}

/// A file. Nobody vouches for what stands in it, nor for its name.
fn dropped(arrived: &Arrived, shown: &str, now: Timestamp, name: &str) -> Event {
    let Arrived { name: file, size, digest, text } = arrived;
    let path = format!("{shown}/{file}");
    let mut values = Map::new();
    values.insert("file".to_owned(), Value::String(path.clone()));
    values.insert("name".to_owned(), Value::String(file.clone()));
    values.insert("size".to_owned(), Value::from(*size));
    values.insert("text".to_owned(), text.clone().map_or(Value::Null, Value::String));
    values.insert("time".to_owned(), Value::String(written(now, &TimeZone::UTC)));
    values.insert("trigger".to_owned(), Value::String(name.to_owned()));
    let label = Label::untrusted_from(format!("file:{path}"));
    Event { key: format!("{digest}:{file}"), due: now, values, label }
}

/// What the run of an occurrence is named by.
fn id_of(name: &str, key: &str) -> String {
    format!("trigger:{name}:{key}")
}

pub(super) fn written(moment: Timestamp, zone: &TimeZone) -> String {
    jiff::Timestamp::from_millisecond(moment.0)
        .map(|instant| instant.to_zoned(zone.clone()).strftime("%Y-%m-%dT%H:%M:%S%:z").to_string())
        .unwrap_or_default()
}

/// Whether a text is the name of a file and no way to another folder.
fn is_name(file: &str) -> bool {
    Path::new(file).file_name().is_some_and(|name| name == file)
}

fn named(name: &str, error: &Error) -> Error {
    let told = Error::new(error.code(), format!("the trigger `{name}`: {}", error.message()));
    match error.help() {
        Some(help) => told.with_help(help),
        None => told,
    }
}

impl fmt::Debug for Triggers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Triggers").finish()
    }
}
