//! Code that changed under a run: what breaks its journal halts it with both sides shown, and what may change does
//! not.
//!
//! Programs are written as words: `a` is an effect, `a:2` one with an input, `@a` one with the time as its input,
//! `-a` one that is dropped at once, `?a` a signal, `+a` an effect behind a mark of the same name, `*` an event.
//! `left= a b | right= c` joins two named branches.

use adjutant_core::event::EventKind;
use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Result};
use adjutant_durable::{Ctx, Driven, Effects, Entry, Program, work};
use futures::future::{join_all, ready, select};

use crate::life::{activate, code, live};
use crate::outside::Outside;
use crate::properties::check_world;
use crate::verifier::verify;
use crate::world::{Faults, World};

fn script(words: &'static str, outside: &Outside) -> Program {
    let outside = outside.clone();
    code(move |ctx, _| {
        let outside = outside.clone();
        async move {
            let branches = words.split('|').map(|branch| run(&ctx, branch, &outside));
            join_all(branches).await.into_iter().collect::<Result<Vec<()>>>()?;
            Ok(Json::null())
        }
    })
}

async fn run(ctx: &Ctx, words: &str, outside: &Outside) -> Result<()> {
    let mut ctx = ctx.clone();
    for word in words.split_whitespace() {
        if let Some(name) = word.strip_suffix('=') {
            ctx = ctx.scope(name);
        } else if let Some(name) = word.strip_prefix('?') {
            ctx.signal(name, Json::null()).await?;
        } else if let Some(name) = word.strip_prefix('+') {
            if ctx.version(name).await? {
                call(&ctx, name, Json::null(), outside).await?;
            }
        } else if let Some(name) = word.strip_prefix('@') {
            call(&ctx, name, Json::of(&(ctx.now(), ctx.active()))?, outside).await?;
        } else if let Some(name) = word.strip_prefix('-') {
            let call = Box::pin(call(&ctx, name, Json::null(), outside));
            drop(select(call, ready(())).await);
        } else if word == "*" {
            ctx.emit(&EventKind::Resumed)?;
        } else {
            let (name, input) = word.split_once(':').unwrap_or((word, "null"));
            call(&ctx, name, Json::parse(input)?, outside).await?;
        }
    }
    Ok(())
}

async fn call(ctx: &Ctx, name: &str, input: Json, outside: &Outside) -> Result<Json> {
    let outside = outside.clone();
    let errand = work(move |attempt| {
        outside.execute(&attempt, Effect::Idempotent, true);
        async { Ok(Json::null()) }
    });
    ctx.effect(name, Effects::new(Effect::Idempotent), input, errand).await
}

/// A world in which the run was driven by the old code until it waits for a person.
fn parked(old: &'static str) -> World {
    let mut world = World::new(Faults::NONE, Vec::new());
    let program = script(old, &world.outside);
    assert_eq!(activate(&mut world, &program), Some(Driven::Parked), "{:?}", world.halted);
    world
}

/// The run halts under the new code, and goes on under the old.
fn diverges(old: &'static str, new: &'static str, message: &str) {
    let mut world = parked(old);
    let program = script(new, &world.outside);
    assert_eq!(activate(&mut world, &program), Some(Driven::Halted));
    let error = world.halted.take().unwrap();
    assert_eq!((error.code(), error.message()), (Code::RunDiverged, message));
    assert!(matches!(&world.journal.last().unwrap().record.entry, Entry::Halted(halted) if *halted == error));
    let program = script(old, &world.outside);
    live(&mut world, &program);
    check_world(&world, 0, 0);
}

/// The run goes on under the new code, and says which effects it did from there on.
fn goes_on(old: &'static str, new: &'static str) -> Vec<String> {
    let mut world = parked(old);
    let executed = world.outside.executions().len();
    let program = script(new, &world.outside);
    live(&mut world, &program);
    check_world(&world, 0, 0);
    let done = world.outside.executions().split_off(executed);
    let mut done: Vec<_> = done.iter().map(|execution| execution.key.to_string()).collect();
    done.sort();
    done
}

