//! The program is killed 200 times while it works, and nothing is lost and nothing is paid twice.
//!
//! Four users of one store ask for runs of twenty tool calls each. Again and again, at random moments, the program gets
//! a `kill -9`; its tools die with it or live on, as chance has it. What the tools really did is told by a file that
//! they write themselves. A run may come to wait for somebody who knows whether an effect happened; then the file is
//! looked at, and the truth is told with `adjutant runs resolve`, which may be killed too.
//!
//! `ADJUTANT_KILL_SEED` repeats the choices of an earlier time, though not its timing.

#![cfg(test)]
#![cfg(unix)]

mod counter;
mod lane;
mod plan;
mod project;
mod verdict;
mod world;

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adjutant_testkit::provider::MockProvider;
use serde_json::Value;

use lane::{KILLS, LANES, Lane};
use project::Project;
use verdict::Finished;
use world::{Death, World, lock, unknown};

#[test]
fn nothing_is_lost_and_nothing_is_paid_twice() {
    let seed = seed();
    eprintln!("ADJUTANT_KILL_SEED={seed}");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mock = MockProvider::with(plan::answer).latency(Duration::from_millis(3)).keep(0);
    let provider = runtime.block_on(mock.start()).unwrap();
    let world = World::new(Project::new(&provider.base_url()));
    let tasks = [const { AtomicUsize::new(0) }; LANES];
    let began = Instant::now();

    in_lanes(|number| Lane::new(number, &world, &tasks, seed).use_it());
    assert_no_faults(&world);
    let killed = began.elapsed();
    world.bury();
    each_acknowledged_run_is_there(&world);
    each_run_ends_or_waits(&world);
    let finished: Vec<Finished> =
        in_lanes(|number| Lane::new(number, &world, &tasks, seed).finish()).into_iter().flatten().collect();

    let tally = *lock(&world.tally);
    let kills = world.kills.load(Ordering::Relaxed);
    eprintln!(
        "{kills} kills in {killed:?}, {} runs done after {:?}: {tally:?}",
        finished.len(),
        began.elapsed()
    );
    assert_no_faults(&world);
    provider.assert_clean();
    let lines = world.project.counter.lines(|_| true);
    let faults = verdict::faults(&lines, &finished, &lock(&world.retries));
    assert!(faults.is_empty(), "{faults:#?}");
    let ended: BTreeSet<String> = finished.into_iter().map(|run| run.run).collect();
    assert_eq!(runs(&world).keys().cloned().collect::<BTreeSet<_>>(), ended, "there are other runs");
    assert!(runs(&world).values().all(|run| run["state"] == "ended"), "some runs are not over");
    store_is_whole(&world.project.path(".adjutant/adjutant.db"));

    // A time in which the kills hit nothing shows nothing.
    assert!(kills >= KILLS);
    assert!(tally.before_word > 0 && tally.amid_tool >= KILLS / 20, "{tally:?}");
    assert!(tally.tools_killed > 0 && tally.tools_outlived > 0, "{tally:?}");
    assert!(tally.happened > 0 && tally.retried > 0, "{tally:?}");
    let notes =
        lines.iter().filter(|line| line.tool == plan::Tool::Note && line.what == counter::What::Begun);
    assert!(
        notes.count() > ended.len() * plan::calls().iter().filter(|tool| **tool == plan::Tool::Note).count()
    );
}

fn seed() -> u64 {
    match std::env::var("ADJUTANT_KILL_SEED") {
        Ok(seed) => seed.parse().expect("the seed is a number"),
        Err(_) => RandomState::new().hash_one("kill"),
    }
}

fn in_lanes<T: Send>(work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    std::thread::scope(|scope| {
        let work = &work;
        let lanes: Vec<_> = (0..LANES).map(|number| scope.spawn(move || work(number))).collect();
        lanes.into_iter().map(|lane| lane.join().expect("a lane")).collect()
    })
}

#[track_caller]
fn assert_no_faults(world: &World) {
    let faults = lock(&world.faults);
    assert!(faults.is_empty(), "{faults:#?}");
}

/// All runs that the program knows, by their ids.
fn runs(world: &World) -> std::collections::BTreeMap<String, Value> {
    let listed = world.project.json(&["runs", "list", "--most", "1000000"]);
    let runs = listed.as_array().cloned().unwrap_or_default();
    runs.into_iter().map(|run| (run["run"].as_str().unwrap_or_default().to_owned(), run)).collect()
}

fn each_acknowledged_run_is_there(world: &World) {
    let there = runs(world);
    let lost: Vec<String> =
        lock(&world.acknowledged).iter().filter(|run| !there.contains_key(*run)).cloned().collect();
    assert!(lost.is_empty(), "these runs were said to be recorded, and are lost: {lost:?}");
}

/// Drives all runs on, once and without kills: then each is over, or waits for somebody and shows for what.
fn each_run_ends_or_waits(world: &World) {
    world.live(&["runs", "resume", "--all"], Death::Never, false);
    assert_no_faults(world);
    for (id, run) in runs(world) {
        let waits = || !unknown(&world.project.json(&["runs", "show", &id])).is_empty();
        assert!(run["state"] == "ended" || (run["state"] == "waiting" && waits()), "{run}");
    }
}

fn store_is_whole(path: &Path) {
    let connection = rusqlite::Connection::open(path).unwrap();
    let found: String = connection.query_row("PRAGMA integrity_check", [], |row| row.get(0)).unwrap();
    assert_eq!(found, "ok");
    let broken = connection.prepare("PRAGMA foreign_key_check").unwrap().exists([]).unwrap();
    assert!(!broken, "a reference leads nowhere");
}
