//! Skills and tool search of projects as people write them.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;

use adjutant::Adjutant;
use adjutant::project::{Environment, Project, read_skill};
use adjutant_core::Error;
use tempfile::TempDir;

const SKILL: &str =
    "---\nname: refunds\ndescription: How refunds work. Use it for money back.\n---\nFind the order first.\n";
const AGENT: &str = "---\nmodel: offline\nskills: [refunds]\n---\nHelp.\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn load(folder: &Path) -> Result<Project, Vec<Error>> {
    Project::load_with(folder, [("X", "x")].into_iter().collect::<Environment>())
}

/// What is wrong with the project in a folder, without the folder's own name.
fn faults(folder: &Path) -> Vec<String> {
    let shown = format!("{}/", folder.display());
    let line = |error: &Error| format!("{error} | {}", error.help().unwrap_or_default()).replace(&shown, "");
    load(folder).err().unwrap_or_default().iter().map(line).collect()
}

#[tokio::test]
async fn an_agent_has_the_skills_that_it_names() {
    let folder = folder(&[
        ("skills/refunds/SKILL.md", SKILL),
        ("skills/refunds/references/rules.md", "Thirty days."),
        ("skills/refunds/.DS_Store", "x"),
        ("skills/README.md", "These are our skills."),
        ("agents/desk.md", AGENT),
        ("agents/other.md", "---\nmodel: offline\n---\nHelp.\n"),
    ]);
    let project = load(folder.path()).unwrap();
    let desk = project.definition("desk").unwrap();
    assert_eq!(
        desk.skills[0].files.iter().map(|file| file.path.as_str()).collect::<Vec<_>>(),
        ["references/rules.md"]
    );
    assert!(desk.tool("load_skill").is_some());
    assert!(project.definition("other").unwrap().skills.is_empty());
    // It runs, and another file of the skill is another agent.
    let before = desk.digest().unwrap();
    std::fs::write(folder.path().join("skills/refunds/references/rules.md"), "Sixty days.").unwrap();
    let project = load(folder.path()).unwrap();
    assert_ne!(project.definition("desk").unwrap().digest().unwrap(), before);
    let adjutant = Adjutant::builder().project(project).in_memory().build().unwrap();
    assert!(!adjutant.run("desk", "Hello.").await.unwrap().text.is_empty());
}

#[test]
fn what_is_wrong_with_skills_is_told_at_once() {
    let folder = folder(&[
        ("skills/refunds/SKILL.md", "---\nname: refund\nx: 1\n---\nText\n"),
        ("skills/empty/notes.txt", "x"),
        ("agents/desk.md", "---\nmodel: offline\nskills: [refunds, refnds, nowhere, refunds]\n---\nHelp.\n"),
    ]);
    assert_eq!(
        faults(folder.path()),
        [
            "skills/empty: the skill has no `SKILL.md` | write it, with a name, a description and instructions, or move the folder away",
            "skills/refunds/SKILL.md:2:1: `description` is missing | say what the skill does and when to use it: models choose it by that",
            "skills/refunds/SKILL.md:2:7: the skill is called `refund`, and its folder `refunds` | give both the same name",
            "skills/refunds/SKILL.md:3:1: unknown key `x` | known here are `allowed-tools`, `compatibility`, `description`, `license`, `metadata`, `name`",
            "agents/desk.md:3:19: there is no skill `refnds` | did you mean `refunds`?",
            "agents/desk.md:3:27: there is no skill `nowhere` | write it: `skills/NAME/SKILL.md`, with a name, a description and instructions",
            "agents/desk.md:3:36: `skills` names `refunds` twice | ",
        ]
    );
}

