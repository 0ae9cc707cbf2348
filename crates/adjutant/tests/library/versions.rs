//! Published versions, and which of them new runs get.

use std::path::Path;

use adjutant::Code;
use adjutant::durable::Share;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;

/// A folder with one agent, which has this prompt and these tools.
fn write(folder: &Path, prompt: &str, tools: &str) {
    std::fs::create_dir_all(folder.join("agents")).unwrap();
    let text = format!("---\nmodel: main\ntools: [{tools}]\n---\n{prompt}\n");
    std::fs::write(folder.join("agents/desk.md"), text).unwrap();
}

/// The project as it is now; its model says the prompt that it was given.
fn open(folder: &Path) -> Adjutant {
    let model = Scripted::from_fn(|request, _| {
        Some(Turn::text(&request.messages.first().map(|message| message.text()).unwrap_or_default()))
    });
    let project = Project::load(folder).unwrap();
    Adjutant::builder().project(project).model("main", model).build().unwrap()
}

async fn says(adjutant: &Adjutant, agent: &str) -> String {
    adjutant.run(agent, "Hello").await.unwrap().text
}

async fn publish(adjutant: &Adjutant, label: &str) -> String {
    let published = adjutant.versions().publish("desk", "ann").await.unwrap();
    let version = published.version.definition.to_string();
    adjutant.versions().label("desk", &version, label, "ann").await.unwrap();
    version
}

#[tokio::test]
async fn new_runs_use_what_is_stable_and_name_what_they_want() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "One", "");
    let adjutant = open(folder.path());
    let one = publish(&adjutant, "canary").await;
    write(folder.path(), "Two", "");
    let adjutant = open(folder.path());
    assert!(says(&adjutant, "desk").await.contains("Two"), "without `stable` the files hold");
    assert!(says(&adjutant, "desk@canary").await.contains("One"));
    publish(&adjutant, "stable").await;
    write(folder.path(), "Three", "");
    let adjutant = open(folder.path());
    let run = adjutant.start("desk", "Hello").await.unwrap();
    assert!(run.reply().await.unwrap().text.contains("Two"));
    let chosen = run.info().await.unwrap().version.unwrap();
    assert_eq!(chosen.label.as_deref(), Some("stable"));
    assert!(says(&adjutant, "desk@files").await.contains("Three"));
    assert!(says(&adjutant, &format!("desk@{}", &one[..8])).await.contains("One"));
    let error = adjutant.start("desk@canarry", "Hello").await.err().unwrap();
    assert_eq!((error.code(), error.help()), (Code::NotFound, Some("did you mean `desk@canary`?")));
    assert!(adjutant.versions().publish("desk@stable", "ann").await.is_err());
}

#[tokio::test]
async fn what_was_stable_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    for prompt in ["One", "Two"] {
        write(folder.path(), prompt, "");
        publish(&open(folder.path()), "stable").await;
    }
    let adjutant = open(folder.path());
    adjutant.versions().roll_back("desk", "bob").await.unwrap();
    assert!(says(&adjutant, "desk").await.contains("One"));
    let error = adjutant.versions().roll_back("desk", "bob").await.unwrap_err();
    assert_eq!(error.code(), Code::Conflict);
    // Two that were published, and three changes of a label.
    assert_eq!(adjutant.versions().log("desk").await.unwrap().len(), 5);
    adjutant.versions().unlabel("desk", "stable", "bob").await.unwrap();
    assert!(says(&adjutant, "desk").await.contains("Two"), "the files hold again");
}

#[tokio::test]
async fn a_conversation_stays_with_one_side_of_a_split() {
    let folder = tempfile::tempdir().unwrap();
    for (prompt, label) in [("One", "stable"), ("Two", "canary")] {
        write(folder.path(), prompt, "");
        publish(&open(folder.path()), label).await;
    }
    let adjutant = open(folder.path());
    let shares = ["stable", "canary"].map(|label| Share { label: label.into(), percent: 50 });
    adjutant.versions().split("desk", shares.to_vec(), "ann").await.unwrap();
    let mut seen = Vec::new();
    for number in 0..12 {
        let mut turns = Vec::new();
        for _ in 0..3 {
            let session = adjutant.session(format!("s{number}").as_str());
            let run = session.start("desk", "Hello").await.unwrap();
            turns.push(run.info().await.unwrap().version.unwrap());
        }
        assert!(turns.windows(2).all(|pair| pair[0] == pair[1]), "{turns:?}");
        seen.extend(turns.pop().unwrap().label);
    }
    assert!(seen.contains(&"stable".to_owned()) && seen.contains(&"canary".to_owned()), "{seen:?}");
}

#[tokio::test]
async fn a_version_whose_tool_is_gone_says_so_before_it_begins() {
    let folder = tempfile::tempdir().unwrap();
    let tool = "[tools.note]\ntype = \"command\"\ndescription = \"Notes.\"\ncommand = [\"true\"]\neffect = \"pure\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), tool).unwrap();
    write(folder.path(), "One", "note");
    publish(&open(folder.path()), "stable").await;
    std::fs::write(folder.path().join("adjutant.toml"), "").unwrap();
    write(folder.path(), "Two", "");
    let adjutant = open(folder.path());
    let error = adjutant.start("desk", "Hello").await.err().unwrap();
    assert_eq!(error.code(), Code::VersionUnusable);
    assert!(error.message().contains("`note`"), "{error}");
    assert!(adjutant.runs(10).await.unwrap().is_empty());
    let other = adjutant.start("desk", Task::new("Hello").model("other")).await.err().unwrap();
    assert_eq!(other.code(), Code::InputInvalid, "a version has its own model");
}

#[tokio::test]
async fn a_workflow_is_published_with_the_agents_that_it_asks() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "One", "");
    std::fs::create_dir(folder.path().join("workflows")).unwrap();
    let plan = "description: Asks the desk.\nsteps:\n  - agent: desk\n";
    std::fs::write(folder.path().join("workflows/ask.yaml"), plan).unwrap();
    let adjutant = open(folder.path());
    let published = adjutant.versions().publish("ask", "ann").await.unwrap();
    assert!(published.new && !adjutant.versions().publish("ask", "bob").await.unwrap().new);
    let version = published.version.definition.to_string();
    adjutant.versions().label("ask", &version, "stable", "ann").await.unwrap();
    write(folder.path(), "Two", "");
    let adjutant = open(folder.path());
    assert!(says(&adjutant, "ask").await.contains("One"));
    assert!(says(&adjutant, "ask@files").await.contains("Two"));
}

#[tokio::test]
async fn current_rules_hold_for_what_was_published_before_them() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), "One", "");
    let adjutant = open(folder.path());
    publish(&adjutant, "stable").await;
    std::fs::create_dir(folder.path().join("policies")).unwrap();
    let rule = "@id(\"closed\")\nforbid (principal, action, resource);\n";
    std::fs::write(folder.path().join("policies/closed.cedar"), rule).unwrap();
    let adjutant = open(folder.path());
    let run = adjutant.start("desk", "Hello").await.unwrap();
    assert!(run.info().await.unwrap().version.is_some());
    assert_eq!(run.reply().await.unwrap_err().code(), Code::RunDenied);
}
