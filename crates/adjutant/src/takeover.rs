//! Doing an agent's work for a while: see [`adjutant_agent::takeover`].

use adjutant_agent::takeover::{self, Deed, Done, PREFIX, Taken};
use adjutant_agent::{history, start};
use adjutant_core::message::Message;
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, RunState, Wait};
use adjutant_store::{SystemClock, random};

use crate::run::Run;
use crate::transcript;

impl Run {
    /// Takes it: between two of its turns it stops, and waits for what is done in the agent's place. It takes somebody who
    /// drives it; calls that wait for a person are decided first.
    ///
    /// Fails with [`Code::Conflict`] when the run is over, and when somebody has taken it.
    pub async fn take(&self, by: &str, reason: Option<&str>) -> Result<()> {
        if self.info().await?.state == RunState::Ended {
            return Err(Error::new(
                Code::Conflict,
                format!("the run `{}` is over and cannot be taken", self.id()),
            ));
        }
        if let Some((_, taken)) = self.taken().await? {
            return Err(Error::new(
                Code::Conflict,
                format!("{} has taken the run `{}`", taken.taken_by, self.id()),
            ));
        }
        let engine = self.adjutant().engine().as_ref();
        start::take(engine, self.id(), random::run_id()?.as_str(), by, reason).await
    }

    /// Who has taken it, and the name that what they do is sent to; none where nobody has.
    pub async fn taken(&self) -> Result<Option<(String, Taken)>> {
        Ok(self.waits().await?.into_iter().find_map(|wait| match wait {
            Wait::Signal { name, request, .. } if name.starts_with(PREFIX) => {
                Some((name, request.to().ok()?))
            }
            _ => None,
        }))
    }

    /// Does something in the place of the agent, whose run somebody has taken; whoever drives it takes it in.
    ///
    /// Fails with [`Code::Conflict`] where nobody has taken the run, or where what was done before is not taken in yet, and
    /// with [`Code::InputInvalid`] where it cannot be done.
    pub async fn act(&self, by: &str, deed: Deed) -> Result<()> {
        let (signal, taken) = self.taken().await?.ok_or_else(|| {
            Error::new(Code::Conflict, format!("nobody has taken the run `{}`", self.id()))
                .with_help(format!("`adjutant runs take {}` takes it between two of its turns", self.id()))
        })?;
        takeover::check(&deed, taken.messages)?;
        let done = Done { by: by.to_owned(), at: SystemClock.now(), deed };
        start::act(self.adjutant().engine().as_ref(), self.id(), &signal, &done).await
    }

    /// All that was said up to now, with what was said in its session before, as its model would be sent it.
    pub async fn messages(&self) -> Result<Vec<Message>> {
        let records = self.records().await?;
        let engine = self.adjutant().engine().as_ref();
        let session = match records.first().map(|record| &record.entry) {
            Some(Entry::Admitted(admission)) => admission.session.clone(),
            _ => None,
        };
        let earlier = match session {
            Some(session) => transcript::before(engine, &session, Some(self.id())).await?,
            None => None,
        };
        let transcript = history::transcript(&records, earlier.as_ref())?;
        Ok(transcript.messages().iter().map(|message| (**message).clone()).collect())
    }
}
