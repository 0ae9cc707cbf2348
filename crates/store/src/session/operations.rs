//! Operations: recording them, setting them to work, and taking in their ends.

use std::sync::atomic::AtomicU32;
use std::sync::{Arc, OnceLock};

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Done, Entry, Kind, Operation, Origin, Request, Work};
use tokio_util::sync::CancellationToken;

use super::{GRACE, Open, SqliteSession};
use crate::append::Also;
use crate::budget::Refused;
use crate::effects::{Ended, Task, guard};
use crate::random;

/// Whether there was room in every budget, told by the writer.
pub(crate) type Grant = Arc<OnceLock<Result<(), Refused>>>;

/// What happened to an operation before this activation.
#[derive(Default)]
pub(super) struct Earlier {
    pub(super) append: u64,
    pub(super) attempts: u32,
    pub(super) retry: bool,
    pub(super) unknown: bool,
    pub(super) dropped: bool,
    pub(super) granted: Option<Grant>,
}

impl SqliteSession {
    pub(super) async fn issue_new(&mut self, request: Request) -> Result<()> {
        let Request { key, operation, work } = request;
        match &operation.kind {
            Kind::Emit => self.answer(key, operation, Ok(Json::null()), Vec::new()),
            Kind::Version => self.answer(key, operation, Json::of(&true), Vec::new()),
            Kind::Random => {
                let bytes = random::bytes::<16>()?;
                self.answer(key, operation, Json::of(&bytes), Vec::new())
            }
            Kind::Inbox => {
                self.read_mail().await?;
                let (messages, also) = self.take_messages();
                self.answer(key, operation, Json::of(&messages), also)
            }
            Kind::Effect(_) | Kind::Timer { .. } | Kind::Signal | Kind::Child => {
                let (also, granted) = self.beside(&key, &operation)?;
                let entry =
                    Entry::Issued { key: key.clone(), hash: operation.hash(), operation: operation.clone() };
                let (moment, append) = self.record(&entry, also)?;
                self.begin(
                    &key,
                    operation,
                    work,
                    moment.at,
                    &Earlier { append, granted, ..Earlier::default() },
                );
                Ok(())
            }
        }
    }

    /// What is to happen in the transaction that records an operation.
    pub(super) fn beside(&self, key: &StepKey, operation: &Operation) -> Result<(Vec<Also>, Option<Grant>)> {
        match &operation.kind {
            Kind::Child => Ok((vec![Also::Start(Box::new(self.child(key, operation)?))], None)),
            Kind::Effect(effects) => {
                Ok(match effects.reserve.filter(|_| self.appender.owner().pays_ahead()) {
                    Some(amount) => {
                        let granted = Arc::new(OnceLock::new());
                        (vec![Also::Reserve(key.clone(), amount, Arc::clone(&granted))], Some(granted))
                    }
                    None => (Vec::new(), None),
                })
            }
            _ => Ok((Vec::new(), None)),
        }
    }

    pub(super) fn child(&self, key: &StepKey, operation: &Operation) -> Result<Admission> {
        let mut admission: Admission = operation.input.to()?;
        admission.run = RunId::child(self.run(), self.segment, key.as_str());
        admission.origin =
            Some(Origin::Child { parent: self.run().clone(), segment: self.segment, key: key.clone() });
        Ok(admission)
    }

    /// Takes an operation as open, and sets to work what needs work.
    pub(super) fn begin(
        &mut self,
        key: &StepKey,
        operation: Operation,
        work: Option<Arc<dyn Work>>,
        issued: Timestamp,
        earlier: &Earlier,
    ) {
        let withdrawn = CancellationToken::new();
        if earlier.dropped {
            // It is only looked up: the code will take it back again, and the look-up could be faster.
            withdrawn.cancel();
        }
        let open = Open {
            operation,
            issued,
            work,
            cancel: CancellationToken::new(),
            withdrawn,
            attempts: Arc::new(AtomicU32::new(earlier.attempts)),
            abort: None,
            unknown: earlier.unknown,
        };
        self.open.insert(key.clone(), open);
        if !earlier.unknown {
            self.set_to_work(key, earlier);
        }
    }

