//! How random programs, people and faults are drawn.

use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_durable::Letter;
use proptest::collection::vec;
use proptest::option::weighted;
use proptest::prelude::*;

use crate::plan::{Block, Plan, Step};
use crate::world::{Faults, Post};

/// Everything about one case.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) plan: Plan,
    pub(crate) faults: Faults,
    pub(crate) mail: Vec<Post>,
}

/// Programs with races, clocks and people who change their minds.
pub(crate) fn wild() -> impl Strategy<Value = Case> {
    (plan(false), faults(true), mail()).prop_map(|(plan, faults, mail)| Case { plan, faults, mail })
}

/// Programs whose result does not depend on what comes first.
pub(crate) fn calm() -> impl Strategy<Value = Case> {
    (plan(true), faults(false)).prop_map(|(plan, faults)| Case { plan, faults, mail: Vec::new() })
}

fn faults(volatile: bool) -> impl Strategy<Value = Faults> {
    (any::<u64>(), 0..10u32, 5..80u64).prop_map(move |(seed, crashes, in_thousand)| Faults {
        seed,
        crashes,
        in_thousand,
        volatile,
    })
}

fn mail() -> impl Strategy<Value = Vec<Post>> {
    let signal = (0..3u8, 0..900i64).prop_map(|(name, value)| {
        let payload = Json::of(&value).unwrap();
        (value, Letter::Signal { name: format!("signal-{name}"), payload })
    });
    let message = (0..900i64).prop_map(|at| (at, Letter::Message { payload: Json::of(&at).unwrap() }));
    let cancel = (0..900i64).prop_map(|at| (at, Letter::Cancel { reason: format!("enough at {at}") }));
    let said = vec(prop_oneof![signal, message], 0..5);
    (said, weighted(0.4, vec(cancel, 1..3))).prop_map(|(said, cancels)| {
        let letters = said.into_iter().chain(cancels.unwrap_or_default());
        letters.map(|(at, letter)| Post { at: 1_000 + at, letter }).collect()
    })
}

fn plan(calm: bool) -> impl Strategy<Value = Plan> {
    (vec(block(calm), 1..4), any::<bool>()).prop_map(move |(segments, stubborn)| Plan {
        segments,
        stubborn,
        calm,
    })
}

fn block(calm: bool) -> impl Strategy<Value = Block> {
    let nested = leaf(calm).prop_recursive(4, 32, 4, move |step| {
        let block = vec(step, 0..4);
        let ordered = prop_oneof![
            block.clone().prop_map(Step::Scope),
            (0..3u32, block.clone()).prop_map(|(rounds, block)| Step::Rounds(rounds, block)),
            vec(block.clone(), 0..4).prop_map(Step::Join),
            vec(block.clone(), 0..4).prop_map(Step::Crowd),
            (block.clone(), block.clone()).prop_map(|(left, right)| Step::Overtake(left, right)),
        ];
        let racing =
            prop_oneof![vec(block.clone(), 1..4).prop_map(Step::Race), block.prop_map(Step::Abandon),];
        if calm { ordered.boxed() } else { prop_oneof![2 => ordered, 3 => racing].boxed() }
    });
    vec(nested, 0..5)
}

fn leaf(calm: bool) -> BoxedStrategy<Step> {
    let class = prop_oneof![
        Just(Effect::Pure),
        Just(Effect::Idempotent),
        Just(Effect::AtMostOnce),
        Just(Effect::Reconcile),
    ];
    let effect = (class, 0..3u32, 1..4u32, weighted(0.2, Just(()))).prop_map(
        move |(effect, fails, attempts, vague)| {
            // Most effects work at once. Of one that failed unseen a person may say that it happened; in a calm
            // world there is none.
            let fails = if calm && !effect.is_repeatable() { 0 } else { fails.saturating_sub(1) };
            Step::Effect { effect, fails, attempts, vague: vague.is_some() }
        },
    );
    let ordered = prop_oneof![
        6 => effect,
        2 => (0..80u64).prop_map(Step::Sleep),
        2 => (0..3u8).prop_map(Step::Signal),
        1 => Just(Step::Child),
        1 => Just(Step::Random),
        1 => (0..3u8).prop_map(Step::Version),
        1 => Just(Step::Emit),
    ];
    let racing = prop_oneof![Just(Step::Now), Just(Step::Inbox)];
    if calm { ordered.boxed() } else { prop_oneof![6 => ordered, 1 => racing].boxed() }
}
