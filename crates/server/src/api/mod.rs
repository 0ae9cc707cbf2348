//! The service's own interface, `/api`: a file for each kind of thing.

mod agents;
mod approvals;
mod audit;
mod data;
mod grants;
mod health;
mod keys;
mod policies;
mod runs;
mod sessions;
mod tools;
mod triggers;
mod usage;
mod view;
mod webhooks;

use crate::endpoint::Routes;

/// Every endpoint under `/api`.
pub(crate) fn routes() -> Routes {
    Routes::default()
        .and(health::routes())
        .and(runs::routes())
        .and(sessions::routes())
        .and(approvals::routes())
        .and(webhooks::routes())
        .and(grants::routes())
        .and(agents::routes())
        .and(tools::routes())
        .and(policies::routes())
        .and(triggers::routes())
        .and(keys::routes())
        .and(data::routes())
        .and(usage::routes())
        .and(audit::routes())
}
