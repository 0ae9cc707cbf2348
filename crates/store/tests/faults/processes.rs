//! Several processes on one file, which are killed and stopped.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::id::Scope;
use adjutant_core::tool::Effect;
use adjutant_durable::{Engine, Entry, Letter, Mail, RunState};
use adjutant_store::Store;
use rusqlite::Connection;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::chain::check_chain;
use crate::journal::check_file;
use crate::people::People;
use crate::plan::{Plan, Step};
use crate::serving::{run_id, until};
use crate::worker::{Logged, Role, Worker, log};

/// The folder, the store as this process has it (which drives nothing), and where calls are told.
struct Desk {
    _folder: TempDir,
    role: Role,
    engine: Arc<dyn Engine>,
    calls: UdpSocket,
}

impl Desk {
    fn new(call_ms: u64, silence_ms: u64) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let calls = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        calls.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let listener = calls.local_addr().unwrap().port();
        let role = Role { folder: folder.path().to_owned(), call_ms, silence_ms, listener };
        let engine = Store::open(role.store(), role.options()).unwrap().engine(Scope::default());
        Self { _folder: folder, role, engine, calls }
    }

    /// Waits for the next call of a run.
    fn await_call(&self, run: u64) {
        let mut text = [0; 64];
        loop {
            let length = self.calls.recv(&mut text).unwrap();
            if text[..length] == *run_id(run).as_str().as_bytes() {
                return;
            }
        }
    }

    async fn start(&self, run: u64, plan: Plan) {
        self.engine.start(plan.admission(run_id(run))).await.unwrap();
    }

    fn log(&self) -> Vec<Logged> {
        log(&self.role.folder)
    }
}

