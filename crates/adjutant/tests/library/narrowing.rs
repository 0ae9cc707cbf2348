//! Tasks that are narrowed: what nobody has asked for is not done without asking.

use adjutant::agent::Narrow;
use adjutant::durable::{RunState, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

use crate::shop::{Till, desk, pay_cents, saying};

/// What a person is asked for, once the run waits; none where it comes to its end.
async fn asked(run: &Run) -> Option<(String, String)> {
    let mut updates = run.drive();
    while let Some(update) = updates.next().await {
        if update.unwrap() == Update::State(RunState::Waiting) {
            updates.stop().await.unwrap();
            let waits = run.waits().await.unwrap().into_iter();
            return waits.into_iter().find_map(|wait| match wait {
                Wait::Signal { name, request, .. } => {
                    Some((name, request.value()["why"].as_str().unwrap().to_owned()))
                }
                _ => None,
            });
        }
    }
    None
}

#[tokio::test]
async fn what_was_asked_for_is_done() {
    let adjutant = saying([pay_cents(5), Turn::text("Paid.").expecting_last("5 cents paid")]);
    let run = adjutant.start(&desk().narrow(Narrow::Rules), "Please pay 5 cents.").await.unwrap();
    assert_eq!(asked(&run).await, None);
    assert_eq!(run.reply().await.unwrap().text, "Paid.");
}

#[tokio::test]
async fn what_was_not_asked_for_asks() {
    let adjutant = saying([pay_cents(5), Turn::text("Not paid.").expecting_last("no such order")]);
    let run = adjutant.start(&desk().narrow(Narrow::Rules), "Where is order 1042?").await.unwrap();
    let (signal, why) = asked(&run).await.unwrap();
    assert_eq!(why, "the task, as it was asked for, does not speak of what `pay` does");
    run.deny(&signal, "no such order").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Not paid.");
}

#[tokio::test]
async fn a_later_turn_adds_what_it_asks_for() {
    let turns = [Turn::text("It costs 5 cents."), pay_cents(5), Turn::text("Paid.")];
    let adjutant = saying(turns);
    let desk = desk().narrow(Narrow::Rules);
    let ask = |text: &str| Task::new(text).session("ann");
    adjutant.run(&desk, ask("What is to be paid?")).await.unwrap();
    let run = adjutant.start(&desk, ask("Then pay the money.")).await.unwrap();
    assert_eq!(asked(&run).await, None);
}

#[tokio::test]
async fn a_model_may_say_what_is_needed() {
    let says = |proposal: serde_json::Value| {
        let small = Scripted::from_fn(move |_, _| Some(Turn::text(&proposal.to_string()))).with_id("small");
        let main = Scripted::new([pay_cents(5), Turn::text("Done.")]);
        let builder = Adjutant::builder().in_memory().model("main", main).model("fast", small);
        builder.resource(Till::default()).build().unwrap()
    };
    for (proposal, is_asked) in [
        (json!({ "tools": [{ "name": "pay" }] }), false),
        (json!({ "tools": [{ "name": "wait" }] }), true),
        (json!("I do not know"), true),
    ] {
        let adjutant = says(proposal.clone());
        let run = adjutant.start(&desk().narrow(Narrow::Model), "Do it for Ann.").await.unwrap();
        assert_eq!(asked(&run).await.is_some(), is_asked, "{proposal}");
    }
}
