//! Halting: a run that cannot go on by itself waits for somebody, and can still be given up.

use adjutant_core::id::StepKey;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Letter, Mail, Record, Resolution, RunState, Wait, unsettled, waits};

use super::SqliteSession;
use crate::append::Also;
use crate::{claim, fork};

impl SqliteSession {
    /// Stops the run where it is. If it was told to stop for good, it ends instead, as soon as it is known what came
    /// of every effect that must not be repeated.
    pub(super) async fn halt_or_give_up(&mut self, error: Error) -> Result<()> {
        self.tasks.abort_all();
        self.read_mail().await?;
        for claim::Waiting { id, letter } in std::mem::take(&mut self.mail) {
            let mut entries = vec![Entry::Received(letter.clone())];
            match letter {
                Letter::Cancel { .. } | Letter::Resume | Letter::Pause { .. } => {}
                Letter::Resolve { key, resolution } => entries.push(late(key, resolution)),
                Letter::Message { .. } => {
                    self.mail.push(claim::Waiting { id, letter });
                    continue;
                }
                _ => continue,
            }
            self.appender.append(&entries, vec![Also::Take(id)])?;
        }
        let records = self.recorded().await?;
        let cancelled = records.iter().find_map(|record| match &record.entry {
            Entry::Received(Letter::Cancel { reason }) => Some(reason.clone()),
            _ => None,
        });
        match cancelled {
            Some(reason) => self.end_halted(&records, &reason, error).await,
            None => self.release(&[Entry::Halted(error.clone())], RunState::Halted, None, Some(error)).await,
        }
    }

    /// Everything that is recorded of this segment, by this activation too.
    async fn recorded(&self) -> Result<Vec<Record>> {
        let (_, number) = self.appender.append(&[], Vec::new())?;
        self.appender.durable(number).await?;
        let owner = self.appender.owner();
        let (scope, row) = (owner.scope.clone(), owner.row);
        let mut records =
            self.store.read(move |connection| fork::records(connection, &scope, row, 0)).await?;
        records.retain(|record| record.segment == self.segment);
        Ok(records)
    }

    async fn end_halted(&mut self, records: &[Record], reason: &str, error: Error) -> Result<()> {
        let waits = waits(self.run(), records);
        let unsettled = unsettled(records);
        for key in &unsettled {
            let told = |wait: &Wait| matches!(wait, Wait::Unknown { key: told, .. } if told == key);
            if !waits.iter().any(told) {
                let reason = "the run stopped while the call was under way".to_owned();
                self.record(&Entry::Unknown { key: key.clone(), reason }, Vec::new())?;
            }
        }
        for wait in &waits {
            if let Wait::Child { run, .. } = wait {
                let letter = Letter::Cancel { reason: "the run that started it was cancelled".into() };
                self.appender.append(&[], vec![Also::Send(run.clone(), Mail::new("withdrawn", letter))])?;
            }
        }
        if !unsettled.is_empty() {
            return self.release(&[Entry::Halted(error.clone())], RunState::Waiting, None, Some(error)).await;
        }
        let outcome = Err(Error::new(Code::RunCancelled, format!("cancelled: {reason}")).caused_by(&error));
        self.release(&[Entry::Ended(outcome)], RunState::Ended, None, None).await
    }
}

/// What a person says of an effect of a run that does not go on: it is recorded, and nothing follows from it.
fn late(key: StepKey, resolution: Resolution) -> Entry {
    let outcome = match resolution {
        Resolution::Happened(result) => Ok(result),
        Resolution::Retry | Resolution::Abort => {
            Err(Error::new(Code::ToolOutcomeUnknown, "the run did not go on"))
        }
    };
    Entry::Late { key, outcome }
}
