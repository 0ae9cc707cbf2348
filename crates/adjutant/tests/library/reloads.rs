//! A project that changes while its runs go on.

use std::path::Path;
use std::time::Duration;

use adjutant::core::usage::Usage;
use adjutant::durable::{RunState, Wait};
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, Reloaded, Watcher};
use serde_json::json;
use tokio_util::sync::CancellationToken;

fn write(folder: &Path, name: &str, text: &str) {
    let path = folder.join(name);
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

fn agent(folder: &Path, name: &str, front: &str, prompt: &str) {
    write(folder, &format!("agents/{name}.md"), &format!("---\nmodel: main\n{front}\n---\n{prompt}\n"));
}

/// Says its prompt; asks for a call where it is told to.
fn telling(request: &Request, _: usize) -> Option<Turn> {
    let last = request.messages.last()?;
    let prompt = request.messages.first()?.text();
    Some(match last.text().as_str() {
        "Count" if last.results().next().is_none() => {
            Turn::calls([("calculate", json!({"expression": "6 * 7"}))])
        }
        _ => Turn::text(&prompt),
    })
}

fn open(folder: &Path) -> Adjutant {
    let project = Project::load(folder).unwrap();
    Adjutant::builder().project(project).model("main", Scripted::from_fn(telling)).build().unwrap()
}

async fn waits(run: &Run) {
    while run.info().await.unwrap().state != RunState::Waiting {
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn signal(run: &Run) -> String {
    let waits = run.waits().await.unwrap();
    let mut names = waits.into_iter().filter_map(|wait| match wait {
        Wait::Signal { name, .. } => Some(name),
        _ => None,
    });
    names.next().unwrap()
}

#[tokio::test]
async fn what_begins_has_the_new_files_and_what_is_under_way_the_old_ones() {
    let folder = tempfile::tempdir().unwrap();
    agent(folder.path(), "desk", "tools: [calculator]\napprove: [calculate]", "One");
    agent(folder.path(), "gone", "description: Helps.", "Gone");
    let adjutant = open(folder.path());
    let acme = adjutant.of_tenant("acme").unwrap();
    let stop = CancellationToken::new();
    let serving = [&adjutant, &acme].map(|one| {
        tokio::spawn({
            let (one, stop) = (one.clone(), stop.clone());
            async move { one.serve(stop).await }
        })
    });
    let (one, other) =
        (adjutant.start("desk", "Count").await.unwrap(), acme.start("desk", "Count").await.unwrap());
    waits(&one).await;
    waits(&other).await;

    agent(folder.path(), "desk", "tools: [calculator]", "Two");
    agent(folder.path(), "new", "description: Helps.", "New");
    std::fs::remove_file(folder.path().join("agents/gone.md")).unwrap();
    let reloaded = adjutant.reload_files().await.unwrap();
    let names = |name: &str| vec![name.to_owned()];
    assert_eq!(reloaded, Reloaded { added: names("new"), changed: names("desk"), removed: names("gone") });
    for tenant in [&adjutant, &acme] {
        assert!(tenant.run("desk", "Hello").await.unwrap().text.starts_with("Two"));
        assert!(tenant.run("new", "Hello").await.unwrap().text.starts_with("New"));
        assert_eq!(tenant.start("gone", "Hello").await.err().unwrap().code(), Code::NotFound);
    }
    for run in [one, other] {
        let signal = signal(&run).await;
        run.approve(&signal).await.unwrap();
        assert!(run.reply().await.unwrap().text.starts_with("One"), "a run keeps what it began with");
    }
    stop.cancel();
    for served in serving {
        served.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_changes_nothing_and_all_of_it_is_told() {
    let folder = tempfile::tempdir().unwrap();
    agent(folder.path(), "desk", "description: Helps.", "One");
    let adjutant = open(folder.path());
    agent(folder.path(), "desk", "modle: x\nstep: 3", "Two");
    write(folder.path(), "adjutant.toml", "[sotre]\npath = \"x\"\n");
    let errors = adjutant.reload_files().await.unwrap_err();
    assert_eq!(errors.len(), 3, "{errors:?}");
    assert!(adjutant.run("desk", "Hello").await.unwrap().text.starts_with("One"));

    agent(folder.path(), "desk", "description: Helps.", "Two");
    let settings = "[project]\nname = \"other\"\ntenant = \"other\"\n[store]\npath = \"x.db\"\n[sandbox]\nwork = \"w\"\n";
    write(folder.path(), "adjutant.toml", settings);
    let errors = adjutant.reload_files().await.unwrap_err();
    let told: Vec<_> =
        errors.iter().map(|error| error.message().split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(told, ["`project.name`", "`project.tenant`", "`store.path`", "`sandbox.work`"]);
    assert!(adjutant.run("desk", "Hello").await.unwrap().text.starts_with("One"));
    let elsewhere = tempfile::tempdir().unwrap();
    agent(elsewhere.path(), "desk", "description: Helps.", "Two");
    assert!(adjutant.reload(Project::load(elsewhere.path()).unwrap()).await.is_err());
}

#[tokio::test]
async fn what_runs_under_way_need_must_stay_for_every_tenant() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "adjutant.toml", "[tools.papers]\ntype = \"files\"\nroot = \"agents\"\n");
    agent(folder.path(), "desk", "tools: [papers, calculator]", "One");
    let adjutant = open(folder.path());
    let id = adjutant.of_tenant("acme").unwrap().start("desk", "Hello").await.unwrap().id().clone();
    // Nobody holds the tenant any more, and its run is still there.
    write(folder.path(), "adjutant.toml", "");
    agent(folder.path(), "desk", "description: x", "Two");
    let errors = adjutant.reload_files().await.unwrap_err();
    assert!(errors[0].message().contains(id.as_str()), "{errors:?}");
    let acme = adjutant.of_tenant("acme").unwrap();
    acme.handle(&id).cancel("over").await.unwrap();
    acme.handle(&id).reply().await.unwrap_err();
    adjutant.reload_files().await.unwrap();

    write(folder.path(), "adjutant.toml", "[tools.papers]\ntype = \"files\"\nroot = \"agents\"\n");
    agent(folder.path(), "desk", "tools: [papers]", "One");
    adjutant.reload_files().await.unwrap();
    let run = acme.start("desk", "Hello").await.unwrap();
    write(folder.path(), "adjutant.toml", "");
    agent(folder.path(), "desk", "description: x", "Two");
    let errors = adjutant.reload_files().await.unwrap_err();
    assert_eq!(errors.len(), 1, "{errors:?}");
    assert!(errors[0].message().contains(run.id().as_str()), "{}", errors[0]);
    assert!(acme.start("desk", "Hello").await.unwrap().reply().await.unwrap().text.starts_with("One"));
    run.reply().await.unwrap();
    adjutant.reload_files().await.unwrap();
    assert!(acme.run("desk", "Hello").await.unwrap().text.starts_with("Two"));
}

#[tokio::test]
async fn the_budget_of_the_day_may_be_raised() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "adjutant.toml", "[budget]\ntokens = 1000\n");
    agent(folder.path(), "desk", "max_output_tokens: 100", "One");
    let usage = Usage { input: 900, output: 100, ..Usage::default() };
    let model = Scripted::from_fn(move |_, _| Some(Turn::text("Dear.").with_usage(usage)));
    let project = Project::load(folder.path()).unwrap();
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    adjutant.run("desk", "Hello").await.unwrap();
    assert_eq!(adjutant.run("desk", "Hello").await.unwrap_err().code(), Code::RunBudget);
    write(folder.path(), "adjutant.toml", "[budget]\ntokens = 5000\n");
    adjutant.reload_files().await.unwrap();
    adjutant.run("desk", "Hello").await.unwrap();
}

#[tokio::test]
async fn a_watcher_tells_of_files_that_say_something_else_once_they_stay() {
    let folder = tempfile::tempdir().unwrap();
    agent(folder.path(), "desk", "description: Helps.", "One");
    let project = Project::load(folder.path()).unwrap();
    let mut watcher = Watcher::new(&project);
    let mut told = |what: &str| {
        let changed: Vec<_> =
            watcher.look().iter().map(|path| path.file_name().unwrap().to_owned()).collect();
        assert_eq!(changed, what.split_whitespace().collect::<Vec<_>>(), "of `{what}`");
    };
    told("");
    agent(folder.path(), "desk", "description: Helps.", "One");
    told("");
    told("");
    agent(folder.path(), "desk", "description: Helps.", "Two");
    told("");
    // It is written on.
    agent(folder.path(), "desk", "description: Helps.", "Six");
    told("");
    told("desk.md");
    told("");
    write(folder.path(), "policies/a.cedar", "permit (principal, action, resource);");
    write(folder.path(), "adjutant.toml", "");
    write(folder.path(), "agents/.desk.md.swp", "x");
    write(folder.path(), ".adjutant/other.db", "x");
    told("");
    told("adjutant.toml a.cedar");
    std::fs::remove_file(folder.path().join("policies/a.cedar")).unwrap();
    told("");
    told("a.cedar");
    // What is brought back before anybody was told is no change.
    agent(folder.path(), "desk", "description: Helps.", "Two");
    told("");
    agent(folder.path(), "desk", "description: Helps.", "Six");
    told("");
    told("");
    assert!(project.again().is_ok());
}
