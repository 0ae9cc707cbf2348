//! Patterns in patterns, stopped at random and gone on with.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use adjutant::prelude::*;
use adjutant::workflow::{Planned, plan};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

/// What was done outside, each under the key of its call.
#[derive(Clone, Default)]
struct Outside(Arc<Mutex<BTreeSet<(String, u64)>>>);

/// Adds one, and notes that outside. Every fifth number fails.
#[tool(idempotent)]
async fn next(number: u64, outside: &Outside, context: &Context) -> Result<u64, ToolError> {
    tokio::time::sleep(Duration::from_millis(number % 4)).await;
    outside.0.lock().unwrap().insert((context.idempotency_key().to_owned(), number));
    match number % 5 {
        4 => Err(ToolError::new(format!("{number} is unlucky"))),
        _ => Ok(number + 1),
    }
}

/// A step as its author would write it, in flow style.
fn step() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("{ tool: next, arguments: { number: '= type(last) == int ? last : 1' }, or_else: 7 }".to_owned()),
        Just("{ tool: next, arguments: { number: '= type(last) == int ? last : 2' }, retry: 1, or_else: '= last' }".to_owned()),
        Just("{ value: '= [last, input]' }".to_owned()),
        Just("{ value: '= type(last) == int ? last + 1 : 1' }".to_owned()),
        Just("{ sleep: 2ms }".to_owned()),
    ];
    leaf.prop_recursive(4, 24, 3, |inner| {
        let steps = prop::collection::vec(inner.clone(), 1..4).prop_map(|steps| format!("[{}]", steps.join(", ")));
        let steps = steps.boxed();
        let branches = prop::collection::vec(steps.clone(), 1..4).prop_map(|branches| {
            let named = branches.iter().enumerate().map(|(index, steps)| format!("b{index}: {steps}"));
            named.collect::<Vec<_>>().join(", ")
        });
        prop_oneof![
            steps.clone().prop_map(|steps| format!("{{ sequence: {steps} }}")),
            (branches, 1..4_usize, prop_oneof![Just("all"), Just("rest"), Just("vote")]).prop_map(
                |(branches, width, join)| {
                    format!("{{ parallel: {{ {branches} }}, at_a_time: {width}, join: {join}, or_else: 3 }}")
                }
            ),
            steps.clone().prop_map(|steps| format!("{{ map: [1, 4, 6], as: n, do: {steps}, join: rest, or_else: 5 }}")),
            (steps.clone(), steps.clone()).prop_map(|(draft, review)| {
                format!(
                    "{{ refine: {{ draft: {draft}, review: {review}, accept: 'type(review) == int && review > 5', rounds: 2 }}, \
                     or_else: 6 }}"
                )
            }),
            (steps.clone(), steps).prop_map(|(one, other)| {
                format!(
                    "{{ route: {{ paths: {{ a: {{ when: 'type(last) == int', do: {one} }}, b: {{ when: 'true', do: {other} }} }} }}, \
                     or_else: 8 }}"
                )
            }),
        ]
    })
}

/// What a workflow makes, and what it did outside. `patience` is how long each process lives, in milliseconds.
async fn run(text: &str, patience: &[u64]) -> (String, BTreeSet<(String, u64)>) {
    let folder = tempfile::tempdir().unwrap();
    let outside = Outside::default();
    let open = || {
        let builder = Adjutant::builder().store(folder.path().join("runs.db")).model("main", Offline::new());
        builder.resource(outside.clone()).build().unwrap()
    };
    let workflow = || {
        let parsed = plan::parse("nested.yaml", text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
        Workflow::new("nested").tool(next).directed_by(Planned::new(parsed.plan))
    };
    let task = || Task::new("go").id("the one run");
    for patience in patience {
        let adjutant = open();
        let run = adjutant.start(&workflow(), task()).await.unwrap();
        let updates = run.drive();
        tokio::time::sleep(Duration::from_millis(*patience)).await;
        updates.stop().await.unwrap();
    }
    let made = open().run(&workflow(), task()).await;
    let made = made.map_or_else(|error| error.to_string(), |reply| reply.text);
    let done = outside.0.lock().unwrap().clone();
    (made, done)
}

#[test]
fn any_nesting_comes_to_the_same_however_often_it_is_stopped() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut runner = TestRunner::new(Config { cases: 24, failure_persistence: None, ..Config::default() });
    let plans =
        prop::collection::vec(step(), 1..4).prop_map(|steps| format!("steps: [{}]", steps.join(", ")));
    runner
        .run(&(plans, prop::collection::vec(0..25_u64, 1..5)), |(plan, patience)| {
            let (whole, stopped) =
                runtime.block_on(async { (run(&plan, &[]).await, run(&plan, &patience).await) });
            prop_assert_eq!(whole, stopped, "{}", plan);
            Ok(())
        })
        .unwrap();
}