#[test]
fn another_operation_at_a_key() {
    diverges(
        "a b ?go c",
        "a b:2 ?go c",
        "at step `/b#0` the journal has `effect b null`, but the code asks for `effect b 2`",
    );
    diverges(
        "a b ?go c",
        "a ?b ?go c",
        "at step `/b#0` the journal has `effect b null`, but the code asks for `signal b null`",
    );
}

#[test]
fn an_added_step() {
    diverges(
        "a b ?go",
        "a x b ?go",
        "the code asks for `effect x null` at step `/x#0`, which the journal does not have at this point",
    );
    diverges(
        "a b ?go",
        "x a b ?go",
        "the code asks for `effect x null` at step `/x#0`, which the journal does not have at this point",
    );
}

#[test]
fn a_removed_step() {
    let missing = "the journal has `effect b null` at step `/b#0`, but the code does not ask for it";
    diverges("a b ?go", "a ?go", missing);
    diverges("a b ?go", "a", missing);
    diverges(
        "a b ?go",
        "a b",
        "the journal has `signal go null` at step `/go#0`, but the code does not ask for it",
    );
}

#[test]
fn steps_in_another_order() {
    diverges(
        "a b ?go",
        "b a ?go",
        "the journal has `effect a null` at step `/a#0`, but the code does not ask for it",
    );
    assert_eq!(
        goes_on("left= a ?go c | right= b ?stop d", "right= b ?stop d | left= a ?go c"),
        ["/left#0/c#0", "/right#0/d#0"]
    );
}

#[test]
fn a_branch_that_was_dropped_and_is_not() {
    diverges(
        "left= ?go | right= -a",
        "left= ?go | right= a",
        "in the journal the code took `effect a null` at step `/right#0/a#0` back, but now it waits for it",
    );
}

#[test]
fn a_step_added_to_one_branch_renumbers_no_other() {
    assert_eq!(goes_on("left= a ?go | right= a", "left= a ?go a | right= a"), ["/left#0/a#1"]);
}

#[test]
fn a_mark_protects_a_change_in_old_runs_and_new() {
    assert_eq!(goes_on("a b ?go c", "a +x b ?go +y c"), ["/c#0", "/y#0"]);
    // A mark called like a step does not renumber the step.
    assert_eq!(goes_on("a b ?go c", "+a a +b b ?go c"), ["/c#0"]);
    assert_eq!(goes_on("?go a", "?go +x a"), ["/a#0", "/x#0"]);
    // The mark of an old run has the time at which the code is, not that of the end of the journal.
    assert_eq!(goes_on("a @b ?go @c", "+x a +y @b +z ?go @c"), ["/c#0"]);
    assert_eq!(
        goes_on("left= ?go a | right= b ?stop", "left= +x ?go a | right= b +y ?stop"),
        ["/left#0/a#0"]
    );
}

#[test]
fn the_answer_of_a_mark_stays() {
    let mut world = parked("a b ?go c ?stop d");
    let program = script("a +x b ?go +y c +z ?stop +w d", &world.outside);
    assert_eq!(activate(&mut world, &program), Some(Driven::Parked));
    world.wake();
    live(&mut world, &program);
    check_world(&world, 0, 0);
    let done: Vec<_> = world.outside.executions().iter().map(|done| done.key.to_string()).collect();
    assert_eq!(done, ["/a#0", "/b#0", "/y#0", "/c#0", "/z#0", "/w#0", "/d#0"]);
    let mut fresh = World::new(Faults::NONE, Vec::new());
    let program = script("a +x b ?go c", &fresh.outside);
    live(&mut fresh, &program);
    verify(&fresh, &program);
    assert_eq!(fresh.outside.executions()[1].key.as_str(), "/x#0");
}

#[test]
fn events_come_and_go() {
    assert_eq!(goes_on("* a * b ?go c *", "a b ?go c"), ["/c#0"]);
    assert_eq!(goes_on("a b ?go c", "* a * * b ?go * c *"), ["/c#0"]);
    assert_eq!(goes_on("* emit ?go emit", "emit * * ?go emit"), ["/emit#1"]);
}
