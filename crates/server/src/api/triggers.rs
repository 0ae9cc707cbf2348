//! Triggers: what begins runs without a person.

use adjutant::durable::{Fate, Occurrence};
use adjutant::project::{TriggerSettings, TriggerSource};
use adjutant::{Triggers, version_of};
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::view;
use crate::access::Caller;
use crate::endpoint::{Accepted, Call, Found, Nothing, Operation, Optional, Routes};

/// The part of the documentation that these stand in.
const TAG: &str = "Triggers";
/// The most occurrences that are given at once, and how many where nothing is said.
const MOST: usize = 1_000;
const USUAL: usize = 50;

pub(super) fn routes() -> Routes {
    Routes::default()
        .on(
            Operation::get("/api/triggers", "listTriggers", "The triggers", Right::View)
                .of(TAG)
                .said("They are the project's own tenant's; another one has none."),
            list,
        )
        .on(
            Operation::get(
                "/api/triggers/{trigger}/occurrences",
                "listOccurrences",
                "What it has come to",
                Right::View,
            )
            .of(TAG)
            .said("The newest first: each run, and each time or file that was passed over, with why.")
            .fails(&[Code::NotFound]),
            occurrences,
        )
        .on(
            Operation::post(
                "/api/triggers/{trigger}/fire",
                "fireTrigger",
                "Begin a run of it now",
                Right::Run,
            )
            .of(TAG)
            .said("Whether it is on or off and whatever is under way.")
            .fails(&[Code::NotFound, Code::Conflict, Code::RunBudget]),
            fire,
        )
}

/// The triggers.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Triggers")]
struct All {
    triggers: Vec<Trigger>,
}

/// A trigger.
#[derive(JsonSchema, Serialize)]
struct Trigger {
    /// Its name.
    name: String,
    /// The agent or workflow that it runs, with a version where one is named.
    run: String,
    /// Where its occurrences come from.
    on: Source,
    /// Whether it is on.
    enabled: bool,
    /// When it comes due next; nothing of one that is off, or that watches a folder.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<i64>,
    /// What it came to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    last: Option<Came>,
}

/// Where the occurrences of a trigger come from.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "TriggerSource")]
enum Source {
    /// The times of a cron expression, with its time zone.
    Cron(String),
    /// The files of a folder whose names look so.
    Folder(String),
    /// Messages that come to this path.
    Webhook(String),
}

impl Source {
    fn of(source: &TriggerSource) -> Self {
        match source {
            TriggerSource::Cron { schedule, .. } => Self::Cron(schedule.text().to_owned()),
            TriggerSource::Folder { shown, pattern, .. } => Self::Folder(format!("{shown}/{pattern}")),
            TriggerSource::Webhook { path, .. } => Self::Webhook(format!("/hooks/{path}")),
        }
    }
}

/// Something that a trigger has come to.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "Occurrence")]
struct Came {
    /// What it is known by.
    key: String,
    /// When it came due.
    due: i64,
    /// When it was decided what becomes of it.
    at: i64,
    /// The run that it became.
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<String>,
    /// Why it was passed over, where it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    skipped: Option<String>,
    /// How many in a row this stands for.
    count: u64,
}

impl From<Occurrence> for Came {
    fn from(occurrence: Occurrence) -> Self {
        let (run, skipped, count) = match occurrence.fate {
            Fate::Admitted(run) => (Some(run.to_string()), None, 1),
            Fate::Skipped { why, count } => (None, Some(why), count),
        };
        Self { key: occurrence.key, due: occurrence.due.0, at: occurrence.at.0, run, skipped, count }
    }
}

/// Whether a trigger runs something that the caller may see.
fn is_theirs(caller: &Caller, trigger: &TriggerSettings) -> bool {
    caller.who().sees(version_of(&trigger.run).0, None)
}

async fn list(call: Call) -> Result<Found<All>> {
    let triggers = call.caller.adjutant().triggers();
    let mut all = Vec::new();
    for (name, trigger) in triggers.all() {
        if !is_theirs(&call.caller, &trigger) {
            continue;
        }
        let last = triggers.log(Some(&name), 1).await?.pop().map(Into::into);
        let next = triggers.upcoming(&trigger).map(|next| next.0);
        let on = Source::of(&trigger.source);
        all.push(Trigger { name, run: trigger.run, on, enabled: trigger.enabled, next, last });
    }
    Ok(Found(All { triggers: all }))
}

/// One trigger.
#[derive(Deserialize, JsonSchema)]
struct TriggerPath {
    /// Its name.
    trigger: String,
}

impl TriggerPath {
    /// The triggers, where this is one of them that the caller may see. Fails with [`Code::NotFound`].
    fn known(&self, caller: &Caller) -> Result<Triggers> {
        let triggers = caller.adjutant().triggers();
        match triggers.all().get(&self.trigger) {
            Some(trigger) if is_theirs(caller, trigger) => Ok(triggers),
            _ => Err(Error::new(Code::NotFound, format!("there is no trigger `{}`", self.trigger))
                .with_help("`GET /api/triggers` lists those that there are")),
        }
    }
}

/// How many.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct HowMany {
    /// The most to give; 50 where it is not given.
    #[schemars(range(min = 1, max = 1000))]
    limit: Option<usize>,
}

/// What a trigger has come to.
#[derive(JsonSchema, Serialize)]
struct Occurrences {
    occurrences: Vec<Came>,
}

async fn occurrences(call: Call<TriggerPath, HowMany>) -> Result<Found<Occurrences>> {
    let most = call.query.limit.unwrap_or(USUAL);
    if most == 0 || most > MOST {
        return Err(Error::new(Code::InputInvalid, format!("`limit` is 1 to {MOST}")));
    }
    let found = call.path.known(&call.caller)?.log(Some(&call.path.trigger), most).await?;
    Ok(Found(Occurrences { occurrences: found.into_iter().map(Into::into).collect() }))
}

/// What a trigger is fired with.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Firing {
    /// The name of a file, of a trigger that watches a folder.
    #[serde(default)]
    file: Option<String>,
}

async fn fire(call: Call<TriggerPath, Nothing, Optional<Firing>>) -> Result<Accepted<view::Run>> {
    let triggers = call.path.known(&call.caller)?;
    let run = triggers.fire(&call.path.trigger, call.body.0.file.as_deref()).await?;
    let info = run.info().await?;
    Ok(Accepted(format!("/api/runs/{}", run.id()), info.into()))
}
