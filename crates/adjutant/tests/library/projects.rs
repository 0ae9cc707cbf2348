//! Projects, opened by a program.

use adjutant::Code;
use adjutant::core::usage::Usage;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;

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
