//! `adjutant runs list`.

use adjutant::Adjutant;
use adjutant::agent::title;
use adjutant::durable::{Origin, RunFilter, RunInfo, RunState};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table, duration, first_line, local_time};

/// How much of an answer stands in the list, in characters.
const LONGEST_OUTCOME: usize = 60;
/// How much of a title stands in the list, in characters.
const LONGEST_TITLE: usize = 40;

/// Lists the newest runs.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// How many runs to list.
    #[arg(long, value_name = "COUNT", default_value_t = 20)]
    most: usize,
    /// Only runs that stand like this.
    #[arg(long, value_name = "STATE", value_parser = state)]
    state: Option<RunState>,
}

impl Default for Arguments {
    fn default() -> Self {
        Self { most: 20, state: None }
    }
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let filter = RunFilter { states: arguments.state.into_iter().collect(), ..RunFilter::default() };
    let mut runs = adjutant.run_page(filter, None, arguments.most).await?.items;
    runs.truncate(arguments.most);
    if output.json {
        output.json(&runs)?;
    } else if runs.is_empty() {
        let is_new = adjutant.runs(1).await?.is_empty();
        output.talk(if is_new { "there are no runs yet" } else { "no run matches" });
    } else {
        output.data(&table(&runs).render(output.data_colored))?;
    }
    Ok(Exit::Success)
}

fn table(runs: &[RunInfo]) -> Table {
    let mut table = Table::new(&["run", "agent", "state", "began", "took", "session", "title", "outcome"]);
    for info in runs {
        table.row([
            info.run.as_str(),
            &agent(info),
            info.state.as_str(),
            &local_time(info.created),
            &duration(info.updated.since(info.created)),
            info.session.as_ref().map_or("", |session| session.as_str()),
            &first_line(&title::of_run(info).unwrap_or_default(), LONGEST_TITLE),
            &outcome(info),
        ]);
    }
    table
}

/// The agent of a run; for one that another run started, behind that run.
fn agent(info: &RunInfo) -> String {
    match &info.origin {
        Some(Origin::Child { parent, .. }) => format!("{} for {parent}", info.name),
        _ => info.name.clone(),
    }
}

/// What came of a run, in a few words.
pub(super) fn outcome(info: &RunInfo) -> String {
    match (&info.outcome, &info.halted) {
        (Some(Ok(json)), _) => {
            let value = json.value();
            let text = value
                .get("text")
                .and_then(serde_json::Value::as_str)
                .map_or_else(|| value.to_string(), str::to_owned);
            first_line(&text, LONGEST_OUTCOME)
        }
        (Some(Err(error)), _) | (None, Some(error)) => {
            format!("{}: {}", error.code(), first_line(error.message(), LONGEST_OUTCOME))
        }
        (None, None) => String::new(),
    }
}

fn state(text: &str) -> Result<RunState, String> {
    let states = [
        RunState::Ready,
        RunState::Running,
        RunState::Waiting,
        RunState::Paused,
        RunState::Halted,
        RunState::Ended,
    ];
    states.into_iter().find(|state| state.as_str() == text).ok_or_else(|| {
        let names: Vec<_> = states.iter().map(|state| state.as_str()).collect();
        format!("a run is one of {}", names.join(", "))
    })
}
