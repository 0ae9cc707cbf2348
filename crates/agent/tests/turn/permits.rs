//! Whatever the policies are, and whatever a model and the agents that it asks want: nothing
//! happens without a recorded permit, and no agent may more than the one that asked for it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use adjutant_agent::approval::Decision;
use adjutant_agent::rules::{Decided, decisions};
use adjutant_agent::{Agent, Called, start};
use adjutant_core::id::{RunId, StepKey};
use adjutant_core::tool::Effect;
use adjutant_durable::{Admission, Entry, Kind, Record, RunState, Wait, waits};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_policy::Outcome;
use adjutant_policy::facts::Action;
use adjutant_tool::{FunctionTool, Output};
use proptest::prelude::*;
use serde_json::json;

use crate::bench::{Bench, Roles, spec};

const TOOLS: [(&str, Effect); 3] =
    [("look", Effect::Pure), ("store", Effect::Idempotent), ("pay", Effect::AtMostOnce)];

/// A policy, made of parts that fit together.
fn policy() -> impl Strategy<Value = String> {
    let annotation = prop_oneof![
        5 => Just(""), 1 => Just("@ask(\"why\")"), 1 => Just("@redact(\"email\")"), 1 => Just("@mode(\"log_only\")")
    ];
    let effect = prop_oneof![3 => Just("permit"), 1 => Just("forbid")];
    let principal = prop_oneof![
        4 => Just("principal"), 1 => Just("principal == Agent::\"desk\""), 1 => Just("principal == Agent::\"scout\"")
    ];
    let action = prop_oneof![
        Just("action == Action::\"look\""),
        Just("action == Action::\"store\""),
        Just("action == Action::\"pay\""),
        Just("action in Action::\"tools\""),
        Just("action in Action::\"tools.at_most_once\""),
    ];
    let condition = prop_oneof![
        4 => Just(""),
        1 => Just("when { context.session.count.pay < 2 }"),
        1 => Just("when { context.run.trusted }"),
        1 => Just("unless { context.session.count.look > 0 }"),
    ];
    (annotation, effect, principal, action, condition).prop_map(
        |(annotation, effect, principal, action, condition)| {
            format!("{annotation} {effect} ({principal}, {action}, resource) {condition};")
        },
    )
}

/// The tools that are called at once.
fn calls() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0..TOOLS.len(), 1..4)
}

fn turn(calls: &[usize], number: usize) -> Turn {
    let calls = calls.iter().enumerate().map(|(place, tool)| {
        (TOOLS[*tool].0, json!({ "text": format!("{number}.{place} for ann@example.org") }))
    });
    Turn::calls(calls)
}

/// What was done, by tool.
type Done = Arc<Mutex<Vec<(String, String)>>>;

fn tools(agent: Agent, done: &Done) -> Agent {
    TOOLS.iter().fold(agent, |agent, (name, effect)| {
        let (done, name) = (Arc::clone(done), *name);
        agent.tool(FunctionTool::new(spec(name, *effect), move |arguments: serde_json::Value, _| {
            let text = arguments["text"].as_str().unwrap().to_owned();
            done.lock().unwrap().push((name.to_owned(), text));
            async { Ok(Output::text("done")) }
        }))
    })
}

/// What was decided in the scope of each call.
fn by_scope(decided: &[Decided]) -> BTreeMap<(u32, StepKey), &Decided> {
    decided.iter().map(|one| ((one.segment, one.key.scope()), one)).collect()
}

