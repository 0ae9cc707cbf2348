//! Records that are changed, moved or removed behind the engine's back, and those that are erased in front of it.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::id::{Scope, StepKey};
use adjutant_core::json::Json;
use adjutant_durable::{
    Act, Admission, Ctx, Effects, Engine, Fork, Letter, Linked, Mail, RunState, Verified, Verify, work,
};
use adjutant_store::{Options, Store};
use rusqlite::Connection;
use tempfile::TempDir;

use crate::serving::{Code, Serving, run_id, until};

/// Verifies the chain of a file that nobody has open.
pub(crate) fn check_chain(path: &Path) {
    let path = path.to_owned();
    let verify = move || {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async { verified(&path, Verify::default()).await })
    };
    let verified = std::thread::spawn(verify).join().unwrap();
    assert_eq!(verified.fault, None, "{verified:?}");
    assert!(verified.links > 0);
}

async fn verified(path: &Path, verify: Verify) -> Verified {
    let engine = Store::open(path, Options::default()).unwrap().engine(Scope::default());
    engine.verify(verify).await.unwrap()
}

/// A small step, a large one, and a question.
async fn code(ctx: Ctx) -> adjutant_durable::Outcome {
    for size in [10, 40_000] {
        let say = work(move |_| async move { Json::of(&"x".repeat(size)) });
        ctx.effect("say", Effects::pure(), Json::of("say")?, say).await?;
    }
    ctx.signal("go", Json::null()).await
}

struct Desk {
    folder: TempDir,
    engine: Arc<dyn Engine>,
    serving: Option<Serving>,
}

