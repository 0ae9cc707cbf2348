//! What a person may answer to a request for approval, and what that allows.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant_agent::approval::{Answer, Decision, Notice, Notifier, PREFIX, Reach, Request, Terms};
use adjutant_agent::definition::{Action, Check, Guardrail, Point, parallel};
use adjutant_agent::{Agent, AgentHost, start};
use adjutant_core::Result;
use adjutant_core::hash::Digest;
use adjutant_core::id::RunId;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::Effect;
use adjutant_durable::{Entry, Revoked, RunState};
use adjutant_model::scripted::Turn;
use adjutant_policy::detect::Kind;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::json;

use crate::bench::{Bench, deed, echo, in_time, pause_for, shown};

fn asks(text: &str) -> Turn {
    Turn::calls([("deed", json!({ "text": text }))])
}

fn desk(tool: Arc<dyn adjutant_tool::Tool>) -> Agent {
    Agent::new("desk").instructions("x").tool(tool).approve("deed")
}

/// The request that a run waits with.
async fn request(bench: &Bench, run: &RunId) -> (String, Request) {
    in_time(async {
        loop {
            let asking = bench.engine.asking(PREFIX, None).await.unwrap();
            if let Some(asking) =
                asking.into_iter().find(|asking| asking.run == *run && asking.answer.is_none())
            {
                return (asking.signal, asking.request.to().unwrap());
            }
            pause_for(Duration::from_millis(5)).await;
        }
    })
    .await
}

async fn answers(bench: &Bench, run: &RunId, answer: Answer) -> Request {
    let (signal, request) = request(bench, run).await;
    start::approve(bench.engine.as_ref(), run, &signal, &answer).await.unwrap();
    request
}

fn by_ann(decision: Decision) -> Answer {
    Answer { by: Some("ann".into()), ..decision.into_answer() }
}

