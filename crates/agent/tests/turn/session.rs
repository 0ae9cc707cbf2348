//! Sessions: each turn sees those before it, whatever became of them.

use std::sync::Arc;
use std::time::Duration;

use adjutant_agent::approval::Decision;
use adjutant_agent::definition::ContextWindow;
use adjutant_agent::{Agent, Earlier, Input, Start, history, session, start};
use adjutant_core::Code;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::message::{Message, transcript_fault};
use adjutant_core::tool::Effect;
use adjutant_durable::{Entry, Fork, Kind, RunState, Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use futures::StreamExt;
use serde_json::json;

use crate::bench::{Bench, Roles, agent, assert_rebuilt, deed, echoes, in_time, shown, tape};

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
        earlier = Some(Earlier {
            run,
            transcript,
            past: Arc::default(),
            names: Default::default(),
            standing: None,
            lessons: Arc::default(),
        });
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
async fn what_a_cancelled_turn_has_not_heard_is_heard_by_the_next() {
    let (model, sent) = tape(|place| match place {
        0 => Turn::text("never said").after(Duration::from_secs(30)),
        _ => Turn::text("fine"),
    });
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let first = bench.begin("1", Some("s")).await;
    bench.until(&first, |record| record.entry.key() == Some(&StepKey::parse("/turn#0/model#0"))).await;
    start::steer(bench.engine.as_ref(), &first, "1", &Message::user("be quick")).await.unwrap();
    start::steer(bench.engine.as_ref(), &first, "2", &Message::user("and kind")).await.unwrap();
    start::cancel(bench.engine.as_ref(), &first, "stop").await.unwrap();
    assert_eq!(bench.end(&first).await.unwrap_err().code(), Code::RunCancelled);
    let second = bench.begin("2", Some("s")).await;
    assert_eq!(bench.end(&second).await.unwrap().text, "fine");
    let request = sent.lock().unwrap().last().unwrap().clone();
    let messages: Vec<_> = request.messages.iter().map(|m| (**m).clone()).collect();
    assert_eq!(
        shown(&messages),
        ["system: You are a desk.", "user: 1", "user: be quick", "user: and kind", "user: 2"]
    );
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
    let earlier = Earlier {
        run: first,
        transcript,
        past: Arc::default(),
        names: Default::default(),
        standing: None,
        lessons: Arc::default(),
    };
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
        by: None,
        of: runs[1].clone(),
        run: RunId::from_bytes([200; 10]),
        from: key,
        segment: None,
        edits: vec![edit],
    };
    let forked = bench.engine.fork(fork).await.unwrap().run;
    assert_eq!(bench.end(&forked).await.unwrap().text, "other");
}

/// What is left of the session `s`, after a check that a model can be sent it.
async fn remaining(bench: &Bench) -> Vec<String> {
    let whole = session::whole(bench.engine.as_ref(), &SessionId::from("s")).await.unwrap();
    let messages: Vec<_> =
        whole.iter().flat_map(|earlier| earlier.transcript.messages()).map(|m| (**m).clone()).collect();
    assert_eq!(transcript_fault(&messages), None, "{messages:#?}");
    shown(&messages)
}

