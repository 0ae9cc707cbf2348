//! What a project may take on one day, whoever takes it: several runs at once, several processes, after a crash.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::Duration;

use adjutant_core::id::{RunId, Scope};
use adjutant_core::json::Json;
use adjutant_core::time::{Clock, Timestamp};
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{
    Admission, Advance, Amount, Attempt, Done, Effects, Engine, Finished, Host, Letter, Mail, Program,
    RunState, Serve, Work,
};
use adjutant_store::{Daily, Options, Store};
use futures::future::BoxFuture;
use rusqlite::Connection;
use tokio_util::sync::CancellationToken;

use crate::serving::{run_id, until};

const DAY: i64 = 86_400_000;

/// A clock that stands where it is put.
#[derive(Debug)]
struct Stopped(AtomicI64);

impl Clock for Stopped {
    fn now(&self) -> Timestamp {
        Timestamp(self.0.load(Ordering::SeqCst))
    }
}

fn tokens(tokens: u64) -> Amount {
    Amount { tokens, nanos: 0 }
}

/// How many tokens calls have taken in fact, over all processes.
#[derive(Clone, Default)]
struct Outside(Arc<AtomicU64>);

/// A call that sets 100 tokens aside and takes 60, or never comes to its end.
struct Spending {
    outside: Outside,
    hangs: bool,
}

impl Work for Spending {
    fn attempt(&self, _: Attempt) -> BoxFuture<'static, Finished> {
        let (outside, hangs) = (self.outside.clone(), self.hangs);
        Box::pin(async move {
            outside.0.fetch_add(60, Ordering::SeqCst);
            if hangs {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
            Finished { done: Done::Ok(Json::null()), spent: Some(tokens(60)) }
        })
    }
}

/// Each run makes as many calls as its input says, one after the other.
struct Spender {
    outside: Outside,
    hangs: bool,
}

impl Host for Spender {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, Result<Program>> {
        let (outside, hangs) = (self.outside.clone(), self.hangs);
        let calls = admission.input.to::<u32>();
        Box::pin(async move {
            let calls = calls?;
            let program: Program = Arc::new(move |ctx, _| {
                let outside = outside.clone();
                Box::pin(async move {
                    for _ in 0..calls {
                        let effects = Effects::pure().reserve(tokens(100)).halting();
                        let spending = Spending { outside: outside.clone(), hangs };
                        ctx.effect("spend", effects, Json::null(), spending).await?;
                    }
                    Ok(Json::null())
                })
            });
            Ok(program)
        })
    }
}

/// One process: a store of its own on the file.
struct Process {
    engine: Arc<dyn Engine>,
    stop: CancellationToken,
    task: tokio::task::JoinHandle<Result<()>>,
}

impl Process {
    fn new(path: &Path, clock: Arc<dyn Clock>, daily: u64, outside: &Outside, hangs: bool) -> Self {
        let store = Store::open(path, Options { clock, ..Options::default() }).unwrap();
        let bound = Daily::default();
        bound.set(Some(Amount { tokens: daily, nanos: i64::MAX }));
        let engine = store.engine_within(Scope::default(), bound);
        let stop = CancellationToken::new();
        let host = Arc::new(Spender { outside: outside.clone(), hangs });
        let task = tokio::spawn(engine.serve(host, Serve::All, stop.clone()));
        Self { engine, stop, task }
    }

    async fn start(&self, run: u64, calls: u32) -> Result<RunId> {
        let definition = adjutant_core::hash::Digest::of(b"none");
        let admission = Admission::new(run_id(run), "test", "test", definition, Json::of(&calls)?);
        self.engine.start(admission).await.map(|admitted| admitted.run)
    }

    async fn resume(&self, run: &RunId, id: &str) {
        self.engine.send(run, Mail::new(id, Letter::Resume)).await.unwrap();
    }

    async fn halted(&self, run: &RunId) -> Error {
        until(&self.engine, run, RunState::Halted).await;
        self.engine.info(run).await.unwrap().halted.unwrap()
    }

    async fn stop(self) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
    }
}

/// What each day was charged, oldest first.
fn days(path: &Path) -> Vec<i64> {
    let connection = Connection::open(path).unwrap();
    let mut select = connection.prepare("SELECT tokens_spent FROM days ORDER BY day").unwrap();
    select.query_map([], |row| row.get(0)).unwrap().collect::<rusqlite::Result<_>>().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn runs_of_two_processes_never_take_more_than_the_day_has() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let clock: Arc<dyn Clock> = Arc::new(Stopped(AtomicI64::new(20_000 * DAY + 5)));
    let outside = Outside::default();
    let one = Process::new(&path, Arc::clone(&clock), 1_000, &outside, false);
    let other = Process::new(&path, clock, 1_000, &outside, false);
    let mut runs = Vec::new();
    for run in 0..12 {
        let process = if run % 2 == 0 { &one } else { &other };
        runs.push(process.start(run, 3).await);
    }
    // A run may find the day used up already when it is to be started.
    for run in runs.into_iter().flatten() {
        let error = one.halted_or_ended(&run).await;
        assert!(error.is_none_or(|error| error.message().contains("the project's budget for today")));
    }
    // 16 calls of 60: another, which may take 100, has no room in the 40 that are left. All 16 are made, since a call
    // that only those under way are in the way of waits for them.
    assert_eq!(outside.0.load(Ordering::SeqCst), 16 * 60);
    assert_eq!(days(&path), [16 * 60]);
    one.stop().await;
    other.stop().await;
}

