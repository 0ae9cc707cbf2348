//! Policies are looked at.

use adjutant::policy::cedar::Mode;
use adjutant_core::role::Right;
use adjutant_core::{Code, Result};
use schemars::JsonSchema;
use serde::Serialize;

use super::TAG;
use crate::endpoint::{Call, Found, Operation, Routes};

pub(super) fn routes() -> Routes {
    Routes::default().on(
        Operation::get("/api/policies", "listPolicies", "The policies", Right::View)
            .of(TAG)
            .said("Those that new runs are under. Where there are none, what an agent may do is in its definition. A key with scopes needs `service:policies`.")
            .fails(&[Code::ProjectInvalid]),
        show,
    )
}

/// The policies.
#[derive(JsonSchema, Serialize)]
struct Policies {
    /// What they are known by; nothing where there are none.
    version: Option<String>,
    /// `enforce`, or `log_only` where they are only watched.
    mode: &'static str,
    /// Whether everything is off that is not known to be safe.
    lockdown: bool,
    /// Their files, in order; in a locked project those too that are added to its own.
    files: Vec<File>,
    /// The policies, in the order of the files.
    policies: Vec<Policy>,
}

/// A file of policies.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PolicyFile")]
struct File {
    /// Its name.
    name: String,
    /// What stands in it, in Cedar.
    text: String,
}

/// Where a policy begins.
#[derive(JsonSchema, Serialize)]
struct Policy {
    /// Its name.
    name: String,
    /// The file.
    file: String,
    /// The line, from 1.
    line: usize,
}

/// What somebody is confined to who sees them: they tell of every agent.
const SCOPE: &str = "service:policies";

async fn show(call: Call) -> Result<Found<Policies>> {
    call.caller.reach(SCOPE)?;
    let project = call.caller.adjutant().project();
    let settings = &project.settings().policy;
    let policies = project.policies()?;
    let mode = policies.map_or(settings.mode, |policies| policies.mode());
    let mode = Mode::WORDS.iter().find(|(_, known)| *known == mode).map_or("enforce", |(word, _)| word);
    let files = policies.into_iter().flat_map(|policies| policies.files());
    let places = policies.into_iter().flat_map(|policies| policies.places());
    Ok(Found(Policies {
        version: policies.map(|policies| policies.version().to_string()),
        mode,
        lockdown: settings.lockdown,
        files: files.map(|file| File { name: file.name.clone(), text: file.text.clone() }).collect(),
        policies: places
            .map(|(name, file, line)| Policy { name: name.to_owned(), file: file.to_owned(), line })
            .collect(),
    }))
}
