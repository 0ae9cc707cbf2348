//! The choke point: which calls are made, and what the model hears of each.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use adjutant_agent::approval::Decision;
use adjutant_agent::definition::parallel;
use adjutant_agent::{Agent, Reply, Stop, start};
use adjutant_core::message::{Media, MediaSource, Message, Part, ToolResult};
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Entry, Resolution, RunState, Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{Abilities, Profile};
use adjutant_tool::{Context, Failure, FunctionTool, Output, Reconciled, Tool};
use serde_json::{Value, json};

use crate::bench::{
    Bench, Roles, agent, assert_rebuilt, deed, echo, echoes, in_time, pause_for, shown, spec, tape, tool,
};

/// The reply of an agent with one tool `t` that does this, and the result that its model reads.
async fn check(
    answer: impl Fn(&str) -> Result<Output, Failure> + Send + Sync + 'static,
) -> (Result<Reply>, String) {
    let agent = Agent::new("desk").instructions("x").tool(tool("t", answer));
    let bench = Bench::new(agent, [Turn::calls([("t", json!({ "text": "a" }))]), Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await;
    let messages = bench.check(&run).await;
    let result = messages.iter().flat_map(Message::results).map(ToolResult::as_text).collect();
    (reply, result)
}

#[tokio::test]
async fn the_model_hears_of_a_failure_and_goes_on() {
    let (reply, heard) = check(|_| Err(Error::new(Code::ToolFailed, "no paper").into())).await;
    assert_eq!((reply.unwrap().text.as_str(), heard.as_str()), ("ok", "tool-failed: no paper"));
    let (reply, heard) = check(|_| Err(Failure::Unknown("the line broke".into()))).await;
    assert_eq!(reply.unwrap().text, "ok");
    assert!(heard.contains("the line broke") && heard.contains("hint: make the call again"), "{heard}");
}

#[tokio::test]
async fn a_tool_that_panics_is_a_failure() {
    let (reply, heard) = check(|_| panic!("oops")).await;
    assert_eq!((reply.unwrap().text.as_str(), heard.as_str()), ("ok", "tool-broken: the tool `t` panicked"));
}

#[tokio::test]
async fn a_failure_of_the_run_stops_it() {
    let (reply, _) = check(|_| Err(Failure::Run(Error::new(Code::StoreFull, "no room")))).await;
    assert_eq!(reply.unwrap_err().code(), Code::StoreFull);
    let (reply, heard) = check(|_| Err(Failure::Run(Error::new(Code::ToolFailed, "broken for good")))).await;
    let error = reply.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::ToolInvalid, "broken for good"));
    assert!(heard.contains("broken for good"), "the next turn of the session knows: {heard}");
}

#[tokio::test]
async fn calls_that_may_not_be_made_are_answered() {
    let unknown = Turn::calls([("format_disk", json!({}))]);
    let wrong = Turn::calls([("echo", json!({ "txt": 1 }))]).expecting_last("your tools are `echo`");
    let broken = Turn::deltas([
        Ok(adjutant_model::Delta::ToolCall {
            index: 0,
            id: Some("x".into()),
            name: Some("echo".into()),
            arguments: "{{{".into(),
        }),
        Ok(adjutant_model::Delta::End(adjutant_model::StopReason::ToolCalls)),
    ]);
    let bench = Bench::new(
        agent(),
        [
            unknown,
            wrong,
            broken.expecting_last("tool-arguments"),
            Turn::text("ok").expecting_last("not JSON"),
        ],
    );
    assert_eq!(bench.run("go").await.unwrap().text, "ok");
}

#[tokio::test]
async fn what_an_agent_was_not_given_it_cannot_call() {
    let (other, done) = deed(Effect::AtMostOnce);
    let agent = agent();
    let bench =
        Bench::new(agent.clone(), [Turn::calls([("deed", json!({ "text": "a" }))]), Turn::text("ok")]);
    // The process has the tool; the definition does not name it.
    bench.host.add(&agent.clone().tool(other)).unwrap();
    let reply = bench.run("go").await.unwrap();
    assert_eq!((reply.text.as_str(), done.lock().unwrap().len()), ("ok", 0));
}

