//! Projects, opened by a program.

use std::time::Duration;

use adjutant::Code;
use adjutant::core::usage::Usage;
use adjutant::durable::{RunState, Wait};
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use futures::StreamExt;

#[tokio::test]
async fn a_projects_agent_is_run_by_its_name() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(
        folder.path().join("agents/desk.md"),
        "---\nmodel: offline\ntools: [calculator]\n---\nHelp.\n",
    )
    .unwrap();
    let adjutant = Adjutant::open(folder.path()).unwrap();
    assert_eq!(adjutant.choose(None).unwrap(), "desk");
    let reply = adjutant.run("desk", "What is 6 * 7?").await.unwrap();
    assert!(reply.text.contains("42"), "{reply}");
    assert!(folder.path().join(".adjutant/adjutant.db").exists());
}

#[tokio::test]
async fn a_broken_project_says_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(folder.path().join("agents/desk.md"), "---\nmodle: main\n---\nHelp.\n").unwrap();
    let error = Adjutant::open(folder.path()).unwrap_err();
    assert_eq!(error.code(), Code::ProjectInvalid);
    assert_eq!(Adjutant::open(folder.path().join("nowhere")).unwrap_err().code(), Code::FileUnreadable);
}

#[tokio::test]
async fn a_projects_budget_for_the_day_is_shared_by_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("adjutant.toml"), "[budget]\ntokens = 1000\n").unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(
        folder.path().join("agents/desk.md"),
        "---\nmodel: main\nmax_output_tokens: 100\n---\nHelp.\n",
    )
    .unwrap();
    let usage = Usage { input: 900, output: 100, ..Usage::default() };
    let model = Scripted::from_fn(move |_, _| Some(Turn::text("Dear.").with_usage(usage)));
    let project = Project::load(folder.path()).unwrap();
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    assert_eq!(adjutant.run("desk", "Do it.").await.unwrap().text, "Dear.");
    let error = adjutant.run("desk", "Again.").await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::RunBudget, "the project's budget for today is used up")
    );
    assert_eq!(adjutant.runs(10).await.unwrap().len(), 1);
}

#[tokio::test]
async fn runs_at_once_never_take_more_than_the_day_has() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("adjutant.toml"), "[budget]\ntokens = 350\n").unwrap();
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    std::fs::write(
        folder.path().join("agents/desk.md"),
        "---\nmodel: main\nmax_output_tokens: 100\n---\nHelp.\n",
    )
    .unwrap();
    let usage = Usage { input: 10, output: 90, ..Usage::default() };
    let model = Scripted::from_fn(move |_, _| {
        Some(Turn::text("Dear.").with_usage(usage).after(Duration::from_millis(30)))
    });
    let project = Project::load(folder.path()).unwrap();
    let adjutant = Adjutant::builder().project(project).model("main", model).build().unwrap();
    let runs = (0..8).map(|_| adjutant.run("desk", "Do it."));
    let replies = futures::future::join_all(runs).await;
    // Each may take a little over 100: two fit at once, a third waits for them, and a fourth has no room.
    let (answered, refused): (Vec<_>, Vec<_>) = replies.into_iter().partition(Result::is_ok);
    assert_eq!(answered.len(), 3);
    for error in refused.into_iter().filter_map(Result::err) {
        assert_eq!(
            (error.code(), error.message()),
            (Code::RunBudget, "the project's budget for today has no room for this call")
        );
    }
}

#[tokio::test]
async fn a_tool_that_is_taken_from_an_agents_file_stays_for_its_runs() {
    let folder = tempfile::tempdir().unwrap();
    let write = |front: &str| {
        let text = format!("---\nmodel: main\n{front}---\nHelp.\n");
        std::fs::write(folder.path().join("agents/desk.md"), text).unwrap();
    };
    let open = || {
        let calls = Turn::calls([("calculate", serde_json::json!({ "expression": "6 * 7" }))]);
        let model = Scripted::new([calls, Turn::text("42").expecting_last("42")]);
        let project = Project::load(folder.path()).unwrap();
        Adjutant::builder().project(project).model("main", model).build().unwrap()
    };
    std::fs::create_dir(folder.path().join("agents")).unwrap();
    write("tools: [calculator]\napprove: [calculate]\n");
    let adjutant = open();
    let run = adjutant.start("desk", "What is 6 * 7?").await.unwrap();
    let mut updates = run.drive();
    while updates.next().await.unwrap().unwrap() != Update::State(RunState::Waiting) {}
    updates.stop().await.unwrap();
    let waits = run.waits().await.unwrap();
    let [Wait::Signal { name, .. }, ..] = waits.as_slice() else { panic!("it waits for {waits:?}") };
    let (id, name) = (run.id().clone(), name.clone());
    drop((run, adjutant));
    write("");
    let adjutant = open();
    let run = adjutant.handle(&id);
    run.approve(&name).await.unwrap();
    assert_eq!(run.reply().await.unwrap().text, "42");
}

/// Counts the letters of a word.
#[tool(pure)]
async fn letters(word: String) -> Result<u64, ToolError> {
    Ok(word.chars().count() as u64)
}

#[tokio::test]
async fn a_file_names_functions_of_the_program() {
    let folder = crate::workflows::folder(
        "steps: [{ tool: letters, arguments: { word: '= input' } }, { value: '= last + 1' }]\n",
    );
    let errors = Project::load(folder.path()).unwrap_err();
    assert!(errors[0].to_string().contains("letters"), "{errors:?}");
    let project = Project::with_tool(letters).load(folder.path()).unwrap();
    let adjutant = Adjutant::builder().project(project).model("main", Offline::new()).build().unwrap();
    assert_eq!(adjutant.run("flow", "bells").await.unwrap().text, "6");
    // A name stands for one thing.
    let command =
        "[tools.letters]\ntype = \"command\"\ncommand = [\"true\"]\neffect = \"pure\"\ndescription = \"x\"\n";
    std::fs::write(folder.path().join("adjutant.toml"), command).unwrap();
    let errors = Project::with_tool(letters).load(folder.path()).unwrap_err();
    assert!(errors.iter().any(|error| error.message().contains("brings a tool `letters`")), "{errors:?}");
}
