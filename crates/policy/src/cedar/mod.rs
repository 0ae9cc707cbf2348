//! Policies in Cedar: what a project's files say of what its agents may do.
//!
//! A [`Schema`] is what policies can speak of, [`Policies`] are read against it once, and decide a
//! [`Request`](crate::Request) in microseconds: only the policies of its action and its principal are looked at
//! (`slice`), and only what these look at is made (`needs`).

mod annotation;
mod context;
mod decide;
mod evidence;
mod findings;
mod ledger;
mod needs;
mod pack;
mod problem;
mod rule;
mod schema;
mod session;
mod set;
mod slice;
mod tell;
mod types;
mod value;

pub use findings::{Finding, Kind, Severity};
pub(crate) use ledger::Ledger;
pub use pack::{LOCKDOWN, PACK};
pub use problem::Problem;
pub use schema::{Claim, Schema, Vocabulary};
pub use set::{File, Mode, Pinned, Policies};
pub use value::read_moment as moment;
