//! Runs whose records are damaged, or that others still write to when they are over.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::{Code as ErrorCode, Result};
use adjutant_durable::{Ctx, Effects, Letter, Mail, RunState, work};
use adjutant_store::Options;
use adjutant_store::Store;
use rusqlite::Connection;

use crate::serving::{Code, Serving, admission, run_id, until};

async fn answer(serving: &Serving, run: &RunId, id: &str, letter: Letter) -> Result<()> {
    serving.engine.send(run, Mail::new(id, letter)).await.map(drop)
}

#[test]
fn a_database_of_another_program_is_left_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("diary.db");
    let theirs = [
        "CREATE TABLE diary (text TEXT); INSERT INTO diary VALUES ('dear diary')",
        "CREATE TABLE runs (id INTEGER); PRAGMA user_version = 1",
        "PRAGMA application_id = 7",
    ];
    for made in theirs {
        Connection::open(&path).unwrap().execute_batch(made).unwrap();
        let before = std::fs::read(&path).unwrap();
        let error = Store::open(&path, Options::default()).err().unwrap();
        assert_eq!(error.code(), ErrorCode::StoreCorrupt);
        assert!(error.message().contains("diary.db` is a database of another program"), "{error}");
        assert_eq!(std::fs::read(&path).unwrap(), before);
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1, "nothing beside it");
        std::fs::remove_file(&path).unwrap();
    }
}

#[test]
fn an_empty_file_and_a_store_without_a_mark_become_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    std::fs::write(&path, b"").unwrap();
    let mark = || {
        let raw = Connection::open(&path).unwrap();
        raw.query_row("PRAGMA application_id", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    drop(Store::open(&path, Options::default()).unwrap());
    assert_eq!(mark(), i64::from(u32::from_be_bytes(*b"adjt")));
    Connection::open(&path).unwrap().execute_batch("PRAGMA application_id = 0").unwrap();
    drop(Store::open(&path, Options::default()).unwrap());
    assert_eq!(mark(), i64::from(u32::from_be_bytes(*b"adjt")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_whose_journal_cannot_be_read_halts_and_harms_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let host = Arc::new(Code(|ctx: Ctx| async move {
        let say = work(|_| async { Json::of("said") });
        ctx.effect("say", Effects::pure(), Json::null(), say).await?;
        ctx.signal("go", Json::null()).await
    }));
    let serving = Serving::open(&path, Options::default(), host).unwrap();
    for run in 1..=2 {
        serving.engine.start(admission(run)).await.unwrap();
        until(&serving.engine, &run_id(run), RunState::Waiting).await;
    }
    let raw = Connection::open(&path).unwrap();
    let spoil = "UPDATE journal SET body = ?1 WHERE kind = 'completed' AND id >> 32 = 1";
    raw.execute(spoil, ["{"]).unwrap();
    let go = || Letter::Signal { name: "go".into(), payload: Json::of("gone").unwrap() };
    for run in 1..=2 {
        answer(&serving, &run_id(run), "go", go()).await.unwrap();
    }
    let info = until(&serving.engine, &run_id(1), RunState::Halted).await;
    let halted = info.halted.unwrap();
    assert_eq!(halted.code(), ErrorCode::StoreCorrupt);
    assert!(halted.message().contains("`completed`"), "{halted}");
    until(&serving.engine, &run_id(2), RunState::Ended).await;

    // Mended and resumed, it goes on.
    raw.execute(spoil, ["\"said\""]).unwrap();
    answer(&serving, &run_id(1), "resume", Letter::Resume).await.unwrap();
    let info = until(&serving.engine, &run_id(1), RunState::Ended).await;
    assert_eq!(info.outcome.unwrap(), Json::of("gone"));
    serving.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_child_that_is_over_need_not_hear_that_nobody_waits_for_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let host = Arc::new(Code(|ctx: Ctx| async move {
        if *ctx.run() != run_id(1) {
            return ctx.signal("never", Json::null()).await;
        }
        let child = admission(0);
        tokio::select! {
            biased;
            ended = ctx.child("child", &child) => ended,
            slept = ctx.sleep(Duration::from_millis(1_500)) => slept.and_then(|()| Json::of("slept")),
        }
    }));
    let serving = Serving::open(&path, Options::default(), Arc::clone(&host) as _).unwrap();
    serving.engine.start(admission(1)).await.unwrap();
    until(&serving.engine, &run_id(1), RunState::Waiting).await;
    let child = RunId::child(&run_id(1), 0, "/child#0");
    until(&serving.engine, &child, RunState::Waiting).await;
    serving.stop().await;
    // It ended, and its parent was not told yet.
    let raw = Connection::open(&path).unwrap();
    raw.execute("UPDATE runs SET state = 'ended' WHERE run = ?1", [child.as_str()]).unwrap();
    let serving = Serving::open(&path, Options::default(), host).unwrap();
    let info = until(&serving.engine, &run_id(1), RunState::Ended).await;
    assert_eq!(info.outcome.unwrap(), Json::of("slept"));
    serving.stop().await;
}
