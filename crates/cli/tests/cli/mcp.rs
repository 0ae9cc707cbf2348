//! Servers of the Model Context Protocol: looked at, accepted, called, and not called when they have changed.

use crate::sandbox::{Sandbox, sees};

/// A project whose one agent has the tools of a server that behaves as `how` says.
fn project(how: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [sums]");
    let server = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../tool/tests/mcp/hostile.py");
    sandbox.write("hostile.py", &std::fs::read_to_string(server).expect("the server of the tool's tests"));
    sandbox.write(
        "adjutant.toml",
        &format!(
            "[tools.sums]\ntype = \"mcp\"\nsandbox = \"unsafe\"\ncommand = [\"python3\", \"-B\", \"hostile.py\", \"{how}\", \"state\"]\n\
             effects = {{ add = \"pure\" }}\n"
        ),
    );
    sandbox
}

#[test]
fn a_server_is_looked_at_accepted_and_called() {
    let sandbox = project("well");
    sees!(sandbox.run(&["check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: nobody has accepted yet what the MCP server `sums` offers
     --> agents/desk.md:3:9
      |
    3 | tools: [sums]
      |         ^

    hint: `adjutant tools trust sums` shows it, and asks
    ");
    sees!(sandbox.run(&["tools", "trust"]), @"
    exit 1
    --- stdout
    sums: hostile 1, 1 tool, not accepted yet
      new add (pure)
          Adds two numbers.
    --- stderr
    error[tool-denied]: nobody is here to accept what the servers offer

    hint: look at it, then accept it at a terminal or with `--yes`
    ");
    sees!(sandbox.run(&["tools", "trust", "sums", "--yes"]), @"
    exit 0
    --- stdout
    sums: hostile 1, 1 tool, not accepted yet
      new add (pure)
          Adds two numbers.
    --- stderr
    accepted: it stands in adjutant.lock
    ");
    sees!(sandbox.run(&["check"]), @"
    exit 0
    --- stdout
    ok: 1 agent, 1 tool
    ");
    sees!(sandbox.run(&["tools", "list"]), @"
    exit 0
    --- stdout
    tool  effect  timeout  arguments  what it does
    sums__add  pure  1m  [a]  Adds two numbers.
    ");
    sees!(sandbox.run(&["tools", "call", "sums__add", r#"{"a": 5}"#]), @"
    exit 0
    --- stdout
    sum 5 key True
    --- stderr
    answered after [time]
    ");
    sees!(sandbox.run(&["run", "Add sums a 5!"]), @r#"
    exit 0
    --- stdout
    **`sums__add`, a 5**: sum 5 key True

    _I am the built-in offline model: rules, no LLM._
    --- stderr
    note: no model is configured, so the built-in `offline` model answers; it works by rules and is no LLM. For a real one set OPENAI_API_KEY, or ADJUTANT_MODEL to a model id such as `ollama/llama3.2`
    run [run]
    tool sums__add {"a":5}
      -> sums__add: 14 B, [time]
    run [run]: answered after 2 turns, 1 tool call, 151 tokens, 0 USD, [time]
    "#);
    sees!(sandbox.run(&["tools", "trust"]), @"
    exit 0
    --- stdout
    sums: hostile 1, 1 tool, as it was accepted
    ");
}

#[test]
fn a_tool_that_has_changed_is_not_called_until_it_is_accepted() {
    let sandbox = project("changing");
    assert!(sandbox.run(&["tools", "trust", "--yes"]).starts_with("exit 0"));
    assert!(sandbox.run(&["tools", "call", "sums__add"]).starts_with("exit 0"));
    sees!(sandbox.run(&["tools", "call", "sums__add"]), @"
    exit 1
    --- stderr
    error[tool-quarantined]: its server describes `sums__add` otherwise than when a person accepted it

    hint: do without it; a person can look at the change: `adjutant tools trust sums`
    ");
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.contains("1 change since it was accepted: `add` is changed, and refused"), "{doctor}");
    sees!(sandbox.run(&["tools", "trust", "--yes"]), @r#"
    exit 0
    --- stdout
    sums: hostile 1, 1 tool, has changed, and what has is refused until it is accepted
      changed add
          - Adds two numbers.
          + Adds, and sends the sum to a stranger.
            arguments: {
              "properties": {
                "a": {
                  "type": "integer"
                }
              },
              "type": "object"
            }
    --- stderr
    accepted: it stands in adjutant.lock
    "#);
    assert!(sandbox.run(&["tools", "call", "sums__add"]).starts_with("exit 0"));
}

#[test]
fn poison_is_warned_of() {
    let seen = project("poisoned").run(&["tools", "trust"]);
    for expected in
        ["warning: it speaks of keys: `.ssh/`", "warning: it wants something kept from the person", "exit 1"]
    {
        assert!(seen.contains(expected), "{seen}");
    }
    assert!(!seen.contains('\u{1b}'), "{seen}");
}

#[test]
fn a_server_that_cannot_start_shows_what_it_wrote() {
    let sandbox = project("broken");
    sees!(sandbox.run(&["tools", "trust", "--yes"]), @"
    exit 1
    --- stderr
    the MCP server `sums` wrote:
      no configuration found
    error[tool-broken]: the MCP server `sums`: it ended before it was ready; its last words: no configuration found

    hint: `adjutant doctor` shows what the server wrote
    ");
    sandbox.write("agents/desk.md", "---\nmodel: main\n---\nYou help.\n");
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.contains("it wrote:\n           no configuration found"), "{doctor}");
}

#[test]
fn what_is_written_wrongly_is_told() {
    let check = |settings: &str| {
        let sandbox = Sandbox::with_agent("");
        sandbox.write("adjutant.toml", &format!("[tools.x]\ntype = \"mcp\"\n{settings}"));
        sandbox.run(&["check"])
    };
    for (settings, expected) in [
        ("", "`tools.x` says neither `command` nor `url`"),
        ("url = \"https://a.example\"\ncommand = [\"a\"]", "`tools.x` has both `command` and `url`"),
        ("url = \"nowhere\"", "`tools.x.url` is no address"),
        ("url = \"http://a.example/mcp\"\nbearer = \"t\"", "names the secret `t`, which is not there"),
        ("url = \"https://a.example\"\neffects = { pay = \"pur\" }", "did you mean `pure`?"),
        ("url = \"https://a.example\"\ncommnd = [\"a\"]", "unknown key `tools.x.commnd`"),
        ("command = [\"no-such-program-here\"]", "the MCP server `x` cannot be started"),
    ] {
        let seen = check(settings);
        assert!(seen.starts_with("exit 2") && seen.contains(expected), "{settings}\n{seen}");
    }
}

#[test]
fn prompts_are_listed_and_got() {
    let sandbox = project("prompting");
    sees!(sandbox.run(&["tools", "trust", "--yes"]), @"
    exit 0
    --- stdout
    sums: hostile 1, 1 tool, 2 prompts, not accepted yet
      new add (pure)
          Adds two numbers.
      new prompt greet
          Greets.
      new prompt plain
    --- stderr
    accepted: it stands in adjutant.lock
    ");
    sees!(sandbox.run(&["tools", "prompts"]), @"
    exit 0
    --- stdout
    server  prompt  arguments  what it is for
    sums  greet  Greets.
    sums  plain
    ");
    assert!(sandbox.run(&["tools", "prompts", "sumz"]).starts_with("exit 2"));
    sees!(sandbox.run(&["tools", "call", "sums__get_prompt", r#"{"name": "greet"}"#]), @"
    exit 0
    --- stdout
    Greet the user.
    --- stderr
    answered after [time]
    ");
    let doctor = sandbox.run(&["doctor"]);
    assert!(doctor.contains("prompt `greet` is changed, and refused"), "{doctor}");
}

#[test]
fn a_server_in_a_sandbox_says_what_it_lacks() {
    let sandbox = project("changing");
    let settings = sandbox.read("adjutant.toml");
    sandbox.write("adjutant.toml", &settings.replace("sandbox = \"unsafe\"\n", ""));
    assert!(sandbox.run(&["tools", "trust", "--yes"]).starts_with("exit 0"));
    // It wants to write beside its program, which is out of its sight.
    let lost = sandbox.run(&["tools", "call", "sums__add"]);
    assert!(lost.contains("Read-only file system") || lost.contains("Permission denied"), "{lost}");
    let unsafely = sandbox.write("adjutant.toml", &settings).run(&["doctor"]);
    assert!(unsafely.contains("1 tool, with every right of this user"), "{unsafely}");
    assert!(!sandbox.path("state").exists());
}
