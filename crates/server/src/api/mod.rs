//! The service's own interface, `/api`: a file for each kind of thing.

mod approvals;
mod health;
mod runs;
mod sessions;
mod view;

use crate::endpoint::Routes;

/// Every endpoint under `/api`.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .and(health::routes())
        .and(runs::routes())
        .and(sessions::routes())
        .and(approvals::routes())
}
