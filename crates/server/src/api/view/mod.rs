//! Things as clients see them.

mod reply;
mod run;

pub(super) use reply::{Reply, Usage};
pub(super) use run::Run;
