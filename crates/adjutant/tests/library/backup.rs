//! Backups of a store with the files of its runs.

use std::path::Path;

use adjutant::model::offline::Offline;
use adjutant::prelude::*;
use adjutant::{Code, backup};

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
