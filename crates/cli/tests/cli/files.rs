//! Files that tools leave, and `adjutant runs files`.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, sandboxes, sees};

/// A project whose tool runs a script in a sandbox.
fn project(script: &str) -> Option<Sandbox> {
    if !sandboxes() {
        return None;
    }
    let sandbox = Sandbox::with_agent("tools: [probe]");
    sandbox.program("probe", &format!("#!/bin/sh\n{script}\n"));
    sandbox.write(
        "adjutant.toml",
        "[tools.probe]\ntype = \"command\"\ndescription = \"Probes the weather.\"\ncommand = [\"./probe\"]\n\
         effect = \"idempotent\"\nsandbox = \"on\"\n",
    );
    Some(sandbox)
}

#[test]
fn what_a_tool_has_written_is_listed_and_given_out() {
    let Some(sandbox) =
        project("mkdir charts; printf '<svg/>' > charts/a.svg; printf 'PK\\003\\000' > b.zip; echo sunny")
    else {
        return;
    };
    sees!(sandbox.run(&["run", "Probe the weather!"]), @r#"
    exit 0
    --- stdout
    **`probe`**

    > [new file `b.zip`, application/zip, 4 bytes]
    > [new file `charts/a.svg`, image/svg+xml, 6 bytes]
    > sunny

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool probe {}
      -> probe: 100 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 198 tokens, 0 USD, [time]
    "#);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "files", &run]), @r#"
    exit 0
    --- stdout
    file  size  written  type
    b.zip  4 B  [moment]  application/zip
    charts/a.svg  6 B  [moment]  image/svg+xml
    "#);
    sees!(sandbox.run(&["runs", "files", &run, "charts/a.svg"]), @r#"
    exit 0
    --- stdout
    <svg/>
    "#);
    sees!(sandbox.run(&["runs", "files", &run, "b.zip", "--output", "out.zip"]), @r#"
    exit 0
    --- stderr
    4 B written to out.zip
    "#);
    assert_eq!(std::fs::read(sandbox.path("out.zip")).expect("the file"), b"PK\x03\x00");
    let listed = sandbox.json(&["runs", "files", &run]);
    assert_eq!(listed[0]["path"], "b.zip");
    assert_eq!(listed[1]["bytes"], 6);
    assert_eq!(listed[1]["media_type"], "image/svg+xml");
    assert_eq!(listed[1]["digest"].as_str().map(str::len), Some(64));
    assert!(listed[1]["modified"].as_i64().is_some_and(|at| at > 1_700_000_000_000));

    sees!(sandbox.run(&["runs", "files", &run, "nothing"]), @r#"
    exit 2
    --- stderr
    error[not-found]: there is no file `nothing`

    hint: `adjutant runs files [run]` lists what there is
    "#);
    sees!(sandbox.run(&["runs", "files", &run, "../../../../adjutant.toml"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: `../../../../adjutant.toml` leads outside of the folder

    hint: `adjutant runs files [run]` lists what there is
    "#);
    sees!(sandbox.run(&["runs", "files", &run, "charts"]), @r#"
    exit 2
    --- stderr
    error[input-invalid]: `charts` is no ordinary file

    hint: `adjutant runs files [run]` lists what there is
    "#);
    sees!(sandbox.run(&["runs", "files", &run, "b.zip", "--output", "no/such/folder"]), @r#"
    exit 1
    --- stderr
    error[file-unreadable]: `no/such/folder` cannot be written
    cause: No such file or directory (os error 2)
    "#);
    sees!(sandbox.run(&["runs", "prune", "--older-than", "0s"]), @r#"
    exit 0
    --- stderr
    1 run gone
    "#);
    sees!(sandbox.run(&["runs", "files", &run]), @r#"
    exit 2
    --- stderr
    error[not-found]: there is no run `[run]`

    hint: `adjutant runs` lists the runs of this project
    "#);
}

#[test]
fn links_and_devices_give_nothing_out() {
    let Some(sandbox) = project(
        "ln -s /etc/passwd link; ln -s ../../../../../../adjutant.toml up; mkfifo pipe; ln -s pipe soon; echo x > real; \
         ln -s real within; echo sunny",
    ) else {
        return;
    };
    sandbox.run(&["run", "Probe the weather!"]);
    let run = sandbox.newest();
    let listed = sandbox.json(&["runs", "files", &run]);
    let paths: Vec<_> = listed.as_array().expect("a list").iter().map(|file| file["path"].clone()).collect();
    assert_eq!(paths, ["real"]);
    for path in ["link", "up", "pipe", "soon", "/etc/passwd", "."] {
        let seen = sandbox.run(&["runs", "files", &run, path]);
        assert!(!seen.starts_with("exit 0") && !seen.contains("--- stdout"), "{path}: {seen}");
    }
    assert!(sandbox.run(&["runs", "files", &run, "within"]).contains("--- stdout\nx\n"));
}

#[test]
fn a_result_that_is_too_long_is_whole_in_a_file() {
    let sandbox = Sandbox::with_agent("tools: [probe, artifacts]");
    sandbox.program("probe", "#!/bin/sh\nseq 1 12000\n");
    sandbox.write(
        "adjutant.toml",
        "[tools.probe]\ntype = \"command\"\ndescription = \"Probes the weather.\"\ncommand = [\"./probe\"]\n\
         effect = \"pure\"\noutput_limit = 1000000\n",
    );
    sandbox.run(&["run", "Probe the weather!"]);
    let run = sandbox.newest();
    let listed = sandbox.json(&["runs", "files", &run]);
    let path = listed[0]["path"].as_str().expect("a file");
    assert!(path.starts_with("results/") && path.ends_with("-probe.txt"), "{path}");
    let given = sandbox.output(&["runs", "files", &run, path]);
    let lines = String::from_utf8(given.stdout).expect("text");
    assert_eq!(lines.lines().count(), 12_000);
    let shown = sandbox.run(&["runs", "show", &run, "--requests"]);
    assert!(shown.contains(&format!("the whole result is the file `{path}`")), "no reference");
    assert!(!shown.contains("8500\\n8501"), "all of it was sent");
}

#[test]
fn nothing_outlives_adjutant_itself_and_a_resumed_run_has_its_files() {
    let Some(sandbox) = project(
        "(setsid sh -c 'while :; do date >> alive; sleep 0.02; done' &) >/dev/null 2>&1\n\
         test -e second || { touch second; sleep 60; }\necho sunny > weather.txt; echo sunny",
    ) else {
        return;
    };
    // With a relay, which is no child of anybody's.
    let settings = sandbox.read("adjutant.toml").replace("\"on\"", "{ hosts = [\"example.org\"] }");
    sandbox.write("adjutant.toml", &settings);
    let mut child =
        sandbox.command(&["run", "Probe the weather!"]).stderr(Stdio::null()).spawn().expect("it starts");
    let work = sandbox.path(".adjutant/work/local/local");
    let alive = || {
        let folder = std::fs::read_dir(&work).ok()?.flatten().next()?.path();
        std::fs::metadata(folder.join("files/alive")).ok().map(|metadata| metadata.len())
    };
    let patience = Instant::now() + Duration::from_secs(20);
    while alive().is_none_or(|length| length < 100) {
        assert!(Instant::now() < patience, "the tool does not begin");
        std::thread::sleep(Duration::from_millis(10));
    }
    child.kill().expect("it is killed");
    child.wait().expect("it ends");
    std::thread::sleep(Duration::from_millis(300));
    let before = alive();
    std::thread::sleep(Duration::from_millis(300));
    assert_eq!(alive(), before, "something outlives the process");

    let seen = sandbox.run(&["runs", "resume"]);
    assert!(seen.contains("[new file `weather.txt`, text/plain, 6 bytes]"), "{seen}");
    let run = sandbox.newest();
    assert!(sandbox.run(&["runs", "files", &run, "weather.txt"]).contains("--- stdout\nsunny"));
}
