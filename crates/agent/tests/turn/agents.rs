//! Agents that ask other agents.

use std::sync::{Arc, Mutex};

use adjutant_agent::approval::Decision;
use adjutant_agent::definition::{Sees, tokens, wall_time};
use adjutant_agent::{Agent, Stop, Summary, View};
use adjutant_core::event::EventKind;
use adjutant_core::id::RunId;
use adjutant_core::label::Label;
use adjutant_core::limit::Limit;
use adjutant_core::message::ToolResult;
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error};
use adjutant_durable::{Admission, Entry, Record, RunState};
use adjutant_model::Request;
use adjutant_model::scripted::{Scripted, Turn};
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, assert_rebuilt, deed, echo, echoes, in_time, pause_for, shown, tape};
use adjutant_core::tool::Effect;

fn scout() -> Agent {
    Agent::new("scout")
        .description("Finds shops.")
        .model("scout")
        .instructions("You find shops.")
        .tool(echo())
}

fn desk(sees: Sees) -> Agent {
    Agent::new("desk").instructions("You are a desk.").tool(echo()).agent_that_sees(&scout(), sees)
}

fn asks(tasks: &[&str]) -> Turn {
    Turn::calls(tasks.iter().map(|task| ("scout", json!({ "task": task }))))
}

/// A bench whose desk asks a scout, and what the scout was sent.
fn bench(
    desk: Agent,
    turns: impl IntoIterator<Item = Turn>,
    scout: Vec<Turn>,
) -> (Bench, Arc<Mutex<Vec<Request>>>) {
    let (model, sent) = tape(move |place| scout[place.min(scout.len() - 1)].clone());
    let roles = Roles::main(Scripted::new(turns)).with("scout", model.with_id("scripted-scout"));
    (Bench::with(desk, roles), sent)
}

/// A turn that says something, and expects that something was heard.
fn knowing(says: &str, heard: &str) -> Turn {
    let heard = heard.to_owned();
    Turn::text(says).expecting(move |request| {
        let results = request.messages.iter().flat_map(|message| message.results());
        let is_heard = results.map(ToolResult::as_text).any(|text| text.contains(&heard));
        if is_heard { Ok(()) } else { Err(format!("`{heard}` as a result")) }
    })
}

fn children(run: &RunId, records: &[Record]) -> Vec<RunId> {
    let issued = records.iter().filter_map(|record| match &record.entry {
        Entry::Issued { key, operation, .. }
            if operation.name == "scout" && operation.input.to::<Admission>().is_ok() =>
        {
            Some(RunId::child(run, record.segment, key.as_str()))
        }
        _ => None,
    });
    issued.collect()
}

#[tokio::test]
async fn another_agent_works_in_a_run_of_its_own() {
    let (bench, sent) = bench(
        desk(Sees::Task),
        [
            echoes("a"),
            asks(&["Find one in Vienna."]),
            Turn::text("At the canal.").expecting_last("Near the canal."),
        ],
        vec![echoes("vienna"), Turn::text("Near the canal.")],
    );
    bench.serve();
    let run = bench.begin("Where is a shop?", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "At the canal.");
    bench.check(&run).await;

    let records = bench.records(&run).await;
    let [child] = children(&run, &records).try_into().unwrap();
    assert_eq!(
        shown(&bench.check(&child).await),
        [
            "system: You find shops.",
            "user: Find one in Vienna.",
            r#"assistant: echo{"text":"vienna"}"#,
            "tool: echo: vienna",
            "assistant: Near the canal.",
        ]
    );
    let definition = bench.definition().agents[0].definition.clone();
    assert_rebuilt(&bench.records(&child).await, &definition, None, &sent.lock().unwrap());
    // What a model writes that has read what a tool said is no better than that.
    assert_eq!(sent.lock().unwrap()[0].messages[1].label, Label::untrusted_from("tool:echo"));
    let answer = bench.check(&run).await.into_iter().rfind(|message| message.results().count() > 0).unwrap();
    let sources = Label::untrusted_from("tool:echo").join(&Label::untrusted_from("agent:scout"));
    assert_eq!(answer.label, sources);
}

#[tokio::test]
async fn what_it_sees_is_said_by_the_one_that_asks() {
    for (sees, seen) in [(Sees::Task, false), (Sees::Conversation, true)] {
        let turns = [echoes("hidden"), asks(&["Go."]), Turn::text("ok")];
        let (bench, sent) = bench(desk(sees), turns, vec![Turn::text("gone")]);
        bench.run("Blue or green?").await.unwrap();
        let heard = sent.lock().unwrap()[0].messages[1].text();
        assert_eq!(heard.contains("Blue or green?"), seen, "{heard}");
        assert!(heard.ends_with("Go.") && !heard.contains("hidden") && !heard.contains("a desk"), "{heard}");
    }
}