#[tokio::test]
async fn a_flood_of_calls_is_bounded() {
    let calls = (0..140).map(|_| ("echo", json!({ "text": "a" })));
    let bench = Bench::new(agent(), [Turn::calls(calls), Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let results = shown(&bench.check(&run).await);
    assert_eq!(results.iter().filter(|line| *line == "tool: echo: a").count(), 128);
    assert_eq!(results.iter().filter(|line| line.contains("128 calls at most")).count(), 12);
}

#[tokio::test]
async fn results_come_in_the_order_of_the_calls_and_a_few_at_a_time() {
    let (now, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
    let peak = Arc::clone(&most);
    let slow = FunctionTool::new(spec("slow", Effect::Pure), move |arguments: Value, _: Context| {
        let (now, most) = (Arc::clone(&now), Arc::clone(&most));
        async move {
            most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            let text = arguments["text"].as_str().unwrap().to_owned();
            pause_for(Duration::from_millis(text.parse().unwrap())).await;
            now.fetch_sub(1, Ordering::SeqCst);
            Ok(Output::text(text))
        }
    });
    let calls = ["40", "5", "30", "1", "20"].map(|text| ("slow", json!({ "text": text })));
    let agent = Agent::new("desk").instructions("x").tool(slow).limit(parallel(3));
    let bench = Bench::new(agent, [Turn::calls(calls), Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let results = shown(&bench.check(&run).await);
    assert_eq!(&results[3..8], ["tool: 40", "tool: 5", "tool: 30", "tool: 1", "tool: 20"]);
    assert_eq!(peak.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn a_tool_knows_its_call_and_a_decision_is_recorded() {
    let knows =
        FunctionTool::new(spec("deed", Effect::AtMostOnce), |_: Value, context: Context| async move {
            context.progress("half");
            assert!(
                context.deadline().is_some()
                    && context.attempt() == 1
                    && !context.idempotency_key().is_empty()
            );
            Ok(Output::text(format!("{} {}", context.call(), context.step())))
        });
    let agent = Agent::new("desk").instructions("x").tool(knows);
    let bench = Bench::new(agent, [Turn::calls([("deed", json!({ "text": "a" }))]), Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    assert_eq!(shown(&bench.check(&run).await)[3], "tool: call_0_0 /turn#0/call#0/deed#0");
    let records = bench.records(&run).await;
    let decision = records.iter().find_map(|record| match &record.entry {
        Entry::Attempted { decision, .. } => decision.clone(),
        _ => None,
    });
    assert_eq!(decision.unwrap().as_str(), r#"{"allowed_by":"definition"}"#);
}

#[tokio::test]
async fn a_call_that_takes_too_long_is_given_up() {
    let never = |effect| {
        let spec = ToolSpec { timeout: Duration::from_millis(50), ..spec("t", effect) };
        FunctionTool::new(spec, |_: Value, _: Context| std::future::pending())
            .with_reconcile(|_, _| async { Ok(Reconciled::Happened(Output::text("it did happen"))) })
    };
    let call = || Turn::calls([("t", json!({ "text": "a" }))]);
    let pure = Agent::new("desk").instructions("x").tool(never(Effect::Pure));
    let bench =
        Bench::new(pure, [call(), Turn::text("ok").expecting_last("tool-timeout: no answer within 50ms")]);
    assert_eq!(bench.run("go").await.unwrap().text, "ok");
    let reconciling = Agent::new("desk").instructions("x").tool(never(Effect::Reconcile));
    let bench = Bench::new(reconciling, [call(), Turn::text("ok").expecting_last("it did happen")]);
    assert_eq!(bench.run("go").await.unwrap().text, "ok");
}

#[tokio::test]
async fn an_unknown_outcome_waits_for_a_person() {
    let lost = FunctionTool::new(spec("pay", Effect::AtMostOnce), |_: Value, _: Context| async {
        Err(Failure::Unknown("the line broke".into()))
    });
    let agent = Agent::new("desk").instructions("x").tool(lost);
    let turns = [
        Turn::calls([("pay", json!({ "text": "a" }))]),
        Turn::text("paid").expecting_last(r#"{"receipt":7}"#),
    ];
    let bench = Bench::new(agent, turns);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.until(&run, |record| matches!(record.entry, Entry::Unknown { .. })).await;
    let waits = adjutant_durable::waits(&run, &bench.records(&run).await);
    let [Wait::Unknown { key, record, attempt: 1, .. }] = waits.as_slice() else { panic!("{waits:?}") };
    let happened = Resolution::Happened(json!({ "receipt": 7 }).into());
    let resolve = |resolution| {
        adjutant_agent::start::resolve(bench.engine.as_ref(), &run, *record, key.clone(), resolution)
    };
    resolve(happened).await.unwrap();
    assert_eq!(resolve(Resolution::Retry).await.unwrap_err().code(), Code::Conflict);
    assert_eq!(bench.end(&run).await.unwrap().text, "paid");
    bench.check(&run).await;
}

#[tokio::test]
async fn a_long_result_is_cut_for_the_model_and_whole_in_the_journal() {
    let long = tool("t", |_| Ok(Output::text("x".repeat(400_000))));
    let agent = Agent::new("desk").instructions("x").tool(long);
    let answer = Turn::text("ok").expecting(|request| {
        let length = request.messages.last().unwrap().results().next().unwrap().as_text().len();
        if length < 51_000 { Ok(()) } else { Err(format!("less than {length} bytes")) }
    });
    let bench = Bench::new(agent, [Turn::calls([("t", json!({ "text": "a" }))]), answer]);
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().stop, Stop::Answered);
    let whole = bench.records(&run).await.iter().any(|record| match &record.entry {
        Entry::Completed { outcome: Ok(json), .. } => json.len() > 400_000,
        _ => false,
    });
    assert!(whole);
}

#[tokio::test]
async fn a_tool_that_changed_since_the_run_began_halts_it() {
    let bench = Bench::new(agent(), [echoes("a"), Turn::text("ok")]);
    let run = bench.begin("go", None).await;
    let other = ToolSpec { effect: Effect::AtMostOnce, ..spec("echo", Effect::Pure) };
    let other = FunctionTool::new(other, |_: Value, _: Context| async { Ok(Output::text("x")) });
    bench.host.add(&Agent::new("desk").instructions("x").tool(other)).unwrap();
    bench.serve();
    let error = bench.end(&run).await.unwrap_err();
    assert_eq!(error.code(), Code::RunDefinitionMissing);
    assert!(error.message().contains("`echo`") && error.message().contains("at_most_once"), "{error}");
}

#[tokio::test]
async fn a_tool_that_an_agent_is_no_longer_given_stays_for_its_runs() {
    let bench = Bench::new(agent(), [echoes("a"), Turn::text("ok").expecting_last("echo: a")]);
    let run = bench.begin("go", None).await;
    bench.host.add(&Agent::new("desk").instructions("x")).unwrap();
    bench.serve();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
}

#[tokio::test]
async fn a_run_goes_on_without_a_tool_that_is_gone() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let with = |tool: Arc<dyn Tool>| Agent::new("desk").instructions("x").tool(tool).approve("deed");
    let asks = Turn::calls([("deed", json!({ "text": "a" }))]);
    let gone = "the tool `echo` is no longer available";
    let turns =
        [echoes("a"), asks, echoes("b").expecting_last("done"), Turn::text("ok").expecting_last(gone)];
    let (model, _) = tape(move |place| turns[place].clone());
    let bench = Bench::with(with(Arc::clone(&tool)).tool(echo()), Roles::main(model));
    bench.serve();
    let run = bench.begin("go", None).await;
    let name = in_time(async {
        loop {
            let info = bench.engine.info(&run).await.unwrap();
            let waiting = waits(&run, &bench.records(&run).await);
            if let (RunState::Waiting, [Wait::Signal { name, .. }, ..]) = (info.state, waiting.as_slice()) {
                break name.clone();
            }
            pause_for(Duration::from_millis(5)).await;
        }
    })
    .await;
    let (engine, models) = (Arc::clone(&bench.engine), bench.models.clone());
    drop(bench);
    // What `echo` said before it was gone is replayed.
    let bench = Bench::on(engine, with(tool), models);
    start::approve(bench.engine.as_ref(), &run, &name, &Decision::Approve.into_answer()).await.unwrap();
    bench.serve();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert_eq!(*done.lock().unwrap(), ["a"]);
    bench.check(&run).await;
}

#[tokio::test]
async fn a_run_whose_model_is_gone_halts_and_goes_on_when_it_is_back() {
    let model = Scripted::new([Turn::text("ok")]).with_id("one");
    let bench = Bench::with(agent(), Roles::main(model));
    let run = bench.begin("go", None).await;
    let (engine, models) = (Arc::clone(&bench.engine), bench.models.clone());
    drop(bench);
    let other = Roles::main(Scripted::new([Turn::text("wrong")]).with_id("other"));
    let bench = Bench::on(Arc::clone(&engine), agent(), other);
    bench.serve();
    let error = bench.end(&run).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::ModelUnknown, "the run was started with the model `one`, which is not configured any more")
    );
    assert!(error.help().unwrap().contains("resume the run"), "{error}");
    drop(bench);
    let bench = Bench::on(engine, agent(), models);
    start::resume(bench.engine.as_ref(), &run, "1").await.unwrap();
    bench.serve();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
}

#[tokio::test]
async fn models_of_one_id_are_told_apart_by_their_roles() {
    let saying = |text: &'static str| Scripted::from_fn(move |_, _| Some(Turn::text(text)));
    for (role, text) in [("main", "one"), ("second", "two")] {
        let roles = Roles::main(saying("one")).with("second", saying("two"));
        let reply = Bench::with(agent().model(role), roles).run("go").await.unwrap();
        assert_eq!(reply.text, text);
    }
}

#[tokio::test]
async fn an_image_of_a_tool_does_not_end_the_run_of_a_model_without_eyes() {
    let image = || Media {
        media_type: "image/png".into(),
        name: Some("map.png".into()),
        source: MediaSource::Base64("AA==".into()),
    };
    let draw = move || {
        tool("t", move |_| {
            Ok(Output { content: vec![Part::text("the map"), Part::Image(image())], ..Output::default() })
        })
    };
    let play =
        |place| if place == 0 { Turn::calls([("t", json!({ "text": "a" }))]) } else { Turn::text("ok") };
    for images in [true, false] {
        let abilities = Abilities { images, ..Abilities::default() };
        let (model, sent) = tape(play);
        let model = model.with_profile(Profile { abilities, ..Profile::default() });
        let bench = Bench::with(Agent::new("desk").instructions("x").tool(draw()), Roles::main(model));
        bench.serve();
        let run = bench.begin("go", None).await;
        assert_eq!(bench.end(&run).await.unwrap().text, "ok");
        let sent = sent.lock().unwrap().clone();
        assert_rebuilt(&bench.records(&run).await, &bench.definition(), None, &sent);
        let result = sent[1].messages[3].results().next().unwrap().clone();
        assert_eq!(result.as_text().contains("image/png, map.png: not shown"), !images, "{result:?}");
    }
}
