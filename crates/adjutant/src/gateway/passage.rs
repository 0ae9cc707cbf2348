//! What stands between a client and a model of the project: its policies, what is forbidden by now, and its guardrails.

use std::sync::Arc;

use adjutant_agent::DirectGuards;
use adjutant_agent::definition::Guardrail;
use adjutant_agent::rules::Forbids;
use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_policy::facts::{Action, Principal, Request, Session, User};
use adjutant_policy::{Outcome, Verdict};

use super::Asker;
use crate::project::Project;

/// What policies call the agent that a client is which asks a model itself.
pub(crate) const AGENT: &str = "gateway";

/// What every call passes, whoever makes it.
#[derive(Clone)]
pub(crate) struct Passage {
    guardrails: Arc<[Guardrail]>,
    forbids: Arc<dyn Forbids>,
}

impl Passage {
    /// That of a project: all guardrails that it describes stand here as well.
    pub(crate) fn of(project: &Project, forbids: Arc<dyn Forbids>) -> Self {
        let described = project.settings().guardrails.values().flatten().cloned();
        Self { guardrails: described.collect(), forbids }
    }

    /// The guardrails of one exchange.
    pub(super) fn guards(&self, seed: &str) -> DirectGuards {
        DirectGuards::new(Arc::clone(&self.guardrails), seed)
    }

    /// Decides whether a model may be asked by a client. There is nobody to be asked here, so what a person would have to agree to
    /// is refused. Fails with [`Code::RunDenied`].
    pub(super) fn admit(
        &self,
        project: &Project,
        tenant: &str,
        asker: &Asker,
        model: &str,
        now: Timestamp,
    ) -> Result<()> {
        let request = Request {
            principal: Principal {
                tenant: tenant.to_owned(),
                user: Some(User { id: asker.user().to_owned(), claims: asker.claims.clone() }),
                agents: vec![AGENT.to_owned()],
            },
            action: Action::Model(model.to_owned()),
            arguments: serde_json::Map::new(),
            origins: std::collections::BTreeMap::new(),
            label: Label::default(),
            session: Session::default(),
            now,
            approved: false,
            within_task: None,
        };
        let decided = project.policies()?.map(|policies| policies.decide(&request));
        let forbidden = self.forbids.forbid(&request);
        match decided.into_iter().chain(forbidden).reduce(Verdict::stricter) {
            Some(verdict) if matches!(verdict.outcome, Outcome::Deny | Outcome::Ask) => {
                let why =
                    verdict.tell.unwrap_or_else(|| "the policies of this project do not allow it".to_owned());
                Err(Error::new(Code::RunDenied, format!("the model `{model}` may not be asked: {why}")))
            }
            _ => Ok(()),
        }
    }
}