#[tokio::test]
async fn what_it_takes_counts_for_the_one_that_asks() {
    let used = |input| Usage { input, output: 1, ..Usage::default() };
    let scout = vec![Turn::text("a").with_usage(used(999))];
    let turns = [asks(&["1", "2"]).with_usage(used(9)), Turn::text("done").with_usage(used(9))];
    let (bench, _) = bench(desk(Sees::Task).limit(tokens(100_000)), turns, scout);
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!(reply.usage.total(), 2 * 10 + 2 * 1_000);
    let summary = Summary::of(&bench.records(&run).await).unwrap();
    assert_eq!(summary.usage, reply.usage, "who looks at the run sees the same sum");
    let runs: Vec<_> = summary.steps.iter().filter_map(|step| step.run.clone()).collect();
    assert_eq!(runs, children(&run, &bench.records(&run).await));
    // Each had half of what was left.
    for child in runs {
        let Entry::Admitted(admission) = &bench.records(&child).await[0].entry else { panic!() };
        let input: Value = admission.input.to().unwrap();
        assert_eq!(input["allowance"]["tokens"], json!((100_000 - 10) / 2));
    }
}

#[tokio::test]
async fn it_stops_within_what_the_other_has_left() {
    let used = Usage { input: 600, output: 0, ..Usage::default() };
    let scout = (0..9).map(|round| echoes(&format!("{round}")).with_usage(used)).collect();
    let desk = desk(Sees::Task).limit(tokens(4_000));
    let turns = [asks(&["Find all."]), knowing("some", "stopped by the limit of tokens")];
    let (bench, sent) = bench(desk, turns, scout);
    let reply = bench.run("go").await.unwrap();
    assert_eq!(sent.lock().unwrap().len(), 6, "five turns, and a last one while there is room for it");
    assert!(reply.usage.total() <= 4_000, "{:?}", reply.usage);
    assert_eq!(
        reply.stop,
        Stop::LimitReached(Limit::Tokens),
        "and the one that asked has nothing left either"
    );
}

#[tokio::test]
async fn who_has_nothing_left_asks_nobody() {
    let used = Usage { input: 500, output: 0, ..Usage::default() };
    let turns = [asks(&["Find one."]).with_usage(used), knowing("sorry", "nothing is left")];
    let (bench, sent) = bench(desk(Sees::Task).limit(tokens(400)), turns, vec![Turn::text("never")]);
    assert_eq!(bench.run("go").await.unwrap().stop, Stop::LimitReached(Limit::Tokens));
    assert!(sent.lock().unwrap().is_empty());
}

#[tokio::test]
async fn the_time_of_those_that_are_asked_is_time_of_the_run() {
    let slow = Turn::text("found").after(std::time::Duration::from_millis(400));
    let (model, asked) = tape(|place| asks(&[&format!("Find number {place}.")]));
    let roles = Roles::main(model).with("scout", tape(move |_| slow.clone()).0.with_id("scripted-scout"));
    let limit = wall_time(std::time::Duration::from_secs(1));
    let bench = Bench::with(desk(Sees::Task).limit(limit), roles);
    assert_eq!(bench.run("go").await.unwrap().stop, Stop::LimitReached(Limit::WallTime));
    let asked = asked.lock().unwrap().len();
    assert!((3..=5).contains(&asked), "{asked} turns");
}

#[tokio::test]
async fn its_failure_is_heard_and_ends_nothing() {
    let refused = Error::new(Code::ModelRequestRefused, "no such thing");
    let turns = [asks(&["Find one."]), Turn::text("none").expecting_last("no such thing")];
    let scout = vec![echoes("a").with_usage(Usage { input: 70, ..Usage::default() }), Turn::error(refused)];
    let (bench, _) = bench(desk(Sees::Task), turns, scout);
    let reply = bench.run("go").await.unwrap();
    assert_eq!((reply.text.as_str(), reply.stop), ("none", Stop::Answered));
    assert!(reply.usage.total() >= 70, "what it used counts all the same");
}

