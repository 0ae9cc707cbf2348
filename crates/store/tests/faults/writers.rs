//! Two stores in one process write the same file.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::tool::Effect;
use adjutant_durable::{Entry, RunState};
use adjutant_store::Options;

use crate::journal::check_file;
use crate::outside::Outside;
use crate::people::People;
use crate::plan::{Plan, Planned, Step};
use crate::serving::{Serving, run_id, until};

#[tokio::test(flavor = "multi_thread")]
async fn each_run_is_driven_once() {
    const RUNS: u64 = 200;
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let outside = Arc::new(Outside::slow(Duration::from_millis(2)));
    let open = || Serving::open(&path, Options::default(), Planned::on(&outside)).unwrap();
    let stores = [open(), open()];
    let one_activation =
        |steps: &[Step]| steps.iter().all(|step| matches!(step, Step::Effect(_) | Step::Both(..)));
    let plans: BTreeMap<u64, Plan> = (0..RUNS).zip(Plan::find(3, one_activation)).collect();
    let starts = plans.iter().map(|(run, plan)| {
        let engine = Arc::clone(&stores[(run % 2) as usize].engine);
        async move { engine.start(plan.admission(run_id(*run))).await.unwrap() }
    });
    futures::future::join_all(starts).await;
    for (run, plan) in &plans {
        let engine = &stores[(run % 2) as usize].engine;
        let info = until(engine, &run_id(*run), RunState::Ended).await;
        assert_eq!(info.outcome.unwrap(), Json::of(&plan.result()));
        let history = engine.history(&run_id(*run), 0).await.unwrap();
        let driven = history.iter().filter(|record| matches!(record.entry, Entry::Activated { .. })).count();
        assert_eq!(driven, 1, "run {run} was driven {driven} times");
    }
    for effect in [Effect::Idempotent, Effect::AtMostOnce] {
        assert_eq!(outside.repeats(effect), 0);
        assert_eq!(outside.steps(effect), plans.values().map(|plan| plan.count(effect)).sum::<usize>());
    }
    for serving in stores {
        serving.stop().await;
    }
    check_file(&path);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hears_that_the_file_is_busy() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let outside = Arc::new(Outside::slow(Duration::from_millis(2)));
    // Opened at the same moment, so that they make the file together.
    let opening = (0..6).map(|_| {
        let (path, host) = (path.clone(), Planned::on(&outside));
        tokio::spawn(async move { Serving::open(&path, Options::default(), host) })
    });
    let opened = futures::future::join_all(opening).await;
    let stores: Vec<Serving> = opened.into_iter().map(|opened| opened.unwrap().unwrap()).collect();
    let mut people = People::new(5);
    for round in 0..300 {
        people.act(&stores[round % stores.len()].engine, 40).await.unwrap();
    }
    for serving in &stores {
        people.check_promises(&serving.engine).await.unwrap();
    }
    people.finish(&stores[0].engine, Duration::from_secs(30)).await;
    for serving in stores {
        serving.stop().await;
    }
    check_file(&path);
    assert_eq!(outside.repeats(Effect::AtMostOnce), 0);
}
