//! `adjutant versions log`.

use adjutant::{Adjutant, VersionEvent};
use clap::Args;

use super::change::told;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, local_time};

/// Shows all that was published and changed of a name, the newest last: who, when, from what to what.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The agent or workflow.
    #[arg(value_name = "NAME")]
    name: String,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let events = adjutant.versions().log(&arguments.name).await?;
    if output.json {
        output.json(&events)?;
        return Ok(Exit::Success);
    }
    if events.is_empty() {
        output.talk(&format!("nothing of `{}` was published", arguments.name));
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["at", "by", "what"]);
    for event in &events {
        let (by, what) = match event {
            VersionEvent::Published(version) => {
                (&version.by, format!("{}: {} was published", version.name, version.definition.short()))
            }
            VersionEvent::Changed(changed) => (&changed.by, told(changed)),
        };
        table.row([&local_time(event.at()), by, &what]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}
