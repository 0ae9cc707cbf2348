//! Follows a run until it ends or nothing more happens without a person.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use adjutant::agent::{question, takeover};
use adjutant::durable::{RunState, Wait};
use adjutant::{Adjutant, Rest, Run, SystemClock, Update, Updates};
use adjutant_core::Code;
use adjutant_core::event::EventKind;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::time::Clock;
use futures::StreamExt;

use super::approval::{self, Asked};
use super::interrupts::Interrupt;
use super::people::People;
use super::question::{Put, put};
use super::queue::{LOOK, Queue};
use super::show::Show;
use super::waiting::{asked, is_event};
use crate::exit::Ended;
use crate::screen::{Output, clean};

/// As long as more comes within this time, the person is not asked: the question may be answered already.
const QUIET: Duration = Duration::from_millis(150);

/// How a run stands when there is nothing more to follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Followed {
    /// It is over.
    Ended,
    /// It waits for a person who is not here.
    Waiting,
    /// It is paused.
    Paused,
    /// It cannot go on by itself.
    Halted,
    /// It waits for an earlier turn of its session, which does not go on by itself.
    Behind,
    /// The program was told to stop.
    Interrupted(Interrupt),
}

/// What the person in front of the run may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Manners {
    /// Look on.
    Watch,
    /// Answer questions.
    Answer,
    /// Answer questions, and say something while the run works.
    Converse,
}

/// Follows a run: shows what happens, and asks the person what the run asks.
pub(crate) async fn follow(
    adjutant: &Adjutant,
    run: &Run,
    updates: &mut Updates,
    show: &mut Show,
    people: &mut People,
    manners: Manners,
) -> Ended<Followed> {
    let mut questions: BTreeMap<(RunId, String), Json> = BTreeMap::new();
    // The runs that this one waits for. Whether they rest shows in none of its own states.
    let mut children: BTreeSet<RunId> = BTreeSet::new();
    let mut open = manners == Manners::Converse && people.is_terminal();
    let mut queue = Queue::default();
    let mut looks = tokio::time::interval(LOOK);
    let mut has_begun = false;
    // More than one is listed before it is asked about.
    let mut listed = 1;
    loop {
        let asks = manners != Manners::Watch && !questions.is_empty();
        tokio::select! {
            biased;
            interrupt = people.interrupts.next() => {
                show.finish()?;
                return Ok(Followed::Interrupted(interrupt));
            }
            update = updates.next() => match update.transpose()? {
                None => {
                    show.finish()?;
                    return Ok(Followed::Ended);
                }
                Some(Update::Event(event)) => {
                    match &event.kind {
                        EventKind::ApprovalRequested { signal, request }
                        | EventKind::QuestionAsked { signal, request } => {
                            questions.insert((event.run.clone(), signal.clone()), request.clone());
                        }
                        EventKind::ApprovalAnswered { signal, .. }
                        | EventKind::QuestionAnswered { signal, .. } => {
                            questions.remove(&(event.run.clone(), signal.clone()));
                        }
                        EventKind::ChildStarted { run, .. } => {
                            children.insert(run.clone());
                        }
                        EventKind::ChildEnded { run } => {
                            children.remove(run);
                        }
                        _ => {}
                    }
                    show.event(&event)?;
                }
                Some(Update::State(state)) => {
                    has_begun = state != RunState::Ready;
                    if let Some(followed) = rests(run, state, manners).await? {
                        show.finish()?;
                        return Ok(followed);
                    }
                }
            },
            () = tokio::time::sleep(QUIET), if asks => {
                show.finish()?;
                // All of them before the first is put: one answer may depend on what else is asked.
                if questions.len() > listed {
                    list(&questions, show.output());
                }
                listed = questions.len().saturating_sub(1).max(1);
                if let Some(((asking, signal), request)) = questions.pop_first() {
                    let asking = adjutant.handle(&asking);
                    if let Some(followed) = ask(adjutant, &asking, show, people, &signal, &request).await? {
                        return Ok(followed);
                    }
                }
            }
            _ = looks.tick(), if !has_begun || !children.is_empty() => {
                let rested = match has_begun {
                    false => queue.is_stuck(adjutant, run, show.output()).await?.then_some(Followed::Behind),
                    true => match run.info().await?.state {
                        RunState::Waiting => rests(run, RunState::Waiting, manners).await?,
                        _ => None,
                    },
                };
                if let Some(followed) = rested {
                    show.finish()?;
                    return Ok(followed);
                }
            }
            line = people.keyboard.line(), if open => match line {
                Some(line) if line.trim().is_empty() => {}
                Some(line) => {
                    show.finish()?;
                    steer(run, line, people, show.output()).await?;
                }
                None => open = false,
            }
        }
    }
}

