//! The way of a turn: what the model is sent, what the run makes of its answers, and what watchers see.

use adjutant_agent::{Agent, Stop, Summary, View};
use adjutant_core::event::EventKind;
use adjutant_core::money::Prices;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error};
use adjutant_durable::{Entry, Observed};
use adjutant_model::Profile;
use adjutant_model::scripted::{Scripted, Turn};
use futures::StreamExt;
use serde_json::json;

use crate::bench::{Bench, Roles, agent, assert_rebuilt, echoes, shown, tape};

#[tokio::test]
async fn a_question_is_answered() {
    let bench = Bench::new(agent(), [Turn::text("It is on its way.")]);
    let reply = bench.run("Where is it?").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop, reply.turns), ("It is on its way.", Stop::Answered, 1));
    assert!(reply.usage.total() > 0);
    assert_eq!(reply.cost, None, "the price of the scripted model is not known");
}

#[tokio::test]
async fn calls_are_made_and_their_results_read() {
    let bench = Bench::new(agent(), [echoes("a"), echoes("b").expecting_last("echo: a"), Turn::text("ab")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ab");
    assert_eq!(
        shown(&bench.check(&run).await),
        [
            "system: You are a desk.",
            "user: go",
            r#"assistant: echo{"text":"a"}"#,
            "tool: echo: a",
            r#"assistant: echo{"text":"b"}"#,
            "tool: echo: b",
            "assistant: ab",
        ]
    );
}

#[tokio::test]
async fn every_value_knows_its_step_and_its_label() {
    let bench = Bench::new(agent(), [echoes("a"), Turn::text("done")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let messages = bench.check(&run).await;
    let steps: Vec<_> =
        messages.iter().map(|m| m.step.as_ref().map(ToString::to_string).unwrap_or_default()).collect();
    assert_eq!(steps, ["", "", "/turn#0/model#0", "/turn#0/call#0/echo#0", "/turn#1/model#0"]);
    let trusted: Vec<_> = messages.iter().map(|m| m.label.is_default()).collect();
    assert_eq!(
        trusted,
        [true, true, true, false, false],
        "what a tool says is not trusted, nor what is made of it"
    );
}

#[tokio::test]
async fn the_journal_alone_gives_back_what_was_sent() {
    let (model, sent) = tape(|place| if place < 3 { echoes(&format!("{place}")) } else { Turn::text("ok") });
    let bench = Bench::with(agent(), Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let records = bench.records(&run).await;
    assert_rebuilt(&records, &bench.definition(), None, &sent.lock().unwrap());
}

#[tokio::test]
async fn a_provider_that_fails_for_a_while_is_asked_again() {
    let busy = || Error::new(Code::ModelUnavailable, "try later");
    let bench = Bench::new(agent(), [Turn::text("ok").after_errors([busy()])]);
    let run = bench.begin("go", None).await;
    let (mut watch, mut view) = (bench.engine.watch(&run, 0), View::new(run.clone()));
    bench.serve();
    let mut told = Vec::new();
    while let Some(observed) = watch.next().await {
        match observed.unwrap() {
            Observed::Record(record) => drop(view.record(&record)),
            Observed::Delta(delta) => told.extend(view.delta(&delta).map(|event| event.kind)),
            Observed::State(_) => {}
        }
    }
    assert!(told.contains(&EventKind::Retrying { error: busy(), wait_ms: 500 }), "{told:?}");
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    let refused = Turn::error(Error::new(Code::ModelKeyRefused, "no such key"));
    let error = Bench::new(agent(), [refused]).run("go").await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyRefused);
}

#[tokio::test]
async fn usage_and_money_add_up() {
    let prices = Prices::new(1.into(), 2.into());
    let usage = Usage { input: 1_000_000, output: 500_000, ..Usage::default() };
    let profile = Profile { prices: Some(prices), ..Profile::default() };
    let turns = [echoes("a").with_usage(usage), Turn::text("ok").with_usage(usage)];
    let agent = agent().limit(adjutant_agent::definition::tokens(10_000_000));
    let agent = agent.limit(adjutant_agent::definition::money("100 USD").unwrap());
    let bench = Bench::with(agent, Roles::main(Scripted::new(turns).with_profile(profile)));
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!(reply.cost.unwrap().to_string(), "4 USD");
    assert_eq!(reply.usage.total(), 3_000_000);
    let summary = Summary::of(&bench.records(&run).await).unwrap();
    assert_eq!((summary.usage, summary.cost), (reply.usage, reply.cost));
    let keys: Vec<_> = summary.steps.iter().map(|step| step.key.as_str()).collect();
    assert_eq!(
        keys,
        ["/turn#0/model#0", "/turn#0/call#0/echo#0", "/turn#0/inbox#0", "/turn#1/model#0", "/turn#1/inbox#0"]
    );
}

#[tokio::test]
async fn watchers_see_what_happens() {
    let slow = std::time::Duration::from_millis(5);
    let bench = Bench::new(agent(), [echoes("a"), Turn::text("all is well").every(slow)]);
    let run = bench.begin("go", None).await;
    let mut watch = bench.engine.watch(&run, 0);
    bench.serve();
    let mut view = View::new(run.clone());
    let mut seen = Vec::new();
    while let Some(observed) = watch.next().await {
        match observed.unwrap() {
            Observed::Record(record) => seen.extend(view.record(&record)),
            Observed::Delta(delta) => seen.extend(view.delta(&delta)),
            Observed::State(_) => {}
        }
    }
    let text: String = seen
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::TextDelta { text, .. } => Some(text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(text, "all is well");
    let kinds: Vec<_> = seen
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::Started { name } => Some(format!("started {name}")),
            EventKind::Heard(message) => Some(format!("heard {}", message.text())),
            EventKind::ModelCalled { model } => Some(format!("asked {model}")),
            EventKind::ModelAnswered { message, .. } => Some(format!("answered {}", message.text())),
            EventKind::ToolCalled(call) => Some(format!("called {} {}", call.name, call.arguments)),
            EventKind::ToolAnswered(result) => Some(format!("returned {}", result.as_text())),
            EventKind::Ended { .. } => Some("ended".into()),
            EventKind::TextDelta { .. } => None,
            other => Some(format!("{other:?}")),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "started desk",
            "heard go",
            "asked scripted",
            "answered ",
            r#"called echo {"text":"a"}"#,
            "returned echo: a",
            "asked scripted",
            "answered all is well",
            "ended",
        ]
    );
}

#[tokio::test]
async fn variables_fill_the_prompt() {
    let agent = Agent::new("desk").instructions("You serve {{ shop }}.").variable("shop", "Bluebell");
    let turn = Turn::text("ok").expecting(|request| match request.messages[0].text().as_str() {
        "You serve Bluebell." => Ok(()),
        other => Err(format!("another prompt than `{other}`")),
    });
    assert_eq!(Bench::new(agent, [turn]).run("go").await.unwrap().text, "ok");
}

#[tokio::test]
async fn a_usage_that_cannot_be_is_not_believed() {
    let usage = Usage { input: 7, output: 1_000_000_000_000_000_000, ..Usage::default() };
    let bench = Bench::new(agent(), [Turn::text("ok").with_usage(usage)]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert!((1..1_000).contains(&reply.usage.total()), "{:?}", reply.usage);
    let records = bench.records(&run).await;
    let told = records.iter().any(|record| match &record.entry {
        Entry::Completed { outcome: Ok(answer), .. } => {
            answer.value()["response"]["unknown"] == json!([{ "usage": usage }])
        }
        _ => false,
    });
    assert!(told, "the journal has what was reported");
    bench.check(&run).await;
}
