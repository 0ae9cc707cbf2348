//! Doing an agent's work for a while: see [`adjutant_agent::takeover`].

use adjutant_agent::approval;
use adjutant_agent::takeover::{self, Deed, Done, PREFIX, Taken};
use adjutant_agent::{Transcript, history, start};
use adjutant_core::message::Message;
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Kind, Operation, Record, RunState, Wait};
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
        let taken = self.taken().await?.map(|(_, taken)| taken.taken_by);
        let taken = match taken {
            None => call_under_way(&self.records().await?),
            taken => taken,
        };
        if let Some(by) = taken {
            return Err(Error::new(Code::Conflict, format!("{by} has taken the run `{}`", self.id())));
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
        let Some((signal, taken)) = self.taken().await? else { return Err(self.not_in_hand().await?) };
        takeover::check(&deed, taken.messages)?;
        if let Deed::Rewrite { place, text } = &deed {
            takeover::try_rewrite(self.transcript().await?, *place, text)?;
        }
        let done = Done { by: by.to_owned(), at: SystemClock.now(), deed };
        start::act(self.adjutant().engine().as_ref(), self.id(), &signal, &done).await
    }

    /// All that was said up to now, with what was said in its session before, as its model would be sent it.
    pub async fn messages(&self) -> Result<Vec<Message>> {
        Ok(self.transcript().await?.messages().iter().map(|message| (**message).clone()).collect())
    }

    /// Why nothing can be done in the place of its agent.
    async fn not_in_hand(&self) -> Result<Error> {
        let id = self.id();
        let conflict = |message: String| Error::new(Code::Conflict, message);
        if self.info().await?.state == RunState::Ended {
            return Ok(conflict(format!("the run `{id}` is over")));
        }
        let rests = self.rests().await?;
        let mut waits = rests.iter().flat_map(|rest| &rest.waits);
        let asks =
            waits.any(|wait| matches!(wait, Wait::Signal { name, .. } if name.starts_with(approval::PREFIX)));
        Ok(match call_under_way(&self.records().await?) {
            Some(by) => {
                let help = match asks {
                    true => format!(
                        "it waits for an approval: `adjutant runs approve {id}` gives it, with `--deny` refuses it"
                    ),
                    false => format!("`adjutant runs resume {id}` drives it on"),
                };
                conflict(format!("the call that {by} makes in the run `{id}` is not done yet"))
                    .with_help(help)
            }
            None => {
                let first = match asks {
                    true => format!(
                        "; the call that waits for an approval comes first: `adjutant runs approve {id}`"
                    ),
                    false => String::new(),
                };
                conflict(format!("nobody has taken the run `{id}` yet"))
                    .with_help(format!("`adjutant runs take {id}` takes it between two of its turns{first}"))
            }
        })
    }

    async fn transcript(&self) -> Result<Transcript> {
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
        history::transcript(&records, earlier.as_ref())
    }
}

/// Who makes a call in the place of an agent that is not done yet.
fn call_under_way(records: &[Record]) -> Option<String> {
    let (mut deed, mut caller) = (None, None);
    for record in records {
        match &record.entry {
            Entry::Issued { key, operation: Operation { kind: Kind::Signal, name, .. }, .. }
                if name.starts_with(PREFIX) =>
            {
                (deed, caller) = (Some(key), None);
            }
            Entry::Completed { key, outcome: Ok(answer) } if deed == Some(key) => {
                caller = match answer.to() {
                    Ok(Done { by, deed: Deed::Call { .. }, .. }) => Some(by),
                    _ => None,
                };
            }
            _ => {}
        }
    }
    caller
}