#[tokio::test]
async fn an_erased_turn_is_not_seen_any_more() {
    for (erased, left) in [(0, [1, 2]), (1, [0, 2]), (2, [0, 1])] {
        let (model, sent) = tape(|place| if place % 2 == 0 { echoes("a") } else { Turn::text("ok") });
        let bench = Bench::with(agent(), Roles::main(model));
        bench.serve();
        for user in 0..3 {
            let run = bench.begin_for(Some(&format!("u{user}")), &format!("from {user}"), Some("s")).await;
            bench.end(&run).await.unwrap();
        }
        assert_eq!(bench.engine.erase_user(&format!("u{erased}"), "admin").await.unwrap(), 1);
        let said = |turns: &[usize]| {
            let turn = |turn: &usize| {
                let user = format!("user: from {turn}");
                [user.as_str(), r#"assistant: echo{"text":"a"}"#, "tool: echo: a", "assistant: ok"]
                    .map(str::to_owned)
            };
            let instructions = "system: You are a desk.".to_owned();
            std::iter::once(instructions).chain(turns.iter().flat_map(turn)).collect::<Vec<_>>()
        };
        assert_eq!(remaining(&bench).await, said(&left));
        // Two turns more: the second builds upon one that has seen what is left.
        for turn in [3, 4] {
            let engine = bench.engine.as_ref();
            let earlier = session::whole(engine, &SessionId::from("s")).await.unwrap();
            let from = sent.lock().unwrap().len();
            let run = bench.begin_for(Some("u9"), &format!("from {turn}"), Some("s")).await;
            assert_eq!(bench.end(&run).await.unwrap().text, "ok");
            let sent = sent.lock().unwrap()[from..].to_vec();
            assert_rebuilt(&bench.records(&run).await, &bench.definition(), earlier.as_deref(), &sent);
        }
        assert_eq!(remaining(&bench).await, said(&[left[0], left[1], 3, 4]));
    }
}

#[tokio::test]
async fn a_summary_that_may_tell_of_an_erased_turn_goes_with_it() {
    let (main, _) = tape(|_| Turn::text(&"y".repeat(6_000)));
    let (fast, summaries) = tape(|_| Turn::text("bob has a secret"));
    let context = ContextWindow { tokens: Some(4_000), keep_turns: 1, ..ContextWindow::default() };
    let agent = Agent::new("desk").instructions("You are a desk.").context(context);
    let bench = Bench::with(agent, Roles::main(main).with("fast", fast.with_id("fast-1")));
    bench.serve();
    for (user, text) in [("bob", "secret"), ("alice", "one"), ("alice", "two"), ("alice", "three")] {
        let run = bench.begin_for(Some(user), text, Some("s")).await;
        bench.end(&run).await.unwrap();
    }
    assert!(!summaries.lock().unwrap().is_empty());
    assert!(remaining(&bench).await.iter().any(|said| said.contains("secret")));
    bench.engine.erase_user("bob", "admin").await.unwrap();
    let left = remaining(&bench).await;
    assert!(!left.iter().any(|said| said.contains("secret")), "{left:#?}");
    for said in ["one", "two", "three"] {
        assert!(left.contains(&format!("user: {said}")), "{left:#?}");
    }
    // The next turn is too long again, and is summarised anew; that summary stays.
    let before = summaries.lock().unwrap().len();
    let run = bench.begin_for(Some("alice"), "four", Some("s")).await;
    bench.end(&run).await.unwrap();
    assert!(summaries.lock().unwrap().len() > before);
    assert!(remaining(&bench).await.iter().any(|said| said.contains("Summary of the conversation")));
}

#[tokio::test]
async fn a_run_that_has_seen_an_erased_turn_halts_and_the_session_goes_on() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let agent = Agent::new("desk").instructions("x").tool(tool).approve("deed");
    let (model, _) = tape(|place| match place {
        1 => Turn::calls([("deed", json!({ "text": "a" }))]),
        _ => Turn::text("ok"),
    });
    let bench = Bench::with(agent, Roles::main(model));
    bench.serve();
    let first = bench.begin_for(Some("bob"), "1", Some("s")).await;
    bench.end(&first).await.unwrap();
    let parked = bench.begin_for(Some("alice"), "2", Some("s")).await;
    let asks =
        |entry: &Entry| matches!(entry, Entry::Issued { operation, .. } if operation.kind == Kind::Signal);
    bench.until(&parked, |record| asks(&record.entry)).await;
    in_time(async {
        let mut states = bench.engine.states(&parked);
        while states.next().await.unwrap().unwrap() != RunState::Waiting {}
    })
    .await;
    let name = waits(&parked, &bench.records(&parked).await).into_iter().find_map(|wait| match wait {
        Wait::Signal { name, .. } => Some(name),
        _ => None,
    });
    bench.engine.erase_user("bob", "admin").await.unwrap();
    // Nothing of it is in the memory of another process.
    let other = Bench::on(bench.engine.clone(), bench.agent.clone(), bench.models.clone());
    drop(bench);
    start::approve(other.engine.as_ref(), &parked, &name.unwrap(), &Decision::Approve.into_answer())
        .await
        .unwrap();
    other.serve();
    let halted = other.end(&parked).await.unwrap_err();
    assert_eq!(halted.code(), Code::NotFound);
    assert!(halted.to_string().contains(&format!("`{first}`")), "{halted}");
    assert!(done.lock().unwrap().is_empty());
    start::cancel(other.engine.as_ref(), &parked, "erased").await.unwrap();
    // The ids of the new bench begin anew.
    let third = RunId::from_bytes([99; 10]);
    let mut next = Start::new(third.clone(), other.definition(), Input::text("3"));
    next.session = Some(SessionId::from("s"));
    start::start(other.engine.as_ref(), &other.models, next).await.unwrap();
    assert_eq!(other.end(&third).await.unwrap().text, "ok");
    assert!(remaining(&other).await.ends_with(&["user: 3".to_owned(), "assistant: ok".to_owned()]));
}

