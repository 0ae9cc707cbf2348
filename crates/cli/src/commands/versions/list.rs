//! `adjutant versions list` and `show`.

use adjutant::Adjutant;
use adjutant::durable::{Labels, Version};
use adjutant::version_of;
use adjutant_core::{Code, Error, Result};
use clap::Args;
use serde_json::json;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, local_time};

/// Lists what was published, the newest first, with its labels and its share of new runs.
#[derive(Args, Debug, Default)]
pub(super) struct Arguments {
    /// Only the versions of this agent or workflow.
    #[arg(value_name = "NAME")]
    name: Option<String>,
}

/// Shows what a version is: its definition as it is kept.
#[derive(Args, Debug)]
pub(super) struct ShowArguments {
    /// The version, such as desk@stable or desk@3f2a91.
    #[arg(value_name = "NAME@VERSION")]
    named: String,
}

pub(super) async fn list(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let versions = adjutant.versions();
    let mut rows = Vec::new();
    for version in versions.list(arguments.name.as_deref()).await? {
        let labels = versions.labels(&version.name).await?;
        rows.push((worn(&labels, &version), version));
    }
    if output.json {
        let rows = rows.iter().map(|(labels, version)| json!({ "version": version, "labels": labels }));
        output.json(&rows.collect::<Vec<_>>())?;
        return Ok(Exit::Success);
    }
    if rows.is_empty() {
        output.talk("nothing is published: runs use the project's files; `adjutant versions publish NAME` publishes them");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["name", "version", "labels", "by", "at"]);
    for (labels, version) in &rows {
        table.row([
            &version.name,
            &version.definition.short(),
            &labels.join(" "),
            &version.by,
            &local_time(version.at),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// The labels of a version, each with its share of new runs where these are split.
fn worn(labels: &Labels, version: &Version) -> Vec<String> {
    let own = labels.versions.iter().filter(|(_, definition)| **definition == version.definition);
    let told = own.map(|(label, _)| match labels.split.iter().find(|share| share.label == *label) {
        Some(share) => format!("{label}={}", share.percent),
        None => label.clone(),
    });
    told.collect()
}

pub(super) async fn show(arguments: &ShowArguments, adjutant: &Adjutant, output: Output) -> Ended {
    let (name, version) = named(&arguments.named)?;
    let chosen = adjutant.versions().find(name, version).await?;
    let definition = adjutant.engine().definition(chosen.definition).await?;
    if output.json {
        output.json(&json!({ "name": name, "version": chosen.definition, "definition": definition }))?;
        return Ok(Exit::Success);
    }
    output.aside(&format!("{name} {}", chosen.definition));
    let text = serde_json::to_string_pretty(&definition.value()).unwrap_or_default();
    output.foreign(&format!("{text}\n"))?;
    Ok(Exit::Success)
}

/// A name and the version that stands behind it.
fn named(text: &str) -> Result<(&str, &str)> {
    match version_of(text) {
        (name, Some(version)) => Ok((name, version)),
        (name, None) => {
            Err(Error::new(Code::InputInvalid, format!("`{name}` names no version")).with_help(format!(
                "write it as `{name}@stable`, or with a hash; `adjutant versions list {name}` lists them"
            )))
        }
    }
}
