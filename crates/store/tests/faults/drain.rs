//! A worker is told to stop while something is at work.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use adjutant_core::json::Json;
use adjutant_durable::{Ctx, Effects, Host, RunState, work};
use adjutant_store::Options;

use crate::serving::{Code, Serving, admission, run_id, until};

/// A run that does two things, each of which takes a while and can be done again.
fn slow(done: &Arc<AtomicUsize>, takes: Duration) -> Arc<dyn Host> {
    let done = Arc::clone(done);
    Arc::new(Code(move |ctx: Ctx| {
        let done = Arc::clone(&done);
        async move {
            for number in 0..2 {
                let done = Arc::clone(&done);
                let ask = work(move |_| {
                    let done = Arc::clone(&done);
                    async move {
                        done.fetch_add(1, Ordering::SeqCst);
                        tokio::time::sleep(takes).await;
                        Ok(Json::null())
                    }
                });
                ctx.effect("ask", Effects::pure(), Json::of(&number)?, ask).await?;
            }
            Ok(Json::null())
        }
    }))
}

/// How often something was begun until the run was over, where the first worker is told to stop in the middle of it, and how long
/// it took to let go.
async fn begun(path: &Path, patience: Duration, takes: Duration) -> (usize, Duration) {
    let done = Arc::new(AtomicUsize::new(0));
    let options = Options { patience, ..Options::default() };
    let first = Serving::open(path, options, slow(&done, takes)).unwrap();
    first.engine.start(admission(1)).await.unwrap();
    while done.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let told = Instant::now();
    first.stop().await;
    let took = told.elapsed();
    let second = Serving::open(path, Options::default(), slow(&done, takes)).unwrap();
    until(&second.engine, &run_id(1), RunState::Ended).await;
    second.stop().await;
    (done.load(Ordering::SeqCst), took)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_patient_worker_has_what_is_at_work_recorded() {
    let folder = tempfile::tempdir().unwrap();
    let takes = Duration::from_millis(400);
    let (begun_patiently, took) = begun(&folder.path().join("a.db"), Duration::from_secs(20), takes).await;
    assert_eq!(begun_patiently, 2, "nothing is done again, and nothing more is begun");
    assert!(took < Duration::from_secs(5), "it waits no longer than it must: {took:?}");
    let (begun_at_once, took) = begun(&folder.path().join("b.db"), Duration::ZERO, takes).await;
    assert_eq!(begun_at_once, 3, "what was given up is done again");
    assert!(took < takes, "{took:?}");
    let (begun_late, took) =
        begun(&folder.path().join("c.db"), Duration::from_millis(100), Duration::from_secs(1)).await;
    assert_eq!(begun_late, 3, "patience ends");
    assert!((100..900).contains(&took.as_millis()), "{took:?}");
}
