//! [`Forbids`]: what is forbidden from now on, also to runs that are under way.

use adjutant_policy::{Outcome, Request, Verdict};

use super::decision::masked;

/// What is forbidden from now on, also to runs that are under way and have pinned other policies. It is asked before
/// each attempt, and can only turn a permit into a denial.
pub trait Forbids: Send + Sync + 'static {
    /// What the forbids say of something that a run is about to do: that it may not be done, that a person must have agreed
    /// to it, or what is to be masked in it. None where they say nothing. What cannot be read forbids everything.
    fn forbid(&self, request: &Request) -> Option<Verdict>;
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
