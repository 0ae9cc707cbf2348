//! Backups of a store with the files of its runs.

use std::path::Path;
use std::time::Duration;

use adjutant::core::event::EventKind;
use adjutant::core::secret::Secret;
use adjutant::model::Request;
use adjutant::model::offline::Offline;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, backup};
use futures::StreamExt;
use serde_json::json;
use tokio_util::sync::CancellationToken;

fn open(folder: &Path) -> Adjutant {
    let project = Project::load(folder).unwrap();
    Adjutant::builder().project(project).model("main", Offline::new()).build().unwrap()
}

fn restore(folder: &Path, backup: &Path) -> adjutant::Result<backup::Restored> {
    Project::load(folder).unwrap().restore(backup)
}

#[tokio::test]
async fn a_backup_brings_runs_and_their_files_back() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("agents")).unwrap();
    std::fs::write(home.join("agents/desk.md"), "---\nmodel: main\n---\nYou help.\n").unwrap();
    let adjutant = open(&home);
    let run = adjutant.start("desk", "Hello").await.unwrap();
    run.reply().await.unwrap();
    let work = adjutant.project().settings().sandbox.work.clone();
    let files = work.join("local/local").join(format!("run-{}", run.id()));
    std::fs::create_dir_all(files.join("sub")).unwrap();
    std::fs::write(files.join("sub/report.txt"), "all of it").unwrap();
    std::fs::write(folder.path().join("secret"), "not theirs").unwrap();
    std::os::unix::fs::symlink(folder.path().join("secret"), files.join("link")).unwrap();
    let taken = folder.path().join("backup");
    let made = adjutant.back_up(&taken, "ann").await.unwrap();
    assert_eq!(made.files, 2);
    assert_eq!(backup::read(&taken).unwrap(), made);
    assert_eq!(adjutant.back_up(&taken, "ann").await.unwrap_err().code(), Code::Conflict);
    let link = taken.join("files").join(files.strip_prefix(&work).unwrap()).join("link");
    let kind = std::fs::symlink_metadata(link).unwrap().file_type();
    assert!(kind.is_symlink(), "what a link leads to is not copied");

    std::fs::write(files.join("sub/report.txt"), "changed").unwrap();
    let later = adjutant.start("desk", "Later").await.unwrap();
    later.reply().await.unwrap();
    let error = restore(&home, &taken).unwrap_err();
    assert_eq!(error.code(), Code::Conflict, "{error}");
    assert_eq!(std::fs::read_to_string(files.join("sub/report.txt")).unwrap(), "changed");
    let (path, text) = (files.join("sub/report.txt"), "all of it");
    let id = later.id().clone();
    drop((adjutant, run, later));
    let begun = std::time::Instant::now();
    let restored = loop {
        match restore(&home, &taken) {
            // The last threads of the store end a moment later.
            Err(error) if error.code() == Code::Conflict && begun.elapsed().as_secs() < 10 => {
                tokio::time::sleep(std::time::Duration::from_millis(20)).await;
            }
            result => break result.unwrap(),
        }
    };
    assert_eq!(std::fs::read_to_string(&path).unwrap(), text);
    assert!(restored.store.unwrap().is_file() && restored.files.unwrap().is_dir());
    let adjutant = open(&home);
    assert_eq!(adjutant.runs(9).await.unwrap().len(), 1);
    assert_eq!(adjutant.handle(&id).info().await.unwrap_err().code(), Code::NotFound);
    adjutant.run("desk", "Hello again").await.unwrap();
    assert_eq!(adjutant.audit().verify(Default::default()).await.unwrap().fault, None);
}

#[tokio::test]
async fn half_a_backup_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let home = folder.path().join("home");
    std::fs::create_dir_all(home.join("agents")).unwrap();
    std::fs::write(home.join("agents/desk.md"), "---\nmodel: main\n---\nYou help.\n").unwrap();
    let adjutant = open(&home);
    let taken = folder.path().join("backup");
    adjutant.back_up(&taken, "ann").await.unwrap();
    let manifest = std::fs::read_to_string(taken.join("backup.json")).unwrap();
    let refused = |code: Code| {
        let error = backup::read(&taken).unwrap_err();
        assert_eq!((error.code(), restore(&home, &taken).unwrap_err().code()), (code, code), "{error}");
    };
    std::fs::remove_file(taken.join("backup.json")).unwrap();
    refused(Code::StoreCorrupt);
    std::fs::write(taken.join("backup.json"), "{").unwrap();
    refused(Code::StoreCorrupt);
    std::fs::write(taken.join("backup.json"), manifest.replace("\"format\": 1", "\"format\": 9")).unwrap();
    refused(Code::StoreNewer);
    std::fs::write(taken.join("backup.json"), &manifest).unwrap();
    let mut store = std::fs::read(taken.join("store.db")).unwrap();
    store[5_000] ^= 1;
    std::fs::write(taken.join("store.db"), store).unwrap();
    refused(Code::StoreCorrupt);
}

