//! Who did what.

use adjutant::AuditFilter;
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::data::unconfined;
use super::view;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/audit", "listAudit", "Who did what", Right::Administer)
            .of("Audit")
            .said(
                "To the service and to runs, the newest first. It is read from what was recorded, whose chain of hashes `adjutant audit \
                 verify` compares. A page may hold more than `limit`: what was recorded together stands together.",
            ),
        list,
    )
}

/// Which events.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Which {
    /// Those of this person.
    by: Option<String>,
    /// Those whose words begin so: `key` is everything that was done with keys.
    what: Option<String>,
    /// Those of this run.
    run: Option<String>,
    /// About how many to give; 50 where it is not given.
    #[schemars(range(min = 1, max = 200))]
    limit: Option<usize>,
    /// The cursor of the page: `next` of the one before.
    after: Option<String>,
}

/// A page of events.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditPage")]
struct Events {
    events: Vec<Event>,
    /// The cursor of the page that follows; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

/// Something that somebody did.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "AuditEvent")]
struct Event {
    /// The link of the chain that holds it.
    link: u64,
    /// When.
    at: i64,
    /// Who; none where it was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    by: Option<String>,
    /// What, such as `call.allowed`.
    what: String,
    /// On what: an agent, a key, a grant, a name.
    subject: String,
    /// The run, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// What else is known.
    details: Value,
}

async fn list(call: Call<Nothing, Which>) -> Result<Found<Events>> {
    unconfined(&call.caller)?;
    let Which { by, what, run, limit, after } = call.query;
    let most = view::Paging::read(limit, None)?.most;
    let after = after.map(|after| after.parse().map_err(|_| nowhere(&after))).transpose()?;
    let filter = AuditFilter { by, what, run: run.map(|run| run.as_str().into()) };
    let page = call.caller.adjutant().audit().list(&filter, after, most).await?;
    let events = page.events.into_iter().map(|event| Event {
        link: event.link,
        at: event.at.0,
        by: event.by,
        what: event.what,
        subject: event.subject,
        run: event.run.map(|run| run.to_string()),
        details: event.details,
    });
    Ok(Found(Events { events: events.collect(), next: page.next.map(|next| next.to_string()) }))
}

fn nowhere(after: &str) -> Error {
    Error::new(Code::InputInvalid, format!("`{after}` is not a place in the list"))
        .with_help("begin without one, and take `next` of each page for the one after it")
}