impl Desk {
    /// Three runs, of two persons; one is a fork, and all are over.
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serving =
            Serving::open(&folder.path().join("a.db"), Options::default(), Arc::new(Code(code))).unwrap();
        let desk = Self { folder, engine: Arc::clone(&serving.engine), serving: Some(serving) };
        for number in [1, 2] {
            desk.ask(number).await;
        }
        let from = StepKey::parse("say#1");
        let fork = Fork { of: run_id(1), run: run_id(3), from, segment: None, edits: Vec::new(), by: None };
        desk.engine.fork(fork).await.unwrap();
        desk.answer(3).await;
        desk.engine
            .administer(Act::new("ann", "policies.reloaded", "desk", adjutant_core::time::Timestamp(5)))
            .await
            .unwrap();
        desk
    }

    async fn ask(&self, number: u64) {
        let definition = self.engine.put_definition(Json::of("definition").unwrap()).await.unwrap();
        let admission = Admission::new(run_id(number), "test", "test", definition, Json::null());
        let user = Some(if number == 2 { "bob" } else { "ann" }.to_owned());
        self.engine.start(Admission { user, ..admission }).await.unwrap();
        self.answer(number).await;
    }

    async fn answer(&self, number: u64) {
        let letter = Letter::Signal { name: "go".into(), payload: Json::of(&number).unwrap() };
        self.engine.send(&run_id(number), Mail::new("go", letter)).await.unwrap();
        until(&self.engine, &run_id(number), RunState::Ended).await;
    }

    fn path(&self) -> PathBuf {
        self.folder.path().join("a.db")
    }

    async fn verify(&self) -> Verified {
        self.engine.verify(Verify::default()).await.unwrap()
    }

    /// A copy of the file, changed by somebody with a shell.
    fn tampered(&self, change: &str) -> (TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.db");
        Connection::open(self.path()).unwrap().execute("VACUUM INTO ?1", [path.to_str().unwrap()]).unwrap();
        let raw = Connection::open(&path).unwrap();
        raw.execute_batch(&format!("PRAGMA foreign_keys = OFF; {change}")).unwrap();
        (folder, path)
    }

    async fn stop(&mut self) {
        self.serving.take().unwrap().stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_nobody_touched_is_whole() {
    let mut desk = Desk::new().await;
    desk.stop().await;
    let found = desk.verify().await;
    let raw = Connection::open(desk.path()).unwrap();
    let records: u64 = raw.query_row("SELECT count(*) FROM journal", [], |row| row.get(0)).unwrap();
    assert_eq!(
        (&found.fault, found.records, found.acts, found.erased, found.before),
        (&None, records, 1, 0, 0)
    );
    let head = Verify { head: found.head, ..Verify::default() };
    assert_eq!(desk.engine.verify(head).await.unwrap().fault, None);
    let from = Verify { from: found.links, ..Verify::default() };
    let late = desk.engine.verify(from).await.unwrap();
    assert_eq!((late.fault, late.links, late.records + late.acts), (None, found.links, 1));
    let other =
        Store::open(desk.path(), Options::default()).unwrap().engine(Scope::new("acme", "local").unwrap());
    assert_eq!(other.verify(Verify::default()).await.unwrap(), Verified::default());
}

/// Whatever is changed of whatever row, it is seen, and told where.
#[tokio::test(flavor = "multi_thread")]
async fn every_change_is_seen() {
    let mut desk = Desk::new().await;
    desk.stop().await;
    let raw = Connection::open(desk.path()).unwrap();
    let columns = |table: &str| -> Vec<(String, String)> {
        let mut select =
            raw.prepare(&format!("SELECT name, type FROM pragma_table_info('{table}')")).unwrap();
        select.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap().map(Result::unwrap).collect()
    };
    let mut changes = Vec::new();
    for (table, key) in
        [("journal", "id"), ("links", "id"), ("acts", "id"), ("blobs", "id"), ("definitions", "digest")]
    {
        let keys: Vec<rusqlite::types::Value> = {
            let mut select = raw.prepare(&format!("SELECT {key} FROM {table}")).unwrap();
            select.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
        };
        assert!(!keys.is_empty(), "{table}");
        // Each third is enough of those that there are many of.
        for place in (0..keys.len()).step_by(if keys.len() > 9 { 3 } else { 1 }) {
            let of = format!("{key} = (SELECT {key} FROM {table} ORDER BY {key} LIMIT 1 OFFSET {place})");
            for (column, kind) in columns(table) {
                // Whose a blob or a definition is, and when it was put, is no content.
                if ["tenant", "project", "put"].contains(&column.as_str())
                    || (table == "blobs" && column == "id")
                {
                    continue;
                }
                let changed = match kind.as_str() {
                    "INTEGER" => format!("coalesce({column}, 0) + 1000"),
                    "TEXT" => format!("coalesce({column}, '') || ' '"),
                    _ => format!("CAST(coalesce({column}, '') || 'x' AS BLOB)"),
                };
                changes.push(format!("UPDATE {table} SET {column} = {changed} WHERE {of}"));
            }
            changes.push(format!("DELETE FROM {table} WHERE {of}"));
        }
    }
    changes.retain(|change| !change.starts_with("DELETE FROM definitions"));
    for change in [
        "UPDATE links SET first = NULL WHERE id = 1 << 40 | 1",
        "UPDATE runs SET run = 'another' WHERE id = 2",
        "DELETE FROM runs WHERE id = 2",
        "DELETE FROM journal WHERE id >> 32 = 2; DELETE FROM runs WHERE id = 2",
        "DELETE FROM chains",
        "UPDATE chains SET begun = begun + 1",
        "UPDATE chains SET before = before + 1",
        "DELETE FROM chains; DELETE FROM links; DELETE FROM acts",
        // Two records that change places, and two links.
        "UPDATE journal SET id = -1 WHERE id = 1 << 32 | 2; UPDATE journal SET id = 1 << 32 | 2 WHERE id = 1 << 32 | 3;
         UPDATE journal SET id = 1 << 32 | 3 WHERE id = -1",
        "UPDATE links SET id = -1 WHERE id = 1 << 40 | 2; UPDATE links SET id = 1 << 40 | 2 WHERE id = 1 << 40 | 3;
         UPDATE links SET id = 1 << 40 | 3 WHERE id = -1",
        // A record that was never written, with all that it needs but a link.
        "INSERT INTO journal SELECT id + 1, version, segment, at, kind, key, hash, meta, body, blob FROM journal
         WHERE id >> 32 = 2 ORDER BY id DESC LIMIT 1",
        "INSERT INTO acts SELECT id + 1, at, 'eve', what, subject, details FROM acts",
        // Links that are gone, with the records that they were for still there.
        "DELETE FROM links WHERE id >= (SELECT max(id) - 2 FROM links); DELETE FROM acts",
    ] {
        changes.push(change.to_owned());
    }
    for change in changes {
        let (_folder, path) = desk.tampered(&change);
        let found = verified(&path, Verify::default()).await;
        assert!(found.fault.is_some(), "{change}: {found:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_wrong_is_told_with_its_place() {
    let mut desk = Desk::new().await;
    desk.stop().await;
    for (change, run, record, what) in [
        (
            "UPDATE journal SET body = '\"y\"' WHERE id = 2 << 32 | 3",
            Some(2),
            Some(3),
            "the record was changed",
        ),
        ("DELETE FROM journal WHERE id = 2 << 32 | 3", Some(2), Some(3), "the record is missing"),
        ("UPDATE blobs SET bytes = '\"y\"'", Some(1), Some(5), "the record was changed"),
        (
            "DELETE FROM journal WHERE id >> 32 = 3; DELETE FROM runs WHERE id = 3",
            Some(3),
            Some(0),
            "nobody has recorded",
        ),
        (
            "INSERT INTO journal SELECT 3 << 32 | 99, version, segment, at, kind, key, hash, meta, body, blob FROM journal WHERE id = 3 << 32",
            Some(3),
            None,
            "in no link",
        ),
        ("UPDATE acts SET by = 'eve'", None, None, "act that it is for was changed"),
        ("UPDATE definitions SET text = '\"other\"'", None, None, "definition"),
        ("DELETE FROM links WHERE id = 1 << 40 | 3", None, None, "links before this one are missing"),
    ] {
        let (_folder, path) = desk.tampered(change);
        let fault = verified(&path, Verify::default()).await.fault.unwrap();
        assert!(fault.what.contains(what), "{change}: {fault:?}");
        if run.is_some() {
            assert_eq!((fault.run, fault.record), (run.map(run_id), record), "{change}");
        }
    }
}

/// An end that was cut off whole looks like an earlier time; a hash that was kept elsewhere tells it.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_that_was_cut_off_is_told_by_its_hash() {
    let mut desk = Desk::new().await;
    desk.stop().await;
    let head = desk.verify().await.head;
    let (_folder, path) =
        desk.tampered("DELETE FROM links WHERE id = (SELECT max(id) FROM links); DELETE FROM acts");
    assert_eq!(verified(&path, Verify::default()).await.fault, None);
    let fault = verified(&path, Verify { from: 0, head }).await.fault.unwrap();
    assert!(fault.what.contains("cut off"), "{fault:?}");
    let unknown = verified(&desk.path(), Verify { from: 0, head: Some(Digest::of(b"x")) }).await;
    assert!(unknown.fault.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_erased_or_pruned_leaves_the_chain_whole_and_is_told() {
    let mut desk = Desk::new().await;
    let before = desk.verify().await;
    assert_eq!(desk.engine.erase_user("bob", "ann").await.unwrap(), 1);
    let erased = desk.verify().await;
    assert_eq!((erased.fault, erased.links), (None, before.links + 1));
    assert_eq!(erased.erased + erased.records, before.records);
    assert_eq!(erased.erasures.len(), 1);
    assert_eq!((erased.erasures[0].by.as_str(), erased.erasures[0].gone()), ("ann", vec![run_id(2)]));
    let links = desk.engine.links(None, 1, &[]).await.unwrap();
    assert!(matches!(&links[0].what, Linked::Act(act) if act.what == Act::ERASED));
    let text = serde_json::to_string(&erased.erasures).unwrap();
    assert!(!text.contains("bob"), "whose they were is forgotten: {text}");
    // The same run is not begun again, and that it was refused is in no link.
    let again = Admission::new(run_id(2), "test", "test", Digest::of(b""), Json::null());
    assert_eq!(desk.engine.start(again).await.unwrap_err().code(), adjutant_core::Code::Conflict);
    assert_eq!(desk.verify().await.fault, None);
    tokio::time::sleep(Duration::from_millis(5)).await;
    while desk.engine.prune(Duration::ZERO, "night").await.unwrap() > 0 {}
    let pruned = desk.verify().await;
    assert_eq!((pruned.fault, pruned.records), (None, 0));
    assert!(pruned.erasures.iter().skip(1).all(|act| act.what == Act::PRUNED && act.by == "night"));
    assert_eq!(desk.engine.verify(Verify { from: 0, head: before.head }).await.unwrap().fault, None);
    desk.stop().await;
    let (_folder, path) = desk.tampered("DELETE FROM acts WHERE what = 'person.erased'");
    assert!(verified(&path, Verify::default()).await.fault.is_some());
}

/// A store of an earlier version has records that are in no link: as many as there were, and no more.
#[tokio::test(flavor = "multi_thread")]
async fn a_chain_begins_where_it_begins() {
    let mut desk = Desk::new().await;
    desk.stop().await;
    let records = desk.verify().await.records;
    let older = "DROP TABLE chains; DROP TABLE links; DROP TABLE acts; DROP TABLE erased; DROP TABLE spending; \
                 ALTER TABLE runs ADD COLUMN fork_edits TEXT; PRAGMA user_version = 8";
    let (_folder, path) = desk.tampered(older);
    let found = verified(&path, Verify::default()).await;
    assert_eq!((&found.fault, found.before, found.records, found.links), (&None, records, 0, 0));
    let serving = Serving::open(&path, Options::default(), Arc::new(Code(code))).unwrap();
    serving
        .engine
        .start(Admission::new(run_id(9), "test", "test", Digest::of(b""), Json::null()))
        .await
        .unwrap();
    until(&serving.engine, &run_id(9), RunState::Waiting).await;
    serving.stop().await;
    let found = verified(&path, Verify::default()).await;
    assert_eq!((&found.fault, found.before), (&None, records));
    assert!(found.records > 3);
    Connection::open(&path)
        .unwrap()
        .execute_batch(
            "INSERT INTO journal SELECT 4 << 32 | 99, version, segment, at, kind, key, hash, meta, body, blob
             FROM journal WHERE id = 4 << 32",
        )
        .unwrap();
    let fault = verified(&path, Verify::default()).await.fault.unwrap();
    assert_eq!(fault.run, Some(run_id(9)), "{fault:?}");
}

/// What is appended while a commit lasts has one link for each run.
#[tokio::test(flavor = "multi_thread")]
async fn records_of_one_commit_share_a_link() {
    const STEPS: u64 = 400;
    async fn many(ctx: Ctx) -> adjutant_durable::Outcome {
        for step in 0..STEPS {
            ctx.effect("step", Effects::pure(), Json::of(&step)?, work(|_| async { Ok(Json::null()) }))
                .await?;
        }
        Ok(Json::null())
    }
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let serving = Serving::open(&path, Options::default(), Arc::new(Code(many))).unwrap();
    for number in [1, 2] {
        let admission = Admission::new(run_id(number), "test", "test", Digest::of(b""), Json::null());
        serving.engine.start(admission).await.unwrap();
    }
    for number in [1, 2] {
        until(&serving.engine, &run_id(number), RunState::Ended).await;
    }
    serving.stop().await;
    let found = verified(&path, Verify::default()).await;
    assert_eq!(found.fault, None);
    assert!(found.records > 4 * STEPS && found.links < found.records / 4, "{found:?}");
}

/// Two stores on one file write at the same time, each with a writer of its own.
#[tokio::test(flavor = "multi_thread")]
async fn two_who_write_at_once_make_one_chain() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.db");
    let open = || Serving::open(&path, Options::default(), Arc::new(Code(code))).unwrap();
    let (one, two) = (open(), open());
    for number in 0..40 {
        let engine = if number % 2 == 0 { &one.engine } else { &two.engine };
        let admission = Admission::new(run_id(number), "test", "test", Digest::of(b""), Json::null());
        let act = Act::new("ann", "keys.looked-at", number.to_string(), adjutant_core::time::Timestamp(1));
        let (started, told) = tokio::join!(engine.start(admission), engine.administer(act));
        started.unwrap();
        told.unwrap();
    }
    for number in 0..40 {
        until(&one.engine, &run_id(number), RunState::Waiting).await;
    }
    one.stop().await;
    two.kill().await;
    let found = verified(&path, Verify::default()).await;
    assert_eq!((found.fault, found.acts), (None, 40));
}
