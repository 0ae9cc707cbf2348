//! [`Audit`]: who did what, and whether all is as it was recorded.

mod event;

use std::fmt;

use adjutant_core::Result;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_durable::{Act, Verified, Verify};
use serde::Serialize;
use serde_json::Value;

use crate::adjutant::Adjutant;

pub use event::AuditEvent;

/// How many links are read at a time.
const LINKS: usize = 500;

/// Who did what to the service and to runs, and what policies kept runs from doing. It is no second log: it is read from the journals and from the records of
/// administration, which hang on one chain.
#[derive(Clone)]
pub struct Audit(Adjutant);

/// Which events are meant; all of them by default.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AuditFilter {
    /// Those of this person: as they are written, or by their name or the id of their key alone.
    pub by: Option<String>,
    /// Those whose words begin so: `key` is everything that was done with keys.
    pub what: Option<String>,
    /// Those of this run.
    pub run: Option<RunId>,
}

impl AuditFilter {
    fn means(&self, event: &AuditEvent) -> bool {
        self.by.as_deref().is_none_or(|by| event.by.as_deref().is_some_and(|found| is_who(found, by)))
            && self.what.as_ref().is_none_or(|what| event.what.starts_with(what.as_str()))
            && self.run.as_ref().is_none_or(|run| event.run.as_ref() == Some(run))
    }
}

/// Whether somebody whom a record names is meant: `ann`, `ann (token)`, or the key `k` as `the desk (key k)`.
fn is_who(found: &str, wanted: &str) -> bool {
    let told = found.strip_suffix(')').and_then(|found| found.rsplit_once(" ("));
    found == wanted
        || told.is_some_and(|(name, which)| name == wanted || which.strip_prefix("key ") == Some(wanted))
}

/// Events, the newest first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditPage {
    /// What happened.
    pub events: Vec<AuditEvent>,
    /// What to give as `before` for the page after this one; none after the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<u64>,
}

impl Audit {
    pub(crate) fn new(adjutant: Adjutant) -> Self {
        Self(adjutant)
    }

    /// Events, the newest first: at least `most`, unless there are no more, of links before a number. A link is never divided.
    pub async fn list(&self, filter: &AuditFilter, before: Option<u64>, most: usize) -> Result<AuditPage> {
        let (mut events, mut before) = (Vec::new(), before);
        loop {
            let links = self.0.engine().links(before, LINKS, event::TELLING).await?;
            if links.is_empty() {
                return Ok(AuditPage { events, next: None });
            }
            for link in links {
                if events.len() >= most {
                    return Ok(AuditPage { events, next: before });
                }
                before = Some(link.number);
                events.extend(event::of(link).into_iter().filter(|event| filter.means(event)));
            }
        }
    }

    /// Records that somebody did something that only the caller knows of, such as reading policies anew. Keys, grants, versions,
    /// labels, pruning and erasing are recorded by those who do them.
    pub async fn record(&self, by: &str, what: &str, subject: &str, details: Value) -> Result<()> {
        let act = Act::new(by, what, subject, self.0.now()).with(Json::from(details));
        self.0.engine().administer(act).await
    }

    /// Compares everything with the chain. What is wrong is part of the answer.
    pub async fn verify(&self, verify: Verify) -> Result<Verified> {
        self.0.engine().verify(verify).await
    }
}

impl fmt::Debug for Audit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Audit").finish()
    }
}
