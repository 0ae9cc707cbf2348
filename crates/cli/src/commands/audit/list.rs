//! `adjutant audit list`.

use adjutant::{Adjutant, AuditFilter};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, first_line, local_time};

/// How much of the details stands in the list, in characters.
const LONGEST_DETAILS: usize = 80;

/// Lists who did what, the newest first: to runs, by the journal, and to the service, by the records of administration.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How many events to list.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    most: usize,
    /// Only what this person did.
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
    /// Only what begins so, such as `key` or `call.refused`.
    #[arg(long, value_name = "WORDS")]
    what: Option<String>,
    /// Only what was done to this run.
    #[arg(long, value_name = "RUN")]
    run: Option<String>,
    /// Only what was linked before this number, as `next` of `--json` tells it.
    #[arg(long, value_name = "LINK")]
    before: Option<u64>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { most: 50, by: None, what: None, run: None, before: None }
    }
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let filter = AuditFilter {
        by: arguments.by.clone(),
        what: arguments.what.clone(),
        run: arguments.run.as_deref().map(Into::into),
    };
    let page = adjutant.audit().list(&filter, arguments.before, arguments.most).await?;
    if output.json {
        output.json(&page)?;
        return Ok(Exit::Success);
    }
    if page.events.is_empty() {
        output.talk("nothing of that kind is recorded");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["at", "by", "what", "on", "run", "details"]);
    for event in &page.events {
        let details = match &event.details {
            serde_json::Value::Null => String::new(),
            details => first_line(&details.to_string(), LONGEST_DETAILS),
        };
        table.row([
            local_time(event.at).as_str(),
            event.by.as_deref().unwrap_or_default(),
            &event.what,
            &event.subject,
            event.run.as_ref().map_or("", |run| run.as_str()),
            &details,
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}
