//! `[[server.webhook]]`: who is told of what happens.

use std::collections::BTreeMap;
use std::time::Duration;

use adjutant_agent::definition::document::{Node, Table};
use adjutant_core::nearest;
use url::Url;

use super::read::{address, secret};
use crate::project::secrets::SecretSource;

/// What can be told of.
const EVENTS: [&str; 7] = [
    "run.started",
    "run.ended",
    "run.failed",
    "run.waiting",
    "run.halted",
    "approval.requested",
    "approval.decided",
];

/// How long it is tried to tell an address of something, where nothing else is said.
const GIVE_UP_AFTER: Duration = Duration::from_secs(72 * 3600);

/// Somebody who is told of what happens, in order, signed as Standard Webhooks has it.
#[derive(Clone, Debug, PartialEq)]
pub struct OutgoingWebhook {
    /// Where it is told.
    pub url: Url,
    /// The secret with which it is signed, by its name.
    pub secret: String,
    /// What it is told of; everything where that is empty.
    pub events: Vec<String>,
    /// Whether it may stand in a private network.
    pub private: bool,
    /// How long it is tried to tell of something before what follows is told.
    pub give_up_after: Duration,
}

impl OutgoingWebhook {
    /// What can be told of.
    pub const EVENTS: [&'static str; 7] = EVENTS;

    pub(super) fn read(
        node: &Node,
        path: String,
        within: &Table<'_>,
        secrets: &BTreeMap<String, SecretSource>,
    ) -> Option<Self> {
        let table = Table::new(node, path, within.problems())?;
        table.require("url", "add `url = \"https://hooks.example.com/adjutant\"`");
        table.require("secret", "add `secret = \"name\"`, a name under `[secrets]`: what is told is signed");
        let private = table.flag("private").unwrap_or(false);
        let url = address(&table, "url", !private);
        let secret = secret(&table, "secret", secrets);
        let give_up_after = table.duration("give_up_after").unwrap_or(GIVE_UP_AFTER);
        let events = table.texts("events").unwrap_or_default();
        for (event, place) in events.iter().filter(|(event, _)| !EVENTS.contains(event)) {
            let help = match nearest(event, EVENTS) {
                Some(meant) => format!("did you mean `{meant}`?"),
                None => format!("there are `{}`", EVENTS.join("`, `")),
            };
            table.problems().report_with(*place, format!("there is no event `{event}`"), help);
        }
        table.finish();
        let events = events.into_iter().map(|(event, _)| event.to_owned()).collect();
        Some(Self { url: url?, secret: secret?, events, private, give_up_after })
    }
}
