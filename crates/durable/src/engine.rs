//! Engines: what keeps runs and their journals, and brings them to life.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Error, Result};
use futures::future::BoxFuture;
use futures::stream::BoxStream;
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use crate::admission::{Admission, Origin};
use crate::chain::{Act, Link, Recorded, Verified, Verify};
use crate::ctx::Ctx;
use crate::document::{Document, Draft, Expected};
use crate::grant::{Asking, Grant, Revoked};
use crate::listing::{Conversation, Cursor, Page, RunFilter};
use crate::mail::Mail;
use crate::operation::{Advance, Amount, Spending};
use crate::record::{Outcome, Record};
use crate::stream::Delta;
use crate::trigger::{Fired, Firing, Occurrence};
use crate::version::{Changed, Chosen, Version};

/// The code of a run: makes its future for a segment, given what the segment begins with (none in the first).
pub type Program = Arc<dyn Fn(Ctx, Option<Json>) -> BoxFuture<'static, Outcome> + Send + Sync>;

/// Brings the code that runs are made of.
pub trait Host: Send + Sync + 'static {
    /// Finds the code of a run. Whatever it reads must be the same each time: pinned, or over.
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>>;
}

/// Keeps the runs of one tenant and project, and brings them to life. One value is one tenant and project; there is
/// no way to ask it for another's.
pub trait Engine: Send + Sync + 'static {
    /// Records a run. When this returns, the run is on disk and will not be lost. Idempotent on the run's id.
    fn start(&self, admission: Admission) -> BoxFuture<'_, Result<Admitted>>;

    /// Sends something to a run. When this returns, it is on disk. Idempotent on the mail's id; returns whether it is
    /// new. Fails with [`adjutant_core::Code::Conflict`] when the run is over.
    fn send<'a>(&'a self, run: &'a RunId, mail: Mail) -> BoxFuture<'a, Result<bool>>;

    /// Starts a run that shares another's journal up to a point.
    fn fork(&self, fork: Fork) -> BoxFuture<'_, Result<Forked>>;

    /// What is known of a run.
    fn info<'a>(&'a self, run: &'a RunId) -> BoxFuture<'a, Result<RunInfo>>;

    /// The records of a run from an offset on, over all its segments.
    fn history<'a>(&'a self, run: &'a RunId, from: u64) -> BoxFuture<'a, Result<Vec<Record>>>;

    /// What happens in a run from an offset on: first what is recorded, then what comes, as it comes. Ends after the
    /// run's last record.
    fn watch(&self, run: &RunId, from: u64) -> BoxStream<'static, Result<Observed>>;

    /// How a run stands: now, and whenever that changes. Ends after [`RunState::Ended`]. It reads no records.
    fn states(&self, run: &RunId) -> BoxStream<'static, Result<RunState>>;

    /// Drives runs until told to stop. Several processes may do so; each run is driven by one at a time. Where the store
    /// fails, with a full disk for example, the runs that it concerns are let go: with [`Serve::All`] they are tried
    /// again after a while, with [`Serve::Run`] this fails.
    fn serve(
        &self,
        host: Arc<dyn Host>,
        what: Serve,
        stop: CancellationToken,
    ) -> BoxFuture<'static, Result<()>>;

    /// Keeps a definition, and says by which hash it is known.
    fn put_definition(&self, definition: Json) -> BoxFuture<'_, Result<Digest>>;

    /// A definition. Fails with [`adjutant_core::Code::RunDefinitionMissing`].
    fn definition(&self, digest: Digest) -> BoxFuture<'_, Result<Json>>;

    /// The turns of a session, oldest first.
    fn turns<'a>(&'a self, session: &'a SessionId) -> BoxFuture<'a, Result<Vec<RunInfo>>>;

    /// The newest runs, newest first.
    fn runs(&self, most: usize) -> BoxFuture<'_, Result<Vec<RunInfo>>>;

    /// A page of the runs that are meant, the newest first, after where another page ended. Fails with
    /// [`adjutant_core::Code::InputInvalid`] for what is no place in the list.
    fn list_runs(
        &self,
        filter: RunFilter,
        after: Option<Cursor>,
        most: usize,
    ) -> BoxFuture<'_, Result<Page<RunInfo>>>;

    /// A page of the sessions, or of those whose latest turn is of one person, by when their latest turns were recorded, the newest
    /// first. Fails as [`list_runs`](Self::list_runs) does.
    fn list_sessions<'a>(
        &'a self,
        user: Option<&'a str>,
        after: Option<Cursor>,
        most: usize,
    ) -> BoxFuture<'a, Result<Page<Conversation>>>;

    /// The runs whose ids begin with `prefix`, in the order of their ids.
    fn beginning<'a>(&'a self, prefix: &'a str, most: usize) -> BoxFuture<'a, Result<Vec<RunInfo>>>;

    /// How many runs stand how, of those that are not over.
    fn tally(&self) -> BoxFuture<'_, Result<Vec<(RunState, u64)>>>;

    /// The signals whose names begin with `prefix` and that one run waits for, or any run where none is given; those that
    /// have waited longest first. It reads no whole journals, however many runs wait.
    fn asking<'a>(&'a self, prefix: &'a str, run: Option<&'a RunId>) -> BoxFuture<'a, Result<Vec<Asking>>>;

    /// Keeps a grant. Idempotent on its id; returns whether it is new.
    fn grant(&self, grant: Grant) -> BoxFuture<'_, Result<bool>>;

    /// The grants of a tool, or of all tools, the newest first; those too that are over.
    fn grants<'a>(&'a self, tool: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Grant>>>;

    /// Takes a grant back; the first who does so counts. Returns it as it is then. Fails with
    /// [`adjutant_core::Code::NotFound`].
    fn revoke<'a>(&'a self, id: &'a str, revoked: Revoked) -> BoxFuture<'a, Result<Grant>>;

    /// Keeps a definition as a version of a name; as long as it is one, it is not forgotten. Idempotent; returns whether it is
    /// new. Fails with [`adjutant_core::Code::RunDefinitionMissing`] where there is no such definition.
    fn publish(&self, version: Version) -> BoxFuture<'_, Result<bool>>;

    /// The versions of a name, or of all names, the newest first.
    fn versions<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Version>>>;

    /// Changes what the labels of a name mean, as [`Labels::change`](crate::Labels::change) says, in one step. Fails as it does,
    /// and with [`adjutant_core::Code::NotFound`] for what is no version of that name.
    fn relabel(&self, changed: Changed) -> BoxFuture<'_, Result<()>>;

    /// What was changed of the labels of a name, or of all names, the oldest first.
    fn label_changes<'a>(&'a self, name: Option<&'a str>) -> BoxFuture<'a, Result<Vec<Changed>>>;

    /// How far a trigger has come on its schedule: to where the last of its occurrences that [`fire`](Self::fire) recorded came
    /// due. One that is new, or has another schedule than before, begins now.
    fn since<'a>(
        &'a self,
        trigger: &'a str,
        schedule: &'a str,
        now: Timestamp,
    ) -> BoxFuture<'a, Result<Timestamp>>;

    /// Records an occurrence of a trigger and admits its run, in one step, if its terms hold and nobody has. When this
    /// returns, both are on disk.
    fn fire(&self, firing: Firing) -> BoxFuture<'_, Result<Fired>>;

    /// The occurrences of a trigger, or of all triggers, the newest first. They stay when their runs are forgotten.
    fn occurrences<'a>(
        &'a self,
        trigger: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Occurrence>>>;

    /// Keeps a document over whatever its [`Draft`] expects to be there, and returns its revision. Fails with
    /// [`adjutant_core::Code::Conflict`] where something else is.
    fn put_document(&self, draft: Draft) -> BoxFuture<'_, Result<u64>>;

    /// A document; none where there is none or its time is over.
    fn document<'a>(&'a self, kind: &'a str, key: &'a str) -> BoxFuture<'a, Result<Option<Document>>>;

    /// Documents of a kind whose keys begin with `prefix`, in the order of their keys (by bytes), those after a key.
    fn documents<'a>(
        &'a self,
        kind: &'a str,
        prefix: &'a str,
        after: Option<&'a str>,
        most: usize,
    ) -> BoxFuture<'a, Result<Vec<Document>>>;

    /// Deletes a document; returns whether there was one. Fails with [`adjutant_core::Code::Conflict`] where something else is there
    /// than was expected.
    fn delete_document<'a>(
        &'a self,
        kind: &'a str,
        key: &'a str,
        expected: Expected,
    ) -> BoxFuture<'a, Result<bool>>;

    /// Gives an advance of what the project may take today, between the least and the most that is asked for: all of it where there is
    /// room, otherwise what there is room for. Where nothing bounds the day, it is counted all the same.
    ///
    /// Fails with [`adjutant_core::Code::RunBudget`] where there is no room for the least.
    fn advance(&self, least: Amount, most: Amount) -> BoxFuture<'_, Result<Advance>>;

    /// Takes back what nobody took of advances of a day, and counts what was taken beyond them.
    fn settle(&self, rest: Advance, beyond: Amount) -> BoxFuture<'_, Result<()>>;

    /// What runs took of models, by day, name and person, from one day until another, both included, in days since 1970-01-01 (UTC). It
    /// stays when the runs are forgotten; for whom it was does not.
    fn spending(&self, from: i64, until: i64) -> BoxFuture<'_, Result<Vec<Spending>>>;

    /// Forgets ended runs whose end is longer ago than `keep`, with everything that only they refer to. A run that a
    /// living fork or an unfinished session refers to stays. Returns how many runs went. That they did, and who said so, is an
    /// [`Act`].
    fn prune<'a>(&'a self, keep: Duration, by: &'a str) -> BoxFuture<'a, Result<u64>>;

    /// Erases every run of one person, with what was forked from it, every grant for them, and every document of theirs. Fails with
    /// [`adjutant_core::Code::Conflict`] while one of them is being driven. Returns how many runs went. That they did, and who said
    /// so, is an [`Act`].
    fn erase_user<'a>(&'a self, user: &'a str, by: &'a str) -> BoxFuture<'a, Result<u64>>;

    /// Records that somebody did something to the service. What this trait and the directory do is recorded by them.
    fn administer(&self, act: Act) -> BoxFuture<'_, Result<()>>;

    /// Links of the chain, the newest first, those before a number. Of what effects came to, they tell what those of these names did.
    fn links(
        &self,
        before: Option<u64>,
        most: usize,
        effects: &'static [&'static str],
    ) -> BoxFuture<'_, Result<Vec<Link>>>;

    /// What was recorded after a place, in the order in which it was, over all runs. Before the first is place 0.
    fn recorded(&self, after: u64, most: usize) -> BoxFuture<'_, Result<Vec<Recorded>>>;

    /// The place of what was recorded last; 0 where nothing was.
    fn recorded_until(&self) -> BoxFuture<'_, Result<u64>>;

    /// Looks at every link of the chain and at what it is for, as all of it stands at one moment. What is wrong is part of the answer;
    /// it fails only where the store cannot be read.
    fn verify(&self, verify: Verify) -> BoxFuture<'_, Result<Verified>>;
}

