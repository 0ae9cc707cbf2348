//! What a server offers, page by page.

use std::collections::BTreeSet;

use adjutant_core::{Code, Error, Result};
use rmcp::model::{PaginatedRequestParams, Tool};
use rmcp::service::ServiceError;
use serde_json::{Map, Value};

use super::connection::{Connection, Unanswered};
use super::offer::{Described, Offer};
use super::{clean, prompts};

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
    let has_tools = info.as_ref().is_none_or(|info| info.capabilities.tools.is_some());
    if has_tools {
        take_tools(connection, &mut offer).await?;
    }
    if info.is_some_and(|info| info.capabilities.prompts.is_some())
        && let Err(error) = take_prompts(connection, &mut offer).await
    {
        // Its tools can be used all the same.
        offer.unusable.insert("prompts".to_owned(), clean::line(error.message(), 300));
    }
    Ok(offer)
}

async fn take_tools(connection: &Connection, offer: &mut Offer) -> Result<()> {
    let mut pages = Pages::of("tools");
    while let Some(page) = pages.next() {
        let page = connection.peer().list_tools(Some(page)).await.map_err(|error| pages.broken(error))?;
        page.tools.iter().for_each(|tool| take(offer, tool));
        if offer.tools.len() + offer.unusable.len() > MOST_TOOLS {
            return Err(odd(format!("it offers more than {MOST_TOOLS} tools")));
        }
        pages.seen(page.next_cursor)?;
    }
    Ok(())
}

async fn take_prompts(connection: &Connection, offer: &mut Offer) -> Result<()> {
    let mut pages = Pages::of("prompts");
    while let Some(page) = pages.next() {
        let page = connection.peer().list_prompts(Some(page)).await.map_err(|error| pages.broken(error))?;
        for prompt in page.prompts.iter().filter(|prompt| is_name(&prompt.name)) {
            offer.prompts.insert(prompt.name.clone(), prompts::pinned(prompt));
        }
        if offer.prompts.len() > MOST_TOOLS {
            return Err(odd(format!("it offers more than {MOST_TOOLS} prompts")));
        }
        pages.seen(page.next_cursor)?;
    }
    Ok(())
}

/// The pages of a list, as many as are asked for.
struct Pages {
    what: &'static str,
    cursor: Option<String>,
    seen: BTreeSet<String>,
    is_over: bool,
}

impl Pages {
    fn of(what: &'static str) -> Self {
        Self { what, cursor: None, seen: BTreeSet::new(), is_over: false }
    }

    /// What asks for the next page; none after the last.
    fn next(&mut self) -> Option<PaginatedRequestParams> {
        (!self.is_over).then(|| PaginatedRequestParams::default().with_cursor(self.cursor.take()))
    }

    /// Takes the cursor that a page ended with. Fails where there is no end.
    fn seen(&mut self, cursor: Option<String>) -> Result<()> {
        self.cursor = cursor.filter(|cursor| !cursor.is_empty());
        let Some(next) = &self.cursor else {
            self.is_over = true;
            return Ok(());
        };
        if !self.seen.insert(next.clone()) {
            return Err(odd(format!("the list of its {} turns in a circle", self.what)));
        }
        if self.seen.len() >= MOST_PAGES {
            return Err(odd(format!("the list of its {} has more than {MOST_PAGES} pages", self.what)));
        }
        Ok(())
    }

    fn broken(&self, error: ServiceError) -> Error {
        let why = match Unanswered::from(error) {
            Unanswered::Refused(refusal) => clean::line(&refusal.message, clean::LONGEST_REASON),
            Unanswered::Unsent(why) | Unanswered::Lost(why) => why,
            Unanswered::Unauthorized(error) => return error,
            Unanswered::Deadline | Unanswered::Cancelled => "there was no answer in time".to_owned(),
        };
        odd(format!("its {} cannot be listed: {why}", self.what))
    }
}

/// Whether a text can be the name of something.
fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= LONGEST_NAME && !name.chars().any(clean::is_unseen)
}

fn take(offer: &mut Offer, tool: &Tool) {
    let name = tool.name.as_ref();
    if !is_name(name) {
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
