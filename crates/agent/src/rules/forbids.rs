//! [`Forbids`]: what is forbidden from now on, also to runs that are under way.

use adjutant_policy::{Request, Verdict};

/// What is forbidden from now on, also to runs that are under way and have pinned other policies. It is asked before
/// each attempt, and can only turn a permit into a denial.
pub trait Forbids: Send + Sync + 'static {
    /// The denial of something that a run is about to do; none where nothing forbids it. What cannot be read forbids
    /// everything.
    fn forbid(&self, request: &Request) -> Option<Verdict>;
}
