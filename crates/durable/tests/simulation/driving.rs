//! The driver and code that does what it should not.

use std::future::{pending, ready};
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Admission, Ctx, Driven, Effects, Entry, Letter, Program, work};
use futures::future::{join, select};
use tokio::task::coop;

use crate::life::{activate, code, live};
use crate::properties::check_world;
use crate::verifier::verify;
use crate::world::{Faults, Post, World};

async fn call(ctx: &Ctx, name: &str) -> Result<Json> {
    ctx.effect(name, Effects::pure(), Json::null(), work(|_| async { Json::of(&1) })).await
}

fn fresh() -> World {
    World::new(Faults::NONE, Vec::new())
}

fn halts(program: &Program) -> Error {
    let mut world = fresh();
    assert_eq!(activate(&mut world, program), Some(Driven::Halted));
    world.halted.unwrap()
}

fn ends(program: &Program) -> adjutant_durable::Outcome {
    let mut world = fresh();
    live(&mut world, program);
    check_world(&world, 0, 0);
    verify(&world, program);
    world.ended.unwrap()
}

fn cancelled_at(at: i64, seed: u64, program: &Program) -> World {
    let cancel = Post { at, letter: Letter::Cancel { reason: "enough".into() } };
    let mut world = World::new(Faults { seed, ..Faults::NONE }, vec![cancel]);
    live(&mut world, program);
    check_world(&world, 0, 0);
    verify(&world, program);
    world
}

/// Wakes itself a number of times before it is ready.
struct Restless(u32);

impl Future for Restless {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        match self.0.checked_sub(1) {
            None => Poll::Ready(()),
            Some(rest) => {
                self.0 = rest;
                context.waker().wake_by_ref();
                Poll::Pending
            }
        }
    }
}

#[test]
fn code_that_waits_for_something_else_is_stuck() {
    let error = halts(&code(|_, _| pending()));
    assert_eq!(error.code(), Code::RunStuck);
    assert!(error.help().unwrap().contains("wait only for what its context gives"));
}

#[test]
fn code_that_does_not_look_at_an_answer_is_stuck() {
    let error = halts(&code(|ctx, _| async move {
        let mut asked = pin!(call(&ctx, "a"));
        drop(select(asked.as_mut(), ready(())).await);
        pending().await
    }));
    assert_eq!(error.code(), Code::RunStuck);
}

#[test]
fn code_that_turns_in_a_circle_is_stuck() {
    let error = halts(&code(|ctx, _| async move {
        call(&ctx, "a").await?;
        Restless(u32::MAX).await;
        Ok(Json::null())
    }));
    assert_eq!(error.code(), Code::RunStuck);
}

#[test]
fn futures_may_wake_themselves() {
    let outcome = ends(&code(|ctx, _| async move {
        Restless(5_000).await;
        let (a, b) = join(call(&ctx, "a"), async {
            Restless(100).await;
            call(&ctx, "b").await
        })
        .await;
        Json::of(&(a?, b?))
    }));
    assert_eq!(outcome, Json::of(&[1, 1]));
}

#[test]
fn a_panic_stays_in_the_run() {
    let during = code(|ctx, _| async move {
        call(&ctx, "a").await?;
        panic!("no {}", "luck")
    });
    let before: Program = std::sync::Arc::new(|_, _| panic!("no luck"));
    let after = code(|_, _| async move {
        let held = Held;
        let outcome = Json::of("done");
        drop(held);
        outcome
    });
    for program in [during, before, after] {
        let error = halts(&program);
        assert_eq!(
            (error.code(), error.message()),
            (Code::RunPanicked, "the code of the run panicked: no luck")
        );
    }
}

/// Panics when it is dropped.
struct Held;

impl Drop for Held {
    fn drop(&mut self) {
        panic!("no luck");
    }
}

#[test]
fn a_panic_in_what_an_ended_run_leaves_behind_halts_it_too() {
    let error = halts(&code(|_, _| Leaving(Held)));
    assert_eq!(error.code(), Code::RunPanicked);
}

/// Is ready, and still holds something.
struct Leaving(Held);

