//! Trees of runs: what they may spend together, and what is left of them after a pause.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use adjutant::Code;
use adjutant::core::hash::Digest;
use adjutant::core::money::{Money, Prices};
use adjutant::core::usage::Usage;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::model::{Profile, Request, ToolChoice, token};
use adjutant::prelude::*;
use adjutant::workflow::{Planned, plan};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Looks something up.
#[tool(pure)]
async fn look(place: u64) -> Result<String, ToolError> {
    Ok(format!("place {place} is empty"))
}

/// Dollars for a million tokens in and out.
const PRICES: (u32, u32) = (2_000, 9_000);

/// What a provider has charged, whether anybody waited for the answer or not.
#[derive(Clone, Default)]
struct Bill {
    tokens: Arc<AtomicU64>,
    nanos: Arc<AtomicU64>,
    calls: Arc<AtomicU64>,
}

impl Bill {
    /// A model that says as much as it may, at times, and looks things up for as long as it is given tools.
    fn model(&self, slow: bool) -> Scripted {
        let bill = self.clone();
        let prices = Prices::new(PRICES.0.into(), PRICES.1.into());
        let model = Scripted::from_fn(move |request: &Request, _| {
            let seed = Digest::of(format!("{:?}", request.messages).as_bytes()).as_bytes()[0];
            let most = u64::from(request.max_output_tokens.unwrap_or(u32::MAX)).min(4_096);
            // What it says counts at least what it weighs.
            let output = (most / u64::from(seed % 4 + 1)).max(16);
            let usage = Usage { input: token::estimate_request(request), output, ..Usage::default() };
            bill.tokens.fetch_add(usage.total(), Ordering::SeqCst);
            bill.nanos.fetch_add(prices.cost(&usage).nanos().unsigned_abs(), Ordering::SeqCst);
            bill.calls.fetch_add(1, Ordering::SeqCst);
            let turn = match request.tool_choice != ToolChoice::None
                && !request.tools.is_empty()
                && !seed.is_multiple_of(5)
            {
                true => Turn::calls([("look", json!({ "place": seed }))]),
                false => Turn::text("Nothing."),
            };
            let pause = Duration::from_millis(if slow { u64::from(seed % 24) } else { 0 });
            Some(turn.with_usage(usage).after(pause))
        });
        model.with_profile(Profile { prices: Some(prices), ..Profile::default() })
    }

    fn tokens(&self) -> u64 {
        self.tokens.load(Ordering::SeqCst)
    }

    fn money(&self) -> Money {
        Money::from_nanos(i64::try_from(self.nanos.load(Ordering::SeqCst)).unwrap())
    }
}

/// A step as its author would write it, in flow style. Where `patient`, nobody is given up.
fn step(patient: bool) -> BoxedStrategy<String> {
    let leaf = prop_oneof![
        Just("{ agent: scout, task: 'Look around.', or_else: 1 }".to_owned()),
        Just("{ agent: writer, task: 'Write of {{ last }}', or_else: 2 }".to_owned()),
        Just("{ agent: lead, task: 'Have it looked at.', or_else: 3 }".to_owned()),
    ];
    let give_up = if patient { "" } else { ", timeout: 12ms" };
    let join = if patient {
        Just("rest").boxed()
    } else {
        prop_oneof![Just("rest"), Just("any"), Just("2")].boxed()
    };
    let steps = leaf.prop_recursive(3, 10, 2, move |inner| {
        let steps = prop::collection::vec(inner, 1..3).prop_map(|steps| format!("[{}]", steps.join(", "))).boxed();
        prop_oneof![
            steps.clone().prop_map(move |steps| format!("{{ sequence: {steps}, or_else: 4{give_up} }}")),
            (steps.clone(), steps.clone(), join.clone()).prop_map(move |(one, other, join)| {
                format!("{{ parallel: {{ a: {one}, b: {other}, c: {one} }}, join: {join}, or_else: 5{give_up} }}")
            }),
            (steps.clone(), 1..8_usize).prop_map(|(steps, wide)| {
                let items = (0..wide).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
                format!("{{ map: [{items}], as: n, do: {steps}, join: rest, or_else: 6 }}")
            }),
            (steps.clone(), steps).prop_map(|(draft, review)| {
                format!("{{ refine: {{ draft: {draft}, review: {review}, accept: 'false', rounds: 2 }}, or_else: 7 }}")
            }),
        ]
    });
    prop::collection::vec(steps, 1..3).prop_map(|steps| format!("steps: [{}]", steps.join(", "))).boxed()
}

/// A workflow over three agents, of which one asks another.
fn tree(text: &str, most: u64, money: &str) -> Workflow {
    let scout = Agent::new("scout").description("Looks.").instructions("You look around.").tool(look);
    let writer = Agent::new("writer").instructions("You write.");
    let lead = Agent::new("lead").instructions("You lead.").tool(look).agent(&scout);
    let parsed = plan::parse("tree.yaml", text).unwrap_or_else(|errors| panic!("{errors:?}\n{text}"));
    Workflow::new("tree")
        .agent(&scout)
        .agent(&writer)
        .agent(&lead)
        .limit(tokens(most))
        .limit(adjutant::agent::definition::money(money))
        .directed_by(Planned::new(parsed.plan))
}

fn config(cases: u32) -> Config {
    Config { cases, failure_persistence: None, ..Config::default() }
}