/// A tool that is too long to be read at once, and one that a person is asked about.
const PROJECT: &str = r#"
[secrets]
key = { file = "key" }
token = { vault = true }

[vault]
key = "key"

[tools.list]
type = "command"
description = "Lists."
command = ["seq", "20000"]
effect = "pure"

[tools.now]
type = "time"
"#;

/// Lists, asks a person, and reads the end of what is kept of the list.
fn reader(request: &Request, _: usize) -> Option<Turn> {
    let results: Vec<_> = request.messages.iter().flat_map(|message| message.results()).collect();
    Some(match results.as_slice() {
        [] => Turn::calls([("list", json!({}))]),
        [_] => Turn::calls([("now", json!({}))]),
        [list, _] => {
            let path = list.as_text().split('`').nth(1).unwrap().to_owned();
            Turn::calls([("read_artifact", json!({ "path": path, "from": 60_000 }))])
        }
        [.., last] => Turn::text(&last.as_text()),
    })
}

fn place(folder: &Path) -> Adjutant {
    std::fs::create_dir_all(folder.join("agents")).unwrap();
    let agent = "---\nmodel: main\ntools: [list, now, artifacts]\napprove: [now]\n---\nHelp.\n";
    std::fs::write(folder.join("agents/desk.md"), agent).unwrap();
    std::fs::write(folder.join("adjutant.toml"), PROJECT).unwrap();
    std::fs::write(folder.join("key"), "a key that is long enough for a vault").unwrap();
    let project = Project::load(folder).unwrap_or_else(|errors| panic!("{errors:#?}"));
    Adjutant::builder().project(project).model("main", Scripted::from_fn(reader)).build().unwrap()
}

/// Everything that runs need to go on is in a backup that was made while they were at work.
#[tokio::test(flavor = "multi_thread")]
async fn runs_go_on_elsewhere_with_their_files_and_the_vault() {
    let folder = tempfile::tempdir().unwrap();
    let (home, elsewhere) = (folder.path().join("home"), folder.path().join("elsewhere"));
    let adjutant = place(&home);
    let token = Secret::new("the token of a login".to_owned());
    adjutant.project().keep_secret("token", &token).await.unwrap();
    std::fs::create_dir_all(home.join(".adjutant/results/some")).unwrap();
    std::fs::write(home.join(".adjutant/results/some/result"), "kept").unwrap();
    let stop = CancellationToken::new();
    let serving = tokio::spawn({
        let (adjutant, stop) = (adjutant.clone(), stop.clone());
        async move { adjutant.serve(stop).await }
    });
    let parked = adjutant.start("desk", "Wait.").await.unwrap();
    while adjutant.approvals().waiting().await.unwrap().is_empty() {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    let mut others = Vec::new();
    for number in 0..20 {
        others.push(adjutant.start("desk", format!("Number {number}.").as_str()).await.unwrap());
    }
    let taken = folder.path().join("backup");
    let made = adjutant.back_up(&taken, "ann").await.unwrap();
    stop.cancel();
    serving.await.unwrap().unwrap();
    assert!(made.files > 0 && made.kept["vault"] > 0 && made.kept["results"] == 1, "{made:?}");
    let copied = std::fs::read_dir(taken.join("vault")).unwrap().map(|file| file.unwrap().path());
    for path in copied {
        let text = std::fs::read(path).unwrap();
        assert!(!text.windows(8).any(|piece| piece == b"of a log"), "it is sealed");
    }

    drop(place(&elsewhere));
    restore(&elsewhere, &taken).unwrap();
    let again = place(&elsewhere);
    let secret = again.project().secrets().get("token").unwrap();
    assert_eq!(secret.expose(), token.expose());
    assert!(elsewhere.join(".adjutant/results/some/result").is_file());
    for run in std::iter::once(&parked).chain(&others) {
        let run = again.handle(run.id());
        if run.info().await.is_err() {
            // It was begun after the copy of the store was made.
            continue;
        }
        let mut updates = run.drive();
        let text = loop {
            match updates.next().await.unwrap().unwrap() {
                Update::Event(event) => match &event.kind {
                    EventKind::ApprovalRequested { signal, .. } => run.approve(signal).await.unwrap(),
                    EventKind::Ended { .. } => break run.outcome().await.unwrap().text,
                    _ => {}
                },
                Update::State(_) => {}
            }
        };
        assert!(text.contains("\n12700\n"), "{text}");
    }
    assert_eq!(again.audit().verify(Default::default()).await.unwrap().fault, None);
}
