//! Somebody who was cut off and watches on.

use adjutant::core::event::{Event, EventKind};
use adjutant::durable::RunState;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

use crate::shop::{Till, desk, look_up, pay_cents};

/// What happens in a run itself from a record on, each with the record from which to watch on after it. Pieces are left out, which
/// are not kept for ever.
async fn seen(run: &Run, from: u64) -> Vec<(Event, u64)> {
    let (mut updates, mut seen) = (run.watch_alone_from(from), Vec::new());
    while let Some(update) = updates.next().await {
        match update.unwrap() {
            Update::Event(event) if event.offset.is_some() => seen.push((*event, updates.rests_on())),
            Update::Event(_) | Update::State(_) => {}
        }
    }
    seen
}

/// Whoever watches on after any event of a run sees what those see who watched all of it, and reads at most so many records that they
/// have seen.
async fn check(run: &Run, most: u64) {
    let all = seen(run, 0).await;
    for (place, (event, rests_on)) in all.iter().enumerate() {
        let back = event.offset.unwrap() - rests_on;
        assert!(back <= most, "after {event:?} {back} records are read once more");
        let again = seen(run, *rests_on).await;
        let rest = &again[again.len() - (all.len() - place)..];
        let (kinds, expected): (Vec<_>, Vec<_>) = (
            rest.iter().map(|(event, _)| (event.offset, &event.kind)).collect(),
            all[place..].iter().map(|(event, _)| (event.offset, &event.kind)).collect(),
        );
        assert_eq!(kinds, expected, "after {event:?}");
    }
}

#[tokio::test]
async fn what_is_left_of_a_long_run_is_read_and_little_else() {
    let turns = (1..=18).map(pay_cents).chain([Turn::text("Paid.")]);
    let adjutant = crate::shop::saying(turns);
    let run = adjutant.start(&desk().approve("pay"), "Pay 5 cents.").await.unwrap();
    let mut updates = run.drive();
    while let Some(update) = updates.next().await {
        let Update::Event(event) = update.unwrap() else { continue };
        if let EventKind::ApprovalRequested { signal, .. } = &event.kind {
            run.approve(signal).await.unwrap();
        }
    }
    let records = run.records().await.unwrap().len();
    assert!(records > 100, "{records}");
    check(&run, 12).await;
}

#[tokio::test]
async fn calls_that_are_told_of_before_their_step_are_told_once() {
    let below = desk().description("Runs the desk.").model("desk");
    let front = Agent::new("front").instructions("You greet people.").agent(&below);
    let asks = || Turn::calls([("desk", json!({ "task": "Look it up." }))]);
    let adjutant = Adjutant::builder()
        .in_memory()
        .model("main", Scripted::new([asks(), asks(), asks(), Turn::text("It is done.")]))
        .model(
            "desk",
            Scripted::new((0..3).flat_map(|_| [look_up(), Turn::text("On its way.")])).with_id("desk"),
        )
        .resource(Till::default())
        .build()
        .unwrap();
    let run = adjutant.start(&front, "Please look.").await.unwrap();
    run.reply().await.unwrap();
    assert_eq!(run.info().await.unwrap().state, RunState::Ended);
    check(&run, 14).await;
}
