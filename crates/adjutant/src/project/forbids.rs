//! What the policies of now forbid, whatever a run has pinned.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_agent::rules::Forbids;
use adjutant_policy::cedar::{File, Mode, Policies, Schema};
use adjutant_policy::{Outcome, Request, Verdict};

use super::policies;

/// The forbids of a project as its files are at each moment. A forbid that is written while a run is under way stops the
/// next call of it.
pub(crate) struct Current {
    folder: PathBuf,
    mode: Mode,
    schema: Schema,
    /// The files as they were last, and what they came to.
    last: Mutex<(Vec<File>, Option<Arc<Policies>>)>,
}

impl Current {
    /// Those of the project in a folder, whose policies were these.
    pub(super) fn new(folder: PathBuf, mode: Mode, schema: Schema, read: Option<&Arc<Policies>>) -> Self {
        let files = read.map(|read| read.files().to_vec()).unwrap_or_default();
        Self { folder, mode, schema, last: Mutex::new((files, read.cloned())) }
    }

    /// The policies of now; none where there are none. Fails where they cannot be read.
    fn now(&self) -> Result<Option<Arc<Policies>>, String> {
        let files = policies::files(&self.folder).map_err(|error| error.to_string())?;
        if files.is_empty() {
            return Ok(None);
        }
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.0 != files || last.1.is_none() {
            let read = Policies::parse(&files, self.mode, &self.schema)
                .map_err(|problems| problems.first().map(ToString::to_string).unwrap_or_default())?;
            *last = (files, Some(Arc::new(read)));
        }
        Ok(last.1.clone())
    }
}

impl Forbids for Current {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        if self.mode == Mode::LogOnly {
            return None;
        }
        match self.now() {
            Ok(policies) => policies?.decide_forbids(request),
            // A forbid may stand in what cannot be read.
            Err(why) => Some(Verdict {
                outcome: Outcome::Deny,
                policies: Vec::new(),
                reason: format!("the policies cannot be read as they are now: {why}"),
                tell: Some("nothing can be done here until an operator has mended the policies".to_owned()),
                watched: None,
                version: None,
            }),
        }
    }
}