/// How often each call was made, by its key. Two steps never have the same key, and two processes never one run.
fn calls(log: &[Logged], effect: Effect) -> BTreeMap<&str, u32> {
    let mut steps = BTreeMap::new();
    let mut calls = BTreeMap::new();
    for logged in log.iter().filter(|logged| logged.effect == effect) {
        assert_eq!(steps.entry(logged.key.as_str()).or_insert(&logged.step), &&logged.step);
        assert_eq!(logged.intruder, None, "two processes drive a run: {logged:?}");
        *calls.entry(logged.key.as_str()).or_default() += 1;
    }
    calls
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_processes_lose_no_run() {
    const KILLS: usize = 25;
    let desk = Desk::new(6, 20_000);
    let mut workers: Vec<Worker> = (0..3).map(|_| desk.role.start()).collect();
    let mut people = People::new(21);
    for kill in 0..KILLS {
        let end = Instant::now() + Duration::from_millis(people.random().below(160));
        while Instant::now() < end {
            people.act(&desk.engine, 3 * kill + 10).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let index = people.random().below(workers.len() as u64) as usize;
        workers[index].kill();
        workers[index] = desk.role.start();
    }
    people.check_promises(&desk.engine).await.unwrap();
    people.finish(&desk.engine, Duration::from_secs(40)).await;
    drop(workers);
    let log = desk.log();
    check_file(&desk.role.store());
    check_chain(&desk.role.store());
    let idempotent = calls(&log, Effect::Idempotent);
    assert_eq!(idempotent.len(), people.plans().map(|plan| plan.count(Effect::Idempotent)).sum::<usize>());
    let repeated = calls(&log, Effect::AtMostOnce).into_iter().find(|(_, times)| *times > 1);
    assert_eq!(repeated, None);
    let drivers: std::collections::BTreeSet<u32> = log.iter().map(|logged| logged.process).collect();
    assert!(drivers.len() > 5, "too few processes drove runs for this to mean something: {drivers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_answer_wakes_a_run_in_another_process() {
    const RUNS: u64 = 21;
    let desk = Desk::new(0, 20_000);
    let _worker = desk.role.start();
    let waits_first = |steps: &[Step]| matches!(steps, [Step::Signal, Step::Effect(_)]);
    for (run, plan) in (0..RUNS).zip(Plan::find(2, waits_first)) {
        desk.start(run, plan).await;
    }
    for run in 0..RUNS {
        until(&desk.engine, &run_id(run), RunState::Waiting).await;
    }
    let mut waits = Vec::new();
    for run in 0..RUNS {
        let letter = Letter::Signal { name: "signal-1".into(), payload: Plan::answer("signal-1") };
        let begun = Instant::now();
        desk.engine.send(&run_id(run), Mail::new("go", letter)).await.unwrap();
        desk.await_call(run);
        waits.push(begun.elapsed());
    }
    waits.sort();
    let median = waits[waits.len() / 2];
    println!("from answer to the next call in another process: {median:?} (median)");
    assert!(median < Duration::from_secs(1), "{waits:?}");
}

/// Stops a process while it does not hold SQLite's lock: with that in a stopped hand nobody could write, and nobody
/// could take anything over before the process goes on or dies.
fn stop_between_commits(process: &Worker, store: &Path) {
    let connection = Connection::open(store).unwrap();
    connection.busy_timeout(Duration::from_millis(50)).unwrap();
    for _ in 0..100 {
        process.signal(Signal::STOP);
        // A signal takes a moment to arrive at every thread.
        std::thread::sleep(Duration::from_millis(5));
        if connection.execute_batch("BEGIN IMMEDIATE; ROLLBACK;").is_ok() {
            return;
        }
        process.signal(Signal::CONT);
        std::thread::sleep(Duration::from_millis(2));
    }
    panic!("it was in the middle of a commit each time");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stopped_process_is_taken_over_and_refused() {
    let desk = Desk::new(600, 1_000);
    let one_call = |effect| move |steps: &[Step]| matches!(steps, [Step::Effect(one)] if *one == effect);
    let mut plans = Plan::find(1, one_call(Effect::Idempotent));
    let mut stopped = desk.role.start();
    desk.start(0, plans.next().unwrap()).await;
    desk.await_call(0);
    stop_between_commits(&stopped, &desk.role.store());
    let mut other = desk.role.start();
    let begun = Instant::now();
    until(&desk.engine, &run_id(0), RunState::Ended).await;
    assert!(
        begun.elapsed() > Duration::from_millis(900),
        "it was not silent for long: {:?}",
        begun.elapsed()
    );
    stopped.signal(Signal::CONT);
    // It comes to the end of its call, and is not heard.
    tokio::time::sleep(Duration::from_millis(800)).await;
    let history = desk.engine.history(&run_id(0), 0).await.unwrap();
    let completed = history.iter().filter(|record| matches!(record.entry, Entry::Completed { .. })).count();
    assert_eq!(completed, 1);
    assert!(matches!(history.last().map(|record| &record.entry), Some(Entry::Ended(Ok(_)))));
    let drivers: Vec<u32> = desk.log().iter().map(|logged| logged.process).collect();
    assert_eq!(drivers, [stopped.id(), other.id()]);
    assert!(stopped.lives());

    // It is a worker like any other again: nobody takes its runs away.
    for (run, plan) in (1..=6).zip(Plan::find(1, one_call(Effect::AtMostOnce))) {
        desk.start(run, plan).await;
    }
    for run in 1..=6 {
        until(&desk.engine, &run_id(run), RunState::Ended).await;
    }
    other.kill();
    desk.start(7, plans.next().unwrap()).await;
    until(&desk.engine, &run_id(7), RunState::Ended).await;
    let log = desk.log();
    assert_eq!(log.last().map(|logged| logged.process), Some(stopped.id()));
    assert!(calls(&log, Effect::AtMostOnce).values().all(|times| *times == 1), "{log:?}");
    drop(stopped);
    check_file(&desk.role.store());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_under_way_in_a_killed_process_is_not_made_again() {
    let desk = Desk::new(400, 20_000);
    let once = |steps: &[Step]| matches!(steps, [Step::Effect(Effect::AtMostOnce)]);
    let mut worker = desk.role.start();
    desk.start(0, Plan::find(1, once).next().unwrap()).await;
    desk.await_call(0);
    worker.kill();
    let _other = desk.role.start();
    let begun = Instant::now();
    until(&desk.engine, &run_id(0), RunState::Waiting).await;
    println!("from the death of a process to the run in another: {:?}", begun.elapsed());
    let history = desk.engine.history(&run_id(0), 0).await.unwrap();
    assert!(
        matches!(history.last().map(|record| &record.entry), Some(Entry::Unknown { .. })),
        "{history:#?}"
    );
    tokio::time::sleep(Duration::from_millis(500)).await;
    assert_eq!(desk.log().len(), 1);
}
