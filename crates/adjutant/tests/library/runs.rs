//! Asking, watching, forking, and runs that outlive their process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::Code;
use adjutant::durable::{Edit, RunState};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;

use crate::shop::{Till, desk, look_up, saying};

#[tokio::test]
async fn a_question_is_answered() {
    let adjutant =
        saying([look_up(), Turn::text("It is on its way.").expecting_last("Order 1042 is on its way.")]);
    let reply = adjutant.run(&desk(), "Where is order 1042?").await.unwrap();
    assert_eq!(
        (reply.to_string().as_str(), reply.stop, reply.turns),
        ("It is on its way.", Stop::Answered, 2)
    );
}

#[tokio::test]
async fn a_stream_tells_everything_in_order() {
    let adjutant = saying([look_up(), Turn::text("It is on its way.")]);
    let mut updates = adjutant.stream(&desk(), "Where is order 1042?").await.unwrap();
    let (mut text, mut kinds) = (String::new(), Vec::new());
    while let Some(update) = updates.next().await {
        let Update::Event(event) = update.unwrap() else { continue };
        kinds.push(match event.kind {
            EventKind::Started { .. } => "started",
            EventKind::Heard(_) => "heard",
            EventKind::ModelCalled { .. } => "model called",
            EventKind::ToolCalled(_) => "tool called",
            EventKind::ToolAnswered(_) => "tool answered",
            EventKind::ModelAnswered { message, .. } => {
                text = message.text();
                "model answered"
            }
            EventKind::Ended { .. } => "ended",
            _ => continue,
        });
    }
    let turn = ["model called", "model answered"];
    let expected =
        [&["started", "heard"], &turn[..], &["tool called", "tool answered"], &turn[..], &["ended"]].concat();
    assert_eq!((kinds, text.as_str()), (expected, "It is on its way."));
    updates.stop().await.unwrap();
}

#[tokio::test]
async fn a_task_with_an_id_happens_once() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let model = Scripted::from_fn(move |_, _| {
        count.fetch_add(1, Ordering::Relaxed);
        Some(Turn::text("Done."))
    });
    let folder = tempfile::tempdir().unwrap();
    for _ in 0..3 {
        // Each is another process, as far as the store can tell.
        let adjutant = Adjutant::builder().store(folder.path().join("runs.db")).model("main", model.clone());
        let adjutant = adjutant.resource(Till::default()).build().unwrap();
        assert_eq!(adjutant.run_with_id("nightly", &desk(), "Do it.").await.unwrap().text, "Done.");
        let error = adjutant.run_with_id("nightly", &desk(), "Do another thing.").await.unwrap_err();
        assert_eq!(error.code(), Code::Conflict);
        assert_eq!(adjutant.runs(10).await.unwrap().len(), 1);
    }
    assert_eq!(asked.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_run_that_was_left_goes_on_elsewhere() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let model = Scripted::new([look_up(), Turn::text("Found.")]);
        let builder = Adjutant::builder().store(folder.path().join("runs.db")).model("main", model);
        builder.resource(Till::default()).agent(desk()).build().unwrap()
    };
    let started = open().start(&desk(), "Where is order 1042?").await.unwrap();
    assert_eq!(started.info().await.unwrap().state, RunState::Ready);

    let worker = open();
    let stop = tokio_util::sync::CancellationToken::new();
    let serving = tokio::spawn({
        let (worker, stop) = (worker.clone(), stop.clone());
        async move { worker.serve(stop).await }
    });
    let reply = worker.handle(started.id()).reply().await.unwrap();
    assert_eq!(reply.text, "Found.");
    stop.cancel();
    serving.await.unwrap().unwrap();
}

#[tokio::test]
async fn what_a_model_was_sent_can_be_seen() {
    let adjutant = Adjutant::builder().in_memory().model("main", Offline::new()).resource(Till::default());
    let adjutant = adjutant.build().unwrap();
    let run = adjutant.start(&desk(), "Where is order 1042?").await.unwrap();
    run.reply().await.unwrap();
    let requests = run.requests().await.unwrap();
    assert_eq!(
        requests.iter().map(|request| request.step.as_str()).collect::<Vec<_>>(),
        ["/turn#0/model#0", "/turn#1/model#0"]
    );
    assert!(requests[1].body.as_str().contains("Order 1042 is on its way."), "{:?}", requests[1]);
}

