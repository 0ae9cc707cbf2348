//! Things as clients see them.

mod page;
mod reply;
mod run;

pub(super) use page::Paging;
pub(super) use reply::{Reply, Usage};
pub(super) use run::Run;