/// Lists what is asked, where it is more than one thing.
fn list(questions: &BTreeMap<(RunId, String), Json>, output: Output) {
    output.talk(&format!("{} calls wait for you:", questions.len()));
    for (number, request) in questions.values().enumerate() {
        output.talk(&format!("  {}. {}", number + 1, clean(&asked(request))));
    }
}

/// Says something to a run. One that came to its end at that moment hears it as the next message.
async fn steer(run: &Run, line: String, people: &mut People, output: Output) -> Ended<()> {
    match run.steer(&line).await {
        Ok(()) => output.aside("(the agent hears it at its next turn)"),
        Err(error) if error.code() == Code::Conflict => people.keyboard.keep(line),
        Err(error) => return Err(error.into()),
    }
    Ok(())
}

/// What a state means for whoever follows; none where there is more to come.
async fn rests(run: &Run, state: RunState, manners: Manners) -> Ended<Option<Followed>> {
    Ok(match state {
        RunState::Paused => Some(Followed::Paused),
        RunState::Halted => Some(Followed::Halted),
        RunState::Waiting => {
            let needs_person = |wait: &Wait| match wait {
                // Whoever has taken it is not asked here, nor is anybody outside.
                Wait::Signal { name, .. } => {
                    manners == Manners::Watch || name.starts_with(takeover::PREFIX) || is_event(name)
                }
                Wait::Unknown { .. } => true,
                Wait::Timer { .. } | Wait::Child { .. } => false,
            };
            let needs_person = |rest: &Rest| {
                matches!(rest.state, RunState::Paused | RunState::Halted)
                    || rest.state == RunState::Waiting && rest.waits.iter().any(needs_person)
            };
            // One whose time is over goes on as soon as somebody drives it, whoever it waits for besides.
            let now = SystemClock.now();
            let is_due = |wait: &Wait| matches!(wait, Wait::Timer { until, .. } if *until <= now);
            let rests = run.rests().await?;
            let goes_on = rests.iter().any(|rest| rest.waits.iter().any(is_due));
            (!goes_on && rests.iter().any(needs_person)).then_some(Followed::Waiting)
        }
        RunState::Ready | RunState::Running | RunState::Ended => None,
    })
}

/// Asks a person what the run asks. Without an answer it says how the run stands.
async fn ask(
    adjutant: &Adjutant,
    run: &Run,
    show: &Show,
    people: &mut People,
    signal: &str,
    request: &Json,
) -> Ended<Option<Followed>> {
    let output = show.output();
    if let Ok(request) = request.to::<question::Request>() {
        return match put(&request.question, people, output).await? {
            Put::Answered(answer) => settled(run.answer(signal, answer).await, output).map(|()| None),
            Put::Left => Ok(Some(Followed::Waiting)),
            Put::Interrupted(interrupt) => Ok(Some(Followed::Interrupted(interrupt))),
        };
    }
    Ok(match approval::put(adjutant, run, people, output, signal, request).await? {
        Asked::Answered => None,
        Asked::Left => Some(Followed::Waiting),
        Asked::Interrupted(interrupt) => Some(Followed::Interrupted(interrupt)),
    })
}

/// Whether an answer was taken. Somebody else may have been asked too, and was faster.
fn settled(answered: adjutant::Result<()>, output: Output) -> Ended<()> {
    match answered {
        Err(error) if error.code() == Code::Conflict => output.aside("(it was answered already)"),
        answered => answered?,
    }
    Ok(())
}
