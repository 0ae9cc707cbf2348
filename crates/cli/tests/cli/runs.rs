//! What can be done with runs.

use adjutant_testkit::provider::{Answer, MockProvider};

use crate::sandbox::{Sandbox, sees};

fn project() -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [calculator]");
    sandbox.write("adjutant.toml", "[tools.calculator]\ntype = \"calculator\"\n");
    sandbox
}

#[test]
fn a_run_is_shown_as_a_tree() {
    let sandbox = project();
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stderr
    there are no runs yet
    ");
    sandbox.run(&["run", "--user", "ann", "What is 6 * 7?"]);
    sees!(sandbox.run(&["runs", "list"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  desk  ended  [moment]  [time]  What is 6 * 7?  **`calculate`, expression `6 * 7`**: 42...
    ");
    for filter in [["--most", "0"], ["--state", "halted"]] {
        let seen = sandbox.run(&["runs", "list", filter[0], filter[1]]);
        assert!(seen.contains("no run matches"), "{seen}");
    }
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "show", &run]), @r#"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    What is 6 * 7?
      turn#0
        model#0  offline, [time], 128 tokens in, 18 out, 0 USD
        call#0/calculate#0  {"expression":"6 * 7"}, [time]
      turn#1/model#0  offline, [time], 158 tokens in, 27 out, 0 USD
    286 tokens in, 45 out, 0 USD, [time]
    **`calculate`, expression `6 * 7`**: 42...
    "#);
    sees!(sandbox.run(&["runs", "show", &run, "--follow"]), @r#"
    exit 0
    --- stdout
    **`calculate`, expression `6 * 7`**: 42

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    tool calculate {"expression":"6 * 7"}
      -> calculate: 2 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 331 tokens, 0 USD, [time]
    "#);
    let shown = sandbox.json(&["runs", "show", &run]);
    assert_eq!(shown["info"]["user"], "ann");
    assert!(shown["summary"]["steps"].as_array().unwrap().len() >= 3, "{shown}");
}

#[test]
fn events_are_lines_of_json() {
    let sandbox = project();
    sandbox.run(&["run", "What is 6 * 7?"]);
    let output = sandbox.output(&["runs", "show", &sandbox.newest(), "--follow", "--json"]);
    let lines: Vec<serde_json::Value> = String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert!(lines.first().unwrap()["kind"]["started"].is_object(), "{lines:?}");
    assert!(lines.last().unwrap()["kind"]["ended"].is_object(), "{lines:?}");
}

#[test]
fn a_fork_goes_another_way() {
    let sandbox = project();
    sandbox.run(&["run", "What is 6 * 7?"]);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "fork", &run, "--from", "/turn#1/model#0", "--edit", "/turn#0/call#0/calculate#0={\"result\": \"43\"}"]), @r#"
    exit 0
    --- stdout
    **`calculate`, expression `6 * 7`**: result: 43

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run]
    tool calculate {"expression":"6 * 7"}
      -> calculate: 15 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 336 tokens, 0 USD, [time]
    "#);
    sees!(sandbox.run(&["runs", "show", &sandbox.newest()]), @r#"
    exit 0
    --- stdout
    run [run] desk, ended, began [moment], took [time]
    What is 6 * 7?
    forked from the run [run] before its record 8
      turn#0
        model#0  offline, [time], 128 tokens in, 18 out, 0 USD
        call#0/calculate#0  {"expression":"6 * 7"}, [time]
      turn#1/model#0  offline, [time], 161 tokens in, 29 out, 0 USD
    289 tokens in, 47 out, 0 USD, [time]
    **`calculate`, expression `6 * 7`**: result: 43...
    "#);
    // A scope stands for its first step.
    for scope in ["turn#1", "/turn#1"] {
        sandbox.run(&["runs", "fork", &run, "--from", scope, "--later"]);
        let shown = sandbox.run(&["runs", "show", &sandbox.newest()]);
        assert!(shown.contains("forked from the run [run] before its record 8"), "{shown}");
    }
    sees!(sandbox.run(&["runs", "fork", &run, "--from", "nothing#0"]), @"
    exit 2
    --- stderr
    error[not-found]: the run `[run]` has no step `nothing#0`

    hint: `adjutant runs show [run]` lists its steps
    ");
    sees!(sandbox.run(&["runs", "fork", &run, "--from", "model#0"]), @"
    exit 2
    --- stderr
    error[input-invalid]: several steps end with `model#0`

    hint: type more of it: `/turn#0/model#0` or `/turn#1/model#0`, for example
    ");
    sees!(sandbox.run(&["runs", "fork", &run, "--from", "/turn#1/model#0", "--edit", "x=oops"]), @r#"
    exit 2
    --- stderr
    error: invalid value 'x=oops' for '--edit <STEP=JSON>': not JSON: expected value at line 1 column 1; a text needs quotes: 'x="text"'

    For more information, try '--help'.
    "#);
}

#[test]
fn a_run_that_is_over_stays_so() {
    let sandbox = project();
    sandbox.run(&["run", "What is 6 * 7?"]);
    let run = sandbox.newest();
    sees!(sandbox.run(&["runs", "resume", &run]), @"
    exit 1
    --- stderr
    error[conflict]: the run `[run]` is over

    hint: `adjutant runs show [run]` shows what it did
    ");
    sees!(sandbox.run(&["runs", "cancel", &run]), @"
    exit 1
    --- stderr
    error[conflict]: the run `[run]` is over and cannot be cancelled
    ");
    sees!(sandbox.run(&["runs", "pause", &run]), @"
    exit 1
    --- stderr
    error[conflict]: the run `[run]` is over and cannot be paused
    ");
    sees!(sandbox.run(&["runs", "approve", &run]), @"
    exit 1
    --- stderr
    error[conflict]: nothing in the run `[run]` waits for an approval
    ");
    sees!(sandbox.run(&["runs", "resolve", &run, "calculate#0", "--retry"]), @"
    exit 1
    --- stderr
    error[conflict]: the outcome of the step `/turn#0/call#0/calculate#0` is not in question

    hint: no step of this run has an unknown outcome
    ");
    sees!(sandbox.run(&["runs", "resume", "--all"]), @"
    exit 0
    --- stderr
    every run is over
    ");
}

#[test]
fn runs_are_forgotten() {
    let sandbox = project();
    sandbox.run(&["run", "--user", "ann", "What is 6 * 7?"]);
    sandbox.run(&["run", "--user", "bob", "What is 2 + 2?"]);
    sees!(sandbox.run(&["runs", "erase", "--user", "ann"]), @"
    exit 0
    --- stderr
    1 run gone
    ");
    sees!(sandbox.run(&["runs", "erase", "--user", "ann"]), @"
    exit 0
    --- stderr
    there are no runs of `ann`
    ");
    assert_eq!(sandbox.json(&["runs"]).as_array().unwrap().len(), 1);
    sees!(sandbox.run(&["runs", "prune", "--older-than", "1d"]), @"
    exit 0
    --- stderr
    0 runs gone
    ");
    sees!(sandbox.run(&["runs", "prune", "--older-than", "0s"]), @"
    exit 0
    --- stderr
    1 run gone
    ");
    assert_eq!(sandbox.json(&["runs"]).as_array().unwrap().len(), 0);
    sees!(sandbox.run(&["runs", "prune", "--older-than", "soon"]), @"
    exit 2
    --- stderr
    error: invalid value 'soon' for '--older-than <DURATION>': write it as `12h`, `30d` or `1d 12h`

    For more information, try '--help'.
    ");
}

#[test]
fn runs_are_shown_and_ended_whatever_is_wrong_with_the_project() {
    let sandbox = Sandbox::with_agent("tools: [note]\napprove: [note]");
    let toml = "[tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"echo\"]\n\
                effect = \"at_most_once\"\nparameters = {}\n";
    sandbox.write("adjutant.toml", toml);
    sandbox.run(&["run", "File a note!"]);
    let run = sandbox.newest();
    sandbox.write("adjutant.toml", "[modles.main]\n").write("agents/other.md", "no front matter\n");
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stdout
    run  agent  state  began  took  session  title  outcome
    [run]  desk  waiting  [moment]  [time]  File a note!
    --- stderr
    warning: the project has 3 faults, which `adjutant check` tells; its runs are there all the same
    ");
    let seen = sandbox.run(&["runs", "show", &run]);
    assert!(seen.starts_with("exit 0") && seen.contains("to allow note"), "{seen}");
    let seen = sandbox.run(&["runs", "resume", &run]);
    assert!(seen.starts_with("exit 2") && seen.contains("unknown key `modles`"), "{seen}");
    sees!(sandbox.run(&["runs", "cancel", &run]), @"
    exit 0
    --- stderr
    warning: the project has 3 faults, which `adjutant check` tells; its runs are there all the same
    run [run]: cancelled, and over
    ");
}

#[test]
fn a_fork_takes_no_answer_that_does_not_fit() {
    let sandbox = project();
    sandbox.run(&["run", "What is 6 * 7?"]);
    let run = sandbox.newest();
    let fork = |answer: &str| {
        sandbox.run(&[
            "runs",
            "fork",
            &run,
            "--from",
            "/turn#1/model#0",
            "--edit",
            &format!("/turn#0/model#0={answer}"),
        ])
    };
    sees!(fork("7"), @"
    exit 2
    --- stderr
    error[input-invalid]: the step `/turn#0/model#0` cannot have this answer: this is not the answer of a model: the JSON has another shape than expected: invalid type: integer `7`, expected an object

    hint: give a text, or the whole recorded answer with its changes
    ");
    sees!(fork(r#"{"response": {"message": {"role": "assistant", "parts": [{"text": 7}]}}}"#), @"
    exit 2
    --- stderr
    error[input-invalid]: the step `/turn#0/model#0` cannot have this answer: this is not the answer of a model: the JSON has another shape than expected at `response.message.parts[0]`: missing field `type`

    hint: give a text, or the whole recorded answer with its changes
    ");
    assert_eq!(sandbox.json(&["runs"]).as_array().unwrap().len(), 1, "no fork was made");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_was_sent_is_shown_without_it() {
    let provider = MockProvider::answering([Answer::text("Hello.")]).start().await.unwrap();
    let sandbox = Sandbox::with_agent("");
    let toml = format!(
        "[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{}\"\n\n[budget]\nmoney = \"5 USD\"\n",
        provider.base_url()
    );
    sandbox.write("adjutant.toml", &toml);
    let seen = sandbox.run(&["run", "Hi"]);
    assert!(
        seen.contains("warning: what `openai/mock` costs is not known, so no budget in money holds"),
        "{seen}"
    );
    sandbox.write("adjutant.toml", "");
    let seen = sandbox.run(&["runs", "show", &sandbox.newest(), "--requests"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    assert!(seen.contains("note: the key for the model `openai/mock` is missing"), "{seen}");
    assert!(seen.contains("You help."), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_not_understood_of_an_answer_is_named() {
    let chunk = |more: serde_json::Value| {
        let mut chunk = serde_json::json!({"id": "x", "choices": [{"delta": {"content": "Hello."}, "finish_reason": "stop"}]});
        chunk.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        chunk
    };
    let answer = Answer::chunks([chunk(serde_json::json!({"mood": "good", "weather": 7}))]);
    let provider = MockProvider::answering([answer]).start().await.unwrap();
    let sandbox = Sandbox::with_agent("");
    let base_url = provider.base_url();
    sandbox.write(
        "adjutant.toml",
        &format!("[models.main]\nprovider = \"openai\"\nmodel = \"mock\"\nbase_url = \"{base_url}\"\n"),
    );
    sandbox.run(&["run", "Hi"]);
    let run = sandbox.newest();
    let seen = sandbox.run(&["runs", "show", &run]);
    assert!(seen.contains("\n    not understood: mood, weather\n"), "{seen}");
    let shown = sandbox.json(&["runs", "show", &run]);
    let model =
        shown["summary"]["steps"].as_array().unwrap().iter().find(|step| !step["usage"].is_null()).unwrap();
    assert_eq!(model["unknown"], serde_json::json!([{"mood": "good"}, {"weather": 7}]));
}
