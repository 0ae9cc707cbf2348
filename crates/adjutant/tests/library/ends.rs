//! How runs end, and what is recorded of that.

use adjutant::model::scripted::Turn;
use adjutant::prelude::*;

use crate::shop::{desk, look_up, pay_cents, saying};

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
