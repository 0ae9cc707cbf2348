//! Projects, opened by a program.

use adjutant::Code;
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
