//! `adjutant triggers log`.

use adjutant::Adjutant;
use adjutant::durable::{Fate, Occurrence};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, local_time};

/// Shows what triggers have come to and what became of it, the newest first: each run, and each time or file that was passed over,
/// with why.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// Only this trigger.
    #[arg(value_name = "NAME")]
    name: Option<String>,
    /// How many to show.
    #[arg(long, value_name = "COUNT", default_value_t = 50)]
    most: usize,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let occurrences = adjutant.triggers().log(arguments.name.as_deref(), arguments.most).await?;
    if output.json {
        output.json(&occurrences)?;
        return Ok(Exit::Success);
    }
    if occurrences.is_empty() {
        output.talk("nothing has come due yet");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["due", "trigger", "what", "became"]);
    for occurrence in &occurrences {
        table.row([
            &local_time(occurrence.due),
            &occurrence.trigger,
            what(occurrence),
            &fate(&occurrence.fate),
        ]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// What an occurrence is, where its time does not say it: a file, or that it was by hand.
fn what(occurrence: &Occurrence) -> &str {
    match occurrence.key.split_once(':') {
        Some(("by-hand", _)) => "by hand",
        Some((_, file)) => file,
        None => "",
    }
}

/// What became of an occurrence.
pub(super) fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Admitted(run) => format!("run {run}"),
        Fate::Skipped { why, count: 1 } => format!("skipped: {why}"),
        Fate::Skipped { why, count } => format!("skipped, {count} in a row: {why}"),
    }
}
