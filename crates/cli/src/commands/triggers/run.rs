//! `adjutant triggers run`.

use std::collections::BTreeSet;
use std::time::Duration;

use adjutant::Adjutant;
use adjutant::durable::{Occurrence, RunFilter, RunState};
use adjutant_core::{Code, Error, Result};
use clap::Args;
use tokio_util::sync::CancellationToken;

use super::log::fate;
use crate::exit::{Ended, Exit};
use crate::screen::{Output, local_time, report};
use crate::turn::Interrupts;

/// How often to look whether something is due.
const LOOK: Duration = Duration::from_secs(1);

/// Admits what comes due and drives its runs, until it is told to stop (Ctrl-C, SIGTERM). Then it admits nothing more and waits for
/// the runs that are at work; a second time it leaves them for later. Several may run over one store.
#[derive(Args, Debug)]
pub(super) struct Arguments {
    /// The most seconds to wait at the end for runs that are at work.
    #[arg(long, value_name = "SECONDS", default_value_t = 30)]
    patience: u64,
}

pub(super) async fn execute(arguments: &Arguments, adjutant: &Adjutant, output: Output) -> Ended {
    let triggers = adjutant.triggers();
    if triggers.all().values().all(|trigger| !trigger.enabled) {
        return Err(Error::new(Code::NotFound, "the project has no triggers that are on")
            .with_help("write one: `[triggers.NAME]` in adjutant.toml")
            .into());
    }
    let mut interrupts = Interrupts::new()?;
    let stop = CancellationToken::new();
    let mut serving = tokio::spawn({
        let (adjutant, stop) = (adjutant.clone(), stop.clone());
        async move { adjutant.serve(stop).await }
    });
    output.aside(&format!("{} on watch", triggers.all().len()));
    let (mut watch, mut told) = (triggers.watch(), BTreeSet::new());
    let interrupt = loop {
        let (decided, errors) = tokio::select! {
            biased;
            interrupt = interrupts.next() => break interrupt,
            looked = watch.look() => looked,
        };
        decided.iter().try_for_each(|occurrence| tell(occurrence, output))?;
        // What goes on failing is told once.
        let failing: BTreeSet<String> =
            errors.iter().map(|error| report(error, output.talk_colored)).collect();
        failing.difference(&told).for_each(|error| output.raw_talk(error));
        told = failing;
        tokio::select! {
            biased;
            interrupt = interrupts.next() => break interrupt,
            ended = &mut serving => return served(ended).map(|()| Exit::Success).map_err(Into::into),
            () = tokio::time::sleep(LOOK) => {}
        }
    };
    output.aside("stopping; once more leaves the runs that are at work for later");
    tokio::select! {
        biased;
        _ = interrupts.next() => {}
        () = tokio::time::sleep(Duration::from_secs(arguments.patience)) => {}
        idle = idle(adjutant) => idle?,
    }
    stop.cancel();
    served(serving.await)?;
    Ok(Exit::from(interrupt))
}

fn served(ended: std::result::Result<Result<()>, tokio::task::JoinError>) -> Result<()> {
    ended.map_err(|error| Error::new(Code::Internal, "the runs cannot be driven").caused_by(&error))?
}

/// Waits until no run is at work.
async fn idle(adjutant: &Adjutant) -> Result<()> {
    loop {
        let busy = RunFilter { states: vec![RunState::Ready, RunState::Running], ..RunFilter::default() };
        if adjutant.run_page(busy, None, 1).await?.items.is_empty() {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

fn tell(occurrence: &Occurrence, output: Output) -> Ended<()> {
    if output.json {
        return output.json(occurrence);
    }
    let (due, name) = (local_time(occurrence.due), &occurrence.trigger);
    output.foreign(&format!("{due} {name}: {}\n", fate(&occurrence.fate)))
}