#[tokio::test]
async fn a_fork_takes_another_way() {
    let adjutant = saying([look_up(), Turn::text("It is on its way.")]);
    let run = adjutant.start(&desk(), "Where is order 1042?").await.unwrap();
    run.reply().await.unwrap();
    let steps = run.summary().await.unwrap().steps;
    let call = steps.iter().find(|step| step.key.name() == "order").unwrap().key.clone();
    let last = steps.iter().rfind(|step| step.key.name() == "model").unwrap().key.clone();
    let outcome = Ok(adjutant::core::json::Json::of("It is lost.").unwrap());
    let forked = run.fork(&last, vec![Edit { key: call, outcome }]).await.unwrap();
    assert!(forked.caused.is_empty());
    let fork = adjutant.handle(&forked.run);
    fork.reply().await.unwrap();
    let requests = fork.requests().await.unwrap_or_default();
    assert!(
        requests.is_empty() || requests.last().unwrap().body.as_str().contains("It is lost."),
        "{requests:?}"
    );
}

#[tokio::test]
async fn a_run_is_found_by_the_beginning_of_its_id() {
    let adjutant = saying([Turn::text("One.")]);
    let run = adjutant.start(&desk(), "One?").await.unwrap();
    adjutant.start(&desk(), "Two?").await.unwrap();
    let id = run.id().as_str();
    assert_eq!(adjutant.find(&id[..8]).await.unwrap().id(), run.id());
    assert_eq!(adjutant.find("zzz").await.unwrap_err().code(), Code::NotFound);
    assert_eq!(adjutant.find("").await.unwrap_err().code(), Code::InputInvalid);
}

#[tokio::test]
async fn what_is_wrong_is_said_before_anything_is_recorded() {
    let adjutant = saying([]);
    let agent =
        Agent::new("greeter").instructions("You greet {{ name }}.").variable("name", serde_json::Value::Null);
    let error = adjutant.run(&agent, "Hello!").await.unwrap_err();
    assert_eq!(error.code(), Code::PromptVariable);
    let error = adjutant.run(&desk(), Task::new("Hello!").model("nobody")).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelUnknown);
    let error = adjutant.run("nobody", "Hello!").await.unwrap_err();
    assert_eq!(error.code(), Code::NotFound);
    assert_eq!(adjutant.runs(10).await.unwrap(), []);
    assert_eq!(Adjutant::builder().build().unwrap_err().code(), Code::InputInvalid);
}

#[tokio::test]
async fn a_tool_without_what_it_needs_is_refused() {
    let adjutant = Adjutant::builder().in_memory().model("main", Scripted::new([])).build().unwrap();
    let error = adjutant.run(&desk(), "Hello!").await.unwrap_err();
    assert_eq!(error.code(), Code::ToolInvalid);
    assert!(error.message().contains("`pay`"), "{error}");
}

#[tokio::test]
async fn one_persons_runs_are_erased() {
    let adjutant = saying([Turn::text("Hello.")]);
    adjutant.run(&desk(), Task::new("Hello!").user("ann")).await.unwrap();
    adjutant.run(&desk(), Task::new("Hello!").user("bob")).await.unwrap();
    assert_eq!(adjutant.erase_user("ann", "admin").await.unwrap(), 1);
    let left = adjutant.runs(10).await.unwrap();
    assert_eq!(left.iter().map(|info| info.user.as_deref()).collect::<Vec<_>>(), [Some("bob")]);
}

#[tokio::test]
async fn what_was_erased_is_not_begun_again_under_its_name() {
    let adjutant = saying([Turn::text("Hello."), Turn::text("Hello again.")]);
    let task = |id: &str| Task::new("Hello!").user("ann").id(id);
    adjutant.run(&desk(), task("order 7")).await.unwrap();
    assert_eq!(adjutant.erase_user("ann", "admin").await.unwrap(), 1);
    let error = adjutant.run(&desk(), task("order 7")).await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    assert!(error.message().contains("was erased"), "{error}");
    adjutant.run(&desk(), task("order 8")).await.unwrap();
}