#[test]
fn a_tree_never_spends_more_than_it_may() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inputs =
        any::<bool>().prop_flat_map(|patient| (Just(patient), step(patient), 200..60_000_u64, 1..400_u32));
    TestRunner::new(config(32))
        .run(&inputs, |(patient, text, most, dollars)| {
            let bill = Bill::default();
            let limit = format!("{dollars} USD");
            let adjutant =
                Adjutant::builder().in_memory().model("main", bill.model(!patient)).build().unwrap();
            let made = runtime.block_on(adjutant.run(&tree(&text, most, &limit), "Go."));
            prop_assert!(bill.tokens() <= most, "{} of {most} tokens: {text}", bill.tokens());
            prop_assert!(bill.money() <= limit.parse().unwrap(), "{} of {limit}: {text}", bill.money());
            match made {
                Ok(reply) => {
                    prop_assert!(reply.usage.total() <= bill.tokens());
                    // What was given up in the middle of a call is known to the provider alone.
                    if patient {
                        prop_assert_eq!(
                            (reply.usage.total(), reply.cost),
                            (bill.tokens(), Some(bill.money()))
                        );
                    }
                }
                Err(error) => prop_assert_eq!(error.code(), Code::RunLimit, "{}", error),
            }
            Ok(())
        })
        .unwrap();
}

#[tokio::test]
async fn a_hundred_that_work_at_once_spend_no_more_than_one_may() {
    let items = (0..100).map(|item| item.to_string()).collect::<Vec<_>>().join(", ");
    let text = format!(
        "steps: [{{ map: [{items}], as: n, do: {{ agent: scout, task: 'Look at {{{{ n }}}}.' }}, join: rest, at_a_time: 100 }}]"
    );
    let bill = Bill::default();
    let adjutant = Adjutant::builder().in_memory().model("main", bill.model(true)).build().unwrap();
    let reply = adjutant.run(&tree(&text, 150_000, "1000 USD"), "Go.").await.unwrap();
    assert!(bill.calls.load(Ordering::SeqCst) > 100, "they were at work");
    assert!(bill.tokens() <= 150_000, "{}", bill.tokens());
    assert_eq!(reply.usage.total(), bill.tokens());
}

#[tokio::test]
async fn who_was_given_up_is_counted() {
    // The second look takes for ever.
    let model = Scripted::from_fn(|request: &Request, _| {
        let system = request.messages.first()?.text();
        let is_second = request.messages.last()?.text().contains("again");
        let pause = if is_second { Duration::from_secs(600) } else { Duration::ZERO };
        let input = if system.contains("look") { 1_000 } else { 10 };
        let usage = Usage { input, output: 1, ..Usage::default() };
        Some(Turn::text("Nothing.").with_usage(usage).after(pause))
    });
    let text = "
steps:
  - parallel:
      quick: [{ agent: writer, task: Write. }, { sleep: 150ms }]
      slow: [{ agent: scout, task: Look. }, { agent: scout, task: Look again. }]
    join: any
";
    let adjutant = Adjutant::builder().in_memory().model("main", model).build().unwrap();
    let run = adjutant.start(&tree(text, 100_000, "1000 USD"), "Go.").await.unwrap();
    let reply = run.reply().await.unwrap();
    assert_eq!(reply.usage.total(), 11 + 1_001);
    // Whoever is given up before anything was said has used nothing.
    let nested =
        text.replace("sleep: 150ms", "value: 1").replace("slow: [", "slow: [{ agent: lead, task: Look. }, ");
    let run = adjutant.start(&tree(&nested, 100_000, "1000 USD"), "Go.").await.unwrap();
    let reply = run.reply().await.unwrap();
    let summary = run.summary().await.unwrap();
    assert_eq!(reply.usage, summary.usage, "who looks at the run sees the same");
}

#[test]
fn a_tree_that_was_paused_goes_on_whole() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let inputs = (step(true), prop::collection::vec(0..30_u64, 1..4));
    TestRunner::new(config(6))
        .run(&inputs, |(text, pauses)| {
            let whole = runtime.block_on(async {
                let adjutant = Adjutant::builder()
                    .in_memory()
                    .model("main", Bill::default().model(true))
                    .build()
                    .unwrap();
                adjutant.run(&tree(&text, 1_000_000, "100000 USD"), "Go.").await.unwrap()
            });
            let paused = runtime.block_on(async {
                let bill = Bill::default();
                let adjutant =
                    Adjutant::builder().in_memory().model("main", bill.model(true)).build().unwrap();
                let run = adjutant.start(&tree(&text, 1_000_000, "100000 USD"), "Go.").await.unwrap();
                let stop = CancellationToken::new();
                let server = tokio::spawn({
                    let (adjutant, stop) = (adjutant.clone(), stop.clone());
                    async move { adjutant.serve(stop).await }
                });
                for pause in &pauses {
                    tokio::time::sleep(Duration::from_millis(*pause)).await;
                    if run.pause("lunch").await.is_err() {
                        break;
                    }
                    // What is under way comes to its end.
                    tokio::time::sleep(Duration::from_millis(80)).await;
                    let calls = bill.calls.load(Ordering::SeqCst);
                    tokio::time::sleep(Duration::from_millis(40)).await;
                    assert_eq!(bill.calls.load(Ordering::SeqCst), calls, "nobody begins anything new");
                    if run.resume().await.is_err() {
                        break;
                    }
                }
                stop.cancel();
                server.await.unwrap().unwrap();
                run.reply().await.unwrap()
            });
            prop_assert_eq!(
                (whole.text, whole.data, whole.stop),
                (paused.text, paused.data, paused.stop),
                "{}",
                text
            );
            Ok(())
        })
        .unwrap();
}
