//! What a server offers, page by page.

use std::collections::BTreeSet;

use adjutant_core::{Code, Error, Result};
use rmcp::model::{PaginatedRequestParams, Tool};
use serde_json::{Map, Value};

use super::clean;
use super::connection::{Connection, Unanswered};
use super::offer::{Described, Offer};

/// How many pages a listing may have.
const MOST_PAGES: usize = 200;

/// How many tools a server may offer.
const MOST_TOOLS: usize = 2_000;

/// How long the server's own name of a tool may be, in bytes.
const LONGEST_NAME: usize = 256;

/// Asks for all that a server offers. Fails with [`Code::ToolBroken`].
pub(super) async fn all(connection: &Connection) -> Result<Offer> {
    let mut offer = Offer::default();
    let info = connection.server();
    if let Some(info) = &info {
        offer.protocol = clean::line(info.protocol_version.as_str(), 50);
        offer.resources = info.capabilities.resources.is_some();
        if let Some(server) = &info.server_info {
            offer.server = clean::line(&format!("{} {}", server.name, server.version), 200);
        }
    }
    if info.is_some_and(|info| info.capabilities.tools.is_none()) {
        return Ok(offer);
    }
    let (mut cursor, mut seen) = (None, BTreeSet::new());
    for _ in 0..MOST_PAGES {
        let page = PaginatedRequestParams::default().with_cursor(cursor);
        let page = connection.peer().list_tools(Some(page)).await;
        let page = page.map_err(|error| broken(&Unanswered::from(error)))?;
        page.tools.iter().for_each(|tool| take(&mut offer, tool));
        if offer.tools.len() + offer.unusable.len() > MOST_TOOLS {
            return Err(odd(format!("it offers more than {MOST_TOOLS} tools")));
        }
        let Some(next) = page.next_cursor.filter(|next| !next.is_empty()) else { return Ok(offer) };
        if !seen.insert(next.clone()) {
            return Err(odd("the list of its tools turns in a circle".to_owned()));
        }
        cursor = Some(next);
    }
    Err(odd(format!("the list of its tools has more than {MOST_PAGES} pages")))
}

fn take(offer: &mut Offer, tool: &Tool) {
    let name = tool.name.as_ref();
    if name.is_empty() || name.len() > LONGEST_NAME || name.chars().any(clean::is_unseen) {
        let shown = clean::line(name, 50);
        offer
            .unusable
            .insert(shown, format!("its name is empty, longer than {LONGEST_NAME} bytes or unreadable"));
        return;
    }
    if offer.tools.remove(name).is_some() {
        // Which of both a call would reach, nobody knows.
        offer.unusable.insert(name.to_owned(), "there are two tools of this name".to_owned());
    }
    if offer.unusable.contains_key(name) {
        return;
    }
    match described(tool).examined() {
        Ok(examined) => drop(offer.tools.insert(name.to_owned(), examined)),
        Err(why) => drop(offer.unusable.insert(name.to_owned(), clean::line(&why, 300))),
    }
}

fn described(tool: &Tool) -> Described<'_> {
    let hints = tool.annotations.as_ref().and_then(|hints| serde_json::to_value(hints).ok());
    let hints = match hints {
        // Its title is for people and says nothing on what the tool does.
        Some(Value::Object(hints)) => hints.into_iter().filter(|(_, value)| value.is_boolean()).collect(),
        _ => Map::new(),
    };
    Described {
        title: tool.title.as_deref(),
        description: tool.description.as_deref(),
        input: tool.schema_as_json_value(),
        output: tool.output_schema.as_ref().map(|schema| Value::Object(schema.as_ref().clone())),
        hints,
    }
}

fn odd(why: String) -> Error {
    Error::new(Code::ToolBroken, why)
}

fn broken(unanswered: &Unanswered) -> Error {
    let why = match unanswered {
        Unanswered::Unauthorized(error) => return error.clone(),
        Unanswered::Refused(refusal) => clean::line(&refusal.message, clean::LONGEST_REASON),
        Unanswered::Unsent(why) | Unanswered::Lost(why) => why.clone(),
        Unanswered::Deadline | Unanswered::Cancelled => "there was no answer in time".to_owned(),
    };
    odd(format!("its tools cannot be listed: {why}"))
}
