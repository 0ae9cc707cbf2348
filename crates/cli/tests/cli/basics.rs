//! A first project, a first answer, and what can be typed wrongly.

use std::process::Stdio;

use crate::sandbox::{Sandbox, sees};

#[test]
fn a_name_and_a_budget_have_something_in_them() {
    let sandbox = Sandbox::with_agent("");
    for (option, value, why) in [
        ("--id", "", "the name is empty"),
        ("--user", " ", "the name is empty"),
        ("--session", "", "the name is empty"),
        ("--budget", "0 USD", "with nothing to spend no model can be asked"),
    ] {
        let seen = sandbox.run(&["run", option, value, "Hi"]);
        assert!(seen.starts_with("exit 2"), "{seen}");
        assert!(seen.contains(&format!("invalid value '{value}' for '{option} <")), "{seen}");
        assert!(seen.contains(why), "{seen}");
    }
}

#[test]
fn a_new_project_answers_at_once() {
    let sandbox = Sandbox::new();
    sees!(sandbox.run(&["new", "first"]), @r#"
    exit 0
    --- stdout
    first/adjutant.toml
    first/agents/assistant.md
    first/policies/default.cedar
    first/policies/default.test.yaml
    first/documents/welcome.md
    first/.gitignore
    --- stderr

    Try it:
      adjutant run first "How do I give my agent a tool?"
    "#);
    sees!(sandbox.run(&["run", "first", "How do I give my agent a tool?"]), @r#"
    exit 0
    --- stdout
    **`welcome.md`, lines 6 to 9**

    > ## Giving the agent a tool
    > A tool is a table in `adjutant.toml` whose name stands in the agent's list of `tools`. Any program can be one: it reads
    > its arguments as JSON from standard input and writes its result to standard output.

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool search_files {"words":"agent tool"}
      -> search_files: 350 B, [time]
    tool read_file {"path":"welcome.md"}
      -> read_file: 757 B, [time]
    run [run]: answered after 3 turns, 2 tool calls, 2,313 tokens, 0 USD, [time]
    "#);
    sees!(sandbox.run(&["check", "first"]), @"
    exit 0
    --- stdout
    ok: 1 agent, 5 tools
    ");
}

#[test]
fn a_guarded_project_is_sound_and_answers() {
    let sandbox = Sandbox::new();
    let made = sandbox.run(&["new", "post", "--template", "guarded"]);
    assert!(made.starts_with("exit 0") && made.contains("post/letters/2026-11-20.md"), "{made}");
    let checked = sandbox.run(&["check", "post"]);
    assert!(checked.starts_with("exit 0") && !checked.contains("warning"), "{checked}");
    let tested = sandbox.run(&["policy", "test", "post"]);
    assert!(tested.starts_with("exit 0"), "{tested}");
    let answered = sandbox.run(&["run", "post", "How do I give my agent a tool?"]);
    assert!(answered.starts_with("exit 0") && answered.contains("Any program can be one"), "{answered}");
    let flow = sandbox.run(&["policy", "flow", "--project", "post"]);
    assert!(flow.contains("send_letter") && flow.contains("mail") && flow.contains("staff"), "{flow}");
}

#[test]
fn a_new_project_overwrites_nothing() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/assistant.md", "mine");
    sees!(sandbox.run(&["new"]), @"
    exit 1
    --- stderr
    error[conflict]: `./agents/assistant.md` is there already

    hint: nothing was changed; name another folder: `adjutant new FOLDER`
    ");
    assert_eq!(sandbox.read("agents/assistant.md"), "mine");
    assert!(!sandbox.path("adjutant.toml").exists());
}

#[test]
fn a_lone_file_is_an_agent() {
    let sandbox = Sandbox::new();
    sandbox.write("helper.md", "---\nmodel: offline\n---\nYou help.\n");
    sees!(sandbox.run(&["run", "helper.md", "Hello!"]), @"
    exit 0
    --- stdout
    I have no tools here, and without them I know nothing.

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 44 tokens, 0 USD, [time]
    ");
}

#[test]
fn the_question_may_come_from_a_pipe() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run_with_input(&["run", "-"], "Hello\nthere!\n"), @"
    exit 0
    --- stdout
    I have no tools here, and without them I know nothing.

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    run [run]: answered after 1 turn, 0 tool calls, 46 tokens, 0 USD, [time]
    ");
    sees!(sandbox.run_with_input(&["run", "-"], " \n"), @"
    exit 2
    --- stderr
    error[input-invalid]: the question is empty
    ");
}

#[test]
fn the_project_is_found_from_a_folder_within_it() {
    let sandbox = Sandbox::with_agent("");
    sandbox.write("adjutant.toml", "").write("deep/down/note.txt", "");
    let mut command = sandbox.command(&["check"]);
    command.current_dir(sandbox.path("deep/down"));
    sees!(sandbox.seen(&command.output().unwrap()), @"
    exit 0
    --- stdout
    ok: 1 agent, 0 tools
    ");
}

#[test]
fn json_is_one_object() {
    let sandbox = Sandbox::with_agent("");
    let run = sandbox.json(&["run", "Hello!"]);
    assert_eq!(run["state"], "ended");
    assert_eq!(run["agent"], "desk");
    assert_eq!(run["reply"]["stop"], "answered");
    assert!(run["reply"]["text"].as_str().unwrap().contains("offline"), "{run}");
    assert_eq!(run["error"], serde_json::Value::Null);
}

#[test]
fn a_task_with_a_name_happens_once() {
    let sandbox = Sandbox::with_agent("");
    let first = sandbox.json(&["run", "--id", "nightly", "Hello!"]);
    let second = sandbox.json(&["run", "--id", "nightly", "Hello!"]);
    assert_eq!(first["run"], second["run"]);
    assert_eq!(sandbox.json(&["runs"]).as_array().unwrap().len(), 1);
    sees!(sandbox.run(&["run", "--id", "nightly", "Something else"]), @"
    exit 1
    --- stderr
    error[conflict]: the id `nightly` was given to another task

    hint: it is the run `[run]`; use another id for another task
    ");
}

#[test]
fn what_is_typed_wrongly_is_said() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run(&["run"]), @"
    exit 2
    --- stderr
    error: the following required arguments were not provided:
      <QUESTION>...

    Usage: adjutant run [OPTIONS] [PROJECT] <QUESTION>

    For more information, try '--help'.
    ");
    sees!(sandbox.run(&["run", "nowhere", "Hello!"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no project `nowhere`

    hint: name a folder with an `adjutant.toml` or an `agents` folder, or an agent's Markdown file
    ");
    sees!(sandbox.run(&["run", "--agent", "dask", "Hello!"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no agent `dask`

    hint: did you mean `desk`?
    ");
    sees!(sandbox.run(&["run", "--budget", "5 EUR", "Hello!"]), @"
    exit 2
    --- stderr
    error: invalid value '5 EUR' for '--budget <MONEY>': `5 EUR` is not an amount of money: USD is the only currency; write it as `0.50 USD`

    For more information, try '--help'.
    ");
    sees!(sandbox.run(&["run", "--var", "x", "Hello!"]), @"
    exit 2
    --- stderr
    error: invalid value 'x' for '--var <NAME=VALUE>': write it as `name=value`

    For more information, try '--help'.
    ");
    sees!(sandbox.run(&["run", "--var", "x=1", "Hello!"]), @"
    exit 2
    --- stderr
    error[input-invalid]: the agent `desk` has no variable `x`

    hint: its prompt has no variables at all
    ");
    sees!(sandbox.run(&["run", "--model", "gpt", "Hello!"]), @"
    exit 2
    --- stderr
    error[model-unknown]: there is no model `gpt`

    hint: give the role a model in `adjutant.toml`: `[models.gpt]`, or write an id such as `openai/gpt-4.1-mini`
    ");
    sees!(sandbox.run(&["runs", "show", "zzz"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no run `zzz`

    hint: `adjutant runs` lists the runs of this project
    ");
    sees!(Sandbox::new().run(&["run", "Hello!"]), @"
    exit 2
    --- stderr
    error[not-found]: there is no project here: neither `adjutant.toml` nor `agents`, nor above

    hint: name one (`--project FOLDER`), or make one: `adjutant new FOLDER`
    ");
}

#[test]
fn a_reader_that_goes_away_is_no_error() {
    let sandbox = Sandbox::with_agent("");
    let output =
        sandbox.shell("$ADJUTANT --help | true; $ADJUTANT run 'Hello!' 2>/dev/null | true").output().unwrap();
    sees!(sandbox.seen(&output), @"exit 0");
}

#[test]
fn a_full_disk_behind_the_output_is_said() {
    if !std::path::Path::new("/dev/full").exists() {
        return;
    }
    let sandbox = Sandbox::with_agent("");
    let mut command = sandbox.command(&["models"]);
    let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).output().unwrap();
    sees!(sandbox.seen(&output), @"
    exit 1
    --- stderr
    error[file-unreadable]: the output cannot be written
    cause: No space left on device (os error 28)
    ");
}

#[test]
fn colour_is_for_terminals_and_on_demand() {
    let sandbox = Sandbox::with_agent("");
    let plain = sandbox.output(&["run", "--agent", "none", "Hello!"]);
    assert!(!plain.stderr.contains(&0x1b));
    let colored = sandbox.output(&["run", "--agent", "none", "--color", "always", "Hello!"]);
    assert!(colored.stderr.contains(&0x1b));
}

#[test]
fn with_json_every_error_is_an_object() {
    let sandbox = Sandbox::with_agent("");
    for (arguments, exit, code) in [
        (["run", "--agent", "nobody", "Hi"].as_slice(), 2, "not-found"),
        (&["run", "--project", "nowhere", "Hi"], 2, "not-found"),
        (&["run", "--budget", "0 USD", "Hi"], 2, "input-invalid"),
        (&["runs", "show"], 2, "input-invalid"),
        (&["tools", "call", "nothing"], 2, "tool-unknown"),
    ] {
        let output = sandbox.output(&[arguments, &["--json"]].concat());
        assert_eq!(output.status.code(), Some(exit), "{}", sandbox.seen(&output));
        let told: serde_json::Value = serde_json::from_slice(&output.stderr)
            .unwrap_or_else(|error| panic!("{error}: {}", sandbox.seen(&output)));
        assert_eq!(told["errors"][0]["code"], code, "{told}");
    }
    let help = sandbox.run(&["run", "--json", "--help"]);
    assert!(help.starts_with("exit 0\n--- stdout\nAsks an agent"), "{help}");
}