/// A session of two turns that is too long for its third, which asks for a summary first and comes no further: its
/// process goes away. Returns another process, which does not know anything yet, and the third turn.
async fn summarising() -> (Bench, RunId) {
    let (main, _) = tape(|_| Turn::text(&"y".repeat(7_000)));
    let (slow, summaries) = tape(|_| Turn::text("bob has a secret").after(Duration::from_secs(60)));
    let context = ContextWindow { tokens: Some(4_000), keep_turns: 1, ..ContextWindow::default() };
    let agent = Agent::new("desk").instructions("You are a desk.").context(context);
    let bench = Bench::with(agent.clone(), Roles::main(main.clone()).with("fast", slow.with_id("fast-1")));
    bench.serve();
    for (user, text) in [("bob", "secret"), ("alice", "one")] {
        let run = bench.begin_for(Some(user), text, Some("s")).await;
        bench.end(&run).await.unwrap();
    }
    // A title was asked for, whose length is bounded; no summary yet.
    assert!(summaries.lock().unwrap().iter().all(|request| request.max_output_tokens.is_some()));
    let third = bench.begin_for(Some("alice"), "two", Some("s")).await;
    bench.until(&third, |record| record.entry.key() == Some(&StepKey::parse("/turn#0/compact#0"))).await;
    let engine = Arc::clone(&bench.engine);
    drop(bench);
    in_time(async {
        let mut states = engine.states(&third);
        while states.next().await.unwrap().unwrap() != RunState::Ready {}
    })
    .await;
    let fast = Scripted::from_fn(|_, _| Some(Turn::text("a summary"))).with_id("fast-1");
    (Bench::on(engine, agent, Roles::main(main).with("fast", fast)), third)
}

#[tokio::test]
async fn a_run_that_was_about_to_summarise_its_session_goes_on_elsewhere() {
    let (bench, third) = summarising().await;
    bench.serve();
    bench.end(&third).await.unwrap();
    let said = remaining(&bench).await;
    assert!(said.iter().any(|said| said.contains("a summary")), "{said:#?}");
    assert!(said.contains(&"user: two".to_owned()), "{said:#?}");
}

#[tokio::test]
async fn a_summary_of_turns_that_are_erased_before_it_is_used_is_not_used() {
    let (bench, third) = summarising().await;
    bench.engine.erase_user("bob", "admin").await.unwrap();
    bench.serve();
    let halted = bench.end(&third).await.unwrap_err();
    assert_eq!(halted.code(), Code::NotFound, "{halted}");
    assert!(halted.to_string().contains("turns were erased since"), "{halted}");
    start::cancel(bench.engine.as_ref(), &third, "erased").await.unwrap();
    assert_eq!(bench.end(&third).await.unwrap_err().code(), Code::RunCancelled);
    let said = remaining(&bench).await;
    assert!(!said.iter().any(|said| said.contains("secret")), "{said:#?}");
    assert!(said.contains(&"user: two".to_owned()), "{said:#?}");
}

#[tokio::test]
async fn a_turn_that_ends_before_a_model_is_asked_stands_in_its_session() {
    let (bench, third) = summarising().await;
    start::cancel(bench.engine.as_ref(), &third, "stop").await.unwrap();
    bench.serve();
    assert_eq!(bench.end(&third).await.unwrap_err().code(), Code::RunCancelled);
    let records = bench.records(&third).await;
    assert!(records.iter().all(|record| record.entry.key() != Some(&StepKey::parse("/turn#0/model#0"))));
    let said = remaining(&bench).await;
    assert_eq!(said.iter().filter(|said| said.starts_with("user: ")).count(), 3, "{said:#?}");
    assert_eq!(said.last().unwrap(), "user: two");
    // The next turn hears of it, too.
    let next = RunId::from_bytes([99; 10]);
    let mut turn = Start::new(next.clone(), bench.definition(), Input::text("three"));
    turn.session = Some(SessionId::from("s"));
    start::start(bench.engine.as_ref(), &bench.models, turn).await.unwrap();
    bench.end(&next).await.unwrap();
    let said = remaining(&bench).await;
    let place = |text: &str| said.iter().position(|said| said == text).unwrap();
    assert_eq!(place("user: three"), place("user: two") + 1, "{said:#?}");
}