#[cfg(unix)]
#[test]
fn links_pipes_and_giants_are_refused() {
    use std::os::unix::fs::symlink;
    let check = |make: &dyn Fn(&Path), expected: &str| {
        let folder =
            folder(&[("secret", "s3cret"), ("skills/refunds/SKILL.md", SKILL), ("agents/desk.md", AGENT)]);
        make(&folder.path().join("skills/refunds"));
        let found = faults(folder.path());
        assert!(found.iter().any(|fault| fault.contains(expected)), "{expected}: {found:#?}");
        assert!(!found.iter().any(|fault| fault.contains("s3cret")));
    };
    check(
        &|skill| symlink("../../secret", skill.join("link.md")).unwrap(),
        "skills/refunds/link.md: this is a link",
    );
    check(&|skill| symlink("/etc", skill.join("etc")).unwrap(), "skills/refunds/etc: this is a link");
    check(
        &|skill| {
            std::fs::rename(skill.join("SKILL.md"), skill.join("../../moved.md")).unwrap();
            symlink("../../moved.md", skill.join("SKILL.md")).unwrap();
        },
        "skills/refunds/SKILL.md: this is a link",
    );
    check(
        &|skill| std::fs::write(skill.join("big.bin"), vec![0; (1 << 20) + 1]).unwrap(),
        "big.bin: a file of a skill has at most",
    );
    check(
        &|skill| {
            (0..5).for_each(|n| std::fs::write(skill.join(format!("{n}.bin")), vec![0; 1 << 20]).unwrap());
        },
        "the files of a skill have at most 4194304 bytes together",
    );
    check(
        &|skill| (0..300).for_each(|n| std::fs::write(skill.join(format!("{n}")), "").unwrap()),
        "at most 256 files",
    );
    check(
        &|skill| std::fs::create_dir_all(skill.join("a/b/c/d/e/f/g/h/i")).unwrap(),
        "at most 8 folders in each other",
    );
    check(
        &|skill| {
            let made = std::process::Command::new("mkfifo").arg(skill.join("pipe")).status().unwrap();
            assert!(made.success());
        },
        "skills/refunds/pipe: this is no ordinary file",
    );
}

#[test]
fn a_skill_is_read_from_anywhere() {
    let folder = folder(&[("refunds/SKILL.md", SKILL), ("refunds/logo.png", "x")]);
    let skill = read_skill(folder.path().join("refunds")).unwrap();
    assert_eq!((skill.name.as_str(), skill.files.len()), ("refunds", 1));
    assert!(read_skill(folder.path().join("nowhere")).is_err());
}

const TOOLS: &str = "[tools.docs]\ntype = \"files\"\nroot = \".\"\nwrite = true\n";

#[test]
fn an_agent_searches_above_what_the_project_or_the_agent_says() {
    let searches = |toml: &str, agent: &str| {
        let agent = format!("---\nmodel: offline\ntools: [docs, time]\n{agent}\n---\nHelp.\n");
        let folder = folder(&[("adjutant.toml", &format!("{TOOLS}{toml}")), ("agents/desk.md", &agent)]);
        let project = load(folder.path()).unwrap_or_else(|errors| panic!("{errors:#?}"));
        project.definition("desk").unwrap().tool_search.clone()
    };
    assert_eq!(searches("", ""), None);
    assert_eq!(searches("[tool_search]\nabove = 6\n", ""), None);
    assert_eq!(searches("[tool_search]\nabove = 5\nresults = 3\n", "").unwrap().results, 3);
    assert_eq!(searches("[tool_search]\nabove = 5\n", "tool_search: { above: never }"), None);
    let found = searches("", "tool_search: { above: 0, results: 2, always: [docs, now] }").unwrap();
    assert_eq!((found.results, found.always.len()), (2, 6));
}

#[test]
fn what_is_wrong_with_tool_search_is_told() {
    let agent = "---\nmodel: offline\ntools: [docs]\ntool_search: { above: -1, always: [docs, tme], more: 1 }\n---\nHelp.\n";
    let toml = format!("{TOOLS}[tool_search]\nabove = \"nevr\"\nalways = [\"docs\"]\n");
    let folder = folder(&[("adjutant.toml", &toml), ("agents/desk.md", agent)]);
    let found = faults(folder.path());
    for expected in [
        "adjutant.toml:6:9: `tool_search.above` must be one of `never`, not",
        "adjutant.toml:7:1: unknown key `tool_search.always`",
        "agents/desk.md:4:23: `tool_search.above` must be a whole number from 0 to 1000000",
        "agents/desk.md:4:",
    ] {
        assert!(found.iter().any(|fault| fault.starts_with(expected)), "{expected}\n{found:#?}");
    }
}
