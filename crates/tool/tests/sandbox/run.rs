//! What a sandboxed script can do.

use std::io::Read;
use std::path::Path;

use adjutant_core::Code;
use adjutant_core::tool::Effect;
use adjutant_tool::builtin::script::{Config, Language, script};
use adjutant_tool::command::{self, CommandTool};
use adjutant_tool::sandbox::{Isolation, Sandbox};
use adjutant_tool::skill::{Content, File, Skill, Skills};
use adjutant_tool::{Failure, Resources, Tool};
use serde_json::json;

use super::{Place, context, heard, read};

#[tokio::test]
async fn a_script_runs_and_its_files_stay_for_the_session() {
    let Some(place) = Place::new() else { return };
    let text = place.shell("echo hello; pwd; echo data > kept; whoami; id -u; hostname").await.unwrap();
    let note = "[new file `kept`, application/octet-stream, 5 bytes]";
    assert_eq!(text, format!("hello\n/session\nsandbox\n65534\nsandbox\n{note}"));
    assert_eq!(place.python("print(open('kept').read(), end='')").await.unwrap(), "data");
    let folder = place.folder("one");
    let artifacts = folder.artifacts().unwrap();
    assert_eq!(artifacts.len(), 1);
    let mut content = String::new();
    folder.open(&artifacts[0].path).unwrap().read_to_string(&mut content).unwrap();
    assert_eq!(content, "data\n");
}

#[tokio::test]
async fn a_failure_says_why() {
    let Some(place) = Place::new() else { return };
    assert_eq!(heard(place.shell("echo it broke >&2; exit 3").await), "`shell` exited with 3: it broke");
    let traceback = heard(place.python("import json\njson.loads('{')").await);
    assert!(traceback.contains("line 2") && traceback.contains("JSONDecodeError"), "{traceback}");
}

#[tokio::test]
async fn processes_and_threads_of_python_work() {
    let Some(place) = Place::new() else { return };
    let text = "from concurrent.futures import ProcessPoolExecutor as P, ThreadPoolExecutor as T\n\
                with P(2) as p, T(4) as t: print(sum(p.map(abs, [-1, 2])) + sum(t.map(abs, [3, -4])))";
    assert_eq!(place.python(text).await.unwrap(), "10");
}

#[tokio::test]
async fn what_the_configuration_lists_can_be_read_and_no_more() {
    let Some(mut place) = Place::new() else { return };
    let data = place.path().join("data");
    std::fs::create_dir(&data).unwrap();
    std::fs::write(data.join("table.csv"), "a,b\n").unwrap();
    std::fs::write(place.path().join("beside"), "secret").unwrap();
    place.config.read = vec![data.clone()];
    let script = format!(
        "cat {0}/table.csv; echo x > {0}/new || echo refused; cat {0}/../beside || echo no",
        data.display()
    );
    assert_eq!(place.shell(&script).await.unwrap(), "a,b\nrefused\nno");
    assert!(!data.join("new").exists());
    let about = place.tool(Language::Shell).spec().description.clone();
    assert!(about.contains(&data.display().to_string()), "{about}");
}

#[tokio::test]
async fn the_folders_of_sessions_stay_out_of_a_readable_project() {
    let Some(mut place) = Place::new() else { return };
    place.run(Language::Shell, "other", "echo private > note").await.unwrap();
    std::fs::create_dir_all(place.path().join("store")).unwrap();
    std::fs::write(place.path().join("store/runs.db"), "runs").unwrap();
    place.config.read = vec![place.path().to_owned()];
    place.config.hidden = vec![place.path().join("store")];
    // The root of the tests' folder lies in `/tmp`, which a sandbox has of its own; a folder below it may be shown.
    let script = format!("ls {0}; find {0} -type f; touch {0}/'work'/x {0}/store/x", place.path().display());
    let said = heard(place.shell(&format!("{script} && echo written; exit 1")).await);
    assert!(said.contains("Read-only") && !said.contains("note") && !said.contains("runs.db"), "{said}");
}

#[tokio::test]
async fn a_command_tool_runs_in_a_sandbox_with_its_own_program() {
    use std::os::unix::fs::PermissionsExt;
    let Some(place) = Place::new() else { return };
    let program = place.path().join("count");
    std::fs::write(
        &program,
        "#!/bin/sh\nread line; echo \"{\\\"got\\\": $line, \\\"where\\\": \\\"$PWD\\\"}\"\n",
    )
    .unwrap();
    std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o755)).unwrap();
    let mut config = command::Config::new("count", vec![program.display().to_string()], Effect::Pure);
    config.description = "Counts.".to_owned();
    config.sandbox = Some(place.config.clone());
    let output = CommandTool::new(config).unwrap().call(json!({"n": 1}), context("one")).await.unwrap();
    assert_eq!(output.data.unwrap(), json!({"got": {"n": 1}, "where": "/session"}));
}

