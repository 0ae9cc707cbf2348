//! [`Approvals`]: the calls that wait for a person, over all runs of a project.

use std::fmt;
use std::time::Duration;

use adjutant_agent::approval::{Answer, Decision, PREFIX, Reach, Request};
use adjutant_agent::{Definition, start};
use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId};
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Asking, Entry, Grant, Kind, Operation, Revoked, RunState};
use adjutant_store::SystemClock;
use adjutant_tool::arguments;
use serde::Serialize;

use crate::adjutant::{Adjutant, type_more};

/// The calls that wait for a person, over all runs of a project, and what people have allowed beforehand.
#[derive(Clone)]
pub struct Approvals(Adjutant);

/// A call that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Approval {
    /// What it is known by: the run, and where the call stands in it.
    pub id: String,
    /// The run.
    pub run: RunId,
    /// Its agent.
    pub agent: String,
    /// How the run stands.
    pub state: RunState,
    /// The conversation that it is a turn of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub session: Option<SessionId>,
    /// The person for whom it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// The name that is answered to.
    pub signal: String,
    /// What is asked.
    pub request: Request,
    /// Since when.
    pub since: Timestamp,
    /// The answer, where one was given that the run has not taken yet: somebody must drive it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub answer: Option<Answer>,
}

/// What a person says to a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Verdict {
    /// What is to be done.
    pub decision: Decision,
    /// Who says it.
    pub by: String,
    /// The [digest](Request::digest) of the call that they saw; that of the call that waits where none is given.
    pub seen: Option<Digest>,
    /// Which later calls it allows; none where it is not given.
    pub holds: Option<Holds>,
}

/// Which later calls an approval allows beside its own.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Holds {
    /// Whether it holds in the whole project; in this session, or run, where it does not.
    pub everywhere: bool,
    /// The arguments that must stay as they are, by name or JSON pointer; others may be any.
    pub pinned: Vec<String>,
    /// How long it holds; until it is revoked where none is given.
    pub time: Option<Duration>,
}

impl Verdict {
    /// A decision about one call.
    pub fn new(decision: Decision, by: impl Into<String>) -> Self {
        Self { decision, by: by.into(), seen: None, holds: None }
    }

    /// Lets it hold for later calls too.
    #[must_use]
    pub fn holding(mut self, holds: Holds) -> Self {
        self.holds = Some(holds);
        self
    }

    /// Says which call the person saw.
    #[must_use]
    pub fn seen(mut self, digest: Option<Digest>) -> Self {
        self.seen = digest;
        self
    }

    /// The answer to a request.
    fn answer(self, request: &Request, at: Timestamp) -> Result<Answer> {
        let mut answer = self.decision.into_answer();
        let reach = self.holds.map(|holds| {
            let arguments = answer.arguments.as_ref().unwrap_or(&request.arguments);
            let pin = |name: &String| {
                let place = match name.starts_with('/') {
                    true => name.clone(),
                    false => format!("/{}", name.replace('~', "~0").replace('/', "~1")),
                };
                let value = arguments.pointer(&place).cloned().ok_or_else(|| {
                    Error::new(Code::InputInvalid, format!("the call has no argument `{name}`"))
                        .with_help(format!("its arguments are {arguments}"))
                })?;
                Ok((place, value))
            };
            let pinned = holds.pinned.iter().map(pin).collect::<Result<_>>()?;
            let until = holds.time.map(|time| at.plus(time));
            Ok::<_, Error>(Reach { everywhere: holds.everywhere, pinned, until })
        });
        answer.reach = reach.transpose()?;
        (answer.by, answer.at, answer.digest) = (Some(self.by), Some(at), self.seen.or(request.digest));
        Ok(answer)
    }
}

impl Approvals {
    pub(crate) fn new(adjutant: Adjutant) -> Self {
        Self(adjutant)
    }

    /// The calls that wait for a person, those that have waited longest first.
    pub async fn waiting(&self) -> Result<Vec<Approval>> {
        let asking = self.0.engine().asking(PREFIX, None).await?;
        Ok(asking.into_iter().filter_map(approval).collect())
    }

    /// The call that is meant by its id, by a beginning of it, or by its run where only one call of that run waits.
    ///
    /// Fails with [`Code::NotFound`], with [`Code::Conflict`] saying who has decided, and with [`Code::InputInvalid`] where
    /// several are meant.
    pub async fn find(&self, id: &str) -> Result<Approval> {
        let mut waiting = self.waiting().await?;
        if let Some(place) = waiting.iter().position(|approval| approval.id == id) {
            return Ok(waiting.swap_remove(place));
        }
        // Of both parts the beginning is enough: of the run and of the place in it.
        let (run, place) = id.split_once(':').unwrap_or((id, ""));
        waiting.retain(|approval| {
            let (of, at) = approval.id.split_once(':').unwrap_or((&approval.id, ""));
            !run.is_empty() && of.starts_with(run) && at.starts_with(place)
        });
        // `call1` is not meant to be the beginning of `call10`.
        let of_one_run = waiting.windows(2).all(|pair| matches!(pair, [one, next] if one.run == next.run));
        let whole = waiting.iter().position(|approval| approval.id.ends_with(&format!(":{place}")));
        if let Some(whole) = whole.filter(|_| of_one_run) {
            return Ok(waiting.swap_remove(whole));
        }
        match waiting.as_slice() {
            [_] => Ok(waiting.swap_remove(0)),
            [_, ..] => {
                Err(Error::new(Code::InputInvalid, format!("several calls that wait begin with `{id}`"))
                    .with_help(type_more(waiting.iter().map(|approval| approval.id.as_str()))))
            }
            [] => {
                if let Some((run, place)) = id.split_once(':')
                    && let Ok(run) = self.0.find(run).await
                    && let Some(told) = self.told(run.id(), &format!("{PREFIX}{place}")).await?
                {
                    return Err(Error::new(Code::Conflict, format!("`{id}` waits no more: {told}")));
                }
                Err(Error::new(Code::NotFound, format!("no call `{id}` waits for a person"))
                    .with_help("`adjutant approvals` lists those that do"))
            }
        }
    }

