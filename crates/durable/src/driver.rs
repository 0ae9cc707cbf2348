//! The driver: polls one run's future and lets exactly one answer in at a time.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use adjutant_core::error::Kind;
use adjutant_core::json::Json;
use adjutant_core::{Code as ErrorCode, Error, Result};
use futures::FutureExt;
use futures::future::BoxFuture;
use tokio::task::coop::{Unconstrained, unconstrained};

use crate::ctx::{Ask, Ctx};
use crate::engine::Program;
use crate::mail::cancelled;
use crate::record::Outcome;
use crate::replay::Moment;
use crate::session::{Next, Session};

/// After so many polls in a row without an operation the driver lets other tasks run.
const POLLS: u32 = 1_000;

/// After so many polls in a row without an operation the code is taken to turn in a circle.
const MOST_POLLS: u32 = 1_000_000;

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
        match drive_segment(session, &ctx, Code::new(program, &ctx, state)).await {
            Ok(Segment::Driven(driven)) => return Ok(driven),
            Ok(Segment::RolledOver { next, start }) => {
                ctx = Ctx::new(ctx.run().clone(), ctx.owner().clone(), ctx.segment() + 1, start);
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
///
/// A session gives the error of an effect only where the effect [halts](crate::Effects::halts) on it.
fn halts(code: ErrorCode) -> bool {
    use ErrorCode::{Internal, RunBudget, RunDiverged, RunPanicked, RunStuck};
    matches!(code, RunDiverged | RunStuck | RunPanicked | RunBudget | Internal) || code.kind() == Kind::Model
}

enum Segment {
    Driven(Driven),
    RolledOver { next: Json, start: Moment },
}

async fn drive_segment<S: Session>(session: &mut S, ctx: &Ctx, mut code: Code) -> Result<Segment> {
    loop {
        let polled = code.poll_until_idle().await?;
        pass_on(session, ctx).await?;
        if let Poll::Ready(outcome) = polled {
            return end(session, ctx, code, outcome).await;
        }
        if let Some(next) = ctx.take_rolling() {
            code.discard()?;
            pass_on(session, ctx).await?;
            return Ok(match session.roll_over(next.clone()).await? {
                Some(start) => Segment::RolledOver { next, start },
                None => Segment::Driven(Driven::Parked),
            });
        }
        if !ctx.is_waiting() {
            return match ctx.cancelled() {
                Some(reason) => end(session, ctx, code, Err(cancelled(&reason))).await,
                None => Err(stuck("the run waits for something that is not one of its operations")),
            };
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

/// Ends the run. Futures that the code still holds are dropped with it, and are withdrawn by that.
async fn end<S: Session>(session: &mut S, ctx: &Ctx, mut code: Code, outcome: Outcome) -> Result<Segment> {
    code.discard()?;
    pass_on(session, ctx).await?;
    session.finish(outcome).await.map(Segment::Driven)
}

/// Hands what the code asked for to the session, in the order in which it asked.
async fn pass_on<S: Session>(session: &mut S, ctx: &Ctx) -> Result<()> {
    for ask in ctx.take_asks() {
        match ask {
            Ask::Issue(request) => session.issue(request).await?,
            Ask::Withdraw(key) => session.withdraw(key).await?,
        }
    }
    Ok(())
}

/// The future of a segment's code. Whatever the code does in it, a panic stays inside.
struct Code(Option<Unconstrained<BoxFuture<'static, Outcome>>>);

impl Code {
    fn new(program: &Program, ctx: &Ctx, state: Option<Json>) -> Self {
        let (program, ctx) = (Arc::clone(program), ctx.clone());
        let code: BoxFuture<'static, Outcome> = Box::pin(async move { program(ctx, state).await });
        // Out of budget, a biased select of the async runtime would be pending for a reason that no journal knows.
        Self(Some(unconstrained(code)))
    }

    /// Polls until the future is ready or waits for an operation. Joins and queues of futures wake themselves; that
    /// is part of the same step.
    async fn poll_until_idle(&mut self) -> Result<Poll<Outcome>> {
        let flag = Arc::new(Flag(AtomicBool::new(false)));
        let waker = Waker::from(Arc::clone(&flag));
        for poll in 1..MOST_POLLS {
            flag.0.store(false, Ordering::Release);
            let polled = self.poll(&mut Context::from_waker(&waker))?;
            if polled.is_ready() || !flag.0.load(Ordering::Acquire) {
                return Ok(polled);
            }
            if poll % POLLS == 0 {
                tokio::task::yield_now().await;
            }
        }
        Err(stuck("the run wakes itself again and again and asks for nothing"))
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Result<Poll<Outcome>> {
        let Some(code) = &mut self.0 else { return Ok(Poll::Pending) };
        std::panic::catch_unwind(AssertUnwindSafe(|| code.poll_unpin(context)))
            .map_err(|panic| panicked(panic.as_ref()))
    }

    /// Drops the future, with everything that it still holds.
    fn discard(&mut self) -> Result<()> {
        let code = self.0.take();
        std::panic::catch_unwind(AssertUnwindSafe(|| drop(code))).map_err(|panic| panicked(panic.as_ref()))
    }
}

impl Drop for Code {
    fn drop(&mut self) {
        // The activation is over already, for a reason of its own.
        let _ = self.discard();
    }
}

fn stuck(message: &str) -> Error {
    Error::new(ErrorCode::RunStuck, message).with_help(
        "in the code of a run, wait only for what its context gives: no timers, channels or tasks of your own",
    )
}

fn panicked(panic: &(dyn std::any::Any + Send)) -> Error {
    let text = panic
        .downcast_ref::<&str>()
        .map(|text| (*text).to_owned())
        .or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "no message".to_owned());
    Error::new(ErrorCode::RunPanicked, format!("the code of the run panicked: {text}"))
        .with_help("mend the code, then resume the run: it goes on from its last recorded step")
}

struct Flag(AtomicBool);

impl Wake for Flag {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}
