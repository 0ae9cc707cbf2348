//! `adjutant runs show --follow`.

use adjutant::durable::RunState;
use adjutant::{Adjutant, Run, Update};
use futures::StreamExt;

use crate::commands::run::close;
use crate::exit::{Ended, Exit};
use crate::screen::Output;
use crate::turn::{Followed, Interrupts, Show};

/// Shows what happens in a run that somebody else drives, from its beginning until it is over.
pub(super) async fn follow(adjutant: &Adjutant, run: &Run, output: Output, project: &str) -> Ended {
    let mut updates = run.watch();
    let mut show = Show::new(output).since(run.info().await?.created);
    let mut interrupts = Interrupts::new()?;
    loop {
        let update = tokio::select! {
            update = updates.next() => update,
            interrupt = interrupts.next() => {
                show.finish()?;
                return Ok(Exit::from(interrupt));
            }
        };
        match update.transpose()? {
            None => break,
            Some(Update::Event(event)) if output.json => output.json(&event)?,
            Some(Update::Event(event)) => show.event(&event)?,
            Some(Update::State(state)) => tell(state, output),
        }
    }
    if output.json {
        return Ok(Exit::Success);
    }
    close(adjutant, run, Followed::Ended, &mut show, project).await
}

fn tell(state: RunState, output: Output) {
    match state {
        RunState::Ready => output.aside("(waits for somebody to drive it)"),
        RunState::Waiting => output.aside("(waits)"),
        RunState::Paused => output.aside("(paused)"),
        RunState::Halted => output.aside("(halted)"),
        RunState::Running | RunState::Ended => {}
    }
}
