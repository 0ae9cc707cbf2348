//! The disk is full, or does not take what it is given.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::id::Scope;
use adjutant_core::tool::Effect;
use adjutant_durable::{Attempt, RunState, Serve};
use adjutant_powerloss::{Call, Disk};
use adjutant_store::{Options, Store};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::journal::check_file;
use crate::outside::{self, Outside};
use crate::people::People;
use crate::plan::{Plan, Planned, Step};
use crate::serving::{Serving, run_id, until};

struct World {
    disk: Disk,
    people: People,
    outside: Arc<Outside>,
    serving: Serving,
}

impl World {
    fn new(name: &str, path: &Path, seed: u64) -> Self {
        let disk = Disk::register(name).unwrap();
        let options = Options { vfs: Some(disk.name().to_owned()), ..Options::default() };
        let outside = Arc::new(Outside::slow(Duration::from_millis(4)));
        let serving = Serving::open(path, options, Planned::on(&outside)).unwrap();
        Self { disk, people: People::new(seed), outside, serving }
    }

    async fn act(&mut self, how_long: Duration, most_runs: usize) {
        let begun = Instant::now();
        while begun.elapsed() < how_long {
            let _ = self.people.act(&self.serving.engine, most_runs).await;
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Everything comes to its end by itself, in the same process.
    async fn finish(mut self, path: &Path) {
        self.disk.heal();
        self.people.check_promises(&self.serving.engine).await.unwrap();
        self.people.finish(&self.serving.engine, Duration::from_secs(30)).await;
        self.serving.stop().await;
        check_file(path);
        let planned = self.people.plans().map(|plan| plan.count(Effect::Idempotent)).sum::<usize>();
        assert_eq!(self.outside.steps(Effect::Idempotent), planned);
        assert_eq!(self.outside.repeats(Effect::AtMostOnce), 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_when_there_is_room_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut world = World::new("full", &path, 1);
    for round in 1..=6 {
        world.act(Duration::from_millis(100), round * 8).await;
        let room = world.people.random().below(40_000);
        world.disk.set_space(Some(room));
        world.act(Duration::from_millis(250), round * 8 + 4).await;
        world.disk.set_space(None);
    }
    let refusals = &world.people.refusals;
    assert!(refusals.len() > 3, "the disk was hardly ever full: {refusals:?}");
    assert!(refusals.iter().all(|error| error.code() == Code::StoreFull), "{refusals:#?}");
    world.finish(&path).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_when_the_disk_works_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut world = World::new("broken", &path, 2);
    for round in 1..=12 {
        let random = world.people.random();
        let call = [Call::Write, Call::Sync, Call::Read][random.below(3) as usize];
        let (after, times) = (random.below(200), 1 + random.below(4));
        world.disk.fail(call, after, times);
        world.act(Duration::from_millis(100), round * 4).await;
    }
    let refusals = &world.people.refusals;
    let told = [Code::StoreFull, Code::StoreUnavailable];
    assert!(refusals.iter().all(|error| told.contains(&error.code())), "{refusals:#?}");
    world.finish(&path).await;
}

/// A world that fills the disk at the end of the first call that may be repeated, while another call goes on for good.
struct Filling {
    disk: Disk,
    outside: Outside,
    full: AtomicBool,
}

impl outside::World for Filling {
    fn call(&self, attempt: Attempt, effect: Effect) -> BoxFuture<'_, ()> {
        Box::pin(async move {
            let is_first = !self.full.load(Ordering::SeqCst);
            match effect {
                Effect::Pure if is_first => std::future::pending().await,
                Effect::Idempotent if is_first => {
                    // The other call is to be under way.
                    tokio::time::sleep(Duration::from_millis(20)).await;
                    self.outside.call(attempt, effect).await;
                    self.full.store(true, Ordering::SeqCst);
                    self.disk.set_space(Some(0));
                }
                _ => self.outside.call(attempt, effect).await,
            }
        })
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_one_run_is_told_and_it_goes_on_when_there_is_room() {
    use Effect::{AtMostOnce, Idempotent, Pure};
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let disk = Disk::register("told").unwrap();
    let options = Options { vfs: Some(disk.name().to_owned()), ..Options::default() };
    let world =
        Arc::new(Filling { disk: disk.clone(), outside: Outside::default(), full: AtomicBool::new(false) });
    let wanted = [Step::Effect(AtMostOnce), Step::Both(Idempotent, Pure), Step::Effect(AtMostOnce)];
    let plan = Plan::find(3, |steps| steps == wanted).next().unwrap();
    let run = run_id(1);

    let engine = Store::open(&path, options.clone()).unwrap().engine(Scope::default());
    engine.start(plan.admission(run.clone())).await.unwrap();
    let served = engine.serve(Planned::on(&world), Serve::Run(run.clone()), CancellationToken::new());
    let served = tokio::time::timeout(Duration::from_secs(10), served).await.expect("it hangs");
    assert_eq!(served.unwrap_err().code(), Code::StoreFull);
    let before = engine.info(&run).await.unwrap();
    assert_eq!(before.outcome, None);

    // As another process would: nobody holds the run.
    disk.set_space(None);
    let serving = Serving::open(&path, options, Planned::on(&world)).unwrap();
    let ended = until(&serving.engine, &run, RunState::Ended).await;
    assert_eq!(ended.outcome.unwrap().unwrap().to::<u64>().unwrap(), plan.result());
    assert_eq!((world.outside.steps(AtMostOnce), world.outside.repeats(AtMostOnce)), (2, 0));
    assert_eq!((world.outside.steps(Idempotent), world.outside.repeats(Idempotent)), (1, 1));
    serving.stop().await;
    drop(engine);
    check_file(&path);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_not_asked_again_and_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let mut world = World::new("patience", &path, 3);
    world.act(Duration::from_millis(200), 20).await;
    world.disk.set_space(Some(0));
    // What is under way fails, and what failed is tried again.
    world.act(Duration::from_millis(1_500), 40).await;
    let before = world.disk.counts();
    tokio::time::sleep(Duration::from_secs(1)).await;
    let asked = world.disk.counts().writes - before.writes;
    assert!(asked < 100, "{asked} writes in a second");
    world.finish(&path).await;
}
