//! Agents that ask other agents, as a program sees them.

use std::time::Duration;

use adjutant::Code;
use adjutant::core::event::EventKind;
use adjutant::durable::{RunState, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

use crate::shop::{Till, desk, pay_cents};

/// The desk, asked by somebody who has no tools of its own.
fn front(desk: &Agent) -> Agent {
    let desk = desk.clone().description("Runs the desk.").model("desk");
    Agent::new("front").instructions("You greet people.").agent(&desk)
}

fn saying(desk: impl IntoIterator<Item = Turn>) -> Adjutant {
    let asks = Turn::calls([("desk", json!({ "task": "Pay 5 cents." }))]);
    Adjutant::builder()
        .in_memory()
        .model("main", Scripted::new([asks, Turn::text("It is done.")]))
        .model("desk", Scripted::new(desk).with_id("scripted-desk"))
        .resource(Till::default())
        .build()
        .unwrap()
}

#[tokio::test]
async fn what_happens_below_is_seen_and_answered_from_above() {
    let adjutant = saying([pay_cents(5), Turn::text("Paid.").expecting_last("5 cents paid")]);
    let run = adjutant.start(&front(&desk().approve("pay")), "Please pay.").await.unwrap();
    let mut updates = run.drive();
    let mut told = Vec::new();
    while let Some(update) = updates.next().await {
        let Update::Event(event) = update.unwrap() else { continue };
        let below = event.run != *run.id();
        match &event.kind {
            EventKind::ApprovalRequested { signal, .. } => {
                told.push(format!("asked, below: {below}"));
                adjutant.handle(&event.run).approve(signal).await.unwrap();
            }
            EventKind::ToolAnswered(result) => told.push(format!("{}, below: {below}", result.name)),
            EventKind::ChildEnded { .. } => told.push("ended".to_owned()),
            _ => {}
        }
    }
    assert_eq!(told, ["asked, below: true", "pay, below: true", "ended", "desk, below: false"]);
    assert_eq!(run.outcome().await.unwrap().text, "It is done.");
    let child = run.summary().await.unwrap().steps.into_iter().find_map(|step| step.run).unwrap();
    assert_eq!(adjutant.handle(&child).root().await.unwrap().id(), run.id());
}

#[tokio::test]
async fn a_run_says_what_those_below_it_wait_for() {
    let adjutant = saying([pay_cents(5)]);
    let run = adjutant.start(&front(&desk().approve("pay")), "Please pay.").await.unwrap();
    let updates = run.drive();
    let waiting = async {
        loop {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let rests = run.rests().await.unwrap();
            if let [above, below] = rests.as_slice()
                && let [Wait::Signal { .. }, ..] = below.waits.as_slice()
            {
                assert!(matches!(above.waits.as_slice(), [Wait::Child { run, .. }] if *run == below.run));
                assert_eq!(below.name, "desk");
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(20), waiting).await.unwrap();
    updates.stop().await.unwrap();
}

#[tokio::test]
async fn whoever_waits_for_an_answer_hears_what_holds_it_up() {
    let refused = adjutant::core::Error::new(Code::ModelKeyRefused, "no such key");
    let adjutant = saying([Turn::error(refused)]);
    let error = adjutant.run(&front(&desk()), "Please pay.").await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyRefused);
    let runs = adjutant.runs(9).await.unwrap();
    assert!(runs.iter().any(|info| info.name == "desk" && info.state == RunState::Halted), "{runs:?}");
}
