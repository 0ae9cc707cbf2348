//! What the policies decide: of every call, of the model, and of the answer.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use adjutant_agent::approval::{Answer, Decision};
use adjutant_agent::definition::{Check, ContextWindow, Guardrail, Point};
use adjutant_agent::rules::{Forbids, decisions};
use adjutant_agent::{Agent, Narrow, Stop, start};
use adjutant_core::id::{RunId, Scope};
use adjutant_core::message::{Message, ToolResult};
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error};
use adjutant_durable::{Entry, Record, RunState, Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_policy::facts::Action;
use adjutant_policy::facts::Evidence;
use adjutant_policy::{Outcome, Request, Verdict};
use adjutant_store::Store;
use adjutant_tool::{Context, Failure, Output, Tool};
use futures::future::BoxFuture;
use serde_json::{Value, json};

use crate::bench::{Bench, Roles, agent, deed, echo, echoes, spec, tape, tool};

/// Permits everything that the tests do not ask about.
const REST: &str = r#"
@id("model") permit (principal, action == Action::"run.model", resource);
@id("answer") permit (principal, action == Action::"run.answer", resource);
@id("ask") permit (principal, action == Action::"run.agent", resource);
"#;

fn rest(more: &str) -> String {
    format!("{REST}{more}")
}

/// A turn that calls `deed` with these texts at once.
fn deeds(texts: &[&str]) -> Turn {
    Turn::calls(texts.iter().map(|text| ("deed", json!({ "text": text }))))
}

/// The results that the model of a run has read.
async fn results(bench: &Bench, run: &RunId) -> Vec<String> {
    let messages = bench.check(run).await;
    messages.iter().flat_map(Message::results).map(ToolResult::as_text).collect()
}

#[tokio::test]
async fn what_no_policy_permits_is_denied_and_the_journal_says_why() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(agent().tool(tool), [deeds(&["a"]), echoes("b"), Turn::text("ok")])
        .under(&rest(r#"@id("looking") permit (principal, action in Action::"tools.pure", resource);"#));
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert!(done.lock().unwrap().is_empty());
    let heard = results(&bench, &run).await;
    assert!(heard[0].starts_with("tool-denied: "), "{heard:?}");
    assert_eq!(heard[1], "echo: b");
    let decisions = decisions(&bench.records(&run).await, &[]);
    let said: Vec<_> =
        decisions.iter().map(|one| (&one.verdict.outcome, one.verdict.policies.join(","))).collect();
    assert_eq!(
        said,
        [
            (&Outcome::Allow, "model".to_owned()),
            (&Outcome::Deny, String::new()),
            (&Outcome::Allow, "looking".to_owned()),
            (&Outcome::Allow, "model".to_owned()),
            (&Outcome::Allow, "answer".to_owned()),
        ]
    );
    assert!(decisions.iter().all(|one| one.verdict.version.is_some()));
    assert_eq!(decisions[1].request.arguments["text"], "a");
    assert_eq!(decisions[4].request.session.calls.len(), 1, "what was denied was not done");
}

#[tokio::test]
async fn a_permit_that_asks_waits_for_a_person() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(agent().tool(tool), [deeds(&["a"]), Turn::text("ok")]).under(&rest(
        r#"@id("deeds") @ask("it cannot be undone") permit (principal, action == Action::"deed", resource);"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.until_state(&run, RunState::Waiting).await;
    assert!(done.lock().unwrap().is_empty());
    let open = waits(&run, &bench.records(&run).await);
    let Some(Wait::Signal { name, request, .. }) = open.first() else { panic!("{open:?}") };
    assert!(request.as_str().contains("it cannot be undone"), "{request:?}");
    start::approve(bench.engine.as_ref(), &run, name, &Decision::Approve.into_answer()).await.unwrap();
    assert_eq!(bench.end(&run).await.unwrap().text, "ok");
    assert_eq!(*done.lock().unwrap(), ["a"]);
}

#[tokio::test]
async fn calls_are_counted_over_a_session_and_denied_ones_take_nothing() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let turns =
        [deeds(&["1", "no", "2", "3", "4"]), Turn::text("first"), deeds(&["5"]), Turn::text("second")];
    let bench = Bench::new(agent().tool(tool), turns).under(&rest(
        r#"@id("three") permit (principal, action == Action::"deed", resource) when { context.session.count.deed < 3 };
           @id("never") forbid (principal, action == Action::"deed", resource) when { context.arguments.text.value == "no" };"#,
    ));
    bench.serve();
    let first = bench.begin("go", Some("s")).await;
    bench.end(&first).await.unwrap();
    // Asked for at once, and counted one after the other.
    assert_eq!(*done.lock().unwrap(), ["1", "2", "3"]);
    let second = bench.begin("go", Some("s")).await;
    bench.end(&second).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["1", "2", "3"], "the session has used all three");
    let other = bench.begin("go", Some("other")).await;
    bench.end(&other).await.unwrap();
    assert_eq!(done.lock().unwrap().len(), 6, "another session has its own three");
}

#[tokio::test]
async fn a_call_waits_for_the_one_that_its_rule_asks_about() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let both = Turn::calls([
        ("deed", json!({ "text": "7" })),
        ("echo", json!({ "text": "7" })),
        ("deed", json!({ "text": "8" })),
    ]);
    let bench = Bench::new(agent().tool(tool), [both, Turn::text("ok")]).under(&rest(
        r#"@id("looking") permit (principal, action == Action::"echo", resource);
           @id("read first") permit (principal, action == Action::"deed", resource)
           when { context.session.seen.echo.text.contains(context.arguments.text.value) };"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["7"]);
    let heard = results(&bench, &run).await;
    assert_eq!((heard[0].as_str(), heard[1].as_str()), ("done", "echo: 7"));
    assert!(heard[2].contains("`echo`"), "the model hears what is missing: {heard:?}");
}

fn asking(scout: &Agent) -> Agent {
    Agent::new("desk").instructions("You are a desk.").agent(scout)
}

fn scout(tool: Arc<dyn adjutant_tool::Tool>) -> Agent {
    Agent::new("scout").description("Does deeds.").model("scout").instructions("x").tool(tool)
}

fn task() -> Turn {
    Turn::calls([("scout", json!({ "task": "do it" })), ("scout", json!({ "task": "do it" }))])
}

#[tokio::test]
async fn nobody_may_more_than_the_agent_that_asked_for_it() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let scouts = Scripted::from_fn(|request, _| {
        Some(if request.messages.len() < 4 { deeds(&["a"]) } else { Turn::text("done") })
    });
    let roles = Roles::main(Scripted::new([task(), Turn::text("ok")]))
        .with("scout", scouts.with_id("scripted-scout"));
    let bench = Bench::with(asking(&scout(tool)), roles).under(&rest(
        r#"@id("deeds") permit (principal, action == Action::"deed", resource);
           @id("not the desk") forbid (principal == Agent::"desk", action == Action::"deed", resource);"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().is_empty(), "the scout works for the desk");
}

#[tokio::test]
async fn what_asked_agents_do_counts_for_all() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let scouts = Scripted::from_fn(|request, _| {
        Some(if request.messages.len() < 4 { deeds(&["a", "b"]) } else { Turn::text("done") })
    });
    let roles = Roles::main(Scripted::new([task(), Turn::text("ok")]))
        .with("scout", scouts.with_id("scripted-scout"));
    let bench = Bench::with(asking(&scout(tool)), roles).under(&rest(
        r#"@id("three") permit (principal, action == Action::"deed", resource) when { context.session.count.deed < 3 };"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!(*done.lock().unwrap(), ["a", "b", "a"]);
    assert_eq!(reply.past.len(), 3);
}

/// Forbids everything once it is told so.
#[derive(Default)]
struct Switch(AtomicBool, Mutex<Vec<Request>>);

impl Forbids for Switch {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        self.1.lock().unwrap().push(request.clone());
        self.0.load(Ordering::SeqCst).then(|| Verdict {
            outcome: Outcome::Deny,
            policies: vec!["switch".into()],
            reason: "somebody has pulled it".into(),
            tell: Some("everything is off".into()),
            watched: None,
            version: None,
        })
    }
}

#[tokio::test]
async fn a_switch_stops_what_was_permitted_and_approved() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let switch = Arc::new(Switch::default());
    let agent = agent().tool(tool).approve("deed");
    let engine = Store::in_memory().unwrap().engine(Scope::default());
    let models = Roles::main(Scripted::new([deeds(&["a"]), Turn::text("ok")]));
    let bench = Bench::governed(engine, agent, models, Some(Arc::clone(&switch) as Arc<dyn Forbids>));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.until_state(&run, RunState::Waiting).await;
    switch.0.store(true, Ordering::SeqCst);
    let open = waits(&run, &bench.records(&run).await);
    let Some(Wait::Signal { name, .. }) = open.first() else { panic!("{open:?}") };
    start::approve(bench.engine.as_ref(), &run, name, &Decision::Approve.into_answer()).await.unwrap();
    // It forbids that the model is asked, too, which ends the run.
    let error = bench.end(&run).await.unwrap_err();
    assert_eq!((error.code(), error.message()), (Code::RunDenied, "everything is off"));
    assert!(done.lock().unwrap().is_empty());
    let heard = results(&bench, &run).await;
    assert!(heard[0].contains("everything is off"), "{heard:?}");
}

/// A deed that reads a resource.
struct Reading(Arc<dyn Tool>);

impl Tool for Reading {
    fn spec(&self) -> &ToolSpec {
        self.0.spec()
    }

    fn call(&self, arguments: Value, context: Context) -> BoxFuture<'static, Result<Output, Failure>> {
        self.0.call(arguments, context)
    }

    fn reads(&self, arguments: &Value) -> Option<(String, String)> {
        Some(("files".to_owned(), arguments["text"].as_str()?.to_owned()))
    }
}

/// Forbids something from the time on when a call of `deed` has been decided.
struct Later(fn(&Request) -> Option<Outcome>, Arc<Mutex<Vec<Request>>>);

impl Forbids for Later {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        let mut seen = self.1.lock().unwrap();
        seen.push(request.clone());
        let outcome = (self.0)(request)?;
        // The first time is the decision; the next are attempts.
        (seen.iter().filter(|one| one.action == request.action).count() > 1).then(|| Verdict {
            outcome,
            policies: Vec::new(),
            reason: "of now".into(),
            tell: None,
            watched: None,
            version: None,
        })
    }
}

