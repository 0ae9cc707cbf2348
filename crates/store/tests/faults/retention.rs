//! What is forgotten, and what stays.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::Code;
use adjutant_core::id::{RunId, SessionId, StepKey};
use adjutant_core::json::Json;
use adjutant_durable::{Admission, Ctx, Effects, Engine, Fork, Host, Letter, Mail, Program, RunState, work};
use adjutant_store::Options;
use futures::future::BoxFuture;
use rusqlite::Connection;
use tempfile::TempDir;

use crate::chain::check_chain;
use crate::journal::check_file;
use crate::serving::{Serving, run_id, until};

/// Its runs say what they were given, ask for more, and start a run that says it too.
struct Echo;

impl Host for Echo {
    fn program<'a>(&'a self, admission: &'a Admission) -> BoxFuture<'a, adjutant_core::Result<Program>> {
        let (input, name, definition) =
            (admission.input.clone(), admission.name.clone(), admission.definition);
        Box::pin(async move {
            let program: Program =
                Arc::new(move |ctx, _| Box::pin(echo(ctx, name.clone(), input.clone(), definition)));
            Ok(program)
        })
    }
}

async fn echo(
    ctx: Ctx,
    name: String,
    input: Json,
    definition: adjutant_core::hash::Digest,
) -> adjutant_durable::Outcome {
    let said = input.clone();
    let say = work(move |_| {
        let said = said.clone();
        async move { Ok(said) }
    });
    ctx.effect("say", Effects::pure(), input.clone(), say).await?;
    match name.as_str() {
        "asks" => ctx.signal("more", input).await,
        "starts" => {
            let child = Admission::new(run_id(0), "child", "echo", definition, input);
            ctx.child("child", &child).await
        }
        _ => Ok(input),
    }
}

struct Desk {
    folder: TempDir,
    serving: Serving,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let serving = Serving::open(&folder.path().join("a.db"), Options::default(), Arc::new(Echo)).unwrap();
        Self { folder, serving }
    }

    fn engine(&self) -> &Arc<dyn Engine> {
        &self.serving.engine
    }

    /// Starts a run that says a text, and waits until it is in a state.
    async fn run(&self, number: u64, text: &str, name: &str, change: impl FnOnce(&mut Admission)) -> RunId {
        let state = if name == "asks" { RunState::Waiting } else { RunState::Ended };
        let definition = Json::of(&format!("definition of {number}")).unwrap();
        let definition = self.engine().put_definition(definition).await.unwrap();
        let mut admission = Admission::new(run_id(number), name, "echo", definition, Json::of(text).unwrap());
        change(&mut admission);
        self.engine().start(admission).await.unwrap();
        until(self.engine(), &run_id(number), state).await;
        run_id(number)
    }

    async fn is_there(&self, run: &RunId) -> bool {
        match self.engine().info(run).await {
            Ok(_) => true,
            Err(error) => {
                assert_eq!(error.code(), Code::NotFound);
                false
            }
        }
    }

    async fn answer(&self, run: &RunId, text: &str) {
        let letter = Letter::Signal { name: "more".into(), payload: Json::of(text).unwrap() };
        self.engine().send(run, Mail::new("more", letter)).await.unwrap();
        until(self.engine(), run, RunState::Ended).await;
    }

    async fn prune(&self) -> u64 {
        // A run that ended in this millisecond is not older than it.
        tokio::time::sleep(Duration::from_millis(2)).await;
        self.engine().prune(Duration::ZERO, "admin").await.unwrap()
    }

    async fn fork(&self, of: &RunId, number: u64) -> RunId {
        let from = StepKey::parse("/say#0");
        let fork =
            Fork { of: of.clone(), run: run_id(number), from, segment: None, edits: Vec::new(), by: None };
        self.engine().fork(fork).await.unwrap().run
    }

    fn count(&self, table: &str) -> i64 {
        let connection = Connection::open(self.folder.path().join("a.db")).unwrap();
        connection.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).unwrap()
    }

    /// Makes the definitions a week older.
    fn age_definitions(&self) {
        let connection = Connection::open(self.folder.path().join("a.db")).unwrap();
        connection.execute("UPDATE definitions SET put = put - 7 * 86400000", []).unwrap();
    }

    async fn close(self) -> TempDir {
        self.serving.stop().await;
        check_file(&self.folder.path().join("a.db"));
        check_chain(&self.folder.path().join("a.db"));
        self.folder
    }
}