/// What became of a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// The run.
    pub run: RunId,
    /// Whether it is new; false when a run with that id was already there.
    pub new: bool,
}

/// Which runs to drive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Serve {
    /// Every run of the tenant and project.
    All,
    /// One run and what it starts.
    Run(RunId),
}

/// How a run stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// It can go on, and waits for a worker.
    Ready,
    /// A worker drives it.
    Running,
    /// It waits for a person, a timer or another run, and takes no memory.
    Waiting,
    /// It was told to stop for now.
    Paused,
    /// It cannot go on by itself.
    Halted,
    /// It is over.
    Ended,
}

impl RunState {
    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "ready",
            Self::Running => "running",
            Self::Waiting => "waiting",
            Self::Paused => "paused",
            Self::Halted => "halted",
            Self::Ended => "ended",
        }
    }
}

/// What is known of a run without reading its journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunInfo {
    /// The run.
    pub run: RunId,
    /// The agent's or workflow's name.
    pub name: String,
    /// What people find it by, until there is something better.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// How it stands.
    pub state: RunState,
    /// The conversation it is a turn of.
    pub session: Option<SessionId>,
    /// The person whose data it handles.
    pub user: Option<String>,
    /// Where it comes from.
    pub origin: Option<Origin>,
    /// Its pinned definition.
    pub definition: Digest,
    /// The published version that it was started with, where it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<Chosen>,
    /// The turns of its conversation that it has taken back.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub takes_back: Vec<RunId>,
    /// When it was recorded.
    pub created: Timestamp,
    /// When its last record was written.
    pub updated: Timestamp,
    /// How many records its journal has.
    pub records: u64,
    /// What came of it; none until it is over.
    pub outcome: Option<Outcome>,
    /// Why it halted, if it did.
    pub halted: Option<Error>,
}