    /// Answers a request; somebody who drives the run goes on with it. The first answer counts.
    ///
    /// Fails with [`Code::Conflict`] where somebody has answered, saying who and what, where the call is another one than
    /// was seen, and where the request has expired; and with [`Code::InputInvalid`] or [`Code::ToolArguments`] where the
    /// answer makes no sense or changed arguments do not fit.
    pub async fn decide(&self, run: &RunId, signal: &str, verdict: Verdict) -> Result<Answer> {
        let engine = self.0.engine();
        let asking = engine.asking(signal, Some(run)).await?.into_iter();
        let asking = asking.filter_map(approval).find(|asking| asking.run == *run && asking.signal == signal);
        let Some(asking) = asking else {
            return Err(match self.told(run, signal).await? {
                Some(told) => late(&told),
                None => Error::new(Code::Conflict, format!("the run `{run}` does not wait for `{signal}`")),
            });
        };
        if let Some(answer) = &asking.answer {
            return Err(late(&answer.told()));
        }
        let now = SystemClock.now();
        let mut answer = verdict.answer(&asking.request, now)?;
        answer.check(&asking.request, now)?;
        if let Some(edited) = answer.arguments.take() {
            answer.arguments = Some(self.fitting(run, &asking.request.tool, &edited).await?);
        }
        match start::approve(engine.as_ref(), run, signal, &answer).await {
            Err(error) if error.code() == Code::Conflict => {
                Err(self.told(run, signal).await?.map_or(error, |told| late(&told)))
            }
            sent => sent.map(|()| answer),
        }
    }

    /// The grants, the newest first; those too that are over.
    pub async fn grants(&self) -> Result<Vec<Grant>> {
        self.0.engine().grants(None).await
    }

    /// Takes a grant back: the next call asks again. Fails with [`Code::NotFound`], and with [`Code::Conflict`] where
    /// somebody has taken it back, saying who.
    pub async fn revoke(&self, id: &str, by: &str, reason: Option<String>) -> Result<Grant> {
        let revoked = Revoked { by: by.to_owned(), at: SystemClock.now(), reason };
        let grant = self.0.engine().revoke(id, revoked.clone()).await?;
        match &grant.revoked {
            Some(there) if *there != revoked => {
                let why = there.reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
                let message = format!("{} has taken the grant `{id}` back already{why}", there.by);
                Err(Error::new(Code::Conflict, message)
                    .with_help("`adjutant approvals grants --all` says when"))
            }
            _ => Ok(grant),
        }
    }

    /// Who has answered to a signal, and what, where somebody has or nobody did in time.
    async fn told(&self, run: &RunId, signal: &str) -> Result<Option<String>> {
        let engine = self.0.engine();
        let sent = engine.asking(signal, Some(run)).await?.into_iter().filter_map(approval);
        if let Some(answer) = sent.filter(|asking| asking.run == *run).find_map(|asking| asking.answer) {
            return Ok(Some(answer.told()));
        }
        let (mut key, mut told) = (None, None);
        for record in engine.history(run, 0).await? {
            match record.entry {
                Entry::Issued {
                    key: asked, operation: Operation { kind: Kind::Signal, name, .. }, ..
                } if name == signal => {
                    key = Some(asked);
                }
                Entry::Completed { key: answered, outcome } if key.as_ref() == Some(&answered) => {
                    told = outcome
                        .ok()
                        .and_then(|answer| answer.to::<Answer>().ok())
                        .map(|answer| answer.told());
                }
                Entry::Dropped { key: dropped } if key.as_ref() == Some(&dropped) => {
                    told = Some("nobody answered in time, so the call was refused".to_owned());
                }
                _ => {}
            }
        }
        Ok(told)
    }

    /// Arguments as the tool takes them that a run is pinned to.
    async fn fitting(
        &self,
        run: &RunId,
        tool: &str,
        edited: &serde_json::Value,
    ) -> Result<serde_json::Value> {
        let engine = self.0.engine();
        let pinned = engine.definition(engine.info(run).await?.definition).await?;
        let definition: Definition = pinned.to()?;
        match definition.tool(tool) {
            Some(spec) => arguments(spec, &edited.to_string()),
            None => Ok(edited.clone()),
        }
    }
}

fn late(told: &str) -> Error {
    Error::new(Code::Conflict, format!("too late: {told}"))
        .with_help("the first answer counts; `adjutant runs cancel` stops the run")
}

/// What is asked as an approval; none where it is something else.
fn approval(asking: Asking) -> Option<Approval> {
    let request = asking.request.to().ok()?;
    let place = asking.signal.strip_prefix(PREFIX)?;
    Some(Approval {
        id: format!("{}:{place}", asking.run),
        run: asking.run,
        agent: asking.agent,
        state: asking.state,
        session: asking.session,
        user: asking.user,
        request,
        since: asking.since,
        answer: asking.answer.map(|answer| answer.to().unwrap_or_default()),
        signal: asking.signal,
    })
}

impl fmt::Debug for Approvals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Approvals").finish()
    }
}
