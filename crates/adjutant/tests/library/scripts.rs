//! Scripts that an agent writes, and the files that they leave.

use std::path::PathBuf;

use adjutant::Code;
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use serde_json::json;

/// A project whose agent runs what it is told as a script, and answers with what that prints; none where no sandbox can
/// be made, which is an error in CI.
fn project() -> Option<(tempfile::TempDir, Adjutant)> {
    let folder = tempfile::tempdir().unwrap();
    let settings = "[tools.shell]\ntype = \"shell\"\nsandbox = { read = [\"data\"], memory = 100000000 }\n";
    std::fs::write(folder.path().join("adjutant.toml"), settings).unwrap();
    for name in ["agents", "data"] {
        std::fs::create_dir(folder.path().join(name)).unwrap();
    }
    std::fs::write(folder.path().join("data/table.csv"), "a,b\n1,2\n").unwrap();
    std::fs::write(folder.path().join("agents/desk.md"), "---\nmodel: main\ntools: [shell]\n---\nHelp.\n")
        .unwrap();
    let project = Project::load(folder.path()).unwrap();
    match adjutant::tool::sandbox::examine(&project.settings().sandbox) {
        Ok(_) => {}
        Err(error) if std::env::var_os("CI").is_some() => panic!("{error}"),
        Err(error) => {
            eprintln!("not tested: {error}");
            return None;
        }
    }
    let adjutant =
        Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap();
    Some((folder, adjutant))
}

fn obey(request: &Request, _: usize) -> Option<Turn> {
    let last = request.messages.last()?;
    Some(match last.results().next() {
        Some(result) => Turn::text(&result.as_text()),
        None => Turn::calls([("shell", json!({ "script": last.text() }))]),
    })
}

#[tokio::test]
async fn the_turns_of_a_session_share_a_folder_and_erasing_takes_it() {
    let Some((folder, adjutant)) = project() else { return };
    let run = async |session: &str, script: &str| {
        let task = Task::new(script).session(session).user(session);
        adjutant.run("desk", task).await.unwrap().text
    };
    let note = "[new file `note`, application/octet-stream, 4 bytes]";
    assert_eq!(run("ann", "echo one > note").await, format!("{note}\ndone"));
    assert_eq!(run("ann", "cat note").await, "one");
    assert_eq!(run("bob", "cat note || true").await, "done");
    let runs = adjutant.runs(10).await.unwrap();
    let of =
        |session: &str| runs.iter().find(|run| run.user.as_deref() == Some(session)).unwrap().run.clone();
    let files = adjutant.files(&of("ann")).await.unwrap();
    let paths: Vec<PathBuf> = files.artifacts().unwrap().into_iter().map(|artifact| artifact.path).collect();
    assert_eq!(paths, [PathBuf::from("note")]);
    assert_eq!(adjutant.files(&of("bob")).await.unwrap().artifacts().unwrap(), []);

    assert_eq!(adjutant.erase_user("ann", "admin").await.unwrap(), 2);
    assert!(!files.files().exists());
    assert!(adjutant.files(&of("bob")).await.unwrap().files().exists());
    adjutant.prune(std::time::Duration::ZERO, "admin").await.unwrap();
    let work = folder.path().join(".adjutant").join("work").join("local").join("local");
    assert_eq!(std::fs::read_dir(work).unwrap().count(), 0);
    assert_eq!(adjutant.files(&of("bob")).await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn a_script_sees_the_data_and_not_the_project() {
    let Some((folder, adjutant)) = project() else { return };
    let place = folder.path().canonicalize().unwrap();
    let look = format!("cd {} && cat data/table.csv; ls -A; cat adjutant.toml || true", place.display());
    assert_eq!(adjutant.run("desk", look).await.unwrap().text, "a,b\n1,2\ndata");
}
