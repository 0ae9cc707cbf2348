//! Copies of a store that is being worked on, and putting one back.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::Code;
use adjutant_core::id::Scope;
use adjutant_durable::{Engine, RunFilter, RunState};
use adjutant_store::backup::{check, restore};
use adjutant_store::{Options, Store};
use rusqlite::Connection;

use crate::chain::check_chain;
use crate::journal::check_file;
use crate::outside::Outside;
use crate::people::People;
use crate::plan::Planned;
use crate::serving::{Serving, admission, run_id};
use crate::worker::{Role, Worker};

async fn open_runs(engine: &Arc<dyn Engine>, states: Vec<RunState>) -> usize {
    let filter = RunFilter { states, ..RunFilter::default() };
    engine.list_runs(filter, None, usize::MAX).await.unwrap().items.len()
}

/// Two other processes drive runs, and people speak to them, while copies are made; each is whole, and its runs go on.
#[tokio::test(flavor = "multi_thread")]
async fn copies_that_are_made_under_load_are_whole_and_go_on() {
    const COPIES: usize = 6;
    let folder = tempfile::tempdir().unwrap();
    let calls = std::net::UdpSocket::bind((std::net::Ipv4Addr::LOCALHOST, 0)).unwrap();
    let listener = calls.local_addr().unwrap().port();
    let role = Role { folder: folder.path().to_owned(), call_ms: 3, silence_ms: 20_000, listener };
    let store = Store::open(role.store(), role.options()).unwrap();
    let engine = store.engine(Scope::default());
    let mut workers = [role.start(), role.start()];
    let mut people = People::new(5);
    let mut under_way = 0;
    for copy in 0..COPIES {
        let end = Instant::now() + Duration::from_millis(250);
        while Instant::now() < end {
            people.act(&engine, 12 * (copy + 1)).await.unwrap();
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        let path = folder.path().join(format!("copy-{copy}.db"));
        let (copied, ()) = tokio::join!(store.back_up(&path), async {
            for _ in 0..20 {
                people.act(&engine, 12 * (copy + 1)).await.unwrap();
            }
        });
        copied.unwrap();
        assert_eq!(check(&path).unwrap(), [] as [String; 0]);
        let place = folder.path().join(format!("place-{copy}/a.db"));
        assert_eq!(restore(&path, &place, "1").unwrap(), None);
        let serving =
            Serving::open(&place, Options::default(), Planned::on(&Arc::new(Outside::slow(Duration::ZERO))))
                .unwrap();
        under_way += open_runs(&serving.engine, vec![RunState::Ready, RunState::Running]).await;
        let begun = Instant::now();
        while open_runs(&serving.engine, vec![RunState::Ready, RunState::Running]).await > 0 {
            assert!(begun.elapsed() < Duration::from_secs(30), "its runs do not go on");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        serving.stop().await;
        check_file(&place);
        check_chain(&place);
    }
    assert!(under_way > 0, "nothing was under way when the copies were made");
    workers.iter_mut().for_each(Worker::kill);
    people.check_promises(&engine).await.unwrap();
}

async fn made(path: &Path, number: u64) -> Store {
    let store = Store::open(path, Options::default()).unwrap();
    store.engine(Scope::default()).start(admission(number)).await.unwrap();
    store
}

/// The writer of a store that was dropped closes the file a moment later.
fn restored(copy: &Path, place: &Path) -> Option<std::path::PathBuf> {
    let begun = Instant::now();
    loop {
        match restore(copy, place, "7") {
            Err(error) if error.code() == Code::Conflict && begun.elapsed() < Duration::from_secs(10) => {}
            result => return result.unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_is_replaced_while_nobody_works_on_it_and_kept() {
    let folder = tempfile::tempdir().unwrap();
    let (place, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    let store = made(&place, 1).await;
    store.back_up(&copy).await.unwrap();
    assert_eq!(store.back_up(&copy).await.unwrap_err().code(), Code::Conflict, "it is there already");
    assert!(copy.is_file(), "what was there stays");
    store.engine(Scope::default()).start(admission(2)).await.unwrap();
    let error = restore(&copy, &place, "7").unwrap_err();
    assert_eq!(error.code(), Code::Conflict, "{error}");
    // That it was tried has changed nothing.
    store.engine(Scope::default()).start(admission(3)).await.unwrap();
    drop(store);
    let kept = restored(&copy, &place).unwrap();
    let runs = |path: &Path| -> i64 {
        Connection::open(path).unwrap().query_row("SELECT count(*) FROM runs", [], |row| row.get(0)).unwrap()
    };
    assert_eq!((runs(&place), runs(&kept)), (1, 3));
    let store = Store::open(&place, Options::default()).unwrap();
    assert!(store.engine(Scope::default()).info(&run_id(1)).await.is_ok());
    store.engine(Scope::default()).start(admission(4)).await.unwrap();
    drop(store);
    check_chain(&place);
    let left: Vec<_> =
        std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    assert!(!left.iter().any(|name| name.to_string_lossy().contains("restoring")), "{left:?}");
}

/// A process that was killed leaves a log beside its store. Where the store itself was removed, that log is none of the store that is
/// put in its place.
#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_left_over_is_not_played_on_what_is_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (live, copy) = (folder.path().join("live.db"), folder.path().join("copy.db"));
    let store = made(&live, 1).await;
    store.back_up(&copy).await.unwrap();
    for number in 2..40 {
        store.engine(Scope::default()).start(admission(number)).await.unwrap();
    }
    let place = folder.path().join("a.db");
    let log = |path: &Path| std::path::PathBuf::from(format!("{}-wal", path.display()));
    std::fs::copy(log(&live), log(&place)).unwrap();
    drop(store);
    assert!(std::fs::metadata(log(&place)).unwrap().len() > 0);
    assert_eq!(restored(&copy, &place), None, "there was no store");
    let runs: i64 = Connection::open(&place)
        .unwrap()
        .query_row("SELECT count(*) FROM runs", [], |row| row.get(0))
        .unwrap();
    assert_eq!(runs, 1);
    assert!(folder.path().join("a.db.before-7-wal").is_file(), "nothing is lost");
    check_chain(&place);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_whole_store_is_not_put_back() {
    let folder = tempfile::tempdir().unwrap();
    let (place, copy) = (folder.path().join("a.db"), folder.path().join("copy.db"));
    drop(made(&place, 1).await);
    let source = made(&folder.path().join("b.db"), 2).await;
    source.back_up(&copy).await.unwrap();
    let refused = |code: Code| {
        let error = restore(&copy, &place, "7").unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    };
    let whole = std::fs::read(&copy).unwrap();
    let mut holed = whole.clone();
    holed[whole.len() / 2..].fill(0x5a);
    std::fs::write(&copy, &holed).unwrap();
    refused(Code::StoreCorrupt);
    std::fs::write(&copy, &whole[..whole.len() / 2]).unwrap();
    refused(Code::StoreCorrupt);
    std::fs::write(&copy, "this is no database ".repeat(300)).unwrap();
    refused(Code::StoreCorrupt);
    std::fs::write(&copy, &whole).unwrap();
    Connection::open(&copy).unwrap().pragma_update(None, "user_version", 999).unwrap();
    refused(Code::StoreNewer);
    std::fs::remove_file(&copy).unwrap();
    refused(Code::NotFound);
    std::fs::write(&copy, &whole).unwrap();
    // A store that is damaged itself is what a backup is for.
    std::fs::write(&place, "this is no database ".repeat(300)).unwrap();
    for log in ["a.db-wal", "a.db-shm"] {
        let _ = std::fs::remove_file(folder.path().join(log));
    }
    assert!(restored(&copy, &place).is_some());
    check_chain(&place);
}

#[tokio::test]
async fn a_copy_that_cannot_be_written_leaves_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let store = made(&folder.path().join("a.db"), 1).await;
    let nowhere = folder.path().join("not-there/copy.db");
    assert!(store.back_up(&nowhere).await.is_err());
    assert!(!nowhere.exists());
    let error = Store::in_memory().unwrap().back_up(folder.path().join("copy.db")).await.unwrap_err();
    assert_eq!(error.code(), Code::InputInvalid);
}
