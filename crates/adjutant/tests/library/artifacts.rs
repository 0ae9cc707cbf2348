//! Results of tools that become files.

use std::io::Read as _;

use adjutant::core::message::{Media, MediaSource, Part};
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::tool::{Output, tool};
use serde_json::json;

/// An archive, as a service gives it out.
#[tool(idempotent)]
async fn download() -> Output {
    let media = Media {
        media_type: "application/zip".into(),
        name: Some("books.zip".into()),
        source: MediaSource::Base64("UEsDBA==".into()),
    };
    Output { content: vec![Part::text("here it is"), Part::File(media)], ..Output::default() }
}

/// A list that is too long to be read at once.
#[tool(pure)]
async fn list() -> String {
    (0..20_000).map(|number| format!("{number}\n")).collect()
}

/// Calls what it is told, and answers with what that gives; of files in it, nothing may come to the model.
fn obey(request: &Request, _: usize) -> Option<Turn> {
    let last = request.messages.last()?;
    let is_plain = |part: &Part| !matches!(part, Part::File(_));
    assert!(last.results().all(|result| result.content.iter().all(is_plain)), "{last:?}");
    Some(match last.results().next() {
        Some(result) => Turn::text(&result.as_text()),
        None => {
            let text = last.text();
            let (name, arguments) = text.split_once(' ').unwrap_or((&text, "{}"));
            Turn::calls([(name, serde_json::from_str(arguments).unwrap_or(json!({})))])
        }
    })
}

fn adjutant() -> (tempfile::TempDir, Adjutant) {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    let agent = "---\nmodel: main\ntools: [artifacts]\n---\nHelp.\n";
    std::fs::write(folder.path().join("agents/reader.md"), agent).unwrap();
    let project = Project::load(folder.path()).unwrap();
    let adjutant =
        Adjutant::builder().project(project).model("main", Scripted::from_fn(obey)).build().unwrap();
    (folder, adjutant)
}

#[tokio::test]
async fn a_file_is_kept_for_the_session_and_read_by_its_name() {
    let (_folder, adjutant) = adjutant();
    let desk = Agent::new("desk").model("main").instructions("Help.").tool(download).tool(list);
    let ask = async |agent: &str, text: &str| {
        let task = Task::new(text).session("ann");
        match agent {
            "desk" => adjutant.run(&desk, task).await.unwrap().text,
            name => adjutant.run(name, task).await.unwrap().text,
        }
    };
    let said = ask("desk", "download").await;
    assert!(said.starts_with("here it is\n[the file `results/") && said.contains("-books.zip`"), "{said}");
    assert_eq!(ask("desk", "download").await, said, "the same result is the same file");

    let long = ask("desk", "list").await;
    let path = long.split('`').nth(1).unwrap().to_owned();
    assert!(
        long.starts_with("[the whole result is the file `results/") && long.len() < 51_000,
        "{}",
        long.len()
    );

    let listed = ask("reader", "list_artifacts").await;
    assert_eq!(listed.lines().count(), 2, "{listed}");
    let piece = ask("reader", &format!("read_artifact {}", json!({ "path": path, "from": 100_000 }))).await;
    assert!(piece.ends_with("19999\n"), "{piece}");

    let run = &adjutant.runs(1).await.unwrap()[0].run;
    let files = adjutant.files(run).await.unwrap();
    let zip = files
        .artifacts()
        .unwrap()
        .into_iter()
        .find(|file| file.path.ends_with(said.split('`').nth(1).unwrap()))
        .unwrap();
    let mut content = Vec::new();
    files.open(&zip.path).unwrap().read_to_end(&mut content).unwrap();
    assert_eq!((content.as_slice(), zip.media_type()), (&b"PK\x03\x04"[..], "application/zip"));

    // Another session has none of it.
    let other = adjutant.run("reader", Task::new("list_artifacts").session("bob")).await.unwrap().text;
    assert_eq!(other, "there are no files");
    adjutant.run(&desk, Task::new("download").session("bob")).await.unwrap();
    let read = format!("read_artifact {}", json!({ "path": format!("../../session-ann/files/{path}") }));
    let refused = adjutant.run("reader", Task::new(&*read).session("bob")).await.unwrap().text;
    assert!(refused.contains("leads outside of the folder"), "{refused}");
}

