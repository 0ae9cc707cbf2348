//! How runs end, and what is recorded of that.

use std::sync::Mutex;

use adjutant::agent::definition::Completion;
use adjutant::core::usage::Usage;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use serde_json::json;

use crate::shop::{Till, desk, look_up, pay_cents, saying};

#[tokio::test]
async fn an_end_is_recorded_with_its_condition_its_figures_and_what_was_left() {
    let adjutant = saying([look_up(), pay_cents(5), Turn::text("It is on its way.")]);
    let run = adjutant.start(&desk().limit(steps(1)), "Where is it? And pay.").await.unwrap();
    let reply = run.reply().await.unwrap();
    let ending = reply.ending.unwrap();
    assert_eq!(ending.condition, "stopped by the limit of steps");
    assert_eq!((ending.figures.steps, ending.figures.tool_calls), (2, 2));
    assert_eq!(ending.figures.tokens, reply.usage.total());
    assert_eq!(ending.open, ["`pay` was still to be called"]);
    assert!(ending.to_string().ends_with("; left open: `pay` was still to be called"), "{ending}");
}

#[tokio::test]
async fn an_answer_leaves_nothing_open() {
    let adjutant = saying([look_up(), Turn::text("It is on its way.")]);
    let reply = adjutant.run(&desk(), "Where is it?").await.unwrap();
    let ending = reply.ending.clone().unwrap();
    assert_eq!((ending.condition.as_str(), ending.figures.tool_calls), ("answered", 1));
    assert!(ending.open.is_empty());
    // What earlier versions wrote is read as well.
    let mut older = serde_json::to_value(&reply).unwrap();
    older.as_object_mut().unwrap().remove("ending").unwrap();
    assert_eq!(serde_json::from_value::<Reply>(older).unwrap(), Reply { ending: None, ..reply });
}

/// An Adjutant whose agents say one thing and whose judges another.
fn judged(says: impl IntoIterator<Item = Turn>, judge: impl IntoIterator<Item = Turn>) -> (Adjutant, Agent) {
    // Each of its calls stands alone.
    let judge = Mutex::new(judge.into_iter().collect::<Vec<_>>().into_iter());
    let judge = Scripted::from_fn(move |_, _| judge.lock().unwrap().next());
    let adjutant = Adjutant::builder()
        .in_memory()
        .model("main", Scripted::new(says))
        .model("critic", judge.with_id("scripted-critic"))
        .resource(Till::default())
        .build()
        .unwrap();
    (adjutant, desk().check(Completion::default().judge("critic")))
}

fn verdict(done: bool, missing: &str) -> Turn {
    Turn::text(&json!({ "done": done, "missing": missing }).to_string())
}

#[tokio::test]
async fn an_answer_that_promises_what_was_not_done_goes_back_once() {
    let says = [
        Turn::text("I have paid."),
        pay_cents(5).expecting_last("claims or promises what was not done: the payment"),
        Turn::text("Now I have paid."),
    ];
    let judge = [verdict(false, "the payment").expecting_last("I have paid."), verdict(true, "")];
    let (adjutant, agent) =
        judged(says, judge.map(|turn| turn.with_usage(Usage { input: 100, ..Usage::default() })));
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("Now I have paid.", Stop::Answered));
    assert!(reply.ending.unwrap().open.is_empty());
    assert!(reply.usage.input >= 200, "what the judge takes counts");
}

#[tokio::test]
async fn what_the_second_answer_leaves_open_is_recorded() {
    let says = [Turn::text("I have paid."), Turn::text("I have, really.")];
    let (adjutant, agent) = judged(says, [verdict(false, "the payment"), verdict(false, "the payment")]);
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!(reply.text, "I have, really.");
    assert_eq!(reply.ending.unwrap().open, ["the payment"]);
}

#[tokio::test]
async fn a_judge_that_gives_no_verdict_holds_nothing_up() {
    let (adjutant, agent) = judged([Turn::text("I have paid.")], [Turn::text("Hm.")]);
    let reply = adjutant.run(&agent, "Pay 5 cents.").await.unwrap();
    assert_eq!(reply.text, "I have paid.");
    assert_eq!(reply.ending.unwrap().open, ["the answer was not checked"]);
}
