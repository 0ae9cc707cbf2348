//! Sessions: each turn sees those before it, whatever became of them.

use std::sync::Arc;
use std::time::Duration;

use adjutant_agent::{Earlier, history, start};
use adjutant_core::Code;
use adjutant_core::id::{RunId, StepKey};
use adjutant_durable::Fork;
use adjutant_model::scripted::{Scripted, Turn};

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echoes, shown, tape};

#[tokio::test]
async fn a_turn_sees_those_before_it() {
    let turns = [Turn::text("one"), echoes("a"), Turn::text("two"), Turn::text("three")];
    let (model, sent) = tape(move |place| turns[place].clone());
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let mut earlier = None;
    for (text, reply) in [("1", "one"), ("2", "two"), ("3", "three")] {
        let run = bench.begin(text, Some("s")).await;
        assert_eq!(bench.end(&run).await.unwrap().text, reply);
        let records = bench.records(&run).await;
        let requests: Vec<_> = {
            let sent = sent.lock().unwrap();
            let of_run = |request: &&adjutant_model::Request| {
                request
                    .messages
                    .iter()
                    .rev()
                    .find(|m| m.role == adjutant_core::message::Role::User)
                    .unwrap()
                    .text()
                    == text
            };
            sent.iter().filter(of_run).cloned().collect()
        };
        assert_rebuilt(&records, &bench.definition(), earlier.as_ref(), &requests);
        let transcript = history::transcript(&records, earlier.as_ref()).unwrap();
        earlier = Some(Earlier { run, transcript });
    }
    let messages: Vec<_> = earlier.unwrap().transcript.messages().iter().map(|m| (**m).clone()).collect();
    assert_eq!(
        shown(&messages),
        [
            "system: You are a desk.",
            "user: 1",
            "assistant: one",
            "user: 2",
            r#"assistant: echo{"text":"a"}"#,
            "tool: echo: a",
            "assistant: two",
            "user: 3",
            "assistant: three",
        ]
    );
}

#[tokio::test]
async fn a_turn_is_linear_in_what_is_new() {
    let (model, _) = tape(|_| Turn::text("ok"));
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let mut sizes = Vec::new();
    for _ in 0..3 {
        let run = bench.begin(&"x".repeat(10_000), Some("s")).await;
        bench.end(&run).await.unwrap();
        let size: usize = bench
            .records(&run)
            .await
            .iter()
            .map(|record| match &record.entry {
                adjutant_durable::Entry::Issued { operation, .. } => operation.input.len(),
                _ => 0,
            })
            .sum();
        sizes.push(size);
    }
    assert!(sizes.iter().all(|size| *size < 1_000), "{sizes:?}");
}

#[tokio::test]
async fn a_session_goes_on_after_a_cancelled_turn() {
    let (model, _) = tape(|place| match place {
        0 => echoes("a"),
        1 => Turn::text("never said").after(Duration::from_secs(30)),
        _ => Turn::text("fine"),
    });
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let first = bench.begin("1", Some("s")).await;
    bench.until(&first, |record| record.entry.key() == Some(&StepKey::parse("/turn#1/model#0"))).await;
    start::cancel(bench.engine.as_ref(), &first, "stop").await.unwrap();
    assert_eq!(bench.end(&first).await.unwrap_err().code(), Code::RunCancelled);
    let second = bench.begin("2", Some("s")).await;
    assert_eq!(bench.end(&second).await.unwrap().text, "fine");
    let transcript = history::transcript(&bench.records(&first).await, None).unwrap();
    let earlier = Earlier { run: first, transcript };
    let both = history::transcript(&bench.records(&second).await, Some(&earlier)).unwrap();
    let messages: Vec<_> = both.messages().iter().map(|m| (**m).clone()).collect();
    assert_eq!(
        shown(&messages),
        [
            "system: You are a desk.",
            "user: 1",
            r#"assistant: echo{"text":"a"}"#,
            "tool: echo: a",
            "user: 2",
            "assistant: fine",
        ]
    );
}

#[tokio::test]
async fn another_process_finds_the_same_session() {
    let bench = Bench::new(agent(), [Turn::text("one"), Turn::text("two")]);
    bench.serve();
    let run = bench.begin("1", Some("s")).await;
    bench.end(&run).await.unwrap();
    let engine = Arc::clone(&bench.engine);
    let models = bench.models.clone();
    let definition = bench.agent.clone();
    let second = bench.begin("2", Some("s")).await;
    drop(bench);
    // Its cache is empty.
    let other = Bench::on(engine, definition, models);
    other.serve();
    assert_eq!(other.end(&second).await.unwrap().text, "two");
}

#[tokio::test]
async fn a_fork_of_a_turn_sees_what_that_turn_saw() {
    let turns = [Turn::text("one"), echoes("a"), Turn::text("two"), Turn::text("three")];
    let model = Scripted::from_fn(move |request, place| {
        let edited = request.messages.iter().any(|m| m.results().any(|result| result.as_text() == "edited"));
        Some(if edited { Turn::text("other") } else { turns[place].clone() })
    });
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let mut runs = Vec::new();
    for text in ["1", "2", "3"] {
        let run = bench.begin(text, Some("s")).await;
        bench.end(&run).await.unwrap();
        runs.push(run);
    }
    let key = StepKey::parse("/turn#0/call#0/echo#0");
    let edit = adjutant_durable::Edit {
        key: key.clone(),
        outcome: Ok(adjutant_core::json::Json::of("edited").unwrap()),
    };
    let fork = Fork {
        of: runs[1].clone(),
        run: RunId::from_bytes([200; 10]),
        from: key,
        segment: None,
        edits: vec![edit],
    };
    let forked = bench.engine.fork(fork).await.unwrap().run;
    assert_eq!(bench.end(&forked).await.unwrap().text, "other");
}
