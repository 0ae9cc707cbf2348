//! Projects with mistakes: each is told with its place and what to do.

use crate::sandbox::{Sandbox, sees};

fn agent(text: &str) -> String {
    let sandbox = Sandbox::new();
    sandbox.write("agents/desk.md", text);
    sandbox.run(&["check"])
}

fn settings(text: &str) -> String {
    let sandbox = Sandbox::with_agent("");
    sandbox.write("adjutant.toml", text);
    sandbox.run(&["check"])
}

#[test]
fn a_typo_in_the_front_matter() {
    sees!(agent("---\nmodel: main\ntols: [documents]\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: unknown key `tols`
     --> agents/desk.md:3:1
      |
    3 | tols: [documents]
      | ^

    hint: did you mean `tools`?
    ");
}

#[test]
fn an_unknown_key() {
    sees!(agent("---\nmodel: main\ncolour: blue\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: unknown key `colour`
     --> agents/desk.md:3:1
      |
    3 | colour: blue
      | ^

    hint: known here are `agents`, `approve`, `approve_within`, `check`, `code`, `context`, `description`, `endorse`, `extract`, `flow`, `guardrails`, `handoffs`, `limits`, `mark`, `max_output_tokens`, `model`, `name`, `narrow`, `output`, `quarantine`, `skills`, `stop`, `strategy`, `temperature`, `tool_search`, `tools`, `variables`
    ");
}

#[test]
fn a_strategy_says_how_often_models_are_asked() {
    let limits = "limits: { steps: 8 }";
    sees!(agent(&format!("---\nmodel: main\nstrategy: plan\n{limits}\n---\nYou help.\n")), @"
    exit 0
    --- stdout
    ok: 1 agent, 0 tools
    --- stderr
    `desk` (plan) asks models 154 times at most in one run
    ");
}

#[test]
fn a_missing_model() {
    sees!(agent("---\ndescription: helps\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: `model` is missing
     --> agents/desk.md:2:1
      |
    2 | description: helps
      | ^

    hint: add `model: main`: a role, which `adjutant.toml` gives a model, or a model id
    ");
}

#[test]
fn a_wrong_type() {
    sees!(agent("---\nmodel: main\nlimits: { steps: many }\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: `limits.steps` must be a whole number from 1 to 100000, not the text `many`
     --> agents/desk.md:3:18
      |
    3 | limits: { steps: many }
      |                  ^
    ");
}

#[test]
fn front_matter_that_is_no_yaml() {
    sees!(agent("---\nmodel: [main\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: the bracket that begins here has no end
     --> agents/desk.md:2:8
      |
    2 | model: [main
      |        ^
    ");
}

#[test]
fn front_matter_without_an_end() {
    sees!(agent("---\nmodel: main\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: the front matter that begins here has no end
     --> agents/desk.md:1:1
      |
    1 | ---
      | ^

    hint: put a line `---` between the last key and the text
    ");
}

#[test]
fn a_tool_that_is_not_there() {
    sees!(agent("---\nmodel: main\ntools: [documents]\n---\nYou help.\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: there is no tool `documents`
     --> agents/desk.md:3:9
      |
    3 | tools: [documents]
      |         ^

    hint: add it to `adjutant.toml`: `[tools.documents]`
    ");
}

#[test]
fn a_variable_of_the_prompt_that_nobody_declares() {
    sees!(agent("---\nmodel: main\n---\nYou work for {{ shop }}.\n"), @"
    exit 2
    --- stderr
    error[prompt-variable]: the prompt uses the variable `shop`, which nobody declares
     --> agents/desk.md:4:17
      |
    4 | You work for {{ shop }}.
      |                 ^

    hint: give it a value under `variables:`, or write `shop: null` there if each run brings its own
    ");
}

#[test]
fn a_variable_of_the_prompt_that_nobody_gives() {
    let sandbox = Sandbox::with_agent("");
    sandbox.write(
        "agents/desk.md",
        "---\nmodel: main\nvariables: { shop: null }\n---\nYou work for {{ shop }}.\n",
    );
    sees!(sandbox.run(&["run", "Hello!"]), @"
    exit 2
    --- stderr
    error[prompt-variable]: the prompt uses `shop` in line 1, which has no value

    hint: give it with `--var shop=VALUE`, or a default under `variables:` in the agent's file
    ");
    sees!(sandbox.run(&["runs"]), @"
    exit 0
    --- stderr
    there are no runs yet
    ");
    assert_eq!(sandbox.output(&["run", "--var", "shop=Bluebell", "Hello!"]).status.code(), Some(0));
}

#[test]
fn several_mistakes_are_told_at_once() {
    let sandbox = Sandbox::new();
    sandbox
        .write("agents/a.md", "---\nmodel: main\nlimit: 3\n---\nYou help.\n")
        .write("agents/b.md", "---\nmodel: man\n---\n")
        .write("adjutant.toml", "[modls.main]\nprovider = \"openai\"\n");
    sees!(sandbox.run(&["check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: unknown key `modls`
     --> adjutant.toml:1:2
      |
    1 | [modls.main]
      |  ^

    hint: did you mean `models`?

    error[project-invalid]: unknown key `limit`
     --> agents/a.md:3:1
      |
    3 | limit: 3
      | ^

    hint: did you mean `limits`?

    error[project-invalid]: the agent has no prompt
     --> agents/b.md:4:1

    hint: write what it is and how it works below the second `---`
    ");
    let check = sandbox.json(&["check"]);
    assert_eq!(check["ok"], false);
    assert!(check["errors"].as_array().unwrap().len() >= 3, "{check}");
}

#[test]
fn mistakes_in_the_settings() {
    sees!(settings("[models.main]\nprovider = \"opnai\"\nmodel = \"x\"\n"), @r#"
    exit 2
    --- stderr
    error[project-invalid]: there is no provider `opnai`
     --> adjutant.toml:2:12
      |
    2 | provider = "opnai"
      |            ^

    hint: did you mean `openai`?
    "#);
    sees!(settings("[models.main\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: `[` has no `]`
     --> adjutant.toml:1:13
      |
    1 | [models.main
      |             ^
    ");
    sees!(settings("[tools.t]\ntype = \"command\"\ndescription = \"t\"\ncommand = [\"t\"]\n"), @"
    exit 2
    --- stderr
    error[project-invalid]: `tools.t.effect` is missing
     --> adjutant.toml:1:1
      |
    1 | [tools.t]
      | ^

    hint: say what happens if it is called twice: `pure` (it changes nothing), `idempotent` (the second call with a key changes nothing), `at_most_once` (it happens twice), or `reconcile` (so too, but it can look a key up)
    ");
    sees!(settings("[models.main]\nprovider = \"openai\"\nmodel = \"x\"\nkey = \"sk-secret\"\n"), @r#"
    exit 2
    --- stderr
    error[project-invalid]: `models.main.key` must not hold the secret itself
     --> adjutant.toml:4:7
      |
    4 | key = "sk-secret"
      |       ^

    hint: say where it is: `{ env = "NAME" }`, `{ file = "path" }`, `{ command = ["program", "argument"] }` or `{ vault = true }`
    "#);
}

#[test]
fn a_file_that_is_no_text() {
    let sandbox = Sandbox::new();
    std::fs::create_dir_all(sandbox.path("agents")).unwrap();
    std::fs::write(sandbox.path("agents/desk.md"), [0xff, 0xfe, 0x00]).unwrap();
    sees!(sandbox.run(&["check"]), @"
    exit 1
    --- stderr
    error[file-unreadable]: `[folder]/agents/desk.md` cannot be read: it is not UTF-8 text (byte 0)
    ");
}

#[test]
fn doctor_says_what_is_missing_and_how_to_get_it() {
    let sandbox = Sandbox::with_agent("tools: [documents, clock]");
    sandbox.write(
        "adjutant.toml",
        "[models.main]\nprovider = \"openai\"\nmodel = \"gpt-4.1-mini\"\n\n\
         [models.local]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:9/v1\"\n\n\
         [secrets]\ntoken = { env = \"TOKEN\" }\n\n\
         [tools.documents]\ntype = \"files\"\nroot = \".\"\n\n[tools.clock]\ntype = \"time\"\n",
    );
    sees!(sandbox.run(&["doctor"]), @"
    exit 1
    --- stdout
    ok  version: 0.1.0
    ok  project: [folder]
    ok  agents: desk
    missing  model main: the environment variable `OPENAI_API_KEY` is not set
             hint: set it: `export OPENAI_API_KEY=...`
    missing  model local: the provider at `[address]` cannot be reached: error sending request: client error (Connect): tcp connect error: Connection refused (os error 111)
             hint: start the server at `[address]`, or set another `base_url`
    missing  secret token: the environment variable `TOKEN` is not set
             hint: set it: `export TOKEN=...`
    ok  tool clock: built in
    ok  tool documents: [folder]/.
    ok  store: [folder]/.adjutant/adjutant.db, not made yet
    ");
    sees!(sandbox.run(&["models"]), @"
    exit 0
    --- stdout
    role  model  server  key  decided by
    main  openai/gpt-4.1-mini  https://api.openai.com/v1  missing: the environment variable `OPENAI_API_KEY`  adjutant.toml
    local  openai/m  http://[address]/v1  none needed  adjutant.toml
    ");
}

#[test]
fn a_program_that_cannot_run_is_told() {
    let sandbox = Sandbox::with_agent("tools: [a]");
    let table = |name: &str, program: &str| {
        format!(
            "[tools.{name}]\ntype = \"command\"\ndescription = \"x\"\ncommand = [\"{program}\"]\neffect = \"pure\"\n"
        )
    };
    sandbox.write("adjutant.toml", &[table("a", "./plain"), table("b", "no-such-program")].concat());
    sandbox.write("plain", "");
    let seen = sandbox.run(&["check"]);
    assert!(seen.starts_with("exit 2"), "{seen}");
    assert!(seen.contains("the tool `a` cannot be called: the program `"), "{seen}");
    assert!(seen.contains("plain` is not executable\n --> adjutant.toml:1:"), "{seen}");
    assert!(seen.contains("the program `no-such-program` is not there\n --> adjutant.toml:6:"), "{seen}");
    let seen = sandbox.run(&["doctor"]);
    assert!(seen.starts_with("exit 1"), "{seen}");
    assert!(seen.contains("missing  tool a") && seen.contains("missing  tool b"), "{seen}");
}

#[test]
fn every_mistake_is_told_in_one_round() {
    let sandbox = Sandbox::new();
    sandbox
        .write("agents/desk.md", "---\nmodel: main\ntool: [b]\ntools: [bb]\nlimits: { steps: 0 }\n---\n{{ nmae | upperr }}\n")
        .write("agents/shop.md", "---\nmodel: main\n tools: [time\n---\nYou help.\n")
        .write(
            "adjutant.toml",
            "[limits]\nstesp = 3\n[tools.a]\ntype = \"command\"\ndescription = \"x\"\ncommand = [\"./nosuch\"]\neffect = \"pure\"\n",
        );
    let errors = sandbox.json(&["check"])["errors"].as_array().unwrap().clone();
    let told = |error: &serde_json::Value| {
        let (place, message) = (&error["location"], error["message"].as_str().unwrap());
        let file = place["file"].as_str().unwrap();
        format!(
            "{file}:{}:{}: {}",
            place["line"],
            place["column"],
            message.replace(sandbox.path("").to_str().unwrap(), "")
        )
    };
    let told: Vec<String> = errors.iter().map(told).collect();
    insta::assert_snapshot!(told.join("\n"), @"
    adjutant.toml:2:1: unknown key `limits.stesp`
    agents/desk.md:3:1: unknown key `tool`
    agents/desk.md:4:9: there is no tool `bb`
    agents/desk.md:5:18: `limits.steps` must be a whole number from 1 to 100000, not the number `0`
    agents/desk.md:7:4: the prompt uses the variable `nmae`, which nobody declares
    agents/desk.md:7:11: the prompt cannot be filled in: there is no filter `upperr`
    agents/shop.md:3:2: this line is indented more than the key above it, which has a value already
    agents/shop.md:3:9: the bracket that begins here has no end
    adjutant.toml:3:8: the tool `a` cannot be called: the program `./nosuch` is not there
    ");
}

#[test]
fn a_pipe_is_no_agent() {
    let sandbox = Sandbox::with_agent("");
    let made = std::process::Command::new("mkfifo").arg(sandbox.path("agents/pipe.md")).status().unwrap();
    assert!(made.success());
    let seen = sandbox.run(&["check"]);
    assert!(seen.contains("pipe.md` cannot be read: it is no regular file"), "{seen}");
    assert!(!seen.starts_with("exit 0"), "{seen}");
}

#[test]
fn a_prompt_that_no_run_can_fill_in() {
    let sandbox = Sandbox::new();
    sandbox.write("agents/desk.md", "---\nmodel: main\n---\nYou help.\nAt {{ 'noon' | shout }}.\n");
    sees!(sandbox.run(&["check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: the prompt cannot be filled in: there is no filter `shout`
     --> agents/desk.md:5:16
      |
    5 | At {{ 'noon' | shout }}.
      |                ^
    ");
    sandbox.write("agents/desk.md", "---\nmodel: main\ntools: [a: b: c]\n---\nYou help.\n");
    sees!(sandbox.run(&["check"]), @"
    exit 2
    --- stderr
    error[project-invalid]: a comma or a closing bracket is missing before this
     --> agents/desk.md:3:13
      |
    3 | tools: [a: b: c]
      |             ^
    ");
}
