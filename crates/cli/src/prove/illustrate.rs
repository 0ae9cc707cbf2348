//! [`illustrate`]: one request that policies allow, and one that they deny.

use adjutant::policy::Request;
use adjutant::policy::cedar::Policies;
use adjutant_core::Result;
use cedar_policy::Policy;

use super::example;
use super::level::{Level, is_watched};
use super::sample::Samples;
use super::solver::Solver;
use super::space::{Kind, Space};

/// One request that policies allow, and one of the same action that they do not.
#[derive(Clone, Debug, Default)]
pub(crate) struct Illustration {
    pub(crate) allowed: Option<Request>,
    pub(crate) denied: Option<Request>,
}

impl Illustration {
    fn has_both(&self) -> bool {
        self.allowed.is_some() && self.denied.is_some()
    }
}

/// Finds one request that policies allow, and one of the same action that they do not, be it that they ask. By the solver
/// where there is one; otherwise of requests that are made up. Both are decided before they are shown.
pub(crate) async fn illustrate(policies: &Policies, mut solver: Option<&mut Solver>) -> Result<Illustration> {
    let space = Space::of(policies.schema(), &[policies])?;
    let mut best = Illustration::default();
    let kinds = space.kinds();
    // What a policy names is what it is about; a policy for all actions is shown by any.
    let about = |kind: &&Kind| {
        let all: Vec<_> = policies.set().policies().filter(|policy| space.reaches(policy, kind)).collect();
        all.len() > 1 || all.len() == policies.set().policies().count()
    };
    let reached = kinds.iter().filter(about).chain(kinds.iter().filter(|kind| !about(kind)));
    for kind in reached {
        for level in Level::ALL {
            let found = match solver.as_deref_mut() {
                Some(solver) => proved(&space, policies, level, kind, solver).await,
                None => sampled(&space, policies, level, &kind.action),
            };
            if found.has_both() {
                return Ok(found);
            }
            best.allowed = best.allowed.or(found.allowed);
            best.denied = best.denied.or(found.denied);
        }
    }
    Ok(best)
}

async fn proved(
    space: &Space,
    policies: &Policies,
    level: Level,
    kind: &Kind,
    solver: &mut Solver,
) -> Illustration {
    let all = policies.set().policies();
    let all: Vec<&Policy> = all.filter(|policy| !is_watched(policy) && space.reaches(policy, kind)).collect();
    let Ok(set) = space.compile(level, all.iter().copied(), kind) else { return Illustration::default() };
    let allowed = solver.ask(async |c| c.check_always_denies_with_counterexample_opt(&set).await).await;
    // What is denied must be denied by the policies, not by what no request is like.
    let Ok(any) = space.compile(level, [space.anything()], kind) else { return Illustration::default() };
    let denied = solver.ask(async |c| c.check_implies_with_counterexample_opt(&any, &set).await).await;
    let request = |found: std::result::Result<Option<cedar_policy_symcc::Env>, String>, reached: bool| {
        example::of(&found.ok()??, &space.looks, policies.schema(), |request| {
            level.is_reached(&policies.decide(request)) == reached
        })
    };
    Illustration { allowed: request(allowed, true), denied: request(denied, false) }
}

fn sampled(space: &Space, policies: &Policies, level: Level, action: &str) -> Illustration {
    let mut found = Illustration::default();
    let samples = Samples::of(space, policies.schema(), vec![action.to_owned()]).take(Samples::MANY);
    for request in samples {
        let place = match level.is_reached(&policies.decide(&request)) {
            true => &mut found.allowed,
            false => &mut found.denied,
        };
        place.get_or_insert(request);
        if found.has_both() {
            break;
        }
    }
    found
}
