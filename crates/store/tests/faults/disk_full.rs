//! The disk is full, or does not take what it is given.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::tool::Effect;
use adjutant_powerloss::{Call, Disk};
use adjutant_store::Options;

use crate::journal::check_file;
use crate::outside::Outside;
use crate::people::People;
use crate::plan::Planned;
use crate::serving::Serving;

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
