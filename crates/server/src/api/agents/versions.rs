//! What was published of agents and workflows.

use adjutant::durable::{Change, Labels, Version};
use adjutant::{Adjutant, Difference, Published, VersionEvent};
use adjutant_core::role::Right;
use adjutant_core::{Code, Error, Result};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::show::{Label, Part};
use super::{AgentPath, TAG, seen};
use crate::endpoint::{Call, Found, Nothing, Operation, Optional, Routes};

pub(super) fn routes() -> Routes {
    let missing: &[Code] = &[Code::NotFound];
    Routes::default()
        .on(
            Operation::get(
                "/api/agents/{agent}/versions",
                "listVersions",
                "What was published of it",
                Right::View,
            )
            .of(TAG)
            .said("The newest first. Without labels new runs get what the project's files say."),
            list,
        )
        .on(
            Operation::get(
                "/api/agents/{agent}/versions/{version}",
                "showVersion",
                "A published version",
                Right::View,
            )
            .of(TAG)
            .said("By its hash, the beginning of that, or a label: the definition as it is kept.")
            .fails(missing),
            show,
        )
        .on(
            Operation::post("/api/agents/{agent}/versions", "publishVersion", "Publish it", Right::Change)
                .of(TAG)
                .said("As the project's files say it now, with all that it asks. Policies are no part of it.")
                .fails(&[Code::NotFound, Code::Conflict]),
            publish,
        )
        .on(
            Operation::get(
                "/api/agents/{agent}/changes",
                "listChanges",
                "What was published and changed",
                Right::View,
            )
            .of(TAG)
            .said("The oldest first: who, when, from what to what."),
            changes,
        )
        .on(
            Operation::get(
                "/api/agents/{agent}/diff",
                "diffVersions",
                "How two versions of it differ",
                Right::View,
            )
            .of(TAG)
            .fails(missing),
            diff,
        )
}

/// What was published of an agent or workflow.
#[derive(JsonSchema, Serialize)]
struct Versions {
    versions: Vec<OneVersion>,
    /// How new runs are shared among labels; not at all where it is empty.
    split: Vec<Part>,
}

/// A published version.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PublishedVersion")]
struct OneVersion {
    /// The hash of its definition.
    version: String,
    /// The agent or workflow.
    agent: String,
    /// Who published it.
    by: String,
    /// When.
    at: i64,
    /// Its labels.
    labels: Vec<String>,
}

impl OneVersion {
    fn of(version: Version, labels: &Labels) -> Self {
        let own = labels.versions.iter().filter(|(_, definition)| **definition == version.definition);
        Self {
            labels: own.map(|(label, _)| label.clone()).collect(),
            version: version.definition.to_string(),
            agent: version.name,
            by: version.by,
            at: version.at.0,
        }
    }
}

async fn list(call: Call<AgentPath>) -> Result<Found<Versions>> {
    let name = call.path.seen(&call.caller)?;
    let versions = call.caller.adjutant().versions();
    let labels = versions.labels(name).await?;
    let listed = versions.list(Some(name)).await?;
    let listed = listed.into_iter().map(|version| OneVersion::of(version, &labels)).collect();
    Ok(Found(Versions { versions: listed, split: labels.split.into_iter().map(Into::into).collect() }))
}

/// One version.
#[derive(Deserialize, JsonSchema)]
struct VersionPath {
    /// The agent or workflow.
    agent: String,
    /// A label, or the beginning of a hash.
    version: String,
}

/// A version in full.
#[derive(JsonSchema, Serialize)]
struct Whole {
    /// The hash of its definition.
    version: String,
    /// The label by which it was found.
    #[serde(skip_serializing_if = "Option::is_none")]
    label: Option<String>,
    /// The definition as it is kept.
    definition: Value,
}

async fn show(call: Call<VersionPath>) -> Result<Found<Whole>> {
    let adjutant = call.caller.adjutant();
    let name = seen(&call.caller, &call.path.agent)?;
    let chosen = adjutant.versions().find(name, &call.path.version).await?;
    let definition = adjutant.engine().definition(chosen.definition).await?.value();
    Ok(Found(Whole { version: chosen.definition.to_string(), label: chosen.label, definition }))
}

/// What is done with what is published.
#[derive(Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Publishing {
    /// The label that it is given, too, such as `stable` or `canary`.
    #[serde(default)]
    label: Option<String>,
}

