//! Approvals: calls that wait for a person.
//!
//! A [`Request`] is what a person is shown, an [`Answer`] what they say. An answer is bound to the exact call by a digest,
//! says who gave it, and holds for that call alone unless it has a [`Reach`]: then it is also a grant
//! ([`Grant`](adjutant_durable::Grant)), which the next calls are looked up in and which can be taken back. The [`Desk`]
//! is the host's side: where grants are kept, how long a request waits, and who is told of it.

mod answer;
mod ask;
mod desk;
mod grant;
mod notice;
mod request;
mod words;

use adjutant_durable::Ctx;

pub use answer::{Answer, Decision, Reach};
pub(crate) use ask::{Answered, Asked, Edited, GRANT, NOTIFY, OPENING, ask, granted, judge};
pub use desk::{Desk, Terms};
pub(crate) use grant::recheck;
pub use notice::{Notice, Notifier};
pub use request::Request;
pub use words::Argument;

/// How the names of the signals begin that approvals are given to.
pub const PREFIX: &str = "approve:";

/// The name of the signal that the approval of a call is given to.
fn signal(ctx: &Ctx) -> String {
    format!("{PREFIX}{}", place(ctx))
}

/// Where a call stands in the run, as a part of a name. A call id would not do, as models use theirs again.
pub(crate) fn place(ctx: &Ctx) -> String {
    let place = ctx.path().as_str().trim_start_matches('/').replace('/', ".").replace('#', "");
    match ctx.segment() {
        0 => place,
        segment => format!("segment{segment}.{place}"),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::Scope;
    use adjutant_durable::Moment;

    use super::*;

    #[test]
    fn each_call_of_a_run_has_a_name_of_its_own() {
        let ctx = |segment| Ctx::new("r".into(), Scope::default(), segment, Moment::default());
        let name = |ctx: &Ctx| signal(&ctx.scope("turn").scope("call"));
        let (first, second) = (ctx(0), ctx(1));
        assert_eq!(name(&first), "approve:turn0.call0");
        assert_eq!(name(&first), "approve:turn1.call0");
        assert_eq!(name(&second), "approve:segment1.turn0.call0");
    }
}
