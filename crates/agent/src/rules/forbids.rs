//! [`Forbids`]: what is forbidden from now on, also to runs that are under way.

use std::sync::Arc;

use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;
use adjutant_policy::facts::Action;
use adjutant_policy::{Outcome, Request, Verdict};

use super::decision::{Considered, masked, request, why};
use super::log::Log;
use crate::runtime::Runtime;

/// What is forbidden from now on, also to runs that are under way and have pinned other policies. It is asked before
/// each attempt, and can only turn a permit into a denial.
pub trait Forbids: Send + Sync + 'static {
    /// What the forbids say of something that a run is about to do: that it may not be done, that a person must have agreed
    /// to it, or what is to be masked in it. None where they say nothing. What cannot be read forbids everything.
    fn forbid(&self, request: &Request) -> Option<Verdict>;
}

/// Keeps a model from being asked once that is forbidden, at each attempt. It is open where nothing forbids.
#[derive(Clone, Default)]
pub(crate) struct Gate(Option<(Arc<dyn Forbids>, Arc<Request>)>);

impl Gate {
    /// That before a model which is sent something with this label.
    pub(super) fn of_model(ctx: &Ctx, agent: &Runtime, log: &Log, model: &str, label: &Label) -> Self {
        let considered = Considered::new(Action::Model(model.to_owned()));
        let request = || {
            let request = request(ctx, agent, &considered, label);
            Arc::new(Request { session: log.session(), ..request })
        };
        Self(agent.forbids.clone().map(|forbids| (forbids, request())))
    }

    /// Fails with [`Code::RunDenied`] while it is closed. There is nothing to record where it is open.
    pub(crate) fn pass(&self) -> Result<Option<Json>> {
        let denial = self.0.as_ref().and_then(|(forbids, request)| denial(forbids.as_ref(), request));
        match denial {
            Some(verdict) => Err(Error::new(Code::RunDenied, why(&verdict))
                .with_help("`adjutant policy forbids` lists what is forbidden by now, and `adjutant policy check` says whether the policies can be read")),
            None => Ok(None),
        }
    }
}

/// The denial of an attempt by what is forbidden by now. What has nothing left to be masked may be made; where a person is to
/// be asked only now, the call is to be made again, so that they are.
pub(crate) fn denial(forbids: &dyn Forbids, request: &Request) -> Option<Verdict> {
    let verdict = forbids.forbid(request)?;
    let denies = match &verdict.outcome {
        Outcome::Deny => true,
        Outcome::Ask => !request.approved,
        Outcome::Redact(kinds) => masked(request.arguments.clone(), kinds) != request.arguments,
        Outcome::Allow => false,
    };
    denies.then_some(verdict)
}
