//! The driver: polls one run's future and lets exactly one answer in at a time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;

use crate::ctx::{Ask, Ctx};
use crate::engine::Program;
use crate::mail::cancelled;
use crate::record::Outcome;
use crate::session::{Next, Session};

/// After so many polls in a row without an operation the driver lets other tasks run.
const POLLS: u32 = 1_000;

/// How an activation of a run came to its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Driven {
    /// The run is over.
    Ended,
    /// The run waits and was dropped from memory.
    Parked,
    /// The run cannot go on until somebody looks at it.
    Halted,
}

/// Drives a run until it ends, parks or halts.
///
/// `ctx` is the context of the current segment and `state` what that segment began with; none in the first.
///
/// An error means that this activation is over, not the run: the store failed, or another process took the run over.
pub async fn drive<S: Session>(
    session: &mut S,
    program: &Program,
    mut ctx: Ctx,
    mut state: Option<Json>,
) -> Result<Driven> {
    loop {
        match drive_segment(session, &ctx, program(ctx.clone(), state)).await {
            Ok(Segment::Driven(driven)) => return Ok(driven),
            Ok(Segment::RolledOver(next)) => {
                ctx = Ctx::new(ctx.run().clone(), ctx.owner().clone(), ctx.segment() + 1, ctx.moment());
                state = Some(next);
            }
            Err(error) if halts(error.code()) => {
                session.halt(error).await?;
                return Ok(Driven::Halted);
            }
            Err(error) => return Err(error),
        }
    }
}

/// Errors that stop the run where it is, for a person to look at. Any other ends the activation only.
fn halts(code: Code) -> bool {
    matches!(code, Code::RunDiverged | Code::RunStuck | Code::RunPanicked | Code::Internal)
}

enum Segment {
    Driven(Driven),
    RolledOver(Json),
}

async fn drive_segment<S: Session>(
    session: &mut S,
    ctx: &Ctx,
    mut code: BoxFuture<'static, Outcome>,
) -> Result<Segment> {
    loop {
        let polled = poll_until_idle(&mut code).await?;
        for ask in ctx.take_asks() {
            match ask {
                Ask::Issue(request) => session.issue(request).await?,
                Ask::Withdraw(key) => session.withdraw(key).await?,
            }
        }
        if let Poll::Ready(outcome) = polled {
            // Futures that the code still holds are dropped with it, and are withdrawn by that.
            drop(code);
            withdraw_rest(session, ctx).await?;
            return session.finish(outcome).await.map(Segment::Driven);
        }
        if let Some(state) = ctx.take_rolling() {
            session.roll_over(state.clone()).await?;
            return Ok(Segment::RolledOver(state));
        }
        if !ctx.is_waiting() {
            if let Some(reason) = ctx.cancelled() {
                drop(code);
                withdraw_rest(session, ctx).await?;
                return session.finish(Err(cancelled(&reason))).await.map(Segment::Driven);
            }
            return Err(Error::new(Code::RunStuck, "the run waits for something that is not one of its operations")
                .with_help("in the code of a run, wait only for what its context gives: no timers, channels or tasks of your own"));
        }
        match session.next().await? {
            Next::Done { key, outcome, moment } => ctx.deliver(&key, outcome, moment),
            Next::Cancelled { reason, moment } => {
                for key in ctx.cancel(&reason, moment) {
                    session.withdraw(key).await?;
                }
            }
            Next::Park => return Ok(Segment::Driven(Driven::Parked)),
        }
    }
}

async fn withdraw_rest<S: Session>(session: &mut S, ctx: &Ctx) -> Result<()> {
    for ask in ctx.take_asks() {
        match ask {
            Ask::Issue(request) => session.issue(request).await?,
            Ask::Withdraw(key) => session.withdraw(key).await?,
        }
    }
    Ok(())
}

/// Polls until the future is ready or waits for an operation. Joins and queues of futures wake themselves; that is
/// part of the same step.
async fn poll_until_idle(code: &mut BoxFuture<'static, Outcome>) -> Result<Poll<Outcome>> {
    let flag = Arc::new(Flag(AtomicBool::new(false)));
    let waker = Waker::from(Arc::clone(&flag));
    let mut context = Context::from_waker(&waker);
    let mut polls = 0;
    loop {
        flag.0.store(false, Ordering::Release);
        let polled = std::panic::catch_unwind(AssertUnwindSafe(|| code.poll_unpin(&mut context)));
        match polled {
            Ok(Poll::Pending) if flag.0.load(Ordering::Acquire) => {
                polls += 1;
                if polls % POLLS == 0 {
                    tokio::task::yield_now().await;
                }
            }
            Ok(polled) => return Ok(polled),
            Err(panic) => return Err(panicked(panic.as_ref())),
        }
    }
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::new(Code::RunPanicked, format!("the code of the run panicked: {text}"))
        .with_help("mend the code, then resume the run: it goes on from its last recorded step")
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
