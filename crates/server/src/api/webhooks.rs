//! Addresses that are told of what happens.

use adjutant_core::Result;
use adjutant_core::role::Right;
use schemars::JsonSchema;
use serde::Serialize;

use crate::endpoint::{Call, Found, Operation, Routes};
use crate::webhook::{name, places};

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/webhooks", "listWebhooks", "Addresses that are told", Right::Administer)
            .of("Webhooks")
            .said("As `[[server.webhook]]` names them, with how far each has come."),
        list,
    )
}

/// Addresses that are told of what happens.
#[derive(JsonSchema, Serialize)]
struct Webhooks {
    webhooks: Vec<Webhook>,
}

/// An address that is told of what happens.
#[derive(JsonSchema, Serialize)]
struct Webhook {
    /// What it is known by.
    id: String,
    /// Its host: the rest of an address may be a secret.
    host: String,
    /// What it is told of; everything where that is empty.
    events: Vec<String>,
    /// How many batches of records it has not heard of yet.
    behind: u64,
    /// What went wrong, where it does not take what comes next.
    #[serde(skip_serializing_if = "Option::is_none")]
    failing: Option<Failing>,
}

/// An address that does not take what comes next.
#[derive(JsonSchema, Serialize)]
struct Failing {
    /// Since when.
    since: i64,
    /// How often it was tried.
    tries: u32,
    /// What went wrong the last time.
    why: String,
}

async fn list(call: Call) -> Result<Found<Webhooks>> {
    let adjutant = call.caller.adjutant();
    let (places, last) =
        (places(adjutant.engine().as_ref()).await?, adjutant.engine().recorded_until().await?);
    let hooks = adjutant.project().settings().server.webhooks.clone();
    let told = hooks.into_iter().map(|hook| {
        let id = name(&hook);
        let place = places.iter().find(|(known, _)| *known == id).map(|(_, place)| place.clone());
        let failing = place.as_ref().and_then(|place| place.failing.clone());
        Webhook {
            host: hook.url.host_str().unwrap_or_default().to_owned(),
            events: hook.events,
            behind: place.map_or(0, |place| last.saturating_sub(place.at)),
            failing: failing.map(|failing| Failing {
                since: failing.since,
                tries: failing.tries,
                why: failing.why,
            }),
            id,
        }
    });
    Ok(Found(Webhooks { webhooks: told.collect() }))
}
