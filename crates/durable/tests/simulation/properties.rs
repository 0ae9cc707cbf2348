//! What must hold for every program, whatever happens to it.

use std::collections::HashMap;

use adjutant_core::id::StepKey;
use adjutant_core::tool::Effect;
use adjutant_durable::{Entry, Kind, Letter, Resolution};
use proptest::prelude::*;

use crate::life::live;
use crate::plan::{Plan, program};
use crate::random::Random;
use crate::strategy::{Case, calm, wild};
use crate::verifier::verify;
use crate::world::{Faults, Line, World};

/// Prefixes of a journal that are driven on, for each case.
const PREFIXES: usize = 5;

fn settings() -> ProptestConfig {
    ProptestConfig { failure_persistence: None, max_shrink_iters: 20_000, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(settings())]

    /// Races, clocks, cancels, unsteady answers: whatever was recorded is what the code goes on from.
    #[test]
    fn a_run_reaches_its_recorded_end(case in wild()) {
        let world = check(&case, World::new(case.faults.clone(), case.mail.clone()));
        for prefix in prefixes(&world, case.faults.seed) {
            check_on(&case.plan, &world, prefix, &case.faults);
        }
    }

    /// Without races the result is that of an undisturbed execution, whatever the timing.
    #[test]
    fn a_run_without_races_has_one_result(case in calm()) {
        let calm = Case { faults: Faults::NONE, ..case.clone() };
        let undisturbed = check(&calm, World::new(Faults::NONE, Vec::new()));
        let world = check(&case, World::new(case.faults.clone(), Vec::new()));
        prop_assert_eq!(&world.ended, &undisturbed.ended);
        for prefix in prefixes(&world, case.faults.seed) {
            let again = check_on(&case.plan, &world, prefix, &case.faults);
            prop_assert_eq!(&again.ended, &undisturbed.ended);
        }
    }
}

/// Drives a run to its end and checks its journal, its replay and what it did outside.
fn check(case: &Case, mut world: World) -> World {
    let program = program(&case.plan, &world);
    live(&mut world, &program);
    check_world(&world, 0, 0);
    verify(&world, &program);
    world
}

/// Drives the run on from a prefix of its journal, as after a crash there.
fn check_on(plan: &Plan, before: &World, prefix: usize, faults: &Faults) -> World {
    let faults = Faults { seed: faults.seed ^ prefix as u64, crashes: 2, ..faults.clone() };
    let mut world = before.rewound(prefix, faults);
    let program = program(plan, &world);
    let executed = world.outside.executions().len();
    live(&mut world, &program);
    check_world(&world, executed, prefix);
    verify(&world, &program);
    let kept = world.journal.iter().zip(&before.journal).take(prefix);
    assert!(kept.into_iter().all(|(now, then)| now.record == then.record), "what was on disk stays");
    world
}

/// Some of the places at which a crash can leave the journal.
fn prefixes(world: &World, seed: u64) -> Vec<usize> {
    let ends = world.journal.iter().enumerate().filter(|(_, line)| line.commits).map(|(index, _)| index + 1);
    let mut ends: Vec<_> = ends.filter(|length| *length < world.journal.len()).collect();
    let mut random = Random::new(seed);
    (0..PREFIXES.min(ends.len())).map(|_| ends.swap_remove(random.below(ends.len()))).collect()
}

/// `executed` and `prefix`: how much was done and recorded before this life of the world.
pub(crate) fn check_world(world: &World, executed: usize, prefix: usize) {
    assert_eq!(world.halted, None, "unchanged code never diverges");
    assert!(world.ended.is_some());
    check_offsets(&world.journal);
    for steps in steps(&world.journal).into_values() {
        check_step(&steps);
    }
    check_retries(&world.journal);
    check_outside(world, executed, prefix);
}

/// Who said that an effect is to be done again is not asked again before it was; one that was taken back is left.
fn check_retries(journal: &[Line]) {
    for (index, Line { record, .. }) in journal.iter().enumerate() {
        let Entry::Received(Letter::Resolve { key, resolution: Resolution::Retry }) = &record.entry else {
            continue;
        };
        let later =
            journal[index..].iter().map(|line| &line.record.entry).filter(|entry| entry.key() == Some(key));
        let mut later =
            later.filter(|entry| matches!(entry, Entry::Attempted { .. } | Entry::Unknown { .. }));
        let next = later.next();
        assert!(!matches!(next, Some(Entry::Unknown { .. })), "{next:?}");
    }
}

fn check_offsets(journal: &[Line]) {
    for (index, pair) in journal.windows(2).enumerate() {
        let (one, two) = (&pair[0].record, &pair[1].record);
        assert_eq!((one.offset, two.offset), (index as u64, index as u64 + 1));
        assert!(one.at <= two.at, "time goes on");
        let rolled = matches!(one.entry, Entry::RolledOver { .. });
        assert_eq!(two.segment, one.segment + u32::from(rolled));
        assert!(!matches!(one.entry, Entry::Ended(_)), "nothing comes after the end");
    }
}

