//! Calls that wait for people, over all runs.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adjutant::agent::approval::Decision;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, Holds, Verdict};
use serde_json::json;
use tokio_util::sync::CancellationToken;

use crate::shop::{desk, pay_cents, saying};

fn by(name: &str, decision: Decision) -> Verdict {
    Verdict::new(decision, name)
}

#[tokio::test]
async fn two_people_answer_and_the_second_is_told_of_the_first() {
    let adjutant = saying([pay_cents(5), Turn::text("Paid.").expecting_last("5 cents paid")]);
    let run = adjutant.start(&desk().approve("pay"), "Pay 5 cents.").await.unwrap();
    let updates = run.drive();
    let approvals = adjutant.approvals();
    let approval = loop {
        if let Some(approval) = approvals.waiting().await.unwrap().pop() {
            break approval;
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    updates.stop().await.unwrap();
    assert_eq!((&approval.run, approval.request.arguments["cents"].as_u64()), (run.id(), Some(5)));
    let (first, second) = tokio::join!(
        approvals.decide(run.id(), &approval.signal, by("ann", Decision::Approve)),
        approvals.decide(run.id(), &approval.signal, by("bob", Decision::Deny(Some("too dear".into())))),
    );
    let (loser, winner) = match (first, second) {
        (Ok(_), Err(error)) => (error, "ann has allowed it"),
        (Err(error), Ok(_)) => (error, "bob has refused it (too dear)"),
        other => panic!("one of two is first: {other:?}"),
    };
    assert_eq!(loser.code(), Code::Conflict);
    assert!(loser.message().contains(winner), "{loser}");
    assert!(approvals.find(&approval.id).await.unwrap().answer.is_some());
}

#[tokio::test]
async fn a_change_that_does_not_fit_is_refused_before_it_is_recorded() {
    let adjutant = saying([pay_cents(5), Turn::text("Paid.").expecting_last("4 cents paid")]);
    let run = adjutant.start(&desk().approve("pay"), "Pay 5 cents.").await.unwrap();
    let mut updates = run.drive();
    let approvals = adjutant.approvals();
    while approvals.waiting().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let signal = approvals.waiting().await.unwrap().remove(0).signal;
    let misfit = by("ann", Decision::Edit(json!({ "cents": "many" })));
    assert_eq!(approvals.decide(run.id(), &signal, misfit).await.unwrap_err().code(), Code::ToolArguments);
    let everywhere = Holds { everywhere: true, ..Holds::default() };
    let unbound = by("ann", Decision::Approve).holding(everywhere);
    assert_eq!(approvals.decide(run.id(), &signal, unbound).await.unwrap_err().code(), Code::InputInvalid);
    let edit = by("ann", Decision::Edit(json!({ "cents": 4 })));
    approvals.decide(run.id(), &signal, edit).await.unwrap();
    while futures::StreamExt::next(&mut updates).await.is_some() {}
    assert_eq!(run.reply().await.unwrap().text, "Paid.");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_thousand_calls_wait_at_the_same_time() {
    const MANY: usize = 1_000;
    let folder = tempfile::tempdir().unwrap();
    let paid = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&paid);
    let pay = adjutant::tool::FunctionTool::new(
        adjutant::tool::ToolSpec {
            name: "pay".into(),
            description: "Pays.".into(),
            parameters: json!({ "type": "object", "properties": {} }),
            effect: adjutant::tool::Effect::AtMostOnce,
            timeout: Duration::from_secs(30),
            concurrency: None,
            flow: adjutant::core::tool::Flow::default(),
        },
        move |_, _| {
            count.fetch_add(1, Ordering::Relaxed);
            async { Ok(adjutant::tool::Output::text("paid")) }
        },
    );
    let turns = |place: usize| match place % 2 {
        0 => Turn::calls([("pay", json!({}))]),
        _ => Turn::text("ok"),
    };
    // Which turn it is shows in the request, not in the order of the requests.
    let model = Scripted::from_fn(move |request, _| {
        Some(turns(usize::from(request.messages.iter().any(|message| message.results().count() > 0))))
    });
    let agent = Agent::new("desk").instructions("x").tool(pay).approve("pay");
    let adjutant = Adjutant::builder()
        .store(folder.path().join("a.db"))
        .model("main", model)
        .agent(agent.clone())
        .build()
        .unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (adjutant, stop) = (adjutant.clone(), stop.clone());
        async move { adjutant.serve(stop).await }
    });
    let started = futures::future::join_all((0..MANY).map(|_| adjutant.start(&agent, "Pay."))).await;
    let runs: Vec<Run> = started.into_iter().map(Result::unwrap).collect();
    let approvals = adjutant.approvals();
    let patience = Instant::now() + Duration::from_secs(120);
    let waiting = loop {
        let waiting = approvals.waiting().await.unwrap();
        if waiting.len() == MANY {
            break waiting;
        }
        assert!(Instant::now() < patience, "{} wait", waiting.len());
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let began = Instant::now();
    assert_eq!(approvals.waiting().await.unwrap().len(), MANY);
    let took = began.elapsed();
    eprintln!("listing {MANY} calls that wait took {took:?}");
    assert!(took < Duration::from_secs(2), "{took:?}");
    assert_eq!(paid.load(Ordering::Relaxed), 0);
    for approval in &waiting {
        approvals.decide(&approval.run, &approval.signal, by("ann", Decision::Approve)).await.unwrap();
    }
    for run in &runs {
        assert_eq!(run.reply().await.unwrap().text, "ok");
    }
    assert_eq!(paid.load(Ordering::Relaxed), MANY);
    assert!(approvals.waiting().await.unwrap().is_empty());
    stop.cancel();
    serving.await.unwrap().unwrap();
}
