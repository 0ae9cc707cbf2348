//! [`Decisions`]: the decision point by itself, for programs that run a loop of their own.

mod asked;
mod decision;

use std::fmt;
use std::sync::Arc;

use adjutant_agent::rules::Forbids;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_policy::cedar::Policies;
use adjutant_tool::Registry;

pub use asked::Asked;
pub use decision::{Decision, Word};

use crate::project::Project;

/// Decides by the policies of a project, and by what is forbidden since: what a run of it would be told, for programs that run a loop
/// of their own.
#[derive(Clone)]
pub struct Decisions {
    policies: Arc<Policies>,
    tools: Registry,
    forbids: Option<Arc<dyn Forbids>>,
    tenant: Arc<str>,
}

impl Decisions {
    /// Those of a project.
    ///
    /// Fails with [`Code::NotFound`] where it has no policies, and with [`Code::ProjectInvalid`] where they cannot be read.
    pub fn of(project: &Project) -> Result<Self> {
        Self::within(project, project.forbids())
    }

    /// Those of a project, where it is known what is forbidden by now.
    pub(crate) fn within(project: &Project, forbids: Option<Arc<dyn Forbids>>) -> Result<Self> {
        let policies = project.policies()?.cloned().ok_or_else(none)?;
        let tenant = Arc::clone(&project.settings().scope.tenant);
        Ok(Self { policies, tools: project.reachable_tools(), forbids, tenant })
    }

    /// Decides something.
    ///
    /// Fails with [`Code::InputInvalid`], [`Code::ToolArguments`] and the like where it does not say what is asked for, names agents or
    /// claims that there are not, or asks for a call that the tool would refuse.
    pub fn decide(&self, asked: &Asked, now: Timestamp) -> Result<Decision> {
        let request = asked.request(&self.tools, self.policies.schema(), &self.tenant, now)?;
        let verdict = self.policies.decide(&request);
        let verdict = match self.forbids.as_ref().and_then(|forbids| forbids.forbid(&request)) {
            Some(forbidden) => verdict.stricter(forbidden),
            None => verdict,
        };
        Ok(Decision::new(asked.id().cloned(), verdict))
    }

    /// The policies that decide.
    pub fn policies(&self) -> &Policies {
        &self.policies
    }
}

fn none() -> Error {
    Error::new(Code::NotFound, "the project has no policies: what its agents may do is in their definitions")
        .with_help("write some: `policies/desk.cedar`; docs/policy.md says how")
}

impl fmt::Debug for Decisions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Decisions").field("version", &self.policies.version()).finish_non_exhaustive()
    }
}