/// The entries of each step, in order.
fn steps(journal: &[Line]) -> HashMap<(u32, StepKey), Vec<&Entry>> {
    let mut steps: HashMap<_, Vec<_>> = HashMap::new();
    for Line { record, .. } in journal {
        if let Some(key) = record.entry.key() {
            steps.entry((record.segment, key.clone())).or_default().push(&record.entry);
        }
    }
    steps
}

/// A step is asked for once, first; it is answered at most once, and after a drop only too late; an effect whose
/// intent is recorded is over before the run is.
fn check_step(entries: &[&Entry]) {
    let count = |of: fn(&Entry) -> bool| entries.iter().filter(|entry| of(entry)).count();
    let place = |of: fn(&Entry) -> bool| entries.iter().position(|entry| of(entry));
    let asked: fn(&Entry) -> bool = |entry| matches!(entry, Entry::Issued { .. } | Entry::Answered { .. });
    assert_eq!((count(asked), place(asked)), (1, Some(0)), "{entries:?}");
    let dropped: fn(&Entry) -> bool = |entry| matches!(entry, Entry::Dropped { .. });
    let completed = count(|entry| matches!(entry, Entry::Completed { .. }));
    let late: fn(&Entry) -> bool = |entry| matches!(entry, Entry::Late { .. });
    assert!(count(dropped) <= 1 && completed + count(late) <= 1, "{entries:?}");
    let attempted = entries.iter().rposition(|entry| matches!(entry, Entry::Attempted { .. }));
    assert!(count(dropped) == 0 || attempted < place(dropped), "begun after it was taken back: {entries:?}");
    // An answer that was recorded ahead may be dropped before its turn; the verifier sees that it is not delivered.
    let answer = place(|entry| matches!(entry, Entry::Completed { .. }));
    assert!(completed + count(dropped) <= 1 || answer < place(dropped), "{entries:?}");
    assert!(place(late) >= place(dropped).filter(|_| count(late) > 0), "{entries:?}");
    match entries[0] {
        Entry::Issued { operation, .. } => {
            let effect = matches!(operation.kind, Kind::Effect(_));
            let tried = count(|entry| matches!(entry, Entry::Attempted { .. })) > 0;
            assert!(completed + count(dropped) >= 1, "open at the end: {entries:?}");
            assert!(!tried || completed + count(late) == 1, "not known at the end: {entries:?}");
            assert!(effect || count(late) == 0, "{entries:?}");
        }
        _ => assert_eq!(completed + count(late), 0, "{entries:?}"),
    }
}

/// What happened outside agrees with the journal.
fn check_outside(world: &World, executed: usize, prefix: usize) {
    let mut keys: HashMap<_, _> = HashMap::new();
    for execution in world.outside.executions() {
        // One step has one idempotency key, and no other step has it; steps of different segments may share a path.
        let step = keys.entry(execution.idempotency_key.clone()).or_insert_with(|| execution.key.clone());
        assert_eq!(*step, execution.key);
    }
    let executions = world.outside.executions().split_off(executed);
    for ((segment, key), entries) in steps(&world.journal) {
        let Entry::Issued { operation, .. } = entries[0] else { continue };
        let Kind::Effect(effects) = &operation.kind else { continue };
        if effects.effect.is_repeatable() {
            continue;
        }
        let idempotency_key = adjutant_durable::Attempt::idempotency_key(&world.run, segment, &key);
        let done = executions.iter().filter(|done| done.idempotency_key == idempotency_key);
        let done: Vec<_> = done.inspect(|done| assert_eq!(done.effect, effects.effect)).collect();
        let intents = |lines: &[Line]| {
            let of_step = lines.iter().filter(|line| line.record.segment == segment);
            of_step
                .filter(|line| matches!(&line.record.entry, Entry::Attempted { key: of, .. } if *of == key))
                .count()
        };
        assert!(
            done.len()
                <= intents(&world.journal) - intents(&world.journal[..prefix.min(world.journal.len())])
                    + usize::from(prefix > 0),
            "`{key}` was done without an intent"
        );
        let retries = world.journal.iter().filter(|line| {
            let retry = Entry::Received(Letter::Resolve { key: key.clone(), resolution: Resolution::Retry });
            line.record.segment == segment && line.record.entry == retry
        });
        let happened = done.iter().filter(|done| done.happened).count();
        let allowed = 1 + retries.count();
        assert!(happened <= allowed, "`{key}` happened {happened} times");
        assert!(
            effects.effect != Effect::AtMostOnce || intents(&world.journal) <= allowed,
            "`{key}` was tried again"
        );
    }
}
