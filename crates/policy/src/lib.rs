//! The rules of Adjutant: what an agent may do, and where information may flow.
//!
//! Facts in, decision out. A [`Request`] is what is known of something that an agent wants to do: for whom, with which
//! arguments, where each of them came from, what was done before. A [`Verdict`] is what the policies say of it, and why.
//! Nothing here asks a person, a model or a network; who does so (approvals, judges, solvers) stands around it.

mod calls;
pub mod cedar;
pub mod detect;
pub mod facts;
pub mod flow;
pub mod narrow;
pub mod verdict;

pub use facts::Request;
pub use narrow::Narrowing;
pub use verdict::{Outcome, Verdict};
