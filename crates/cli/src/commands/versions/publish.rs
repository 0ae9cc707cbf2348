//! `adjutant versions publish`.

use adjutant::{Adjutant, Published};
use adjutant_core::{Code, Error};
use clap::Args;

use super::change::told;
use crate::exit::{Ended, Exit};
use crate::person;
use crate::screen::Output;

/// Publishes an agent or a workflow as the project's files say it now, with all that it asks.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
    /// Give it this label too, such as stable or canary.
    #[arg(long, value_name = "LABEL")]
    label: Option<String>,
    /// Who publishes it; otherwise the user of the machine.
    #[arg(long = "as", value_name = "NAME")]
    person: Option<String>,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    if arguments.name.contains('@') {
        return Err(Error::new(Code::InputInvalid, "what is published is what the project's files say")
            .with_help(
                "name the agent or workflow alone; `adjutant versions label` labels what was published",
            )
            .into());
    }
    let by = person::named(arguments.person.as_deref());
    let versions = adjutant.versions();
    let published = versions.publish(arguments.name.as_str(), &by).await?;
    let Published { version, new } = &published;
    let changed = match &arguments.label {
        Some(label) => {
            Some(versions.label(&version.name, &version.definition.to_string(), label, &by).await?)
        }
        None => None,
    };
    if output.json {
        output.json(&published)?;
        return Ok(Exit::Success);
    }
    let short = version.definition.short();
    output.talk(&match new {
        true => format!("{} {short} is published", version.name),
        false => format!("{} {short} is what was published before", version.name),
    });
    if let Some(changed) = changed {
        output.talk(&told(&changed));
    }
    Ok(Exit::Success)
}
