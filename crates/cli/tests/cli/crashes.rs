//! Runs whose process dies, is interrupted, or is told to stop by another.

use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use crate::sandbox::{Sandbox, sees};

/// A project whose one tool waits until a file `go` is there.
fn project(effect: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [wait]");
    sandbox.program(
        "wait",
        "#!/bin/sh\necho \"$ADJUTANT_IDEMPOTENCY_KEY\" >> begun\nwhile ! test -e go; do sleep 0.02; done\necho '{\"waited\": true}'\n",
    );
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[tools.wait]\ntype = \"command\"\ndescription = \"Waits for the weather.\"\ncommand = [\"./wait\"]\n\
             effect = \"{effect}\"\ntimeout = \"60s\"\nparameters = {{}}\n"
        ),
    );
    sandbox
}

/// Starts a run, and returns when its tool has begun.
fn begin(sandbox: &Sandbox) -> Child {
    begin_with(sandbox, &[])
}

/// The same with further arguments.
fn begin_with(sandbox: &Sandbox, more: &[&str]) -> Child {
    let mut command = sandbox.command(&[&["run", "Wait for the weather!"], more].concat());
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the tool begins", || sandbox.path("begun").exists());
    child
}

/// Waits for something that will happen.
fn until(what: &str, happened: impl Fn() -> bool) {
    let patience = Instant::now() + Duration::from_secs(20);
    while !happened() {
        assert!(Instant::now() < patience, "waited in vain until {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn interrupt(child: &Child) {
    let killed = std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
}

#[test]
fn a_killed_run_goes_on() {
    let sandbox = project("idempotent");
    let mut child = begin(&sandbox);
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.write("go", "");
    sees!(sandbox.run(&["runs", "resume"]), @"
    exit 0
    --- stdout
    **`wait`**: waited: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool wait {}
      -> wait: 15 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 156 tokens, 0 USD, [time]
    ");
    let begun = sandbox.read("begun");
    let keys: Vec<&str> = begun.lines().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

/// How the runs stand, the oldest first.
fn states(sandbox: &Sandbox) -> Vec<String> {
    let listed = sandbox.json(&["runs", "list"]);
    let runs = listed.as_array().cloned().unwrap_or_default();
    runs.iter().rev().map(|run| run["state"].as_str().unwrap_or_default().to_owned()).collect()
}

#[test]
fn a_turn_is_interrupted_by_another_process() {
    let sandbox = project("idempotent");
    let mut first = begin_with(&sandbox, &["--session", "s"]);
    let refused = sandbox.output(&["run", "Hello", "--session", "s", "--when-busy", "reject"]);
    assert!(String::from_utf8_lossy(&refused.stderr).contains("error[conflict]"), "{refused:?}");
    assert_eq!(states(&sandbox), ["running"]);
    let second = sandbox.output(&["run", "Hello", "--session", "s", "--when-busy", "interrupt"]);
    assert!(second.status.success(), "{second:?}");
    assert_eq!(first.wait().unwrap().code(), Some(130));
    assert_eq!(states(&sandbox), ["ended", "ended"]);
}

#[test]
fn whoever_is_killed_one_order_of_turns_stands() {
    let sandbox = project("idempotent");
    let mut first = begin_with(&sandbox, &["--session", "s"]);
    // Its cancellation and the turn that it makes way for are on disk together; then both processes are gone.
    let talk = ["run", "Hello", "--session", "s", "--when-busy", "roll-back"];
    let mut second = sandbox.command(&talk).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    until("the second is recorded", || states(&sandbox).len() == 2);
    second.kill().unwrap();
    first.kill().unwrap();
    second.wait().unwrap();
    first.wait().unwrap();
    let third = sandbox.output(&["run", "Good day", "--session", "s"]);
    assert!(third.status.success(), "{third:?}");
    assert_eq!(states(&sandbox), ["ended", "ended", "ended"]);
    let listed = sandbox.json(&["runs", "list"]);
    let outcomes: Vec<bool> =
        listed.as_array().unwrap().iter().rev().map(|run| run["outcome"]["Err"].is_null()).collect();
    assert_eq!(outcomes, [false, true, true], "{listed}");
    assert_eq!(listed[1]["takes_back"], serde_json::json!([listed[2]["run"]]));
}

#[cfg(target_os = "linux")]
#[test]
fn a_run_goes_on_that_a_full_disk_ended() {
    use rustix::process::{Pid, Resource, Rlimit, getrlimit, prlimit};
    let sandbox = project("idempotent");
    // The program must not be killed by the signal that goes with a limit on the size of files.
    let mut command = sandbox.shell("trap '' XFSZ; exec $ADJUTANT run 'Wait for the weather!'");
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    until("the tool begins", || sandbox.path("begun").exists());
    let full = Rlimit { current: Some(0), ..getrlimit(Resource::Fsize) };
    prlimit(Some(Pid::from_child(&child)), Resource::Fsize, full).unwrap();
    sandbox.write("go", "");
    sees!(sandbox.seen(&child.wait_with_output().unwrap()), @"
    exit 1
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool wait {}
    run [run] is recorded
      to go on:  adjutant runs resume [run]
      to end it: adjutant runs cancel [run]
    error[store-full]: the disk does not take the data
    cause: disk I/O error
    cause: Error code 778: disk I/O error

    hint: check the disk and its space; everything that was acknowledged is safe
    ");
    sees!(sandbox.run(&["runs", "resume"]), @"
    exit 0
    --- stdout
    **`wait`**: waited: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool wait {}
      -> wait: 15 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 156 tokens, 0 USD, [time]
    ");
    let begun = sandbox.read("begun");
    let keys: Vec<&str> = begun.lines().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn a_killed_effect_that_must_not_happen_twice_waits_for_a_person() {
    let sandbox = project("at_most_once");
    let mut child = begin(&sandbox);
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.write("go", "");
    sees!(sandbox.run(&["runs", "resume"]), @r#"
    exit 3
    --- stderr
    run [run] (desk)
    tool wait {}
    run [run] waits for a person
      to say what came of effect wait {"call":"offline_1","name":"wait","arguments":{}}
        (the process ended while the call was under way)
        adjutant runs resolve [run] /turn#0/call#0/wait#0 --attempt 1 --happened '{"result": ...}'
        adjutant runs resolve [run] /turn#0/call#0/wait#0 --attempt 1 --retry
        adjutant runs resolve [run] /turn#0/call#0/wait#0 --attempt 1 --abort
    "#);
    assert_eq!(sandbox.read("begun").lines().count(), 1);
}

#[test]
fn an_interrupted_run_is_recorded() {
    let sandbox = project("idempotent");
    let child = begin(&sandbox);
    interrupt(&child);
    sees!(sandbox.seen(&child.wait_with_output().unwrap()), @"
    exit 130
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool wait {}
    run [run] is recorded
      to go on:  adjutant runs resume [run]
      to end it: adjutant runs cancel [run]
    ");
    sandbox.write("go", "");
    sees!(sandbox.run(&["runs", "resume", "--all"]), @"
    exit 0
    --- stdout
    **`wait`**: waited: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool wait {}
      -> wait: 15 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 156 tokens, 0 USD, [time]
    ");
}

#[test]
fn another_process_cancels_it() {
    let sandbox = project("idempotent");
    let child = begin(&sandbox);
    sees!(sandbox.run(&["runs", "cancel", &sandbox.newest(), "--reason", "too cold"]), @"
    exit 0
    --- stderr
    run [run]: cancelled, and over
    ");
    sees!(sandbox.seen(&child.wait_with_output().unwrap()), @"
    exit 130
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool wait {}
    cancelled: too cold
    error[run-cancelled]: cancelled: too cold
    ");
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  desk  ended  [moment]  [time]  Wait for the weather!  run-cancelled: cancelled: too cold
    ");
}

#[test]
fn another_process_pauses_it() {
    let sandbox = project("idempotent");
    let child = begin(&sandbox);
    let run = sandbox.newest();
    let records = || sandbox.json(&["runs", "show", &run])["info"]["records"].clone();
    let before = records();
    sees!(sandbox.run(&["runs", "pause", &run]), @"
    exit 0
    --- stderr
    run [run]: told to pause
    ");
    until("the run hears of it", || records() != before);
    sandbox.write("go", "");
    sees!(sandbox.seen(&child.wait_with_output().unwrap()), @"
    exit 3
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool wait {}
    paused: paused from the command line
      -> wait: 15 B, [time]
    run [run] is paused; `adjutant runs resume [run]` lets it go on
    ");
    sees!(sandbox.run(&["runs", "resume"]), @"
    exit 0
    --- stdout
    **`wait`**: waited: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool wait {}
    paused: paused from the command line
      -> wait: 15 B, [time]
    resumed
    run [run]: answered after 2 turns, 1 tool call, 156 tokens, 0 USD, [time]
    ");
}

#[test]
fn a_tool_that_changed_halts_the_run_and_says_how() {
    let sandbox = project("idempotent");
    let mut child = begin(&sandbox);
    child.kill().unwrap();
    child.wait().unwrap();
    sandbox.write("go", "");
    let settings = sandbox.read("adjutant.toml");
    sandbox.write("adjutant.toml", &settings.replace("idempotent", "at_most_once"));
    sees!(sandbox.run(&["runs", "resume"]), @"
    exit 1
    --- stderr
    run [run] (desk)
    tool wait {}
    halted: the tool `wait` is not as it was when the run was started: it was `idempotent` and is `at_most_once`
    error[run-definition-missing]: the tool `wait` is not as it was when the run was started: it was `idempotent` and is `at_most_once`

    hint: bring the tool back as it was, then resume the run, or start the run anew
    to go on: adjutant runs resume [run]
    ");
    sandbox.write("adjutant.toml", &settings);
    sees!(sandbox.run(&["runs", "resume"]), @"
    exit 0
    --- stdout
    **`wait`**: waited: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool wait {}
    halted: the tool `wait` is not as it was when the run was started: it was `idempotent` and is `at_most_once`
    resumed
      -> wait: 15 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 156 tokens, 0 USD, [time]
    ");
}