/// Checks a run and those that it has started: each call that was made has a permit in its own scope, or an approval after
/// somebody was asked.
fn check(records: &[Record], made: &mut usize) {
    let decided = decisions(records, &[]);
    let scopes = by_scope(&decided);
    for record in records {
        let Entry::Issued { key, operation, .. } = &record.entry else { continue };
        let Ok(called) = operation.input.to::<Called>() else { continue };
        if called.name != operation.name || !matches!(operation.kind, Kind::Effect(_)) {
            continue;
        }
        let scope = (record.segment, key.scope());
        let one = scopes.get(&scope).unwrap_or_else(|| panic!("`{key}` was not decided"));
        let action =
            if called.name == "scout" { Action::Agent("scout".into()) } else { Action::Tool(called.name) };
        assert_eq!(one.request.action, action);
        assert!(one.verdict.version.is_some());
        match &one.verdict.outcome {
            Outcome::Allow => {}
            Outcome::Redact(_) => assert!(!operation.input.as_str().contains("ann@example.org")),
            Outcome::Ask => {
                let asked = records.iter().any(|record| {
                    matches!(&record.entry, Entry::Completed { key: at, outcome: Ok(answer) }
                        if at.scope() == key.scope() && at.name().starts_with("approve") && answer.as_str().contains("true"))
                });
                assert!(asked, "`{key}` was asked about and nobody agreed");
            }
            Outcome::Deny => panic!("`{key}` was denied and made"),
        }
        *made += 1;
    }
}

/// A run and all that it has started.
async fn family(bench: &Bench, root: &RunId) -> Vec<Vec<Record>> {
    let (mut open, mut all) = (vec![root.clone()], Vec::new());
    while let Some(run) = open.pop() {
        let records = bench.records(&run).await;
        for record in &records {
            if let Entry::Issued { key, operation, .. } = &record.entry
                && operation.input.to::<Admission>().is_ok()
            {
                open.push(RunId::child(&run, record.segment, key.as_str()));
            }
        }
        all.push(records);
    }
    all
}

async fn scenario(policies: Vec<String>, desk: Vec<Vec<usize>>, scout: Vec<Vec<usize>>, approves: bool) {
    let done = Done::default();
    let helper = Agent::new("scout").description("Helps.").model("scout").instructions("x");
    let agent = tools(Agent::new("desk").instructions("x"), &done).agent(&tools(helper, &done));
    let mut turns: Vec<Turn> = desk.iter().enumerate().map(|(number, calls)| turn(calls, number)).collect();
    turns.push(Turn::calls([("scout", json!({ "task": "help" })), ("scout", json!({ "task": "help" }))]));
    turns.push(Turn::text("done"));
    let scouts = Scripted::from_fn(move |request, _| {
        let number = request.messages.iter().filter(|message| message.calls().next().is_some()).count();
        Some(scout.get(number).map_or_else(|| Turn::text("helped"), |calls| turn(calls, 100 + number)))
    });
    let roles = Roles::main(Scripted::new(turns)).with("scout", scouts.with_id("scripted-scout"));
    let others = "permit (principal, action in [Action::\"run.model\", Action::\"run.answer\", Action::\"run.agent\"], resource);";
    let policies = format!("{others}\n{}", policies.join("\n"));
    let bench = Bench::with(agent, roles).under(&policies);
    bench.serve();
    let run = bench.begin("go", None).await;
    // Everybody who is asked answers the same.
    loop {
        let records = family(&bench, &run).await;
        if bench.engine.info(&run).await.unwrap().state == RunState::Ended {
            break;
        }
        for records in &records {
            let Some(Entry::Admitted(admission)) = records.first().map(|record| &record.entry) else {
                continue;
            };
            for wait in waits(&admission.run, records) {
                if let Wait::Signal { name, .. } = wait {
                    let answer = if approves { Decision::Approve } else { Decision::Deny(None) };
                    // Somebody may have been quicker: the wait is from a moment ago.
                    let _ =
                        start::approve(bench.engine.as_ref(), &admission.run, &name, &answer.into_answer())
                            .await;
                }
            }
        }
        crate::bench::pause_for(std::time::Duration::from_millis(3)).await;
    }
    bench.end(&run).await.unwrap();
    let mut made = 0;
    for records in family(&bench, &run).await {
        check(&records, &mut made);
    }
    let scouts = made.saturating_sub(done.lock().unwrap().len());
    assert!(scouts <= 2, "only what was decided was done: {made} steps, {:?}", done.lock().unwrap());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn nothing_happens_without_a_recorded_permit(
        policies in prop::collection::vec(policy(), 0..6),
        desk in prop::collection::vec(calls(), 0..3),
        scout in prop::collection::vec(calls(), 0..3),
        approves in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(scenario(policies, desk, scout, approves));
    }
}
