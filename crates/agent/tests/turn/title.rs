//! Titles: made beside the first turn by the model for such work, and never in the way of an answer.

use std::sync::Arc;
use std::time::Duration;

use adjutant_agent::approval::Decision;
use adjutant_agent::{Agent, Input, Start, start, title};
use adjutant_core::id::{RunId, Scope};
use adjutant_core::money::Prices;
use adjutant_core::tool::Effect;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error};
use adjutant_durable::{Amount, Entry, RunState};
use adjutant_model::Profile;
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_store::Store;
use serde_json::json;

use crate::bench::{Bench, Roles, agent, deed, echoes};

const QUESTION: &str = "Where is order 1042? I have been waiting for it.\nAnn";

fn main() -> Scripted {
    Scripted::new([echoes("a"), Turn::text("It is on its way."), Turn::text("Tomorrow.")])
}

fn fast(turn: Turn) -> Scripted {
    let profile = Profile { prices: Some(Prices::new(1.into(), 2.into())), ..Profile::default() };
    Scripted::from_fn(move |_, _| Some(turn.clone())).with_id("small").with_profile(profile)
}

/// The keys of the steps in which a title was asked for.
async fn titles(bench: &Bench, run: &RunId) -> Vec<String> {
    let keys = bench.records(run).await.into_iter().filter_map(|record| match record.entry {
        Entry::Issued { key, operation, .. } if operation.name == "title" => Some(key.to_string()),
        _ => None,
    });
    keys.collect()
}

async fn called(bench: &Bench, run: &RunId) -> Option<String> {
    title::of_run(&bench.engine.info(run).await.unwrap())
}

#[tokio::test]
async fn the_first_turn_of_a_conversation_gives_it_a_title() {
    let usage = Usage { input: 40, output: 4, ..Usage::default() };
    let small = fast(Turn::text("\"Order 1042 is late.\"").with_usage(usage).expecting(|request| {
        let text = request.messages.last().map(|message| message.text()).unwrap_or_default();
        let is_small = request.tools.is_empty() && request.max_output_tokens == Some(512);
        if text.contains("order 1042") && is_small { Ok(()) } else { Err("the message alone".to_owned()) }
    }));
    let bench = Bench::with(agent(), Roles::main(main()).with("fast", small));
    bench.serve();
    let first = bench.begin(QUESTION, Some("s")).await;
    assert_eq!(called(&bench, &first).await.unwrap(), "Where is order 1042? I have been waiting for it.");
    let reply = bench.end(&first).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.turns), ("It is on its way.", 2));
    assert_eq!(reply.title.as_deref(), Some("Order 1042 is late"));
    assert_eq!(called(&bench, &first).await.unwrap(), "Order 1042 is late");
    assert!(reply.usage.input >= 40 && reply.usage.output >= 4, "it is counted: {:?}", reply.usage);
    assert_eq!(titles(&bench, &first).await, ["/title#0"]);
    bench.check(&first).await;
    let second = bench.begin("When?", Some("s")).await;
    assert_eq!(bench.end(&second).await.unwrap().title, None);
    assert_eq!(titles(&bench, &second).await, Vec::<String>::new());
}

#[tokio::test]
async fn without_a_model_for_it_the_beginning_is_the_title_and_nobody_is_asked() {
    let bench = Bench::with(agent(), Roles::main(main()));
    bench.serve();
    let run = bench.begin(QUESTION, None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.title, titles(&bench, &run).await.len()), (None, 0));
    assert_eq!(called(&bench, &run).await.unwrap(), "Where is order 1042? I have been waiting for it.");
}

#[tokio::test]
async fn whatever_becomes_of_the_title_the_answer_stays() {
    let down = Error::new(Code::ModelKeyRefused, "no such key");
    for turn in [Turn::error(down), Turn::text("***"), Turn::text("x").after(Duration::from_secs(3_600))] {
        let bench = Bench::with(agent(), Roles::main(main()).with("fast", fast(turn)));
        bench.serve();
        let run = bench.begin(QUESTION, None).await;
        // Which waits for seconds, not for an hour.
        let reply = bench.end(&run).await.unwrap();
        assert_eq!((reply.text.as_str(), reply.title), ("It is on its way.", None));
        assert_eq!(called(&bench, &run).await.unwrap(), "Where is order 1042? I have been waiting for it.");
        bench.check(&run).await;
    }
}

#[tokio::test]
async fn a_title_is_not_made_where_the_budget_is_too_small_for_it() {
    let bench = Bench::with(agent(), Roles::main(main()).with("fast", fast(Turn::text("Order 1042"))));
    bench.serve();
    let run = RunId::from_bytes([7; 10]);
    let nanos = 100;
    let start = Start {
        budget: Some(Amount { tokens: u64::MAX / 2, nanos }),
        ..Start::new(run.clone(), bench.definition(), Input::text(QUESTION))
    };
    start::start(bench.engine.as_ref(), &bench.models, start).await.unwrap();
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.title), ("It is on its way.", None));
}

#[tokio::test]
async fn a_run_goes_on_as_it_began_when_the_model_for_titles_is_gone() {
    let store = Store::in_memory().unwrap();
    let (tool, done) = deed(Effect::Pure);
    let desk = || -> Agent {
        Agent::new("desk").instructions("You are a desk.").tool(Arc::clone(&tool)).approve("deed")
    };
    let main = || Scripted::new([Turn::calls([("deed", json!({"text": "x"}))]), Turn::text("Done.")]);
    let run = {
        let roles = Roles::main(main()).with("fast", fast(Turn::text("Order 1042")));
        let bench = Bench::on(store.engine(Scope::default()), desk(), roles);
        bench.serve();
        let run = bench.begin(QUESTION, None).await;
        bench.until_state(&run, RunState::Waiting).await;
        run
    };
    let bench = Bench::on(store.engine(Scope::default()), desk(), Roles::main(main()));
    bench.serve();
    let waits = adjutant_durable::waits(&run, &bench.records(&run).await);
    let adjutant_durable::Wait::Signal { name, .. } = &waits[0] else { panic!("{waits:?}") };
    start::approve(bench.engine.as_ref(), &run, name, &Decision::Approve.into_answer()).await.unwrap();
    let reply = bench.end(&run).await.unwrap();
    assert_eq!((reply.text.as_str(), reply.title.as_deref()), ("Done.", Some("Order 1042")));
    assert_eq!(*done.lock().unwrap(), ["x"]);
}
