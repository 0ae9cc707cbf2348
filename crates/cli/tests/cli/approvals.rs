//! Calls that wait for a person, and effects whose outcome nobody knows.

use crate::sandbox::{Sandbox, sees};

/// A project whose agent files a note by a program, and asks a person before.
fn project(script: &str, effect: &str, approve: bool) -> Sandbox {
    let approve = if approve { "approve: [note]" } else { "" };
    let sandbox = Sandbox::with_agent(&format!("tools: [note]\n{approve}"));
    sandbox.program("note", &format!("#!/bin/sh\necho \"$ADJUTANT_IDEMPOTENCY_KEY\" >> filed\n{script}\n"));
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"./note\"]\n\
             effect = \"{effect}\"\n[tools.note.parameters]\ntext = \"What to note.\"\n"
        ),
    );
    sandbox
}

const ASK: [&str; 2] = ["run", "Please file a note: \"buy milk\""];

#[test]
fn a_call_waits_for_a_person() {
    let sandbox = project("echo '{\"filed\": true}'", "at_most_once", true);
    sees!(sandbox.run(&ASK), @r#"
    exit 3
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    run [run] waits for a person
      to allow note {"text":"\"buy milk\""} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    "#);
    assert!(!sandbox.path("filed").exists());
    sees!(sandbox.run(&["runs"]), @r#"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  desk  waiting  [moment]  [time]  Please file a note: "buy milk"
    "#);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, waiting, began [moment], took [time]
    Please file a note: "buy milk"
      turn#0
        model#0  offline, [time], 62 tokens in, 17 out, 0 USD
        call#0/approve:turn0.call0#0  note {"text":"\"buy milk\""} (the agent's definition asks fo..., open
    62 tokens in, 17 out, 0 USD, [time]
    --- stderr
    run [run] waits for a person
      to allow note {"text":"\"buy milk\""} (the agent's definition asks for it)
        adjutant runs approve [run]
        adjutant runs approve [run] --deny --reason "..."
    "#);
    // The beginning of an id is enough.
    sees!(sandbox.run(&["runs", "approve", &run[..6]]), @r#"
    exit 0
    --- stdout
    **`note`, text `"buy milk"`**: filed: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool note {"text":"\"buy milk\""}
      -> note: 14 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 201 tokens, 0 USD, [time]
    "#);
    assert_eq!(sandbox.read("filed").lines().count(), 1);
    sees!(sandbox.run(&["runs", "approve", &run]), @"
    exit 1
    --- stderr
    error[conflict]: nothing in the run `[run]` waits for an approval
    ");
}

#[test]
fn a_call_is_refused_with_a_reason() {
    let sandbox = project("echo '{\"filed\": true}'", "at_most_once", true);
    sandbox.run(&ASK);
    sees!(sandbox.run(&["runs", "approve", &sandbox.newest(), "--deny", "--reason", "no milk today"]), @r#"
    exit 0
    --- stdout
    `note` failed: tool-denied: a person refused the call: no milk today hint: do not try the same again; find another way or ask

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool note {"text":"\"buy milk\""}
      -> note failed: tool-denied: a person refused the call: no milk today...
    run [run]: answered after 2 turns, 1 tool call, 245 tokens, 0 USD, [time]
    "#);
    assert!(!sandbox.path("filed").exists());
}

#[test]
fn an_answer_may_be_recorded_for_later() {
    let sandbox = project("echo '{\"filed\": true}'", "at_most_once", true);
    sandbox.run(&ASK);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "approve", &run, "--later"]), @"
    exit 0
    --- stderr
    run [run]: allowed
    ");
    assert!(!sandbox.path("filed").exists());
    sees!(sandbox.run(&["runs", "resume"]), @r#"
    exit 0
    --- stdout
    **`note`, text `"buy milk"`**: filed: true

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run] (desk)
    tool note {"text":"\"buy milk\""}
      -> note: 14 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 201 tokens, 0 USD, [time]
    "#);
    assert_eq!(sandbox.read("filed").lines().count(), 1);
}

#[test]
fn an_unknown_outcome_waits_for_a_person() {
    let sandbox = project("kill -9 $$", "at_most_once", false);
    sees!(sandbox.run(&ASK), @r#"
    exit 3
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool note {"text":"\"buy milk\""}
    run [run] waits for a person
      to say what came of effect note {"call":"offline_1","name":"note","arguments":{"text":"\"buy milk\""}}
        (`note` was killed by signal 9; it may have done its work before)
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --happened '{"result": ...}'
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --retry
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --abort
    "#);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, waiting, began [moment], took [time]
    Please file a note: "buy milk"
      turn#0
        model#0  offline, [time], 62 tokens in, 17 out, 0 USD
        call#0/note#0  {"text":"\"buy milk\""}, outcome unknown: `note` was killed by signal 9; it may have done its work before
    62 tokens in, 17 out, 0 USD, [time]
    --- stderr
    run [run] waits for a person
      to say what came of effect note {"call":"offline_1","name":"note","arguments":{"text":"\"buy milk\""}}
        (`note` was killed by signal 9; it may have done its work before)
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --happened '{"result": ...}'
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --retry
        adjutant runs resolve [run] /turn#0/call#0/note#0 --attempt 1 --abort
    "#);
    sees!(sandbox.run(&["runs", "resolve", &run, "model#0", "--retry"]), @"
    exit 1
    --- stderr
    error[conflict]: the outcome of the step `/turn#0/model#0` is not in question

    hint: the outcome of `/turn#0/call#0/note#0` (attempt 1) is not known
    ");
    sees!(sandbox.run(&["runs", "resolve", &run, "note#0"]), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <--happened <JSON>|--retry|--abort>

    Usage: adjutant runs resolve <--happened <JSON>|--retry|--abort> <RUN> <STEP>

    For more information, try '--help'.
    ");
    sees!(sandbox.run(&["runs", "resolve", &run, "note#0", "--happened", "oops"]), @r#"
    exit 2
    --- stderr
    error: invalid value 'oops' for '--happened <JSON>': not JSON: expected value at line 1 column 1; a text needs quotes: '"text"'

    For more information, try '--help'.
    "#);
    sees!(sandbox.run(&["runs", "resolve", &run, "note#0", "--happened", "{\"filed\": \"by hand\"}"]), @r#"
    exit 0
    --- stdout
    **`note`, text `"buy milk"`**: filed: by hand

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool note {"text":"\"buy milk\""}
      -> note: 19 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 202 tokens, 0 USD, [time]
    "#);
    assert_eq!(sandbox.read("filed").lines().count(), 1);
}

#[test]
fn an_unknown_outcome_is_tried_again_under_the_same_key() {
    let sandbox = project("test $(wc -l < filed) -gt 1 || kill -9 $$; echo done", "at_most_once", false);
    sandbox.run(&ASK);
    sees!(sandbox.run(&["runs", "resolve", &sandbox.newest(), "note#0", "--retry"]), @r#"
    exit 0
    --- stdout
    **`note`, text `"buy milk"`**: done

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool note {"text":"\"buy milk\""}
      -> note: 4 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 196 tokens, 0 USD, [time]
    "#);
    let filed = sandbox.read("filed");
    let keys: Vec<&str> = filed.lines().collect();
    assert_eq!(keys.len(), 2);
    assert_eq!(keys[0], keys[1]);
}

#[test]
fn an_unknown_outcome_is_given_up() {
    let sandbox = project("kill -9 $$", "at_most_once", false);
    sandbox.run(&ASK);
    sees!(sandbox.run(&["runs", "resolve", &sandbox.newest(), "note#0", "--abort"]), @r#"
    exit 130
    --- stderr
    tool note {"text":"\"buy milk\""}
    cancelled: the outcome of step `/turn#0/call#0/note#0` is not known, and the run was aborted for it
    error[run-cancelled]: cancelled: the outcome of step `/turn#0/call#0/note#0` is not known, and the run was aborted for it
    "#);
}

#[test]
fn a_run_that_waits_is_cancelled_to_its_end() {
    let sandbox = project("echo '{\"filed\": true}'", "at_most_once", true);
    sandbox.run(&ASK);
    let first = sandbox.newest();
    sees!(sandbox.run(&["runs", "cancel", &first, "--later"]), @"
    exit 0
    --- stderr
    run [run]: told to stop
    ");
    let shown = sandbox.run(&["runs", "show", &first]);
    assert!(!shown.contains("waits for a person"), "{shown}");
    sandbox.run(&ASK);
    let second = sandbox.newest();
    // The first is over as cancelled, which keeps the second from nothing.
    let resumed = sandbox.run(&["runs", "resume", "--all"]);
    assert!(resumed.starts_with("exit 130"), "{resumed}");
    assert!(resumed.contains("error[run-cancelled]"), "{resumed}");
    assert!(resumed.contains("to allow note"), "{resumed}");
    sees!(sandbox.run(&["runs", "cancel", &second]), @"
    exit 0
    --- stderr
    run [run]: cancelled, and over
    ");
    let runs = sandbox.json(&["runs"]);
    assert!(runs.as_array().unwrap().iter().all(|run| run["state"] == "ended"), "{runs}");
    assert!(!sandbox.path("filed").exists());
}

#[test]
fn a_run_is_cancelled_wherever_it_stands() {
    let sandbox = project("kill -9 $$", "at_most_once", false);
    sandbox.run(&ASK);
    sees!(sandbox.run(&["runs", "cancel", &sandbox.newest()]), @r#"
    exit 0
    --- stderr
    it stays unknown what came of effect note {"call":"offline_1","name":"note","arguments":{"text":"\"buy milk\""}}
      (`note` was killed by signal 9; it may have done its work before)
    run [run]: cancelled, and over
    "#);
    let sandbox = project("true", "at_most_once", true);
    sandbox.run(&ASK);
    let run = sandbox.newest();
    sandbox.run(&["runs", "pause", &run]);
    sandbox.run(&["runs", "cancel", &run]);
    assert_eq!(sandbox.json(&["runs"])[0]["state"], "ended");
}