impl Process {
    async fn halted_or_ended(&self, run: &RunId) -> Option<Error> {
        for _ in 0..2_000 {
            let info = self.engine.info(run).await.unwrap();
            match info.state {
                RunState::Ended => return None,
                RunState::Halted => return info.halted,
                _ => tokio::time::sleep(Duration::from_millis(10)).await,
            }
        }
        panic!("it neither ended nor halted");
    }
}

#[tokio::test]
async fn what_a_day_refuses_goes_on_after_midnight() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let time = Arc::new(Stopped(AtomicI64::new(20_000 * DAY + DAY - 1_000_000)));
    let outside = Outside::default();
    let process = Process::new(&path, Arc::<Stopped>::clone(&time), 150, &outside, false);
    let run = process.start(1, 2).await.unwrap();
    let error = process.halted(&run).await;
    assert_eq!(error.code(), Code::RunBudget);
    assert_eq!(error.message(), "the project's budget for today has no room for this call");
    // Nothing is left of the day once it is used up, and nothing is recorded of what is refused.
    process.resume(&run, "same day").await;
    process.halted(&run).await;
    assert_eq!(days(&path), [60]);
    time.0.fetch_add(1_000_000, Ordering::SeqCst);
    process.resume(&run, "next day").await;
    until(&process.engine, &run, RunState::Ended).await;
    assert_eq!(days(&path), [60, 60]);
    process.stop().await;
    // A replay asks the ledger for nothing.
    assert_eq!(outside.0.load(Ordering::SeqCst), 120);
}

#[tokio::test]
async fn a_day_that_is_used_up_starts_no_run_and_knows_those_that_are_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let clock: Arc<dyn Clock> = Arc::new(Stopped(AtomicI64::new(20_000 * DAY)));
    let outside = Outside::default();
    let free = Process::new(&path, Arc::clone(&clock), u64::MAX, &outside, false);
    let run = free.start(1, 3).await.unwrap();
    until(&free.engine, &run, RunState::Ended).await;
    free.stop().await;
    // A bound that is set later knows what was taken before.
    let process = Process::new(&path, clock, 180, &outside, false);
    let error = process.start(2, 1).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::RunBudget, "the project's budget for today is used up")
    );
    assert_eq!(process.engine.runs(10).await.unwrap().len(), 1);
    assert_eq!(process.start(1, 3).await.unwrap(), run);
    process.stop().await;
}

#[tokio::test]
async fn a_lost_call_is_charged_to_its_day_and_erasing_the_run_frees_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let clock: Arc<dyn Clock> = Arc::new(Stopped(AtomicI64::new(20_000 * DAY)));
    let outside = Outside::default();
    let process = Process::new(&path, Arc::clone(&clock), 1_000, &outside, true);
    let definition = adjutant_core::hash::Digest::of(b"none");
    let admission = Admission {
        user: Some("bob".into()),
        ..Admission::new(run_id(1), "test", "test", definition, Json::of(&1u32).unwrap())
    };
    process.engine.start(admission).await.unwrap();
    while outside.0.load(Ordering::SeqCst) == 0 {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(days(&path), [0]);
    // The process goes away in the middle of the call.
    process.stop().await;
    let store = Store::open(&path, Options { clock, ..Options::default() }).unwrap();
    assert_eq!(store.engine(Scope::default()).erase_user("bob", "admin").await.unwrap(), 1);
    assert_eq!(days(&path), [100]);
}

/// An advance of the day is taken from what runs may take, whoever holds it; what is given back is there again.
#[tokio::test]
async fn advances_and_runs_share_the_day() {
    let store = Store::in_memory().unwrap();
    let bound = Daily::default();
    let engine = store.engine_within(Scope::default(), bound.clone());
    let amount = |tokens: u64, nanos: i64| Amount { tokens, nanos };
    // Without a bound it is counted all the same.
    let first = engine.advance(amount(1, 1), amount(40, 400)).await.unwrap();
    assert_eq!(first.amount, amount(40, 400));
    bound.set(Some(amount(100, 1_000)));
    let second = engine.advance(amount(10, 10), amount(100, 100)).await.unwrap();
    assert_eq!(second.amount, amount(60, 100), "what there is room for");
    let refused = engine.advance(amount(1, 0), amount(1, 1)).await.unwrap_err();
    assert_eq!(refused.code(), Code::RunBudget);
    // Of the second, 50 tokens were not taken; and of one call 5 more than was foreseen.
    engine.settle(Advance { amount: amount(50, 90), ..second }, amount(5, 0)).await.unwrap();
    let third = engine.advance(amount(45, 0), amount(100, 1_000)).await.unwrap();
    assert_eq!(third.amount, amount(45, 590));
    let others = store.engine_within(Scope::new("other", "local").unwrap(), bound);
    assert_eq!(
        others.advance(amount(100, 1_000), amount(100, 1_000)).await.unwrap().amount,
        amount(100, 1_000)
    );
}