/// A text that is kept as a blob.
fn large(text: &str) -> String {
    text.repeat(20_000 / text.len())
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_leaves_nothing_of_what_it_forgets() {
    let desk = Desk::new();
    desk.run(1, &large("shared "), "says", |_| {}).await;
    desk.run(2, &large("own "), "starts", |_| {}).await;
    let kept = desk.run(3, &large("shared "), "asks", |_| {}).await;
    let before = desk.count("blobs");
    assert_eq!((desk.count("runs"), desk.count("definitions")), (4, 3));
    assert_eq!(desk.engine().prune(Duration::from_secs(3_600), "admin").await.unwrap(), 0, "they are young");
    assert_eq!(desk.prune().await, 3);
    assert!(desk.is_there(&kept).await);
    // A definition without a run may be meant for one that is about to start, so it stays for a day.
    assert_eq!((desk.count("runs"), desk.count("definitions")), (1, 3));
    desk.age_definitions();
    assert_eq!(desk.prune().await, 0);
    assert_eq!(desk.count("definitions"), 1);
    assert!((1..before).contains(&desk.count("blobs")));
    let unused =
        "(SELECT 1 FROM blobs WHERE digest NOT IN (SELECT blob FROM journal WHERE blob IS NOT NULL))";
    assert_eq!(desk.count(unused), 0);
    // What was kept is whole.
    desk.answer(&kept, "no").await;
    assert_eq!(desk.prune().await, 1);
    for table in ["runs", "journal", "blobs", "mail", "definitions", "accounts", "reservations"] {
        assert_eq!(desk.count(table), 0, "{table}");
    }
    desk.close().await;
}

/// A run also needs definitions that only its own names, those of its policies for one, long after it began.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_run_may_need_stays_as_long_as_it() {
    let desk = Desk::new();
    let named = desk.engine().put_definition(Json::of("named").unwrap()).await.unwrap();
    let kept = desk.run(1, "waits", "asks", |_| {}).await;
    let connection = Connection::open(desk.folder.path().join("a.db")).unwrap();
    connection.execute("UPDATE runs SET created = created - 7 * 86400000", []).unwrap();
    desk.age_definitions();
    desk.prune().await;
    assert!(desk.engine().definition(named).await.is_ok());
    desk.answer(&kept, "no").await;
    assert_eq!(desk.prune().await, 1);
    assert!(desk.engine().definition(named).await.is_err());
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_stays_as_long_as_a_fork_of_it() {
    let desk = Desk::new();
    let original = desk.run(1, &large("told "), "asks", |_| {}).await;
    desk.answer(&original, "no").await;
    let fork = desk.fork(&original, 2).await;
    until(desk.engine(), &fork, RunState::Waiting).await;
    assert_eq!(desk.prune().await, 0, "the fork refers to it");
    desk.answer(&fork, "yes").await;
    let of_fork = desk.fork(&fork, 3).await;
    until(desk.engine(), &of_fork, RunState::Waiting).await;
    assert_eq!(desk.prune().await, 0);
    desk.answer(&of_fork, "yes").await;
    assert_eq!(desk.prune().await, 3);
    assert_eq!((desk.count("journal"), desk.count("blobs")), (0, 0));
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_turns_of_a_session_go_together() {
    let desk = Desk::new();
    let in_session = |admission: &mut Admission| admission.session = Some(SessionId::new("talk"));
    let first = desk.run(1, "first", "says", in_session).await;
    let second = desk.run(2, "second", "asks", in_session).await;
    assert_eq!(desk.prune().await, 0, "the second turn is not over");
    assert!(desk.is_there(&first).await);
    desk.answer(&second, "no").await;
    assert_eq!(desk.engine().turns(&SessionId::new("talk")).await.unwrap().len(), 2);
    assert_eq!(desk.prune().await, 2);
    desk.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_of_a_person_is_left_in_the_file() {
    const SECRET: &str = "the-very-secret-address-17";
    let desk = Desk::new();
    let of = |user: &'static str| move |admission: &mut Admission| admission.user = Some(user.to_owned());
    // Between the records of others, in cells and pages that are split and merged.
    for round in 0..12 {
        let number = 100 * (round + 1);
        let length = 1 + usize::try_from(round * round).unwrap() * 40 / SECRET.len();
        desk.run(number, &SECRET.repeat(length), "says", of("ada")).await;
        desk.run(number + 1, &"public ".repeat(length * 3), "says", of("bob")).await;
        desk.run(number + 2, &large(SECRET), "starts", of("ada")).await;
        let asked = desk.run(number + 3, SECRET, "asks", of("ada")).await;
        let unread = Letter::Message { payload: Json::of(SECRET).unwrap() };
        desk.engine().send(&asked, Mail::new("unread", unread)).await.unwrap();
        desk.answer(&asked, SECRET).await;
        let fork = desk.fork(&asked, number + 4).await;
        until(desk.engine(), &fork, RunState::Waiting).await;
    }
    assert!(holds(desk.folder.path(), SECRET), "the check would not see it");
    let gone = desk.engine().erase_user("ada", "admin").await.unwrap();
    assert_eq!(gone, 12 * 5);
    assert!(!holds(desk.folder.path(), SECRET), "at once, while the store is open");
    assert_eq!(desk.engine().erase_user("ada", "admin").await.unwrap(), 0);
    assert_eq!(desk.count("runs"), 12);
    assert!(desk.is_there(&run_id(101)).await);
    assert!(holds(desk.folder.path(), "public public"), "what others said stays");
    let folder = desk.close().await;
    assert!(!holds(folder.path(), SECRET));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_worker_that_ends_in_order_leaves_nothing() {
    let Desk { folder, serving } = Desk::new();
    let path = folder.path().join("a.db");
    let engine = Arc::clone(&serving.engine);
    let workers = || {
        let connection = Connection::open(&path).unwrap();
        connection.query_row("SELECT count(*) FROM workers", [], |row| row.get::<_, i64>(0)).unwrap()
    };
    // The lock of a worker, and its socket.
    let files = || {
        let files = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().file_name());
        files.filter(|name| name.to_string_lossy().contains("-worker-")).count()
    };
    let second = Serving::start(Arc::clone(&engine), Arc::new(Echo));
    let asks = Admission::new(run_id(1), "asks", "echo", adjutant_core::hash::Digest::of(b""), Json::null());
    engine.start(asks).await.unwrap();
    until(&engine, &run_id(1), RunState::Waiting).await;
    assert_eq!((workers(), files()), (1, 2));
    second.stop().await;
    assert_eq!((workers(), files()), (1, 2), "the other service goes on");
    serving.stop().await;
    assert_eq!((workers(), files()), (0, 0));
    let third = Serving::start(Arc::clone(&engine), Arc::new(Echo));
    let more = Letter::Signal { name: "more".into(), payload: Json::null() };
    engine.send(&run_id(1), Mail::new("more", more)).await.unwrap();
    until(&engine, &run_id(1), RunState::Ended).await;
    assert_eq!((workers(), files()), (1, 2), "it can begin again");
    third.stop().await;
    assert_eq!((workers(), files()), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_is_driven_is_not_erased() {
    let desk = Desk::new();
    let slow = desk.engine().put_definition(Json::null()).await.unwrap();
    let mut admission = Admission::new(run_id(1), "says", "echo", slow, Json::null());
    admission.user = Some("ada".to_owned());
    desk.engine().start(admission).await.unwrap();
    // As if a worker were at it.
    let connection = Connection::open(desk.folder.path().join("a.db")).unwrap();
    until(desk.engine(), &run_id(1), RunState::Ended).await;
    connection.execute("UPDATE runs SET state = 'running'", []).unwrap();
    let error = desk.engine().erase_user("ada", "admin").await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    connection.execute("UPDATE runs SET state = 'ended'", []).unwrap();
    assert_eq!(desk.engine().erase_user("ada", "admin").await.unwrap(), 1);
    desk.close().await;
}

/// Whether a text is in any file of a folder.
fn holds(folder: &Path, text: &str) -> bool {
    let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    files.into_iter().any(|file| {
        // The log and its index come and go.
        let bytes = std::fs::read(file).unwrap_or_default();
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}