#[tokio::test]
async fn a_request_says_what_matters_to_a_person() {
    let (tool, _) = deed(Effect::AtMostOnce);
    let bench = Bench::new(desk(tool), [asks("a"), Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let request = answers(&bench, &run, by_ann(Decision::Approve)).await;
    assert_eq!(request.description.as_deref(), Some("Does deed."));
    assert!(request.consequence().contains("cannot be taken back"));
    let lasts = request.expires.unwrap().since(Timestamp::default());
    assert!(lasts > Terms::EXPIRES && request.digest.is_some());
    bench.end(&run).await.unwrap();
    let said = bench.records(&run).await.iter().any(|record| {
        matches!(&record.entry, Entry::Attempted { decision: Some(why), .. } if why.as_str().contains("\"by\":\"ann\""))
    });
    assert!(said);
}

#[tokio::test]
async fn a_call_that_a_person_has_changed_is_made_so_and_the_model_is_told() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench =
        Bench::new(desk(tool), [asks("a"), Turn::text("ok").expecting_last("ann has changed the call")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    answers(&bench, &run, by_ann(Decision::Edit(json!({ "text": "b" })))).await;
    bench.end(&run).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["b"]);
    let said = shown(&bench.check(&run).await);
    assert!(said.iter().any(|line| line.contains(r#"made with {"text":"b"}"#)), "{said:?}");
}

#[tokio::test]
async fn a_change_that_does_not_fit_makes_no_call() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(desk(tool), [asks("a"), Turn::text("ok").expecting_last("does not fit")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    answers(&bench, &run, by_ann(Decision::Edit(json!({ "words": ["b"] })))).await;
    bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().is_empty());
    bench.check(&run).await;
}

#[tokio::test]
async fn a_person_may_answer_in_the_place_of_the_tool() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(desk(tool), [asks("a"), Turn::text("ok").expecting_last("done by hand")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    answers(&bench, &run, by_ann(Decision::Answer(json!("done by hand")))).await;
    bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().is_empty());
    let last = bench.check(&run).await.into_iter().rfind(|message| message.results().count() > 0).unwrap();
    assert!(last.label.is_trusted());
    let said: String = last.results().map(adjutant_core::message::ToolResult::as_text).collect();
    assert!(said.contains("ann answered in the place of the tool"), "{said}");
}

#[tokio::test]
async fn what_nobody_answers_in_time_is_refused() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let agent = desk(tool).approve_within(Duration::from_millis(60));
    let bench = Bench::new(agent, [asks("a"), Turn::text("ok").expecting_last("nobody answered")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert!(done.lock().unwrap().is_empty());
    assert!(bench.engine.asking(PREFIX, None).await.unwrap().is_empty());
}

#[tokio::test]
async fn an_answer_to_another_call_is_none() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(desk(tool), [asks("a"), Turn::text("ok").expecting_last("another call")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    let other = Some(Digest::of(b"other"));
    answers(&bench, &run, Answer { digest: other, ..by_ann(Decision::Approve) }).await;
    bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_allowed_for_a_session_is_allowed_in_its_next_turns_until_it_is_taken_back() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let turns =
        [asks("a"), asks("b"), Turn::text("1"), asks("c"), Turn::text("2"), asks("d"), Turn::text("3")];
    let bench = Bench::new(desk(tool), turns);
    bench.serve();
    let first = bench.begin("go", Some("s")).await;
    let reach = Some(Reach::default());
    answers(&bench, &first, Answer { reach, ..by_ann(Decision::Approve) }).await;
    bench.end(&first).await.unwrap();
    // Another host, as after a restart, finds it in the store.
    let second = bench.begin("again", Some("s")).await;
    bench.end(&second).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["a", "b", "c"]);
    let grants = bench.engine.grants(None).await.unwrap();
    let [grant] = grants.as_slice() else { panic!("{grants:?}") };
    assert_eq!((grant.by.as_str(), grant.tool.as_str(), &grant.run), ("ann", "deed", &first));
    let allowed = bench.records(&second).await.iter().any(|record| {
        matches!(&record.entry, Entry::Attempted { decision: Some(why), .. } if why.as_str().contains(&grant.id))
    });
    assert!(allowed);
    let revoked = Revoked { by: "bob".into(), at: Timestamp(1), reason: None };
    bench.engine.revoke(&grant.id, revoked).await.unwrap();
    let third = bench.begin("and again", Some("s")).await;
    answers(&bench, &third, by_ann(Decision::Deny(None))).await;
    bench.end(&third).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["a", "b", "c"]);
}

#[tokio::test]
async fn what_is_allowed_for_a_value_is_asked_about_for_another() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let turns = [asks("a"), asks("a"), asks("b"), Turn::text("ok")];
    let bench = Bench::new(desk(tool), turns);
    bench.serve();
    let run = bench.begin("go", None).await;
    let pinned = BTreeMap::from([("/text".to_owned(), json!("a"))]);
    let reach = Some(Reach { everywhere: true, pinned, until: None });
    answers(&bench, &run, Answer { reach, ..by_ann(Decision::Approve) }).await;
    let request = answers(&bench, &run, by_ann(Decision::Deny(None))).await;
    assert_eq!(request.arguments, json!({ "text": "b" }));
    bench.end(&run).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["a", "a"]);
}

#[tokio::test]
async fn a_call_that_waits_keeps_no_other_from_being_made() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let both = Turn::calls([
        ("deed", json!({ "text": "a" })),
        ("deed", json!({ "text": "b" })),
        ("echo", json!({ "text": "c" })),
    ]);
    let agent = desk(tool).tool(echo()).limit(parallel(1));
    let bench = Bench::new(agent, [both, Turn::text("ok")]);
    bench.serve();
    let run = bench.begin("go", None).await;
    bench
        .until(&run, |record| matches!(&record.entry, Entry::Completed { key, .. } if key.name() == "echo"))
        .await;
    for call in ["call#0", "call#1"] {
        bench.until(&run, |record| {
            matches!(&record.entry, Entry::Issued { key, .. } if key.name().starts_with("approve") && key.as_str().contains(call))
        }).await;
    }
    // Both are shown together.
    let asking = bench.engine.asking(PREFIX, None).await.unwrap();
    assert_eq!(asking.len(), 2);
    assert!(done.lock().unwrap().is_empty());
    for asking in asking.iter().rev() {
        let answer = by_ann(Decision::Approve);
        start::approve(bench.engine.as_ref(), &run, &asking.signal, &answer).await.unwrap();
    }
    bench.end(&run).await.unwrap();
    let mut made = done.lock().unwrap().clone();
    made.sort();
    assert_eq!(made, ["a", "b"]);
    bench.check(&run).await;
}

/// Writes down what it is told.
#[derive(Default)]
struct Book(Arc<Mutex<Vec<Notice>>>);

impl Notifier for Book {
    fn notify(&self, notice: Notice) -> BoxFuture<'static, Result<()>> {
        self.0.lock().unwrap().push(notice);
        async { Ok(()) }.boxed()
    }
}

#[tokio::test]
async fn somebody_is_told_once_of_each_request() {
    let (tool, _) = deed(Effect::AtMostOnce);
    let mut bench = Bench::new(desk(tool), [asks("a"), Turn::text("ok")]);
    let told = Arc::new(Mutex::new(Vec::new()));
    let notifier: Arc<dyn Notifier> = Arc::new(Book(Arc::clone(&told)));
    let host = AgentHost::new(
        Arc::clone(&bench.engine),
        Arc::new(bench.models.clone()),
        adjutant_tool::Registry::new(),
    )
    .with_approvals(Terms::default(), Some(notifier));
    host.add(&bench.agent).unwrap();
    bench.host = Arc::new(host);
    bench.serve();
    let run = bench.begin("go", None).await;
    in_time(async {
        while told.lock().unwrap().is_empty() {
            pause_for(Duration::from_millis(5)).await;
        }
    })
    .await;
    bench.until_state(&run, RunState::Waiting).await;
    // It is put aside and comes back, which tells nobody anew.
    let request = answers(&bench, &run, by_ann(Decision::Approve)).await;
    bench.end(&run).await.unwrap();
    let told = told.lock().unwrap();
    let [notice] = told.as_slice() else { panic!("{told:?}") };
    assert_eq!((&notice.run, &notice.request), (&run, &request));
    assert!(!notice.id.is_empty());
}

#[tokio::test]
async fn what_a_person_writes_is_looked_at_by_guardrails_as_well() {
    let words = Check::Words { words: vec!["raven".into()], topics: BTreeMap::new() };
    let blocks = Guardrail::new(words).on([Point::Arguments]).action(Action::Block);
    let masks =
        Guardrail::new(Check::Personal(vec![Kind::Email])).on([Point::Arguments]).action(Action::Mask);
    for (rail, text, expected) in [
        (blocks.clone(), "ask the raven", None),
        (blocks, "ask the dove", Some("ask the dove")),
        (masks, "to eve@evil.example", Some("to [email]")),
    ] {
        let (tool, done) = deed(Effect::AtMostOnce);
        let bench = Bench::new(desk(tool).guardrail(rail), [asks("a"), Turn::text("ok")]);
        bench.serve();
        let run = bench.begin("go", None).await;
        answers(&bench, &run, by_ann(Decision::Edit(json!({ "text": text })))).await;
        bench.end(&run).await.unwrap();
        assert_eq!(done.lock().unwrap().first().map(String::as_str), expected, "{text}");
        let heard = shown(&bench.check(&run).await).join("\n");
        let why = "tool-denied: ann changed the call, and the call was not made: the guardrail `words`";
        assert_eq!(heard.contains(why), expected.is_none(), "{heard}");
    }
}