/// What was published.
#[derive(JsonSchema, Serialize)]
struct IsPublished {
    /// The version.
    version: OneVersion,
    /// Whether it is new; otherwise it is what was published before.
    new: bool,
}

async fn publish(call: Call<AgentPath, Nothing, Optional<Publishing>>) -> Result<Found<IsPublished>> {
    let name = call.path.seen(&call.caller)?;
    only_name(name)?;
    let (versions, by) = (call.caller.adjutant().versions(), &call.caller.who().by);
    let Published { version, new } = versions.publish(name, by).await?;
    if let Some(label) = &call.body.0.label {
        versions.label(name, &version.definition.to_string(), label, by).await?;
    }
    let labels = versions.labels(name).await?;
    Ok(Found(IsPublished { version: OneVersion::of(version, &labels), new }))
}

/// Fails where a version is named: what is published is what the files say.
fn only_name(name: &str) -> Result<()> {
    match adjutant::version_of(name).1 {
        None => Ok(()),
        Some(_) => Err(Error::new(Code::InputInvalid, "what is published is what the project's files say")
            .with_help("name the agent or workflow alone")),
    }
}

/// What was published and changed.
#[derive(JsonSchema, Serialize)]
struct Changes {
    changes: Vec<OneChange>,
}

/// One thing that was published or changed.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "VersionChange")]
pub(super) struct OneChange {
    /// What it was.
    what: What,
    /// Who did it.
    by: String,
    /// When.
    at: i64,
}

/// What was done with versions.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "VersionChangeKind")]
enum What {
    /// This version was published.
    Published(String),
    /// A label means another version.
    Label {
        /// The label.
        label: String,
        /// What it meant; nothing where it was not there.
        from: Option<String>,
        /// What it means now; nothing where it was taken away.
        to: Option<String>,
        /// Whether it went back to what it meant before.
        back: bool,
    },
    /// New runs are shared otherwise.
    Split {
        /// How they were.
        from: Vec<Part>,
        /// How they are.
        to: Vec<Part>,
    },
}

impl From<adjutant::durable::Changed> for OneChange {
    fn from(changed: adjutant::durable::Changed) -> Self {
        let parts = |shares: Vec<_>| shares.into_iter().map(Into::into).collect();
        let what = match changed.change {
            Change::Label { label, from, to, back } => What::Label {
                label,
                from: from.map(|version| version.to_string()),
                to: to.map(|version| version.to_string()),
                back,
            },
            Change::Split { from, to } => What::Split { from: parts(from), to: parts(to) },
        };
        Self { what, by: changed.by, at: changed.at.0 }
    }
}

async fn changes(call: Call<AgentPath>) -> Result<Found<Changes>> {
    let name = call.path.seen(&call.caller)?;
    let events = call.caller.adjutant().versions().log(name).await?;
    let changes = events.into_iter().map(|event| match event {
        VersionEvent::Published(version) => OneChange {
            what: What::Published(version.definition.to_string()),
            by: version.by,
            at: version.at.0,
        },
        VersionEvent::Changed(changed) => changed.into(),
    });
    Ok(Found(Changes { changes: changes.collect() }))
}

/// Which versions.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Two {
    /// A label, the beginning of a hash, or `files` for what the project's files say now.
    from: String,
    /// The same for the other one; `files` where it is not given.
    to: Option<String>,
}

/// How two versions differ.
#[derive(JsonSchema, Serialize)]
struct Differences {
    /// Each place of the definition, in their order.
    differences: Vec<Difference>,
}

async fn diff(call: Call<AgentPath, Two>) -> Result<Found<Differences>> {
    let name = call.path.seen(&call.caller)?;
    let Two { from, to } = &call.query;
    let to = to.as_deref().unwrap_or(adjutant::FILES);
    let differences = call.caller.adjutant().versions().differences(name, from, to).await?;
    Ok(Found(Differences { differences }))
}

/// The labels of a name, as they are shown.
pub(super) async fn labels(adjutant: &Adjutant, name: &str) -> Result<Vec<Label>> {
    let labels = adjutant.versions().labels(name).await?.versions;
    let labels = labels.into_iter().map(|(label, version)| Label { label, version: version.to_string() });
    Ok(labels.collect())
}