#[tokio::test]
async fn an_agent_that_is_asked_leaves_its_files_with_the_one_that_asks() {
    let (_folder, adjutant) = adjutant();
    let desk =
        Agent::new("desk").model("main").description("Runs the desk.").instructions("Help.").tool(download);
    let front = Agent::new("front").model("main").instructions("Help.").agent(&desk);
    let reply = adjutant.run(&front, Task::new(r#"desk {"task": "download"}"#)).await.unwrap().text;
    let path = std::path::PathBuf::from(reply.split('`').nth(1).unwrap());
    let runs = adjutant.runs(usize::MAX).await.unwrap();
    let front = runs.iter().find(|info| info.name == "front").unwrap();
    let files = adjutant.files(&front.run).await.unwrap();
    assert_eq!(files.artifacts().unwrap()[0].path, path);
    // Pruning nothing keeps them.
    adjutant.prune(std::time::Duration::from_secs(3_600), "admin").await.unwrap();
    assert_eq!(files.artifacts().unwrap().len(), 1);
}

#[tokio::test]
async fn the_journal_has_the_reference_and_the_files_go_with_their_runs() {
    let (folder, adjutant) = adjutant();
    let desk = Agent::new("desk").model("main").instructions("Help.").tool(download);
    adjutant.run(&desk, Task::new("download")).await.unwrap();
    let run = adjutant.runs(1).await.unwrap()[0].run.clone();
    let recorded = format!("{:?}", adjutant.handle(&run).summary().await.unwrap());
    assert!(!recorded.contains("UEsDBA=="), "{recorded}");
    let files = adjutant.files(&run).await.unwrap();
    assert_eq!(files.artifacts().unwrap().len(), 1);
    adjutant.prune(std::time::Duration::ZERO, "admin").await.unwrap();
    assert!(!files.files().exists());
    assert!(folder.path().join(".adjutant").exists());
}

#[tokio::test]
async fn stores_do_not_take_each_others_files_for_left_over() {
    let (folder, of_project) = adjutant();
    let desk = Agent::new("desk").model("main").instructions("Help.").tool(download);
    of_project.run(&desk, Task::new("download")).await.unwrap();
    let files = of_project.files(&of_project.runs(1).await.unwrap()[0].run).await.unwrap();
    assert!(files.files().starts_with(folder.path().join(".adjutant")));
    let build = |builder: adjutant::Builder| {
        let project = Project::load(folder.path()).unwrap();
        builder.project(project).model("main", Scripted::from_fn(obey)).build().unwrap()
    };
    let beside = build(Adjutant::builder().store(folder.path().join("other.db")));
    let passing = build(Adjutant::builder().in_memory());
    let mut places = Vec::new();
    for other in [&beside, &passing] {
        other.run(&desk, Task::new("download")).await.unwrap();
        let own = other.files(&other.runs(1).await.unwrap()[0].run).await.unwrap();
        assert_eq!(own.artifacts().unwrap().len(), 1);
        other.prune(std::time::Duration::ZERO, "admin").await.unwrap();
        assert!(!own.files().exists());
        assert_eq!(files.artifacts().unwrap().len(), 1, "those of the project are still there");
        other.run(&desk, Task::new("download")).await.unwrap();
        let own = other.files(&other.runs(1).await.unwrap()[0].run).await.unwrap();
        places.push(own.files());
    }
    assert!(places[0].starts_with(folder.path().join("other.db-files")) && places[0].exists());
    assert!(places[1].exists());
    drop(passing);
    assert!(!places[1].exists(), "what was in memory leaves nothing on the disk");
}
