//! A person takes a run, does the agent's work for a while, and hands it back.

use std::time::Duration;

use adjutant_agent::takeover::{Deed, Done, PREFIX, Taken};
use adjutant_agent::{Agent, start};
use adjutant_core::Code;
use adjutant_core::id::RunId;
use adjutant_core::message::Role;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::Effect;
use adjutant_durable::{RunState, Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use serde_json::json;

use crate::bench::{Bench, Roles, deed, echo, echoes, in_time, pause_for, shown};

/// What a run waits with that somebody has taken, once the deeds before are taken in.
async fn taken(bench: &Bench, run: &RunId) -> (String, Taken) {
    in_time(async {
        loop {
            let records = bench.records(run).await;
            let info = bench.engine.info(run).await.unwrap();
            let found = waits(run, &records).into_iter().find_map(|wait| match wait {
                Wait::Signal { name, request, .. } if name.starts_with(PREFIX) => {
                    Some((name, request.to::<Taken>().unwrap()))
                }
                _ => None,
            });
            if let (Some(found), RunState::Waiting) = (found, info.state) {
                return found;
            }
            pause_for(Duration::from_millis(5)).await;
        }
    })
    .await
}

async fn does(bench: &Bench, run: &RunId, deed: Deed) {
    let (signal, _) = taken(bench, run).await;
    let done = Done { by: "ann".into(), at: Timestamp(1), deed };
    start::act(bench.engine.as_ref(), run, &signal, &done).await.unwrap();
}

/// A run that somebody takes while the model thinks about its first answer.
async fn take(bench: &Bench) -> RunId {
    bench.serve();
    let run = bench.begin("go", None).await;
    start::take(bench.engine.as_ref(), &run, "1", "ann", Some("it is lost")).await.unwrap();
    run
}

/// A model that calls a tool, slowly, and then answers what stands last.
fn model() -> Scripted {
    Scripted::from_fn(|request, _| {
        let has_spoken = request.messages.iter().any(|message| message.role == Role::Assistant);
        Some(match has_spoken {
            false => echoes("a").after(Duration::from_millis(80)),
            true => Turn::text("ok").expecting_last("ann has handed the task back to you"),
        })
    })
}

#[tokio::test]
async fn a_person_does_the_work_and_hands_it_back() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let agent = Agent::new("desk").instructions("x").tool(tool).tool(echo());
    let bench = Bench::with(agent, Roles::main(model()));
    let run = take(&bench).await;
    let (_, first) = taken(&bench, &run).await;
    assert_eq!((first.taken_by.as_str(), first.reason.as_deref()), ("ann", Some("it is lost")));
    does(&bench, &run, Deed::Say("use the other one".into())).await;
    does(&bench, &run, Deed::Call { tool: "deed".into(), arguments: json!({ "text": "b" }) }).await;
    does(&bench, &run, Deed::Call { tool: "deed".into(), arguments: json!({ "words": 1 }) }).await;
    does(&bench, &run, Deed::Call { tool: "nothing".into(), arguments: json!({}) }).await;
    does(&bench, &run, Deed::Speak("I have filed it.".into())).await;
    // The result of `echo` stands after the prompt, the message and the call.
    does(&bench, &run, Deed::Rewrite { place: 3, text: "echo: something else".into() }).await;
    does(&bench, &run, Deed::Rewrite { place: 0, text: "another prompt".into() }).await;
    let (_, refused) = taken(&bench, &run).await;
    assert!(refused.refused.unwrap().contains("is the agent's prompt"));
    // What was done so far is in the transcript, though no model was asked since.
    let so_far = shown(&bench.check(&run).await);
    assert!(so_far.iter().any(|line| line == "user: use the other one"), "{so_far:?}");
    assert!(so_far.iter().any(|line| line.contains("echo: something else")), "{so_far:?}");
    does(&bench, &run, Deed::HandBack(Some("finish it".into()))).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert_eq!(*done.lock().unwrap(), ["b"]);
    let said = shown(&bench.check(&run).await);
    for part in [
        "ann has taken over",
        "I have filed it.",
        "echo: something else",
        "says: finish it",
        "you have no tool",
    ] {
        assert!(said.iter().any(|line| line.contains(part)), "{part}: {said:?}");
    }
    assert!(!said.iter().any(|line| line.contains("echo: a") || line.contains("takes")), "{said:?}");
    // What was done stands before what came after in the same order as the model was sent it.
    assert_eq!(said.iter().take(so_far.len()).collect::<Vec<_>>(), so_far.iter().collect::<Vec<_>>());
}

#[tokio::test]
async fn what_a_person_did_is_there_after_a_restart_and_is_done_once() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let agent = Agent::new("desk").instructions("x").tool(tool).tool(echo());
    let bench = Bench::with(agent.clone(), Roles::main(model()));
    let run = take(&bench).await;
    does(&bench, &run, Deed::Call { tool: "deed".into(), arguments: json!({ "text": "b" }) }).await;
    let (signal, _) = taken(&bench, &run).await;
    let (engine, models) = (std::sync::Arc::clone(&bench.engine), bench.models.clone());
    drop(bench);
    let bench = Bench::on(engine, agent, models);
    bench.serve();
    let hand_back = |by: &str| Done { by: by.into(), at: Timestamp(2), deed: Deed::HandBack(None) };
    start::act(bench.engine.as_ref(), &run, &signal, &hand_back("ann")).await.unwrap();
    let second = start::act(bench.engine.as_ref(), &run, &signal, &hand_back("bob")).await;
    assert_eq!(second.unwrap_err().code(), Code::Conflict);
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert_eq!(*done.lock().unwrap(), ["b"]);
    bench.check(&run).await;
}

#[tokio::test]
async fn a_run_that_was_taken_can_be_cancelled_and_stays_readable() {
    let (tool, _) = deed(Effect::AtMostOnce);
    let turns = [echoes("a").after(Duration::from_millis(80))];
    let bench =
        Bench::new(Agent::new("desk").instructions("x").tool(tool).tool(echo()).approve("deed"), turns);
    let run = take(&bench).await;
    does(&bench, &run, Deed::Speak("one moment".into())).await;
    // It asks a person, whoever calls it; nobody answers.
    does(&bench, &run, Deed::Call { tool: "deed".into(), arguments: json!({ "text": "b" }) }).await;
    in_time(async {
        while bench.engine.asking("approve:", None).await.unwrap().is_empty() {
            pause_for(Duration::from_millis(5)).await;
        }
    })
    .await;
    start::cancel(bench.engine.as_ref(), &run, "never mind").await.unwrap();
    assert_eq!(bench.end(&run).await.unwrap_err().code(), Code::RunCancelled);
    let said = shown(&bench.check(&run).await);
    assert!(said.iter().any(|line| line.contains("one moment")), "{said:?}");
}
