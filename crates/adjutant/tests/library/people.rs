//! People who answer, say something, stop a run, or clear up what nobody knows.

use std::time::Duration;

use adjutant::Code;
use adjutant::core::money::Prices;
use adjutant::durable::{Resolution, RunState, Wait};
use adjutant::model::Profile;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;
use serde_json::json;

use crate::shop::{desk, pay_cents, saying};

/// Drives a run until it stands like this, and gives what it waits for.
async fn until(run: &Run, state: RunState) -> Vec<Wait> {
    let mut updates = run.drive();
    while let Some(update) = updates.next().await {
        if update.unwrap() == Update::State(state) {
            updates.stop().await.unwrap();
            return run.waits().await.unwrap();
        }
    }
    panic!("the run is over");
}

fn signal(waits: &[Wait]) -> &str {
    match waits {
        [Wait::Signal { name, .. }, ..] => name,
        other => panic!("it waits for {other:?}"),
    }
}

#[tokio::test]
async fn a_call_is_allowed() {
    let adjutant = saying([pay_cents(5), Turn::text("Paid.").expecting_last("5 cents paid")]);
    let run = adjutant.start(&desk().approve("pay"), "Pay 5 cents.").await.unwrap();
    let waits = until(&run, RunState::Waiting).await;
    run.approve(signal(&waits)).await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Paid.");
    assert_eq!(run.approve(signal(&waits)).await.unwrap_err().code(), Code::Conflict);
}

#[tokio::test]
async fn a_call_is_refused() {
    let adjutant = saying([pay_cents(5), Turn::text("Not paid.").expecting_last("too dear")]);
    let run = adjutant.start(&desk().approve("*"), "Pay 5 cents.").await.unwrap();
    let waits = until(&run, RunState::Waiting).await;
    run.deny(signal(&waits), "too dear").await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Not paid.");
}

#[tokio::test]
async fn an_unknown_outcome_is_cleared_up() {
    let adjutant = saying([pay_cents(13), Turn::text("Paid.").expecting_last("paid at the counter")]);
    let run = adjutant.start(&desk(), "Pay 13 cents.").await.unwrap();
    let waits = until(&run, RunState::Waiting).await;
    let [Wait::Unknown { key, .. }] = waits.as_slice() else { panic!("it waits for {waits:?}") };
    let other = adjutant::core::id::StepKey::parse("/nowhere#0");
    assert_eq!(run.resolve(&other, Resolution::Retry).await.unwrap_err().code(), Code::Conflict);
    let gone = run.resolve_attempt(key, 2, Resolution::Retry).await.unwrap_err();
    assert_eq!(gone.code(), Code::Conflict);
    assert!(gone.message().contains("attempt 2 of"), "{gone}");
    let happened = || Resolution::Happened(json!("paid at the counter").into());
    run.resolve_attempt(key, 1, happened()).await.unwrap();
    // Somebody else looked at the same moment.
    assert_eq!(run.resolve(key, Resolution::Retry).await.unwrap_err().code(), Code::Conflict);
    assert_eq!(run.reply().await.unwrap().text, "Paid.");
}

#[tokio::test]
async fn a_run_is_cancelled_while_it_works() {
    let adjutant = saying([Turn::calls([("wait", json!({}))])]);
    let run = adjutant.start(&desk(), "Wait.").await.unwrap();
    let mut updates = run.drive();
    while let Some(update) = updates.next().await {
        if let Update::Event(event) = update.unwrap()
            && let EventKind::ToolProgress { text, .. } = event.kind
        {
            assert_eq!(text, "waiting");
            run.cancel("never mind").await.unwrap();
        }
    }
    let error = run.outcome().await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::RunCancelled, "cancelled: never mind"));
    assert_eq!(run.cancel("again").await.unwrap_err().code(), Code::Conflict);
}

#[tokio::test]
async fn a_run_hears_what_is_said_meanwhile() {
    let slow = Turn::text("Looking:").after(Duration::from_millis(300));
    let adjutant = saying([slow, Turn::text("Hurried.").expecting_last("hurry up")]);
    let run = adjutant.start(&desk(), "Look.").await.unwrap();
    let reply = tokio::spawn({
        let run = run.clone();
        async move { run.reply().await }
    });
    run.steer("hurry up").await.unwrap();
    assert_eq!(reply.await.unwrap().unwrap().text, "Hurried.");
    assert_eq!(run.steer("too late").await.unwrap_err().code(), Code::Conflict);
}

#[tokio::test]
async fn a_paused_run_goes_on() {
    let adjutant = saying([Turn::text("Done.")]);
    let run = adjutant.start(&desk(), "Do it.").await.unwrap();
    run.pause("lunch").await.unwrap();
    assert_eq!(run.reply().await.unwrap_err().code(), Code::Conflict);
    run.resume().await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "Done.");
}

#[tokio::test]
async fn a_budget_is_kept() {
    let prices = Prices::new(1.into(), 1.into());
    let profile = Profile { prices: Some(prices), ..Profile::default() };
    let ask = |budget: &'static str| {
        let model = Scripted::new([Turn::text("Dear.")]).with_profile(profile.clone());
        let builder = Adjutant::builder().in_memory().model("main", model);
        let adjutant = builder.resource(crate::shop::Till::default()).build().unwrap();
        async move { adjutant.run(&desk(), Task::new("Do it.").budget(budget.parse().unwrap())).await }
    };
    let reply = ask("5 USD").await.unwrap();
    assert_eq!(reply.text, "Dear.");
    assert!(reply.cost.is_some());
    assert_eq!(ask("0 USD").await.unwrap_err().code(), Code::RunBudget);
}

#[tokio::test]
async fn what_is_said_to_a_workflow_is_heard_by_who_is_at_work_for_it() {
    let slow = Duration::from_millis(300);
    let model = Scripted::from_fn(move |request, place| {
        let heard = request.messages.iter().any(|message| message.text().contains("in French"));
        Some(match place {
            0 => Turn::calls([("clock", json!({}))]).after(slow),
            _ => Turn::text(if heard { "Bonjour." } else { "Hello." }),
        })
    });
    /// Says what time it is.
    #[tool(pure)]
    async fn clock() -> Result<String, ToolError> {
        Ok("noon".to_owned())
    }
    let writer = Agent::new("writer").instructions("Write.").tool(clock);
    let workflow = Workflow::new("letters").agent(&writer).run(|stage, input| async move {
        let person =
            json!({ "type": "object", "properties": { "go": { "type": "boolean" } }, "required": ["go"] });
        let letter = stage.ask("writer", input).await?;
        stage.person("Send it?", person).await?;
        Ok(letter)
    });
    let adjutant = Adjutant::builder().in_memory().model("main", model).build().unwrap();
    let run = adjutant.start(&workflow, "A greeting.").await.unwrap();
    let mut updates = run.drive();
    let (mut said, mut nobody) = (false, None);
    while nobody.is_none() {
        let _ = tokio::time::timeout(Duration::from_millis(10), updates.next()).await;
        said = said || run.steer("Write it in French.").await.is_ok();
        if let [Wait::Signal { name, .. }, ..] = run.waits().await.unwrap().as_slice() {
            nobody = Some(run.steer("Too late.").await.unwrap_err().code());
            let answer = adjutant::tool::Answer::Accept(json!({ "go": true }).as_object().cloned());
            run.answer(name, answer).await.unwrap();
        }
    }
    updates.stop().await.unwrap();
    assert!(said);
    assert_eq!(nobody, Some(Code::Conflict), "no agent is at work any more");
    assert_eq!(run.reply().await.unwrap().text, "Bonjour.");
}