impl Future for Leaving {
    type Output = adjutant_durable::Outcome;

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Self::Output> {
        let Self(Held) = &*self;
        Poll::Ready(Ok(Json::null()))
    }
}

#[test]
fn mended_code_goes_on_where_it_panicked() {
    let mut world = fresh();
    let outside = world.outside.clone();
    let steps = move |mended: bool| {
        let outside = outside.clone();
        code(move |ctx, _| {
            let outside = outside.clone();
            let errand = work(move |attempt| {
                outside.execute(&attempt, Effect::AtMostOnce, true);
                async { Ok(Json::null()) }
            });
            async move {
                ctx.effect("a", Effects::new(Effect::AtMostOnce), Json::null(), errand).await?;
                assert!(mended, "not yet");
                Ok(Json::null())
            }
        })
    };
    assert_eq!(activate(&mut world, &steps(false)), Some(Driven::Halted));
    assert_eq!(world.halted.take().unwrap().code(), Code::RunPanicked);
    live(&mut world, &steps(true));
    assert_eq!(world.ended, Some(Ok(Json::null())));
    assert_eq!(world.outside.executions().len(), 1);
}

/// One of everything, with a branch that loses.
fn everything() -> Program {
    code(|ctx, _| async move {
        call(&ctx, "a").await?;
        ctx.sleep(Duration::from_millis(40)).await?;
        let slow = ctx.effect(
            "slow",
            Effects::new(Effect::AtMostOnce),
            Json::null(),
            work(|_| async { Ok(Json::null()) }),
        );
        drop(select(pin!(slow), pin!(ctx.sleep(Duration::from_millis(20)))).await);
        let definition = adjutant_core::hash::Digest::of(b"child");
        let admission = Admission::new(ctx.run().clone(), "child", "plan", definition, Json::null());
        let branch = ctx.scope("branch");
        let (child, signal) = join(branch.child("child", &admission), ctx.signal("go", Json::null())).await;
        child?;
        signal?;
        match ctx.segment() {
            0 => match ctx.roll_over(Json::null()).await? {},
            _ => call(&ctx, "last").await,
        }
    })
}

#[test]
fn a_cancel_is_heard_at_every_point() {
    let mut heard = 0;
    for seed in 1..6 {
        for at in (990..1_400).step_by(5) {
            let world = cancelled_at(at, seed, &everything());
            let received = |letter: &Entry| matches!(letter, Entry::Received(Letter::Cancel { .. }));
            let taken = world.journal.iter().any(|line| received(&line.record.entry));
            match world.ended.unwrap() {
                Ok(_) => assert!(!taken),
                Err(error) => {
                    assert_eq!((error.code(), error.message()), (Code::RunCancelled, "cancelled: enough"));
                    heard += 1;
                }
            }
        }
    }
    assert!(heard > 100, "{heard}");
}

#[test]
fn code_that_ignores_a_cancel_ends_all_the_same() {
    let alone = code(|ctx, _| async move {
        loop {
            // Not even the error is looked at.
            let _ = call(&ctx, "a").await;
        }
    });
    let together = code(|ctx, _| async move {
        let (one, two) = (ctx.scope("one"), ctx.scope("two"));
        let branch = async |ctx: Ctx| {
            loop {
                let _ = ctx.sleep(Duration::from_millis(10)).await;
            }
        };
        let ((), ()) = join(branch(one), branch(two)).await;
        Ok(Json::null())
    });
    for program in [alone, together] {
        let world = cancelled_at(1_060, 3, &program);
        assert_eq!(world.ended.unwrap().unwrap_err().code(), Code::RunCancelled);
        assert!(world.journal.len() < 200, "{}", world.journal.len());
    }
}