#[tokio::test]
async fn what_is_forbidden_by_now_holds_for_what_a_call_reads_and_for_what_is_still_to_be_masked() {
    let resource =
        |request: &Request| matches!(request.action, Action::Resource { .. }).then_some(Outcome::Deny);
    let email = |request: &Request| {
        matches!(request.action, Action::Tool(_)).then(|| Outcome::Redact(vec!["email".into()]))
    };
    let key = "AKIAIOSFODNN7EXAMPLE";
    let secret = |request: &Request| {
        matches!(request.action, Action::Tool(_)).then(|| Outcome::Redact(vec!["secret".into()]))
    };
    for (forbids, done_at_all) in [
        (resource as fn(&Request) -> Option<Outcome>, false),
        // What is masked already is masked; something else is not.
        (email, true),
        (secret, false),
    ] {
        let (tool, done) = deed(Effect::AtMostOnce);
        let text = format!("ann@corp.example has {key}");
        let roles = Roles::main(Scripted::new([deeds(&[text.as_str()]), Turn::text("ok")]));
        let engine = Store::in_memory().unwrap().engine(Scope::default());
        let later: Arc<dyn Forbids> = Arc::new(Later(forbids, Arc::default()));
        let agent = agent().tool(Arc::new(Reading(tool)) as Arc<dyn Tool>);
        let bench = Bench::governed(engine, agent, roles, Some(later)).under(&rest(
            r#"@id("deeds") @redact("email") permit (principal, action == Action::"deed", resource);
               @id("read") permit (principal, action == Action::"run.resource", resource);"#,
        ));
        bench.serve();
        let run = bench.begin("go", None).await;
        bench.end(&run).await.unwrap();
        assert_eq!(done.lock().unwrap().len(), usize::from(done_at_all));
    }
}