#[tokio::test]
async fn whoever_ends_it_lets_the_other_go_on() {
    // A key that is refused halts a run where it is.
    let refused = Error::new(Code::ModelKeyRefused, "no such key");
    let turns = [asks(&["Find one."]), Turn::text("none").expecting_last("not needed")];
    let (bench, _) = bench(desk(Sees::Task), turns, vec![Turn::error(refused)]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let child = loop {
        pause_for(std::time::Duration::from_millis(20)).await;
        if let Some(child) = children(&run, &bench.records(&run).await).first() {
            break child.clone();
        }
    };
    let halted = async {
        while bench.engine.info(&child).await.unwrap().state != RunState::Halted {
            pause_for(std::time::Duration::from_millis(20)).await;
        }
    };
    in_time(halted).await;
    adjutant_agent::start::cancel(bench.engine.as_ref(), &child, "not needed").await.unwrap();
    assert_eq!(bench.end(&run).await.unwrap().text, "none");
}

#[tokio::test]
async fn a_cancel_reaches_it() {
    let slow = Turn::text("late").after(std::time::Duration::from_secs(3600));
    let (bench, _) = bench(desk(Sees::Task), [asks(&["Find one."])], vec![slow]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench
        .until(&run, |record| matches!(&record.entry, Entry::Issued { key, .. } if key.name() == "scout"))
        .await;
    let child = children(&run, &bench.records(&run).await).remove(0);
    adjutant_agent::start::cancel(bench.engine.as_ref(), &run, "enough").await.unwrap();
    assert_eq!(bench.end(&run).await.unwrap_err().code(), Code::RunCancelled);
    assert_eq!(bench.end(&child).await.unwrap_err().code(), Code::RunCancelled);
    bench.check(&run).await;
}

#[tokio::test]
async fn a_person_may_have_to_agree() {
    let (bench, sent) = bench(
        desk(Sees::Task).approve("scout"),
        [asks(&["Go."]), Turn::text("ok")],
        vec![Turn::text("gone")],
    );
    bench.serve();
    let run = bench.begin("go", None).await;
    bench
        .until(
            &run,
            |record| matches!(&record.entry, Entry::Issued { key, .. } if key.as_str().contains("approve")),
        )
        .await;
    assert!(sent.lock().unwrap().is_empty());
    let signal = "approve:turn0.call0";
    adjutant_agent::start::approve(bench.engine.as_ref(), &run, signal, &Decision::Deny(None).into_answer())
        .await
        .unwrap();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert!(sent.lock().unwrap().is_empty(), "nobody agreed");
}

#[tokio::test]
async fn watchers_see_the_call_before_what_it_does() {
    let (bench, _) = bench(desk(Sees::Task), [asks(&["Go."]), Turn::text("ok")], vec![Turn::text("gone")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let mut view = View::new(run.clone());
    let events: Vec<_> = bench.records(&run).await.iter().flat_map(|record| view.record(record)).collect();
    let told: Vec<_> = events
        .iter()
        .filter_map(|event| match &event.kind {
            EventKind::ToolCalled(call) => Some(format!("called {}", call.name)),
            EventKind::ChildStarted { name, .. } => Some(format!("started {name}")),
            EventKind::ChildEnded { .. } => Some("ended".to_owned()),
            EventKind::ToolAnswered(result) => Some(format!("answered {}", result.as_text())),
            _ => None,
        })
        .collect();
    assert_eq!(told, ["called scout", "started scout", "ended", "answered gone"]);
}

#[tokio::test]
async fn nothing_is_done_twice_when_another_process_goes_on() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let scout = scout().tool(tool);
    let desk = Agent::new("desk").instructions("You are a desk.").agent(&scout);
    let turns = |place: usize| match place {
        0 => asks(&["Go."]),
        _ => Turn::text("ok"),
    };
    let does = |place: usize| match place {
        0 => Turn::calls([("deed", json!({ "text": "once" }))]),
        _ => Turn::text("did it").after(std::time::Duration::from_millis(300)),
    };
    let roles = Roles::main(tape(turns).0).with("scout", tape(does).0.with_id("scripted-scout"));
    let first = Bench::with(desk.clone(), roles.clone());
    first.serve();
    let run = first.begin("go", None).await;
    let waiting = async {
        while done.lock().unwrap().is_empty() {
            pause_for(std::time::Duration::from_millis(5)).await;
        }
    };
    in_time(waiting).await;
    let engine = Arc::clone(&first.engine);
    drop(first);
    let second = Bench::on(engine, desk, roles);
    second.serve();
    assert_eq!(second.end(&run).await.unwrap().text, "ok");
    assert_eq!(*done.lock().unwrap(), ["once"]);
}
