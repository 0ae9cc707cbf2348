//! Drives a run in a world until it is over, however often its process dies.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use adjutant_core::Result;
use adjutant_core::json::Json;
use adjutant_durable::{Ctx, Driven, Entry, Outcome, Program, Record, drive};
use futures::FutureExt;

use crate::activation::Activation;
use crate::world::{Line, World};

/// More activations than any run here needs.
const MOST: u32 = 2_000;

/// Drives the run until it has ended or halted.
pub(crate) fn live(world: &mut World, program: &Program) {
    for _ in 0..MOST {
        // The process may have died between the last record and its acknowledgement.
        if let Some(Line { record: Record { entry: Entry::Ended(outcome), .. }, .. }) = world.journal.last() {
            world.ended = Some(outcome.clone());
            return;
        }
        match activate(world, program) {
            Some(Driven::Ended | Driven::Halted) => return,
            Some(Driven::Parked) => world.wake(),
            None => {}
        }
    }
    panic!("the run does not end");
}

/// Makes the code of a run of an async function.
pub(crate) fn code<F, R>(function: F) -> Program
where
    F: Fn(Ctx, Option<Json>) -> R + Send + Sync + 'static,
    R: Future<Output = Outcome> + Send + 'static,
{
    Arc::new(move |ctx, state| function(ctx, state).boxed())
}

/// One activation; nothing when the process died in it.
pub(crate) fn activate(world: &mut World, program: &Program) -> Option<Driven> {
    let driven = poll(activation(world, program));
    match driven {
        Some(driven) => Some(driven.expect("the simulated store does not fail")),
        None => {
            assert!(std::mem::take(&mut world.crashed), "the driver waits for nothing");
            None
        }
    }
}

async fn activation(world: &mut World, program: &Program) -> Result<Driven> {
    let mut activation = Activation::begin(world).await;
    let (ctx, state) = activation.context();
    drive(&mut activation, program, ctx, state).await
}

/// Polls a future that never waits for anything real; nothing when it does.
pub(crate) fn poll<T>(future: impl Future<Output = T>) -> Option<T> {
    let mut future = pin!(future);
    let mut context = Context::from_waker(futures::task::noop_waker_ref());
    // The driver lets other tasks run now and then, which makes the future pending once each time.
    for _ in 0..2_000 {
        if let Poll::Ready(value) = future.as_mut().poll(&mut context) {
            return Some(value);
        }
    }
    None
}
