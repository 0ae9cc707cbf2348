//! What agents with strategies take at most is known before they begin.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use adjutant::agent::definition::{Over, Strategy, Tree};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use proptest::prelude::{ProptestConfig, Strategy as Values, any, prop_oneof, proptest};
use proptest::sample::Index;
use serde_json::json;

/// Says it again.
#[tool(pure)]
fn echo(text: String) -> String {
    text
}

/// Something that a model says, of which much makes it be asked again.
fn says(what: usize, count: usize) -> Turn {
    let well_formed = json!({
        "ways": ["a", "b", "c", "d"],
        "todo": ["a", "b", "c"],
        "score": 0.5,
        "solves": false,
        "advice": "again",
        "passes": false,
    });
    let only = |keys: &[&str]| {
        let object: serde_json::Map<_, _> =
            keys.iter().map(|key| ((*key).to_owned(), well_formed[*key].clone())).collect();
        Turn::text(&serde_json::Value::Object(object).to_string())
    };
    match what {
        0 => Turn::text(""),
        1 => Turn::text("I look it up:"),
        2 => Turn::text("{}"),
        3 => Turn::calls([("echo", json!({ "text": count.to_string() }))]),
        4 => Turn::calls([("nothing", json!({}))]),
        5 => only(&["ways"]),
        6 => only(&["todo"]),
        7 => only(&["score", "solves"]),
        _ => only(&["advice", "passes"]),
    }
}

fn strategy() -> impl Values<Value = Strategy> {
    let tree = (any::<bool>(), 1..4_u32, 1..3_u32, 1..4_u32, proptest::option::of(1..60_u32));
    prop_oneof![
        (2..5_u32).prop_map(|of| Strategy::Vote { of }),
        (1..4_u32).prop_map(|rounds| Strategy::Refine { rounds }),
        (1..4_u32).prop_map(|attempts| Strategy::Reflexion { attempts }),
        (1..4_u32).prop_map(|steps| Strategy::Plan { steps }),
        tree.prop_map(|(acts, width, keep, depth, calls)| {
            let over = if acts { Over::Actions } else { Over::Thoughts };
            Strategy::Tree(Tree { over, width, keep, depth, calls })
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn no_run_asks_more_often_than_its_strategy_says(
        strategy in proptest::option::of(strategy()),
        most in 1..4_u32,
        answers in proptest::collection::vec(any::<Index>(), 1..40),
        fits in any::<bool>(),
    ) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let count = Arc::new(AtomicUsize::new(0));
            let counted = Arc::clone(&count);
            let model = Scripted::from_fn(move |request, _| {
                let count = counted.fetch_add(1, Ordering::SeqCst);
                // Half of the models do what helpers are asked for, so that more follows.
                let form = request.output.as_ref().map(|form| form.schema["properties"].to_string()).unwrap_or_default();
                let fitting = ["ways", "todo", "score", "advice"].iter().position(|key| form.contains(&format!("\"{key}\"")));
                let any = answers[count % answers.len()].index(9);
                Some(says(fitting.filter(|_| fits).map_or(any, |place| place + 5), count))
            });
            let adjutant = Adjutant::builder().in_memory().model("main", model).build().unwrap();
            let plain = Agent::new("desk").instructions("Help.").tool(echo).limit(steps(most));
            let agent = strategy.map_or(plain.clone(), |strategy| plain.strategy(strategy));
            let bound = agent.definition().unwrap().most_model_calls().unwrap();
            // Whether it succeeds is no matter here.
            let _ = adjutant.run(&agent, "Do it.").await;
            let count = count.load(Ordering::SeqCst) as u64;
            assert!(count > 0 && count <= bound, "{count} calls, of {bound}");
        });
    }
}
