//! Policies: what stands in them, and what they decide.

mod decide;
mod show;

use crate::endpoint::Routes;

/// The part of the documentation that these stand in.
const TAG: &str = "Policies";

pub(super) fn routes() -> Routes {
    Routes::default().and(show::routes()).and(decide::routes())
}