#[test]
fn nothing_new_is_asked_for_after_a_cancel() {
    let world = cancelled_at(
        1_000,
        2,
        &code(|ctx, _| async move {
            let signal = ctx.signal("go", Json::null()).await;
            assert_eq!(signal.unwrap_err().code(), Code::RunCancelled);
            ctx.emit(&adjutant_core::event::EventKind::Resumed)?;
            assert_eq!(call(&ctx, "a").await.unwrap_err().code(), Code::RunCancelled);
            assert_eq!(ctx.cancelled().as_deref(), Some("enough"));
            Json::of("put in order")
        }),
    );
    assert_eq!(world.ended, Some(Json::of("put in order")));
    let asked = world
        .journal
        .iter()
        .filter(|line| matches!(line.record.entry, Entry::Issued { .. } | Entry::Answered { .. }));
    assert_eq!(asked.count(), 1);
}

#[test]
fn what_puts_things_in_order_is_done_after_a_cancel() {
    let world = cancelled_at(
        1_000,
        2,
        &code(|ctx, _| async move {
            assert_eq!(ctx.signal("go", Json::null()).await.unwrap_err().code(), Code::RunCancelled);
            let tidies = work(|_| async { Json::of(&"tidy") });
            let tidied = ctx.clean_up("tidy", Effects::new(Effect::Idempotent), Json::null(), tidies).await;
            assert_eq!(call(&ctx, "a").await.unwrap_err().code(), Code::RunCancelled);
            tidied
        }),
    );
    assert_eq!(world.ended, Some(Json::of("tidy")));
}

#[test]
fn a_run_rolls_over_in_its_root_with_nothing_open() {
    let outcome = ends(&code(|ctx, _| async move {
        let refused = ctx.scope("part").roll_over(Json::null()).await.unwrap_err();
        let open = pin!(ctx.sleep(Duration::from_millis(5)));
        let rolls = pin!(ctx.roll_over(Json::null()));
        let begun = select(open, rolls).await;
        let futures::future::Either::Right((Err(second), _)) = begun else { panic!("it rolled over") };
        Json::of(&[refused.code().as_str(), second.code().as_str()])
    }));
    assert_eq!(outcome, Json::of(&["internal", "internal"]));
}

#[test]
fn what_races_with_a_roll_over_is_taken_back() {
    let outcome = ends(&code(|ctx, state| async move {
        if state.is_none() {
            let rolls = pin!(ctx.roll_over(Json::of(&5)?));
            let sleeps = pin!(ctx.sleep(Duration::from_millis(5)));
            drop(select(rolls, sleeps).await);
        }
        call(&ctx, "sleep").await?;
        Ok(state.unwrap_or_default())
    }));
    assert_eq!(outcome, Json::of(&5));
}

#[test]
fn the_segment_after_a_roll_over_begins_at_one_time() {
    let program = code(|ctx, state| async move {
        ctx.sleep(Duration::from_millis(30)).await?;
        call(&ctx, "a").await?;
        let asks = ctx.effect(
            "now",
            Effects::pure(),
            Json::of(&ctx.moment().at)?,
            work(|_| async { Ok(Json::null()) }),
        );
        asks.await?;
        match state {
            None => match ctx.roll_over(Json::null()).await? {},
            Some(_) => {
                ctx.signal("go", Json::null()).await?;
                Json::of(&ctx.active())
            }
        }
    });
    let mut world = fresh();
    let early = code(|ctx, _| async move {
        let begin = (ctx.now(), ctx.active());
        let asks =
            ctx.effect("begin", Effects::pure(), Json::of(&begin)?, work(|_| async { Ok(Json::null()) }));
        asks.await?;
        ctx.signal("go", Json::null()).await?;
        match ctx.segment() {
            0 => match ctx.roll_over(Json::null()).await? {},
            _ => Ok(Json::null()),
        }
    });
    live(&mut world, &early);
    check_world(&world, 0, 0);
    verify(&world, &early);
    ends(&program).unwrap();
}

#[test]
fn an_empty_budget_of_the_async_runtime_changes_nothing() {
    let program = code(|ctx, _| async move {
        let (one, two) = (ctx.scope("one"), ctx.scope("two"));
        tokio::select! {
            biased;
            answer = call(&one, "a") => answer,
            answer = call(&two, "a") => answer,
        }
    });
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let outcome = runtime.block_on(async {
        while coop::has_budget_remaining() {
            coop::consume_budget().await;
        }
        ends(&program)
    });
    assert_eq!(outcome, Json::of(&1));
}
