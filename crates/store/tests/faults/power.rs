//! The power fails at random moments.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::id::Scope;
use adjutant_core::tool::Effect;
use adjutant_powerloss::{Disk, Survivors};
use adjutant_store::{Options, Store};
use rusqlite::{Connection, OpenFlags};

use crate::chain::check_chain;
use crate::journal::check_file;
use crate::outside::Outside;
use crate::people::People;
use crate::plan::{Plan, Planned};
use crate::serving::Serving;

/// How long the power lasts at most.
const LONGEST: Duration = Duration::from_millis(200);

/// How many runs are started in one life at most.
const NEW: usize = 8;

fn options(disk: &Disk) -> Options {
    Options { vfs: Some(disk.name().to_owned()), ..Options::default() }
}

/// The process works until the power fails.
async fn live(disk: &Disk, path: &Path, people: &mut People, outside: &Arc<Outside>) {
    let most_runs = people.plans().count() + NEW;
    let host = Planned::on(outside);
    // The power may fail as early as that.
    let Ok(serving) = Serving::open(path, options(disk), host) else { return };
    let begun = Instant::now();
    while disk.has_power() {
        if begun.elapsed() > LONGEST {
            // Nothing is left to do that would change the disk.
            disk.fail_power(Survivors::Nothing);
        }
        // What they are told after the power failed, they are not told by this process.
        let _ = people.act(&serving.engine, most_runs).await;
        if people.random().once_in(4) {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
    serving.kill().await;
}

async fn power_fails(seed: u64, lives: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = Disk::register(&format!("power-{seed}")).unwrap();
    let outside = Arc::new(Outside::slow(Duration::from_millis(4)));
    let mut people = People::new(seed);
    for life in 0..lives {
        let (changes, survivors) = (people.random().below(800), people.random().number());
        disk.fail_power_after(changes, Survivors::random(survivors));
        live(&disk, &path, &mut people, &outside).await;
        assert!(!disk.has_power(), "life {life} ended by itself");
        let waiting = disk.clone();
        let restored = tokio::task::spawn_blocking(move || waiting.restore_power(Duration::from_secs(20)));
        assert!(restored.await.unwrap(), "life {life}: the dead process does not close its files");
        check_file(&path);
        if std::env::var("TRACE").is_ok() {
            eprintln!("{:?} life {life} {} plans", std::time::Instant::now(), people.plans().count());
        }
    }
    let host = Planned::on(&outside);
    let serving = Serving::open(&path, options(&disk), host).unwrap();
    people.check_promises(&serving.engine).await.unwrap();
    people.finish(&serving.engine, Duration::from_secs(30)).await;
    serving.stop().await;
    check_file(&path);
    check_chain(&path);
    let planned = people.plans().map(|plan| plan.count(Effect::Idempotent)).sum::<usize>();
    assert_eq!(outside.steps(Effect::Idempotent), planned, "each was done at least once");
    assert_eq!(outside.repeats(Effect::AtMostOnce), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_promised_survives_power_failures() {
    for seed in 0..3 {
        power_fails(seed, 15).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_promise_would_be_seen() {
    for (synchronous, kept) in [("FULL", true), ("OFF", false)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        let disk = Disk::register(&format!("promise-{synchronous}")).unwrap();
        let engine = Store::open(&path, options(&disk)).unwrap().engine(Scope::default());
        let mut people = People::new(1);
        let plan = Plan { seed: 1, steps: 1, depth: 0 };
        people.start(&engine, plan).await.unwrap();
        // A second run is recorded as the engine records it, but for the sync.
        let raw = Connection::open_with_flags_and_vfs(&path, OpenFlags::default(), disk.name()).unwrap();
        raw.pragma_update(None, "synchronous", synchronous).unwrap();
        raw.execute_batch(
            "BEGIN;
             INSERT INTO runs (id, tenant, project, run, name, definition, admission, state, created, updated)
               SELECT 2, tenant, project, '0000000000000001', name, definition, admission, state, created, updated
               FROM runs;
             INSERT INTO journal SELECT 2 << 32, version, segment, at, kind, key, hash, meta, body, blob FROM journal;
             COMMIT",
        )
        .unwrap();
        people.start(&engine, plan).await.unwrap();
        disk.fail_power(Survivors::Nothing);
        drop((raw, engine));
        assert!(disk.restore_power(Duration::from_secs(20)));
        check_file(&path);
        let engine = Store::open(&path, options(&disk)).unwrap().engine(Scope::default());
        let checked = tokio::spawn(async move { people.check_promises(&engine).await });
        assert_eq!(checked.await.is_ok(), kept, "{synchronous}");
    }
}