#[tokio::test]
async fn unsafe_runs_in_the_folder_without_a_sandbox() {
    let work = tempfile::tempdir().unwrap();
    let mut sandbox = adjutant_tool::sandbox::Config::new(work.path().join("work"));
    sandbox.isolation = Isolation::Unsafe;
    let tool = script(Config::new(Language::Shell, sandbox)).unwrap();
    assert!(!tool.spec().description.contains("sandbox"));
    let output = tool.call(json!({"script": "echo x > kept; ls"}), context("one")).await.unwrap();
    assert_eq!(read(&output), "kept\n[new file `kept`, application/octet-stream, 2 bytes]");
}

#[tokio::test]
async fn a_sandbox_that_cannot_be_made_runs_nothing() {
    let Some(mut place) = Place::new() else { return };
    place.config.read = vec!["/no/such/folder".into()];
    let outcome = place.shell("echo ran").await;
    let Err(Failure::Run(error)) = outcome else { panic!("{outcome:?}") };
    assert_eq!(error.code(), Code::SandboxUnavailable);
    assert!(error.message().contains("/no/such/folder"), "{error}");
}

#[test]
fn what_every_sandbox_has_cannot_be_covered() {
    for path in ["/", "/tmp", "/proc/1", "/session/x", "/dev"] {
        let mut config = adjutant_tool::sandbox::Config::new("/w");
        config.read = vec![Path::new(path).to_owned()];
        assert_eq!(Sandbox::new(config).unwrap_err().code(), Code::ToolInvalid, "{path}");
    }
}

/// A skill with one script, which anybody may run.
fn charts(script: &str) -> Resources {
    let file =
        File { path: "scripts/draw.sh".into(), content: Content::Text(script.into()), executable: true };
    Resources::new().with(Skills::new([Skill {
        name: "charts".into(),
        description: "Draws charts.".into(),
        body: "Run `scripts/draw.sh`.".into(),
        allowed_tools: Vec::new(),
        license: None,
        compatibility: None,
        metadata: Default::default(),
        files: vec![file],
    }]))
}

#[tokio::test]
async fn a_script_finds_the_skills_of_its_agent_and_cannot_change_them() {
    let Some(place) = Place::new() else { return };
    let call = |resources: Resources, text: &str| {
        let arguments = json!({ "script": text });
        place.tool(Language::Shell).call(arguments, context("one").with_resources(&resources))
    };
    let run = "\"$ADJUTANT_SKILLS/charts/scripts/draw.sh\"; echo $ADJUTANT_SKILLS";
    let output = call(charts("#!/bin/sh\necho drawn"), run).await.unwrap();
    assert_eq!(output.as_text().trim(), "drawn\n/skills");
    // Another version of the skill is another folder: a run that has the first keeps it.
    let output = call(charts("#!/bin/sh\necho drawn anew"), run).await.unwrap();
    assert_eq!(output.as_text().trim(), "drawn anew\n/skills");
    let change = "cd /skills/charts; echo x > scripts/draw.sh; rm -f SKILL.md; touch new; mv scripts gone; cat SKILL.md";
    let output = call(charts("#!/bin/sh\necho drawn"), change).await.unwrap();
    assert_eq!(output.as_text().trim(), "Run `scripts/draw.sh`.");
    let output = call(charts("#!/bin/sh\necho drawn"), run).await.unwrap();
    assert_eq!(output.as_text().trim(), "drawn\n/skills");
    // An agent without skills sees none.
    let output = call(Resources::new(), "ls /skills; echo \"[$ADJUTANT_SKILLS]\"").await.unwrap();
    assert_eq!(output.as_text().trim(), "[]");
}

#[tokio::test]
async fn without_a_sandbox_a_script_finds_the_skills_too() {
    let work = tempfile::tempdir().unwrap();
    let mut sandbox = adjutant_tool::sandbox::Config::new(work.path().join("work"));
    sandbox.isolation = Isolation::Unsafe;
    let tool = script(Config::new(Language::Shell, sandbox)).unwrap();
    let arguments = json!({ "script": "\"$ADJUTANT_SKILLS/charts/scripts/draw.sh\"" });
    let context = context("one").with_resources(&charts("#!/bin/sh\necho drawn"));
    assert_eq!(tool.call(arguments, context).await.unwrap().as_text().trim(), "drawn");
}
