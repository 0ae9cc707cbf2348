//! Mail: looking for it, and letting it take effect.

use adjutant_core::id::{RunId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Kind, Letter, Mail, Resolution};

use super::SqliteSession;
use super::operations::Earlier;
use crate::append::Also;
use crate::claim;

impl SqliteSession {
    /// Looks for new mail, if somebody rang.
    pub(super) async fn read_mail(&mut self) -> Result<()> {
        if !self.bell.has_changed().unwrap_or(false) {
            return Ok(());
        }
        self.bell.mark_unchanged();
        let (row, seen) = (self.appender.owner().row, self.seen);
        let fresh = self.store.read(move |connection| claim::mail(connection, row, seen)).await?;
        self.seen = fresh.last().map_or(seen, |mail| mail.id);
        self.mail.extend(fresh);
        Ok(())
    }

    pub(super) fn take_messages(&mut self) -> (Vec<Json>, Vec<Also>) {
        let (mut messages, mut also) = (Vec::new(), Vec::new());
        self.mail.retain(|mail| match &mail.letter {
            Letter::Message { payload } => {
                messages.push(payload.clone());
                also.push(Also::Take(mail.id));
                false
            }
            _ => true,
        });
        (messages, also)
    }

    /// Lets the mail take effect that can.
    pub(super) fn work_mail(&mut self) -> Result<()> {
        let mut kept = Vec::new();
        let mut held = false;
        for mail in std::mem::take(&mut self.mail) {
            if held {
                kept.push(mail);
            } else if let Some(mail) = self.deliver_mail(mail)? {
                // What came after a cancel does not overtake it.
                held = !self.closing && matches!(mail.letter, Letter::Cancel { .. } | Letter::Resolve { .. });
                kept.push(mail);
            }
        }
        self.mail = kept;
        Ok(())
    }

    /// Whether the code can be told now that the run is cancelled: it has nothing to hear before, and its segment is
    /// not over.
    fn hears_cancels(&self) -> bool {
        self.ready.is_empty() && !self.replay.is_delivering() && !self.closing
    }

    /// Lets one piece of mail take effect, or gives it back.
    pub(super) fn deliver_mail(&mut self, mail: claim::Waiting) -> Result<Option<claim::Waiting>> {
        let taken = vec![Also::Take(mail.id)];
        match mail.letter {
            Letter::Signal { ref name, ref payload } => {
                let Some(key) = self.signal_waiting(name) else { return Ok(Some(mail)) };
                self.complete(key, Ok(payload.clone()), taken)?;
            }
            Letter::ChildEnded { key, segment, outcome } => {
                let waits = segment == self.segment
                    && self.open.get(&key).is_some_and(|open| !open.withdrawn.is_cancelled());
                if waits {
                    self.complete(key, outcome, taken)?;
                } else {
                    self.appender.append(&[], taken)?;
                }
            }
            Letter::Cancel { .. } if !self.hears_cancels() => {
                self.pause(false);
                return Ok(Some(mail));
            }
            Letter::Cancel { ref reason } => {
                let reason = reason.clone();
                let (moment, _) = self.record(&Entry::Received(mail.letter), taken)?;
                if !self.replay.is_cancelled() && self.cancel.is_none() {
                    self.cancel = Some((reason, moment));
                }
                self.pause(false);
            }
            Letter::Pause { .. } | Letter::Resume => {
                let also = taken.into_iter().chain(self.to_children(&mail)).collect();
                self.pause(matches!(mail.letter, Letter::Pause { .. }));
                self.record(&Entry::Received(mail.letter), also)?;
            }
            Letter::Resolve { resolution: Resolution::Abort, .. }
                if !self.ready.is_empty() || self.replay.is_delivering() =>
            {
                return Ok(Some(mail));
            }
            Letter::Resolve { key, resolution } => self.resolve(&key, resolution, taken)?,
            Letter::Message { .. } => return Ok(Some(mail)),
        }
        Ok(None)
    }

    /// The same for the runs that it waits for: one that was started after the mail was sent has not got it.
    fn to_children(&self, mail: &claim::Waiting) -> Vec<Also> {
        let children = self.open.iter().filter(|(_, open)| open.operation.kind == Kind::Child);
        let send = |(key, _): (&StepKey, _)| {
            let child = RunId::child(self.run(), self.segment, key.as_str());
            Also::Send(child, Mail::new(format!("from-above:{}", mail.id), mail.letter.clone()))
        };
        children.map(send).collect()
    }

    fn pause(&mut self, paused: bool) {
        (self.paused, self.pausing) = (paused, paused);
    }

    /// The oldest operation that waits for a signal of this name.
    pub(super) fn signal_waiting(&self, name: &str) -> Option<StepKey> {
        self.open
            .iter()
            .filter(|(_, open)| open.operation.kind == Kind::Signal && open.operation.name == name)
            .min_by_key(|(key, open)| (open.issued, (*key).clone()))
            .map(|(key, _)| key.clone())
    }

    /// A person says what came of an effect; what follows from it is recorded with it. About another step, or too
    /// late, it means nothing.
    fn resolve(&mut self, key: &StepKey, resolution: Resolution, taken: Vec<Also>) -> Result<()> {
        let letter = Letter::Resolve { key: key.clone(), resolution: resolution.clone() };
        let mut entries = vec![Entry::Received(letter)];
        let unknown = self.open.get(key).is_some_and(|open| open.unknown);
        let Some(open) = self.open.get(key).filter(|_| unknown) else {
            return self.appender.append(&entries, taken).map(drop);
        };
        let withdrawn = open.withdrawn.is_cancelled();
        if resolution != Resolution::Retry {
            self.open.remove(key);
        }
        let key = key.clone();
        match resolution {
            Resolution::Happened(result) if withdrawn => {
                entries.push(Entry::Late { key, outcome: Ok(result) });
                self.appender.append(&entries, taken)?;
            }
            Resolution::Happened(result) => {
                entries.push(Entry::Completed { key: key.clone(), outcome: Ok(result.clone()) });
                let (moment, _) = self.appender.append(&entries, taken)?;
                self.channel.close(&key);
                self.ready.push_back((key, Ok(result), moment));
            }
            Resolution::Retry => {
                self.appender.append(&entries, taken)?;
                self.set_to_work(&key, &Earlier { retry: true, ..Earlier::default() });
            }
            Resolution::Abort => {
                let reason =
                    format!("the outcome of step `{key}` is not known, and the run was aborted for it");
                let cancel = Letter::Cancel { reason: reason.clone() };
                let error = Error::new(Code::ToolOutcomeUnknown, "it is not known whether the call happened");
                let mut also = taken;
                if self.closing {
                    // The next segment hears of it: a cancel that is recorded in this one, no replay of it would hear.
                    also.push(Also::Send(self.run().clone(), Mail::new(format!("abort:{key}"), cancel)));
                    entries.push(Entry::Late { key, outcome: Err(error) });
                    self.bell.mark_changed();
                    return self.appender.append(&entries, also).map(drop);
                }
                entries.push(Entry::Late { key, outcome: Err(error) });
                entries.push(Entry::Received(cancel));
                let (moment, _) = self.appender.append(&entries, also)?;
                if !self.replay.is_cancelled() && self.cancel.is_none() {
                    self.cancel = Some((reason, moment));
                }
            }
        }
        Ok(())
    }
}
