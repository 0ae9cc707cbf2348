//! The clock is set, forward and back, by days.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::tool::Effect;
use adjutant_durable::{Ctx, Effects, Entry, RunState, work};
use adjutant_store::{Options, SystemClock};
use futures::future::select;

use crate::journal::check_file;
use crate::outside::Outside;
use crate::people::People;
use crate::plan::Planned;
use crate::serving::{Code, Serving, admission, run_id, until};

const DAY: i64 = 24 * 60 * 60 * 1_000;

/// The machine's clock, set to another time.
#[derive(Clone, Default)]
struct SetClock(Arc<AtomicI64>);

impl Clock for SetClock {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

impl SetClock {
    fn set(&self, days: i64) {
        self.0.store(days * DAY, Ordering::SeqCst);
    }

    fn options(&self) -> Options {
        Options { clock: Arc::new(self.clone()), silence: Duration::from_secs(2), ..Options::default() }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_while_the_clock_jumps() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let clock = SetClock::default();
    let outside = Arc::new(Outside::slow(Duration::from_millis(4)));
    // Two, so that each could take the other for dead.
    let open = || Serving::open(&path, clock.options(), Planned::on(&outside)).unwrap();
    let stores = [open(), open()];
    let mut people = People::new(11);
    for round in 0..400 {
        if round % 10 == 0 {
            clock.set(people.random().below(7) as i64 - 3);
        }
        people.act(&stores[round % 2].engine, 40).await.unwrap();
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    clock.set(4);
    people.check_promises(&stores[0].engine).await.unwrap();
    people.finish(&stores[0].engine, Duration::from_secs(20)).await;
    for serving in stores {
        serving.stop().await;
    }
    check_file(&path);
    assert_eq!(outside.repeats(Effect::AtMostOnce), 0, "a worker was taken for dead");
    assert_eq!(outside.repeats(Effect::Idempotent), 0, "a worker was taken for dead");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_fires_by_its_recorded_deadline() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::default();
    let host = Arc::new(Code(|ctx: Ctx| async move {
        let before = ctx.now();
        ctx.sleep(Duration::from_secs(3 * 24 * 60 * 60)).await?;
        Json::of(&ctx.now().since(before).as_secs())
    }));
    let serving = Serving::open(&folder.path().join("a.db"), clock.options(), host).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    until(&serving.engine, &run_id(1), RunState::Waiting).await;
    for days in [2, -5, 1] {
        clock.set(days);
        tokio::time::sleep(Duration::from_millis(700)).await;
        let info = serving.engine.info(&run_id(1)).await.unwrap();
        assert_eq!(info.state, RunState::Waiting, "at day {days}");
    }
    clock.set(3);
    let info = until(&serving.engine, &run_id(1), RunState::Ended).await;
    let slept: u64 = info.outcome.unwrap().unwrap().to().unwrap();
    assert!((259_200..259_300).contains(&slept), "{slept} s");
    serving.stop().await;
}

/// Sleeps while an effect is open that never ends, so that the run stays in memory. Ends with how long it slept by its
/// own time, in seconds.
fn sleeping_at_work(sleep: Duration) -> Arc<dyn adjutant_durable::Host> {
    Arc::new(Code(move |ctx: Ctx| async move {
        let before = ctx.now();
        let endless = work(|_| std::future::pending());
        let endless = ctx.effect("endless", Effects::pure(), Json::null(), endless);
        drop(select(Box::pin(ctx.sleep(sleep)), Box::pin(endless)).await);
        Json::of(&ctx.now().since(before).as_secs())
    }))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_in_memory_follows_the_wall_clock() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::default();
    let host = sleeping_at_work(Duration::from_secs(3 * 24 * 60 * 60));
    let serving = Serving::open(&folder.path().join("a.db"), clock.options(), host).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    until(&serving.engine, &run_id(1), RunState::Running).await;
    clock.set(2);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(serving.engine.info(&run_id(1)).await.unwrap().state, RunState::Running);
    // As after a machine that slept: the steady clock did not see it.
    clock.set(4);
    let info = until(&serving.engine, &run_id(1), RunState::Ended).await;
    let slept: u64 = info.outcome.unwrap().unwrap().to().unwrap();
    assert!((259_200..259_300).contains(&slept), "{slept} s");
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_timer_in_memory_does_not_wait_for_a_clock_that_was_set_back() {
    let folder = tempfile::tempdir().unwrap();
    let clock = SetClock::default();
    let host = sleeping_at_work(Duration::from_secs(1));
    let serving = Serving::open(&folder.path().join("a.db"), clock.options(), host).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    until(&serving.engine, &run_id(1), RunState::Running).await;
    clock.set(-3);
    until(&serving.engine, &run_id(1), RunState::Ended).await;
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_jump_is_not_time_that_a_run_was_active() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let clock = SetClock::default();
    let jumping = clock.clone();
    let host = Arc::new(Code(move |ctx: Ctx| {
        let clock = jumping.clone();
        async move {
            for day in [9, -9, 9] {
                let clock = clock.clone();
                let jump = work(move |_| {
                    let clock = clock.clone();
                    async move {
                        tokio::time::sleep(Duration::from_millis(20)).await;
                        clock.set(day);
                        Ok(Json::null())
                    }
                });
                ctx.effect("jump", Effects::pure(), Json::of(&day)?, jump).await?;
            }
            Json::of(&ctx.active().as_millis())
        }
    }));
    let serving = Serving::open(&path, clock.options(), host).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    let info = until(&serving.engine, &run_id(1), RunState::Ended).await;
    let active: u64 = info.outcome.unwrap().unwrap().to().unwrap();
    assert!((60..5_000).contains(&active), "{active} ms");
    let history = serving.engine.history(&run_id(1), 0).await.unwrap();
    assert!(history.is_sorted_by_key(|record| record.at));
    assert!(matches!(history.last().map(|record| &record.entry), Some(Entry::Ended(Ok(_)))));
    serving.stop().await;
    check_file(&path);
}