    /// Begins to work on an open effect; nothing is to be done for other operations.
    pub(super) fn set_to_work(&mut self, key: &StepKey, earlier: &Earlier) {
        let pays_ahead = self.appender.owner().pays_ahead();
        let Some(open) = self.open.get_mut(key) else { return };
        let (Kind::Effect(effects), Some(work)) = (&open.operation.kind, &open.work) else { return };
        open.unknown = false;
        let task = Task {
            key: key.clone(),
            effects: effects.clone(),
            work: Arc::clone(work),
            appender: Arc::clone(&self.appender),
            channel: Arc::clone(&self.channel),
            cancel: open.cancel.clone(),
            withdrawn: open.withdrawn.clone(),
            segment: self.segment,
            attempts: Arc::clone(&open.attempts),
            retry: earlier.retry,
            issued: earlier.append,
            reserve: effects.reserve.filter(|_| pays_ahead),
            granted: earlier.granted.clone(),
        };
        let (segment, effect, lost) = (self.segment, effects.effect, key.clone());
        let ended = self.ended.0.clone();
        self.working.insert(key.clone());
        open.abort = Some(self.tasks.spawn(async move {
            // Somebody's work may panic where nothing of ours is around it, when it is dropped.
            let end = guard(task.run()).await;
            let end = end.unwrap_or_else(|error| Ended::given_up(segment, lost, effect, error));
            // The session is gone if nobody listens; the next one will ask again.
            let _ = ended.send(end);
        }));
    }

    /// Gives up an effect that nobody waits for any more: one that may be repeated at once, another after it had time
    /// to come to its own end, since then nobody knows what came of it.
    pub(super) fn give_up(&mut self, key: &StepKey) {
        let Some(open) = self.open.get(key) else { return };
        open.withdrawn.cancel();
        let Kind::Effect(effects) = &open.operation.kind else { return };
        if effects.effect.is_repeatable() {
            open.cancel.cancel();
            if let Some(abort) = &open.abort {
                abort.abort();
            }
            return;
        }
        let (cancel, abort, ended) = (open.cancel.clone(), open.abort.clone(), self.ended.0.clone());
        let error = Error::new(Code::ToolOutcomeUnknown, "it did not stop when it was told to");
        let end = Ended::given_up(self.segment, key.clone(), effects.effect, error);
        self.tasks.spawn(async move {
            tokio::time::sleep(GRACE).await;
            cancel.cancel();
            tokio::time::sleep(GRACE).await;
            if let Some(abort) = abort.filter(|abort| !abort.is_finished()) {
                abort.abort();
                let _ = ended.send(end);
            }
        });
    }

    /// An effect came to its end.
    pub(super) fn end(&mut self, ended: Ended) -> Result<()> {
        if let Some(error) = ended.broken {
            return Err(error);
        }
        if ended.segment != self.segment {
            return Ok(());
        }
        self.working.remove(&ended.key);
        let Some(open) = self.open.get_mut(&ended.key) else { return Ok(()) };
        let also = open.settles().then(|| ended.settle()).into_iter().collect();
        let Ended { key, done, .. } = ended;
        let outcome = match done {
            Done::Ok(json) => Ok(json),
            Done::Err(error) if open.is_halted_by(&error) => {
                // Not recorded as its answer: when the run is resumed, it is tried again.
                self.appender.append(&[], also)?;
                return Err(error);
            }
            Done::Err(error) => Err(error),
            Done::Unknown(reason) => {
                open.unknown = true;
                return self.record(&Entry::Unknown { key, reason }, also).map(drop);
            }
        };
        if open.withdrawn.is_cancelled() {
            self.open.remove(&key);
            self.channel.close(&key);
            return self.record(&Entry::Late { key, outcome }, also).map(drop);
        }
        self.complete(key, outcome, also)
    }
}