#[tokio::test]
async fn what_is_to_be_masked_in_what_a_call_reads_is_masked() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let agent = agent().tool(Arc::new(Reading(tool)) as Arc<dyn Tool>);
    let bench = Bench::new(agent, [deeds(&["of ann@corp.example"]), Turn::text("ok")]).under(&rest(
        r#"@id("deeds") permit (principal, action == Action::"deed", resource);
           @id("read") @redact("email") permit (principal, action == Action::"run.resource", resource);"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().iter().all(|text| !text.contains("ann@")), "{done:?}");
}

#[tokio::test]
async fn an_answer_that_may_not_go_out_is_withheld() {
    let secret = tool("echo", |_| Ok::<_, Failure>(Output::text("the code is 1234")));
    let agent = Agent::new("desk").instructions("x").tool(secret);
    let turns = [echoes("x"), Turn::text("It is 1234."), Turn::text("It is 1234, really.")];
    let bench = Bench::new(agent, turns).under(
        r#"@id("model") permit (principal, action == Action::"run.model", resource);
           @id("tools") permit (principal, action in Action::"tools", resource);
           @id("answer") permit (principal, action == Action::"run.answer", resource);
           @id("codes") @tell("codes stay here")
           forbid (principal, action == Action::"run.answer", resource) when { context.text like "*1234*" };"#,
    );
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert_eq!(reply.stop, Stop::Withheld);
    assert!(!reply.text.contains("1234") && reply.text.contains("codes stay here"), "{}", reply.text);
    assert_eq!(reply.turns, 3, "the model was told once, and tried again");
}

#[tokio::test]
async fn a_model_that_is_not_permitted_is_not_asked() {
    let bench = Bench::new(agent(), [Turn::text("ok")])
        .under(r#"@id("answer") permit (principal, action == Action::"run.answer", resource);"#);
    let error = bench.run("go").await.unwrap_err();
    assert_eq!(error.code(), Code::RunDenied);
}

#[tokio::test]
async fn policies_know_the_person_and_what_is_said_of_them() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench =
        Bench::new(agent().tool(tool), [deeds(&["a"]), Turn::text("ok"), deeds(&["b"]), Turn::text("ok")])
            .under(&rest(
                r#"@id("deeds") permit (principal in User::"ann", action == Action::"deed", resource);"#,
            ));
    bench.serve();
    for (user, expected) in [("bob", 0), ("ann", 1)] {
        let run = bench.begin_for(Some(user), "go", None).await;
        bench.end(&run).await.unwrap();
        assert_eq!(done.lock().unwrap().len(), expected, "{user}");
    }
}

#[tokio::test]
async fn a_tool_that_says_that_it_failed_has_done_nothing() {
    let failing =
        adjutant_tool::FunctionTool::new(spec("deed", Effect::AtMostOnce), |_: serde_json::Value, _| async {
            Err::<Output, _>(Failure::from(Error::new(Code::ToolFailed, "no paper")))
        });
    let bench = Bench::new(Agent::new("desk").instructions("x").tool(failing).tool(echo()), [deeds(&["a"]), deeds(&["b"]), Turn::text("ok")])
        .under(&rest(r#"@id("once") permit (principal, action == Action::"deed", resource) when { context.session.count.deed < 1 };"#));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let heard = results(&bench, &run).await;
    assert!(heard.iter().all(|heard| heard.contains("no paper")), "{heard:?}");
}

#[tokio::test]
async fn what_an_asked_agent_does_counts_for_rules_of_the_one_that_asks() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let scouts = Scripted::from_fn(|request, _| {
        Some(if request.messages.len() < 4 { echoes("secret") } else { Turn::text("done") })
    });
    let turns = [task(), deeds(&["a"]), Turn::text("ok")];
    let roles = Roles::main(Scripted::new(turns)).with("scout", scouts.with_id("scripted-scout"));
    let scout = Agent::new("scout").description("Reads.").model("scout").instructions("x").tool(echo());
    let bench = Bench::with(asking(&scout).tool(tool), roles).under(&rest(
        r#"@id("looking") permit (principal, action == Action::"echo", resource);
           @id("unread") permit (principal, action == Action::"deed", resource) when { context.session.count.echo == 0 };"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    let reply = bench.end(&run).await.unwrap();
    assert!(done.lock().unwrap().is_empty(), "the scout has read, and the desk may do nothing any more");
    assert_eq!(reply.past.len(), 2);
}

#[tokio::test]
async fn what_may_have_happened_counts() {
    let lost =
        adjutant_tool::FunctionTool::new(spec("deed", Effect::Idempotent), |_: serde_json::Value, _| async {
            Err::<Output, _>(Failure::Unknown("the line broke".to_owned()))
        });
    let bench = Bench::new(Agent::new("desk").instructions("x").tool(lost).tool(echo()), [
        deeds(&["a"]),
        deeds(&["b"]),
        Turn::text("ok"),
        deeds(&["c"]),
        Turn::text("ok"),
    ])
    .under(&rest(
        r#"@id("once") permit (principal, action == Action::"deed", resource) when { context.session.count.deed < 1 };"#,
    ));
    bench.serve();
    let run = bench.begin("go", Some("s")).await;
    bench.end(&run).await.unwrap();
    let heard = results(&bench, &run).await;
    assert!(heard[0].contains("not known") && heard[1].starts_with("tool-denied: "), "{heard:?}");
    let later = bench.begin("go", Some("s")).await;
    bench.end(&later).await.unwrap();
    let decided = decisions(&bench.records(&later).await, &[]);
    assert!(decided.iter().any(|one| one.verdict.outcome == Outcome::Deny), "{decided:#?}");
}

/// Answers to what a run waits for.
async fn answer(bench: &Bench, run: &RunId, decision: Decision) {
    bench.until_state(run, RunState::Waiting).await;
    let open = waits(run, &bench.records(run).await);
    let Some(Wait::Signal { name, .. }) = open.first() else { panic!("{open:?}") };
    start::approve(bench.engine.as_ref(), run, name, &decision.into_answer()).await.unwrap();
}

#[tokio::test]
async fn what_is_to_be_masked_is_masked_after_a_person_has_agreed() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let bench = Bench::new(agent().tool(tool), [deeds(&["to ann@corp.example"]), Turn::text("ok")]).under(&rest(
        r#"@id("deeds") @ask("it goes out") @redact("email") permit (principal, action == Action::"deed", resource);"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    answer(&bench, &run, Decision::Approve).await;
    bench.end(&run).await.unwrap();
    let done = done.lock().unwrap();
    assert!(done.len() == 1 && !done[0].contains("ann@"), "{done:?}");
}

#[tokio::test]
async fn an_answer_that_a_person_lets_out_or_changes_is_decided_again() {
    let policies = r#"
        @id("model") permit (principal, action == Action::"run.model", resource);
        @id("answer") @ask("it goes out") @redact("email") permit (principal, action == Action::"run.answer", resource);
        @id("sorry") permit (principal, action == Action::"run.answer", resource) when { context.text == "sorry" };
        @id("codes") forbid (principal, action == Action::"run.answer", resource) when { context.text like "*1234*" };"#;
    let edit = |text: &str| Decision::Edit(json!({ "text": text }));
    for (decision, leaves) in [
        (Decision::Approve, "ann@"),
        (edit("write to bob@corp.example"), "bob@"),
        (edit("the code is 1234"), "1234"),
    ] {
        let bench = Bench::new(agent(), [Turn::text("write to ann@corp.example"), Turn::text("sorry")])
            .under(policies);
        bench.serve();
        let run = bench.begin("go", None).await;
        answer(&bench, &run, decision).await;
        let reply = bench.end(&run).await.map(|reply| reply.text).unwrap_or_default();
        assert!(!reply.contains(leaves), "{reply}");
    }
}

#[tokio::test]
async fn what_an_agent_did_that_gave_no_answer_counts_in_the_next_turn() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let scouts = Scripted::from_fn(|request, _| (request.messages.len() < 4).then(|| deeds(&["a"])));
    let once = || Turn::calls([("scout", json!({ "task": "do it" }))]);
    let turns = [once(), Turn::text("ok"), once(), Turn::text("ok")];
    let roles = Roles::main(Scripted::new(turns)).with("scout", scouts.with_id("scripted-scout"));
    let bench = Bench::with(asking(&scout(tool)), roles).under(&rest(
        r#"@id("once") permit (principal, action == Action::"deed", resource) when { context.session.count.deed < 1 };"#,
    ));
    bench.serve();
    for _ in 0..2 {
        let run = bench.begin("go", Some("s")).await;
        bench.end(&run).await.unwrap();
    }
    assert_eq!(*done.lock().unwrap(), ["a"]);
}

#[tokio::test]
async fn what_a_person_writes_is_vouched_for() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let turns = [echoes("read me"), deeds(&["somebody's words"]), deeds(&["more of them"]), Turn::text("ok")];
    let bench = Bench::new(agent().tool(tool), turns).under(&rest(
        r#"@id("looking") permit (principal, action == Action::"echo", resource);
           @id("deeds") @ask("who says so?") permit (principal, action == Action::"deed", resource);
           @id("known") forbid (principal, action == Action::"deed", resource)
           when { context.approved } unless { context.arguments.text.trusted };"#,
    ));
    bench.serve();
    let run = bench.begin("go", None).await;
    for (turn, decision) in [(1, Decision::Approve), (2, Decision::Edit(json!({ "text": "mine" })))] {
        let name = format!("approve:turn{turn}.call0");
        let is_asked = |record: &Record| matches!(&record.entry, Entry::Issued { operation, .. } if operation.name == name);
        bench.until(&run, is_asked).await;
        let answer = Answer { by: Some("ann".into()), ..decision.into_answer() };
        start::approve(bench.engine.as_ref(), &run, &name, &answer).await.unwrap();
    }
    bench.end(&run).await.unwrap();
    // What was only agreed to is still what a stranger wrote; what a person wrote is theirs.
    assert_eq!(*done.lock().unwrap(), ["mine"]);
    let decided = decisions(&bench.records(&run).await, &[]);
    let written =
        decided.iter().find(|one| one.request.arguments.get("text") == Some(&json!("mine"))).unwrap();
    assert_eq!(written.request.origins["/text"].evidence, Evidence::Endorsed);
}

#[tokio::test]
async fn a_model_that_is_forbidden_by_now_is_not_sent_what_is_to_be_summarised() {
    struct NotFast;
    impl Forbids for NotFast {
        fn forbid(&self, request: &Request) -> Option<Verdict> {
            (request.action == Action::Model("fast-1".into())).then(|| Verdict {
                outcome: Outcome::Deny,
                policies: Vec::new(),
                reason: "it is off".into(),
                tell: None,
                watched: None,
                version: None,
            })
        }
    }
    let (fast, sent) = tape(|_| Turn::text("They talked."));
    let main = Scripted::from_fn(|request, _| {
        Some(if request.messages.len() < 4 { echoes(&"long ".repeat(2_000)) } else { Turn::text("ok") })
    });
    let context = ContextWindow { tokens: Some(4_000), ..ContextWindow::default() };
    let roles = Roles::main(main).with("fast", fast.with_id("fast-1"));
    let engine = Store::in_memory().unwrap().engine(Scope::default());
    let bench = Bench::governed(engine, agent().context(context), roles, Some(Arc::new(NotFast)));
    bench.serve();
    for _ in 0..3 {
        let run = bench.begin("go", Some("s")).await;
        bench.end(&run).await.unwrap();
    }
    assert!(sent.lock().unwrap().is_empty(), "{:?}", sent.lock().unwrap().len());
}

/// Runs two turns of a session with another model beside that of the agent: how often that was asked, and how often it was
/// decided that it may not be.
async fn beside(agent: Agent, main: Scripted, role: &str, forbid: bool) -> (usize, usize) {
    let (other, sent) = tape(|_| Turn::text(r#"{"score": 0.0, "tools": [], "total": 1}"#));
    let roles = Roles::main(main).with(role, other.with_id("other-1"));
    let forbid = match forbid {
        true => r#"forbid (principal, action == Action::"run.model", resource == Model::"other-1");"#,
        false => "",
    };
    let bench = Bench::with(agent, roles).under(&format!("permit (principal, action, resource);\n{forbid}"));
    bench.serve();
    let mut denied = 0;
    for _ in 0..2 {
        let run = bench.begin("go", Some("s")).await;
        let _ = bench.end(&run).await;
        let decided = decisions(&bench.records(&run).await, &[]);
        let of_other = decided.iter().filter(|one| one.request.action == Action::Model("other-1".into()));
        denied += of_other.filter(|one| one.verdict.outcome == Outcome::Deny).count();
    }
    let sent = sent.lock().unwrap().len();
    (sent, denied)
}

#[tokio::test]
async fn every_model_that_a_run_asks_is_decided_on() {
    let reads = |request: &adjutant_model::Request| match request.messages.len() < 4 {
        true => echoes(&"long ".repeat(2_000)),
        false => Turn::text("ok"),
    };
    let extracts = |request: &adjutant_model::Request, place: usize| {
        let last = request.messages.last().unwrap();
        let note: String = last.results().map(ToolResult::as_text).collect();
        let from = note.split('`').nth(1).unwrap_or_default().to_owned();
        let schema = json!({ "type": "object", "properties": { "total": { "type": "number" } } });
        let call = json!({ "from": from, "question": "How much?", "schema": schema });
        match place {
            0 => echoes("1"),
            1 => Turn::calls([("extract", call)]),
            _ => Turn::text("ok"),
        }
    };
    let main = |what: &str| match what {
        "summary" => Scripted::from_fn(move |request, _| Some(reads(request))),
        "extraction" => Scripted::from_fn(move |request, place| Some(extracts(request, place))),
        _ => Scripted::from_fn(|_, _| Some(Turn::text("ok"))),
    };
    let context = ContextWindow { tokens: Some(4_000), ..ContextWindow::default() };
    let rail = Guardrail::new(Check::Judge("No rudeness.".into())).on([Point::Output]);
    let cases = [
        ("title", agent(), "fast"),
        ("summary", agent().context(context), "fast"),
        ("judge", agent().guardrail(rail), "judge"),
        ("narrowing", agent().narrow(Narrow::Model), "fast"),
        ("extraction", agent().quarantine("echo"), "fast"),
    ];
    for (what, agent, role) in cases {
        let (asked, denied) = beside(agent.clone(), main(what), role, false).await;
        assert!(asked > 0 && denied == 0, "{what}: {asked} {denied}");
        let (asked, denied) = beside(agent, main(what), role, true).await;
        assert!(asked == 0 && denied > 0, "{what}: {asked} {denied}");
    }
}

#[tokio::test]
async fn a_model_is_decided_on_again_when_it_is_sent_something_else() {
    let turns = || [echoes("a"), echoes("b"), echoes("c"), Turn::text("ok")];
    let bench = Bench::new(agent(), turns()).under("permit (principal, action, resource);");
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let decided = decisions(&bench.records(&run).await, &[]);
    let models = decided.iter().filter(|one| matches!(one.request.action, Action::Model(_)));
    let trusted: Vec<bool> = models.map(|one| one.request.label.is_trusted()).collect();
    assert_eq!(trusted, [true, false], "once for what was said, and once for what was read as well");

    let bench = Bench::new(agent(), turns()).under(
        r#"permit (principal, action, resource) unless { action == Action::"run.model" };
           permit (principal, action == Action::"run.model", resource) when { context.run.trusted };"#,
    );
    bench.serve();
    let run = bench.begin("go", None).await;
    assert_eq!(bench.end(&run).await.unwrap_err().code(), Code::RunDenied);
    assert_eq!(results(&bench, &run).await, ["echo: a"]);
}

/// Forbids what it is told to.
struct Now(fn(&Request) -> bool);

impl Forbids for Now {
    fn forbid(&self, request: &Request) -> Option<Verdict> {
        (self.0)(request).then(|| Verdict {
            outcome: Outcome::Deny,
            policies: vec!["now".into()],
            reason: "of now".into(),
            tell: None,
            watched: None,
            version: None,
        })
    }
}

/// Forbids a third deed, of whoever works in the session.
const THIRD: fn(&Request) -> bool = |request| {
    let deeds = request.session.calls.iter().filter(|past| past.tool == "deed").count();
    request.action == Action::Tool("deed".into()) && deeds >= 2
};

#[tokio::test]
async fn what_is_forbidden_by_now_may_count_what_no_pinned_policy_counts() {
    for policies in [None, Some("permit (principal, action, resource);")] {
        let (tool, done) = deed(Effect::AtMostOnce);
        let scouts = Scripted::from_fn(|request, _| {
            Some(if request.messages.len() < 4 { deeds(&["b"]) } else { Turn::text("done") })
        });
        let once = Turn::calls([("scout", json!({ "task": "do it" }))]);
        let turns = [
            deeds(&["a"]),
            once.clone(),
            once,
            deeds(&["c"]),
            Turn::text("ok"),
            deeds(&["d"]),
            Turn::text("ok"),
        ];
        let roles = Roles::main(Scripted::new(turns)).with("scout", scouts.with_id("scripted-scout"));
        let agent = asking(&scout(Arc::clone(&tool))).tool(tool);
        let engine = Store::in_memory().unwrap().engine(Scope::default());
        let bench = Bench::governed(engine, agent, roles, Some(Arc::new(Now(THIRD))));
        let bench = match policies {
            Some(policies) => bench.under(policies),
            None => bench,
        };
        bench.serve();
        for _ in 0..2 {
            let run = bench.begin("go", Some("s")).await;
            bench.end(&run).await.unwrap();
        }
        assert_eq!(*done.lock().unwrap(), ["a", "b"], "{policies:?}");
    }
}

#[tokio::test]
async fn an_agent_that_is_forbidden_by_now_is_not_started_without_policies_either() {
    let (tool, done) = deed(Effect::AtMostOnce);
    let (scouts, sent) = tape(|_| Turn::text("done"));
    let roles = Roles::main(Scripted::new([task(), Turn::text("ok")]))
        .with("scout", scouts.with_id("scripted-scout"));
    let engine = Store::in_memory().unwrap().engine(Scope::default());
    let forbids = Now(|request| request.action == Action::Agent("scout".into()));
    let bench = Bench::governed(engine, asking(&scout(tool)), roles, Some(Arc::new(forbids)));
    bench.serve();
    let run = bench.begin("go", None).await;
    bench.end(&run).await.unwrap();
    let heard = results(&bench, &run).await;
    assert!(heard.iter().all(|heard| heard.starts_with("tool-denied: ")), "{heard:?}");
    assert!(sent.lock().unwrap().is_empty() && done.lock().unwrap().is_empty());
}