/// Something that a run waits for, that somebody outside may have to do something about.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// An answer to a signal.
    Signal {
        /// The step.
        key: StepKey,
        /// The name to answer to.
        name: String,
        /// What is asked.
        request: Json,
    },
    /// A timer.
    Timer {
        /// The step.
        key: StepKey,
        /// When it fires.
        until: Timestamp,
    },
    /// Another run.
    Child {
        /// The step.
        key: StepKey,
        /// The run.
        run: RunId,
    },
    /// Somebody who says what came of an effect.
    Unknown {
        /// The step.
        key: StepKey,
        /// Which attempt, from 1.
        attempt: u32,
        /// The offset of the record that says so; an answer refers to it (see [`Mail::resolve`]).
        record: u64,
        /// What the step is, in one line.
        operation: String,
        /// Why it is not known.
        reason: String,
    },
}

/// What a watcher sees.
#[derive(Clone, Debug)]
pub enum Observed {
    /// A record, once it is on disk.
    Record(Box<Record>),
    /// A token or a sign of progress, at once.
    Delta(Delta),
    /// The run stands otherwise than before.
    State(RunState),
}

/// A run to be started from a point of another's journal.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// The other run.
    pub of: RunId,
    /// The id of the new run.
    pub run: RunId,
    /// The step from which on everything happens anew; its recorded answer and all that came after are left behind.
    pub from: StepKey,
    /// The segment of the step; the last that has it where none is given.
    pub segment: Option<u32>,
    /// Answers to put in place of recorded ones, or of the one at `from`.
    pub edits: Vec<Edit>,
    /// Who has it made; none where nobody said.
    pub by: Option<String>,
}

/// An answer to put in place of a recorded one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Edit {
    /// The step.
    pub key: StepKey,
    /// Its new answer.
    pub outcome: Outcome,
}

/// What a fork started.
#[derive(Clone, Debug, PartialEq)]
pub struct Forked {
    /// The new run.
    pub run: RunId,
    /// The effects outside that the original caused after the point, in one line each: they have happened, whatever
    /// the fork does.
    pub caused: Vec<String>,
}
