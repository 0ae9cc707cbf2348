//! Tools that crash, hang, print too much or no JSON: called by hand, and in a run.

use crate::sandbox::{Sandbox, sandboxes, sees};

/// A project with one command tool `probe`, which is this shell script.
fn project(script: &str, settings: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [probe]");
    sandbox.program("probe", &format!("#!/bin/sh\n{script}\n"));
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[tools.probe]\ntype = \"command\"\ndescription = \"Probes the weather.\"\ncommand = [\"./probe\"]\n\
             effect = \"pure\"\nparameters = {{}}\n{settings}"
        ),
    );
    sandbox
}

#[test]
fn a_tool_answers() {
    let sandbox = project("echo looking >&2; echo '{\"sky\": \"blue\"}'", "");
    sees!(sandbox.run(&["tools", "call", "probe"]), @r#"
    exit 0
    --- stdout
    {"sky":"blue"}
    --- stderr
    answered after [time]
    "#);
    sees!(sandbox.run(&["tools", "list"]), @"
    exit 0
    --- stdout
    tool  effect  timeout  arguments  what it does
    probe  pure  1m  Probes the weather.
    ");
    sees!(sandbox.run(&["run", "Probe the weather!"]), @"
    exit 0
    --- stdout
    **`probe`**: sky: blue

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool probe {}
      -> probe: 14 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 152 tokens, 0 USD, [time]
    ");
}

#[test]
fn a_tool_says_how_far_it_is() {
    let sandbox = project("echo looking at the sky >&2; sleep 0.5; echo blue", "");
    for arguments in [["tools", "call", "probe"].as_slice(), &["run", "Probe the weather!"]] {
        let output = sandbox.output(arguments);
        assert!(
            String::from_utf8_lossy(&output.stderr).contains("     looking at the sky\n"),
            "{arguments:?}"
        );
    }
}

#[test]
fn what_is_typed_wrong_is_told_from_a_tool_that_fails() {
    let sandbox = project("echo 1", "");
    for arguments in [["probe", "{bad"], ["probe", "7"], ["prob", "{}"]] {
        let output = sandbox.output(&["tools", "call", arguments[0], arguments[1]]);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", sandbox.seen(&output));
    }
}

#[test]
fn a_tool_that_crashes() {
    let sandbox = project("echo 'out of paper' >&2; exit 7", "");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-failed]: `probe` exited with 7: out of paper
    ");
    sees!(sandbox.run(&["run", "Probe the weather!"]), @"
    exit 0
    --- stdout
    `probe` failed: tool-failed: `probe` exited with 7: out of paper

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool probe {}
      -> probe failed: tool-failed: `probe` exited with 7: out of paper
    run [run]: answered after 2 turns, 1 tool call, 170 tokens, 0 USD, [time]
    ");
}

#[test]
fn a_tool_that_is_killed() {
    let sandbox = project("kill -9 $$", "");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-broken]: `probe` was killed by signal 9
    ");
}

#[test]
fn a_tool_that_hangs() {
    let sandbox = project("sleep 600", "timeout = \"300ms\"\n");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-timeout]: `probe` was killed after [time]
    ");
    // The run's clock and the tool's own may be the first to say so.
    let seen = sandbox.run(&["run", "Probe the weather!"]);
    assert!(seen.contains("-> probe failed: tool-timeout: "), "{seen}");
}

#[test]
fn a_tool_that_prints_too_much() {
    let sandbox = project("head -c 100000000 /dev/zero | tr '\\0' x", "");
    let seen = sandbox.run(&["tools", "call", "probe"]);
    assert!(seen.len() < 2_000_000, "{} bytes were shown", seen.len());
    sees!(seen.lines().map(|line| line.chars().take(200).collect::<String>()).collect::<Vec<_>>().join("\n"), @"
    exit 0
    --- stdout
    xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
    [cut off: these are the first 65536 of 100000000 bytes]
    --- stderr
    answered after [time]
    ");
}

#[test]
fn a_tool_that_prints_no_json() {
    let sandbox = project("echo hello", "format = \"json\"\n");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-broken]: `probe` printed no JSON but `hello`
    ");
}

#[test]
fn a_tool_that_is_not_there() {
    let sandbox = project("", "");
    std::fs::remove_file(sandbox.path("probe")).unwrap();
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-broken]: the command `[folder]/./probe` cannot be started
    cause: No such file or directory (os error 2)
    ");
    sees!(sandbox.run(&["tools", "call", "prob"]), @"
    exit 2
    --- stderr
    error[tool-unknown]: there is no tool `prob`

    hint: the tools are `probe`
    ");
    sees!(sandbox.run(&["doctor"]), @"
    exit 1
    --- stdout
    ok  version: 0.1.0
    ok  project: [folder]
    ok  agents: desk
    note  model main: offline
             hint: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    missing  tool probe: the program `[folder]/./probe` is not there
             hint: install it, or correct `command`
    ok  store: [folder]/.adjutant/adjutant.db, not made yet
    ");
}

#[test]
fn arguments_that_do_not_fit() {
    let sandbox = project("cat", "");
    sandbox.write(
        "adjutant.toml",
        "[tools.probe]\ntype = \"command\"\ndescription = \"Probes.\"\ncommand = [\"./probe\"]\neffect = \"pure\"\n\
         [tools.probe.parameters.place]\ntype = \"integer\"\ndescription = \"Where.\"\n",
    );
    sees!(sandbox.run(&["tools", "call", "probe", "{\"place\": \"here\"}"]), @r#"
    exit 2
    --- stderr
    error[tool-arguments]: the arguments of `probe` do not fit its schema: `/place`: value is not of type "integer"

    hint: the tool expects {place: integer}
    "#);
    sees!(sandbox.run(&["tools", "call", "probe", "{"]), @r#"
    exit 2
    --- stderr
    error[tool-arguments]: the arguments of `probe` do not fit its schema: "place" is missing

    hint: the tool expects {place: integer}
    "#);
    sees!(sandbox.run(&["tools", "call", "probe", "{\"place\": 7}"]), @r#"
    exit 0
    --- stdout
    {"place":7}
    --- stderr
    answered after [time]
    "#);
}

#[test]
fn what_a_tool_prints_does_not_steer_a_terminal() {
    let sandbox = project("printf 'a\\033[2Jb\\n' >&2; printf '\\033]0;title\\007' >&2; echo ok", "");
    let output = sandbox.output(&["tools", "call", "probe"]);
    assert!(!output.stderr.contains(&0x1b), "{}", sandbox.seen(&output));
}

#[test]
fn a_tool_that_is_busy_is_called_again() {
    let script = "echo $ADJUTANT_ATTEMPT $ADJUTANT_IDEMPOTENCY_KEY >> calls\ntest $(wc -l < calls) -gt 1 || { echo busy >&2; exit 75; }\n\
                  echo blue";
    let busy = "[tools.probe.exit_codes]\n75 = \"retry\"\n";
    let sandbox = project(script, busy);
    let seen = sandbox.run(&["run", "Probe the weather!"]);
    assert!(seen.contains("**`probe`**: blue"), "{seen}");
    let calls = sandbox.read("calls");
    let calls: Vec<_> = calls.lines().filter_map(|line| line.split_once(' ')).collect();
    assert_eq!((calls[0].0, calls[1].0, calls.len()), ("1", "2", 2), "{calls:?}");
    assert_eq!(calls[0].1, calls[1].1, "one call has one key");
    sandbox.write("calls", "");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-busy]: `probe` exited with 75: busy

    hint: the same call may work later
    ");

    // What may happen only once is not called again; the model hears it.
    let toml = sandbox.read("adjutant.toml").replace("\"pure\"", "\"at_most_once\"");
    sandbox.write("adjutant.toml", &toml).write("calls", "");
    let seen = sandbox.run(&["run", "Probe the weather!"]);
    assert!(seen.contains("-> probe failed: tool-busy: `probe` exited with 75: busy"), "{seen}");
    assert_eq!(sandbox.read("calls").lines().count(), 1);

    // Where it can be looked up, that comes first.
    let toml = toml.replace("\"at_most_once\"", "\"reconcile\"\nreconcile = [\"./lookup\"]");
    sandbox.program("lookup", "#!/bin/sh\ncat >> lookups\necho '{\"happened\": false}'\n");
    sandbox.write("adjutant.toml", &toml).write("calls", "");
    let seen = sandbox.run(&["run", "Probe the weather!"]);
    assert!(seen.contains("**`probe`**: blue"), "{seen}");
    assert_eq!((sandbox.read("calls").lines().count(), sandbox.read("lookups").lines().count()), (2, 1));
    let show = sandbox.json(&["runs", "show", &sandbox.newest()]);
    assert_eq!(show["info"]["state"], "ended", "{show}");
}

#[test]
fn a_tool_that_a_person_allows_is_not_called_unasked() {
    let sandbox = project("echo blue", "");
    sandbox.write("agents/desk.md", "---\nmodel: main\ntools: [probe]\napprove: [probe]\n---\nYou help.\n");
    sees!(sandbox.run(&["tools", "call", "probe"]), @"
    exit 1
    --- stderr
    error[tool-denied]: the agent `desk` asks a person before it calls `probe`

    hint: make the call at a terminal, or with `--yes`
    ");
    sees!(sandbox.run(&["tools", "call", "probe", "--yes"]), @"
    exit 0
    --- stdout
    blue
    --- stderr
    answered after [time]
    ");
}

#[test]
fn a_script_reaches_the_hosts_that_are_listed_and_no_others() {
    if !sandboxes() {
        return;
    }
    let server = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = server.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for mut stream in server.incoming().flatten() {
            use std::io::{Read as _, Write as _};
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello");
        }
    });
    let sandbox = Sandbox::new();
    let settings = format!("[sandbox]\nhosts = [\"localhost:{port}\"]\n[tools.python]\ntype = \"python\"\n");
    sandbox.write("adjutant.toml", &settings);
    let script = format!(
        "import urllib.request as u\nprint(u.urlopen('http://localhost:{port}/').read().decode())\n\
         try: u.urlopen('http://other.example/')\nexcept Exception as error: print(error)"
    );
    let arguments = serde_json::json!({ "script": script }).to_string();
    let seen = sandbox.run(&["tools", "call", "python", &arguments]);
    assert!(seen.contains("exit 0\n--- stdout\nhello\nHTTP Error 403: Forbidden"), "{seen}");
    assert!(seen.contains("refused a connection: `other.example:80` is not among the hosts"), "{seen}");

    let seen = sandbox.run(&["doctor"]);
    assert!(seen.contains("a proxy that lets 1 host pass"), "{seen}");
    assert!(seen.contains("landlock"), "{seen}");
}

#[test]
fn a_host_that_is_none_is_told_with_its_place() {
    let sandbox = Sandbox::new();
    sandbox.write("adjutant.toml", "[sandbox]\nhosts = [\"https://example.org\"]\n");
    sees!(sandbox.run(&["check"]), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `sandbox.hosts`: `https://example.org` is no host that a sandbox can reach
     --> adjutant.toml:2:10
      |
    2 | hosts = ["https://example.org"]
      |          ^

    hint: write `example.org`, `*.example.org`, `example.org:8443` or an address, `10.1.2.3:8080`
    "#);
}
