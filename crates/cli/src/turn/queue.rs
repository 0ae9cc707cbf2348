//! The turns of a session wait for each other: whether the one before ever ends by itself.

use std::time::Duration;

use adjutant::durable::{RunInfo, RunState, Wait};
use adjutant::{Adjutant, Rest, Run};
use adjutant_core::Result;

use super::waiting::explain;
use crate::exit::Ended;
use crate::screen::Output;

/// How often to look at the turn before.
pub(super) const LOOK: Duration = Duration::from_millis(250);

/// So many looks in a row must find the turn before at rest: between two steps it may be so for a moment.
const LOOKS: u32 = 4;

/// Looks at what a run waits for that has not begun.
#[derive(Debug, Default)]
pub(super) struct Queue {
    at_rest: u32,
    told: bool,
}

impl Queue {
    /// Whether the run waits for an earlier turn that does not go on by itself. Tells once that it waits for one that
    /// somebody else drives.
    pub(super) async fn is_stuck(&mut self, adjutant: &Adjutant, run: &Run, output: Output) -> Ended<bool> {
        let Some(ahead) = ahead(adjutant, run).await? else {
            self.at_rest = 0;
            return Ok(false);
        };
        let rests = adjutant.handle(&ahead.run).rests().await?;
        self.at_rest = if why(&rests).is_some() { self.at_rest + 1 } else { 0 };
        if ahead.state == RunState::Running && !self.told {
            output.aside(&format!("waits for the run {} of the same session, which is running", ahead.run));
            self.told = true;
        }
        Ok(self.at_rest >= LOOKS)
    }
}

/// The turn of the same session that must end before this run begins; none where there is none.
async fn ahead(adjutant: &Adjutant, run: &Run) -> Result<Option<RunInfo>> {
    let Some(session) = run.info().await?.session else { return Ok(None) };
    let turns = adjutant.session(session).turns().await?;
    // A fork is no turn of the session and waits for none.
    let Some(place) = turns.iter().position(|turn| turn.run == *run.id()) else { return Ok(None) };
    Ok(turns.into_iter().take(place).find(|turn| turn.state != RunState::Ended))
}

/// Says which run is ahead, why it does not go on, and what to type about it.
pub(crate) async fn explain_ahead(
    adjutant: &Adjutant,
    run: &Run,
    output: Output,
    project: &str,
) -> Ended<()> {
    let Some(ahead) = ahead(adjutant, run).await? else { return Ok(()) };
    let before = adjutant.handle(&ahead.run);
    let why = why(&before.rests().await?).unwrap_or("is not over");
    let (id, other) = (run.id(), &ahead.run);
    output.talk(&format!("run {id} waits for the run {other} of the same session, which {why}"));
    if ahead.state == RunState::Waiting {
        explain(&before, output, project).await?;
    } else {
        output.talk(&format!(
            "  to let that go on: adjutant runs resume {other}{project}\n  to end it:         adjutant runs cancel \
             {other}{project}"
        ));
    }
    output.talk(&format!("  and then this one: adjutant runs resume {id}{project}"));
    Ok(())
}

/// Why a run does not go on by itself, or one that it waits for; none where they do.
fn why(rests: &[Rest]) -> Option<&'static str> {
    rests.iter().enumerate().find_map(|(depth, rest)| match rest.state {
        RunState::Paused => Some("is paused"),
        RunState::Halted => Some("is halted"),
        // One below is driven by whoever drives the one that waits for it.
        RunState::Ready if depth == 0 => Some("nobody drives"),
        RunState::Waiting if rest.waits.iter().any(|wait| matches!(wait, Wait::Unknown { .. })) => {
            Some("has a step whose outcome is not known")
        }
        RunState::Waiting if rest.waits.iter().any(|wait| matches!(wait, Wait::Signal { .. })) => {
            Some("needs an approval")
        }
        RunState::Ready | RunState::Waiting | RunState::Running | RunState::Ended => None,
    })
}
