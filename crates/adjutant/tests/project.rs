//! Projects as people write them, and what they are told when something is wrong.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking, in its helpers too")]

use std::path::Path;
use std::sync::Arc;

use adjutant::agent::definition::Sees;
use adjutant::project::{Environment, Key, Origin, Project, Provider};
use adjutant_core::tool::Effect;
use adjutant_core::{Code, Error};
use adjutant_model::offline::Offline;
use tempfile::TempDir;

const AGENT: &str = "---\nmodel: main\n---\nHelp.\n";

fn folder(files: &[(&str, &str)]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }
    folder
}

fn environment(pairs: &[(&str, &str)]) -> Environment {
    pairs.iter().copied().collect()
}

fn load(files: &[(&str, &str)], variables: &[(&str, &str)]) -> (TempDir, Result<Project, Vec<Error>>) {
    let folder = folder(files);
    let project = Project::load_with(folder.path(), environment(variables));
    (folder, project)
}

/// A project with this `adjutant.toml` and one agent.
fn with(toml: &str, variables: &[(&str, &str)]) -> (TempDir, Project) {
    let (folder, project) = load(&[("adjutant.toml", toml), ("agents/desk.md", AGENT)], variables);
    (folder, project.unwrap_or_else(|errors| panic!("{errors:#?}")))
}

/// What is wrong with an `adjutant.toml`, one line for each, with its hint and without the folder.
fn faults(toml: &str, variables: &[(&str, &str)]) -> Vec<String> {
    faults_of(&[("adjutant.toml", toml), ("agents/desk.md", AGENT), ("documents/a.md", "A")], variables)
}

fn faults_of(files: &[(&str, &str)], variables: &[(&str, &str)]) -> Vec<String> {
    let (folder, project) = load(files, variables);
    let errors = project.err().unwrap_or_default();
    let shown = format!("{}/", folder.path().display());
    let line = |error: &Error| {
        format!("{error}{}", error.help().map(|help| format!(" | {help}")).unwrap_or_default())
    };
    errors.iter().map(|error| line(error).replace(&shown, "")).collect()
}

#[track_caller]
fn check(toml: &str, expected: &[&str]) {
    let found = faults(toml, &[]);
    assert_eq!(found.len(), expected.len(), "{toml}\n{found:#?}");
    for (found, expected) in found.iter().zip(expected) {
        assert!(found.starts_with(expected), "{toml}\nfound: {found}\nshould begin with: {expected}");
    }
}

#[test]
fn a_folder_of_agents_is_a_project() {
    let (folder, project) = load(&[("agents/desk.md", AGENT), ("agents/README.md", "x")], &[]);
    let project = project.unwrap();
    assert_eq!(project.agents().count(), 1);
    assert_eq!(project.definition("desk").unwrap().model, "offline");
    assert_eq!(project.settings().store, folder.path().join(".adjutant/adjutant.db"));
    assert_eq!(project.settings().scope.to_string(), "local/local");
    let error = project.definition("dask").unwrap_err();
    assert_eq!((error.code(), error.help()), (Code::NotFound, Some("did you mean `desk`?")));
}

#[test]
fn a_single_file_is_a_project_too() {
    let folder = folder(&[
        ("lone/agent.md", AGENT),
        ("project/adjutant.toml", "[limits]\nsteps = 7\n[project]\nname = \"shop\"\n"),
        ("project/agents/desk.md", AGENT),
        ("project/agents/broken.md", "no front matter"),
    ]);
    let lone = Project::load_with(folder.path().join("lone/agent.md"), Environment::default()).unwrap();
    assert_eq!(lone.default_agent().unwrap().name, "agent");
    let desk =
        Project::load_with(folder.path().join("project/agents/desk.md"), Environment::default()).unwrap();
    assert_eq!(desk.default_agent().unwrap().limits.steps, 7);
    assert_eq!(desk.folder(), folder.path().join("project"));
    let named = Project::load_with(folder.path().join("project/adjutant.toml"), Environment::default());
    assert_eq!(named.unwrap_err().len(), 1);
}

#[test]
fn what_is_no_project_is_said() {
    let folder = folder(&[("notes.txt", "x"), ("empty/x.txt", "x")]);
    for (path, code, help) in [
        ("nowhere", Code::FileUnreadable, None),
        ("empty", Code::NotFound, Some("`adjutant new` makes one")),
        ("notes.txt", Code::InputInvalid, Some("name a folder, or a Markdown file with an agent")),
    ] {
        let errors = Project::load_with(folder.path().join(path), Environment::default()).unwrap_err();
        assert_eq!((errors[0].code(), errors[0].help()), (code, help), "{path}");
    }
}

#[test]
fn everything_wrong_is_reported_together() {
    let found = faults_of(
        &[
            ("adjutant.toml", "[limits]\nstesp = 3\n\n[budget]\nmoney = 5\n"),
            ("agents/a.md", "---\nmodle: main\n---\nHelp."),
            ("agents/b.md", "Help."),
        ],
        &[],
    );
    let starts = [
        "adjutant.toml:2:1: unknown key `limits.stesp` | did you mean `steps`?",
        "adjutant.toml:5:9: `budget.money` must be an amount of money above zero, not the number `5`",
        "agents/a.md:2:1: `model` is missing",
        "agents/a.md:2:1: unknown key `modle`",
        "agents/b.md:1:1: the file does not begin with front matter",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn names_are_looked_up_beside_mistakes_in_the_settings() {
    let toml = "[limits]\nstesp = 3\n[models.fast]\nprovider = \"opnai\"\nmodel = \"m\"\n[models]\nquick = \"fast\"\n[tools.docs]\ntype = \"file\"\n[tools.shop]\ntype = \"files\"\nroot = \"nowhere\"\n";
    let a = "---\nmodel: fast\ntools: [docs, shop, time, odrer]\napprove: [read_file]\n---\n{{ town }}\n";
    let b = "---\nmodel: main\ntool: [b]\ntools: [time, bb]\ntemperature: hot\n---\n{{ name }}\n";
    let c = "---\nname: b\nmodel: quick\ntools: [cc]\n---\nHelp.\n";
    let d = "---\nmodel: fats\n---\nHelp.\n";
    let found = faults_of(
        &[
            ("adjutant.toml", toml),
            ("agents/a.md", a),
            ("agents/b.md", b),
            ("agents/c.md", c),
            ("agents/d.md", d),
        ],
        &[],
    );
    let starts = [
        "adjutant.toml:2:1: unknown key `limits.stesp`",
        "adjutant.toml:4:12: there is no provider `opnai`",
        "adjutant.toml:9:8: `tools.docs.type` must be one of",
        "adjutant.toml:10:8: `tools.shop`: ",
        "agents/a.md:3:27: there is no tool `odrer`",
        "agents/a.md:6:4: the prompt uses the variable `town`",
        "agents/b.md:3:1: unknown key `tool`",
        "agents/b.md:4:15: there is no tool `bb`",
        "agents/b.md:5:14: `temperature` must be a number",
        "agents/b.md:7:4: the prompt uses the variable `name`",
        "agents/c.md: there is a second agent or workflow called `b`",
        "agents/c.md:4:9: there is no tool `cc`",
        "agents/d.md:2:8: there is no model `fats`",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn what_stands_in_settings_that_cannot_be_read_is_not_missed() {
    let agent = "---\nmodel: fast\ntools: [docs]\nlimits: { steps: 0 }\n---\n{{ shop }}\n";
    for toml in
        ["[tools.docs\n", "modles = 1\ntool = 2\nvaraibles = 3\n", "models = 1\ntools = 2\nvariables = 3\n"]
    {
        let found = faults_of(&[("adjutant.toml", toml), ("agents/desk.md", agent)], &[]);
        let in_agents: Vec<_> = found.iter().filter(|line| line.starts_with("agents")).collect();
        assert_eq!(in_agents.len(), 1, "{found:#?}");
        assert!(in_agents[0].starts_with("agents/desk.md:4:18: `limits.steps`"), "{found:#?}");
    }
}

#[test]
fn the_keys_of_the_settings() {
    let cases: &[(&str, &[&str])] = &[
        ("[modles.main]\n", &["adjutant.toml:1:2: unknown key `modles` | did you mean `models`?"]),
        (
            "x = 1\n",
            &[
                "adjutant.toml:1:1: unknown key `x` | known here are `approvals`, `budget`, `catalogue`, `guardrails`, `limits`, ",
            ],
        ),
        (
            "models = 3\n",
            &["adjutant.toml:1:10: `models` must be a table of keys and values, not the number `3`"],
        ),
        (
            "[project]\nname = \"My Shop\"\n",
            &["adjutant.toml:2:8: `My Shop` is not a project name | use 1 to 64"],
        ),
        ("[store]\npth = \"x\"\n", &["adjutant.toml:2:1: unknown key `store.pth` | did you mean `path`?"]),
        (
            "[budget]\nper = \"week\"\n",
            &["adjutant.toml:2:7: `budget.per` must be one of `day`, not the text `week`"],
        ),
        (
            "[models.main]\n",
            &[
                "adjutant.toml:1:1: `models.main.provider` is missing",
                "adjutant.toml:1:1: `models.main.model` is missing",
            ],
        ),
        (
            "[models.main]\nprovider = \"opnai\"\nmodel = \"m\"\n",
            &["adjutant.toml:2:12: there is no provider `opnai` | did you mean `openai`?"],
        ),
        (
            "[models.main]\nprovider = \"acme\"\nmodel = \"m\"\n",
            &["adjutant.toml:2:12: there is no provider `acme` | known are `openai`, "],
        ),
        (
            "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nkey = \"sk-123\"\n",
            &[
                "adjutant.toml:4:7: `models.main.key` must not hold the secret itself | say where it is: `{ env = \"NAME\" }`",
            ],
        ),
        (
            "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nkey = { evn = \"A\" }\n",
            &[
                "adjutant.toml:4:7: `models.main.key` must say one place where the secret is, not 0",
                "adjutant.toml:4:9: unknown key `models.main.key.evn` | did you mean `env`?",
            ],
        ),
        (
            "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"localhost:1\"\n",
            &["adjutant.toml:4:12: `models.main.base_url` must be an address"],
        ),
        (
            "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nprices = { input = -1 }\n",
            &[
                "adjutant.toml:4:10: `models.main.prices.output` is missing",
                "adjutant.toml:4:20: `models.main.prices.input` must be a price",
            ],
        ),
        (
            "[models]\nmain = \"fast\"\nfast = \"main\"\n",
            &[
                "adjutant.toml:2:1: the role `main` leads to no model: main -> fast -> main",
                "adjutant.toml:3:1: the role `fast` leads to no model",
            ],
        ),
        (
            "[models.a]\nprovider = \"openai\"\nmodel = \"m\"\n[models.b]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://localhost/v1\"\n",
            &[
                "adjutant.toml:4:9: the roles `a` and `b` have different models of the same id `openai/m` | give one of them another `id`",
            ],
        ),
        (
            "[tools.docs]\ntype = \"file\"\n",
            &["adjutant.toml:2:8: `tools.docs.type` must be one of `files`, `fetch`"],
        ),
        (
            "[tools.docs]\nroot = \"x\"\n",
            &["adjutant.toml:1:1: `tools.docs.type` is missing | add `type = \"files\"`"],
        ),
        (
            "[tools.docs]\ntype = \"files\"\n",
            &["adjutant.toml:1:1: `tools.docs.root` is missing | add `root = \"folder\"`"],
        ),
        ("[tools.docs]\ntype = \"files\"\nroot = \"nowhere\"\n", &["adjutant.toml:1:8: `tools.docs`: "]),
        (
            "[tools.a]\ntype = \"files\"\nroot = \"documents\"\n[tools.b]\ntype = \"files\"\nroot = \"documents\"\n",
            &[
                "adjutant.toml:4:8: `tools.b`: there are two tools called `list_files` | put a prefix before its names, such as `prefix = \"b_\"`",
            ],
        ),
        ("[tools.t]\ntype = \"time\"\nzone = \"Mars/Olympus\"\n", &["adjutant.toml:1:8: `tools.t`: "]),
        (
            "[tools.o]\ntype = \"lookup\"\npath = \"no.db\"\nquery = \"SELECT 1\"\ndescription = \"x\"\n",
            &["adjutant.toml:1:8: `tools.o`: the lookup `o` cannot be used"],
        ),
        (
            "[tools.c]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"x\"\n",
            &["adjutant.toml:1:1: `tools.c.effect` is missing | say what happens if it is called twice"],
        ),
        (
            "[tools.c]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"x\"\neffect = \"once\"\nexit_codes = { 3 = \"rety\", x = \"done\" }\n",
            &[
                "adjutant.toml:5:10: `tools.c.effect` must be one of `pure`, `idempotent`, `at_most_once`, `reconcile`, not the text `once`",
                "adjutant.toml:6:20: `tools.c.exit_codes.3` cannot be the text `rety` | did you mean `retry`?",
                "adjutant.toml:6:28: `x` is not an exit code",
            ],
        ),
        (
            "[tools.c]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"x\"\neffect = \"pure\"\nenv = { A = { secret = \"s\" } }\n",
            &[
                "adjutant.toml:6:7: `tools.c.env.A` names the secret `s`, which is not there | add it: `[secrets]`",
            ],
        ),
        (
            "[tools.c]\ntype = \"command\"\ncommand = [\"true\"]\ndescription = \"x\"\neffect = \"pure\"\nparameters = { a = 3 }\n",
            &[
                "adjutant.toml:6:20: `tools.c.parameters.a` must be a JSON schema or a description, not the number `3`",
            ],
        ),
        (
            "[store]\npath = \"${NOWHERE}/x\"\n",
            &[
                "adjutant.toml:2:8: the environment variable `NOWHERE` is not set | set it, or write `${NOWHERE:-value}`",
            ],
        ),
        ("[store\n", &["adjutant.toml:1:7: "]),
        (
            "[secrets]\ntoken = \"abc\"\n",
            &["adjutant.toml:2:9: `secrets.token` must not hold the secret itself"],
        ),
    ];
    for (toml, expected) in cases {
        check(toml, expected);
    }
}

#[test]
fn names_in_an_agent_lead_somewhere() {
    let agent = "---\nmodel: fats\ntools: [docs, fiels, files, order]\n---\nUse {{ shop }} and {{ town }}.\n";
    let toml = "[variables]\nshop = \"Bluebell\"\n[models]\nfast = \"offline\"\n[tools.docs]\ntype = \"files\"\nroot = \"documents\"\n";
    let found =
        faults_of(&[("adjutant.toml", toml), ("agents/desk.md", agent), ("documents/a.md", "A")], &[]);
    let starts = [
        "agents/desk.md:2:8: there is no model `fats` | did you mean `fast`?",
        "agents/desk.md:3:15: there is no tool `fiels` | did you mean",
        "agents/desk.md:3:22: there is no tool `files` | add it to `adjutant.toml`: `[tools.files]` with `type = \"files\"`",
        "agents/desk.md:3:29: there is no tool `order` | add it to `adjutant.toml`: `[tools.order]`",
        "agents/desk.md:5:23: the prompt uses the variable `town`, which nobody declares",
    ];
    assert_eq!(found.len(), starts.len(), "{found:#?}");
    for (found, start) in found.iter().zip(starts) {
        assert!(found.starts_with(start), "{found}");
    }
}

#[test]
fn tools_are_built_and_pinned() {
    let toml = r#"
        [tools.docs]
        type = "files"
        root = "${DOCS:-documents}"
        prefix = "shop_"
        description = "what the shop promises"

        [tools.echo]
        type = "command"
        description = "Says it again."
        command = ["tools/echo", "-n"]
        effect = "at_most_once"
        timeout = "5s"
        [tools.echo.parameters]
        text = "What to say."
        times = { type = "integer", default = 1 }
    "#;
    let agent = "---\nmodel: main\ntools: [docs, echo, time, calculator]\napprove: [echo]\n---\nHelp.\n";
    let files = [("adjutant.toml", toml), ("agents/desk.md", agent), ("other/a.md", "A")];
    let (folder, project) = load(&files, &[("DOCS", "other")]);
    let project = project.unwrap_or_else(|errors| panic!("{errors:#?}"));
    let desk = project.definition("desk").unwrap();
    let names: Vec<_> = desk.tools.iter().map(|tool| tool.name.as_str()).collect();
    assert_eq!(names[3..], ["echo", "now", "calculate"], "{names:?}");
    assert!(names[..3].iter().all(|name| name.starts_with("shop_")), "{names:?}");
    assert!(desk.tools[0].description.ends_with("About these: what the shop promises"));
    let echo = desk.tool("echo").unwrap();
    assert_eq!((echo.effect, echo.timeout.as_secs()), (Effect::AtMostOnce, 5));
    assert_eq!(echo.parameters["required"], serde_json::json!(["text"]));
    assert_eq!(echo.parameters["properties"]["text"]["type"], "string");
    assert!(desk.asks_before("echo") && !desk.asks_before("now"));
    assert_eq!(project.tools().len(), 6);
    assert!(project.folder().is_absolute() && project.folder() == folder.path());
}

/// Which model `main` is: the settings, the environment, and then the id, what decided it, and whether a key is there.
#[test]
fn who_decides_the_model() {
    const LOCAL: &str =
        "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    const PLAIN: &str = "[models]\nmain = \"openai/gpt-4.1\"\nfast = \"ollama/llama3.2\"\n";
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], &'a str, Origin, bool);
    let key = ("OPENAI_API_KEY", "sk-1");
    let cases: &[Case<'_>] = &[
        ("", &[], "offline", Origin::Default, false),
        ("", &[("OPENAI_API_KEY", " ")], "offline", Origin::Default, false),
        ("", &[key], "openai/gpt-4.1-mini", Origin::Variable("OPENAI_API_KEY"), true),
        (
            "",
            &[("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")],
            "openai/gpt-4.1-mini",
            Origin::Variable("OPENAI_BASE_URL"),
            false,
        ),
        (
            "",
            &[("ADJUTANT_MODEL", "ollama/llama3.2"), key],
            "ollama/llama3.2",
            Origin::Variable("ADJUTANT_MODEL"),
            false,
        ),
        ("", &[("ADJUTANT_MODEL", "offline"), key], "offline", Origin::Variable("ADJUTANT_MODEL"), false),
        (PLAIN, &[key], "openai/gpt-4.1", Origin::Project, true),
        (
            PLAIN,
            &[key, ("ADJUTANT_MODEL", "fast")],
            "ollama/llama3.2",
            Origin::Variable("ADJUTANT_MODEL"),
            false,
        ),
        ("[models.main]\nprovider = \"offline\"\n", &[key], "offline", Origin::Project, false),
        // A key goes only to whom it belongs.
        (LOCAL, &[key], "openai/m", Origin::Project, false),
    ];
    for (toml, variables, id, origin, has_key) in cases {
        let (_folder, project) = with(toml, variables);
        let choice = project.models().choice("main").unwrap();
        assert_eq!((choice.id.as_str(), &choice.origin), (*id, origin), "{toml} {variables:?}");
        assert_eq!(matches!(choice.key, Key::Found(_)), *has_key, "{toml} {variables:?}");
        assert_eq!(choice.notice().is_some(), *origin == Origin::Default);
        assert_eq!(project.definition("desk").unwrap().model, *id);
        // What was pinned is found again, whatever the roles mean by then.
        assert_eq!(project.models().get(id).unwrap().id(), *id);
    }
}

#[test]
fn a_missing_key_matters_when_it_is_used() {
    let (_folder, project) = with("[models]\nmain = \"openai/gpt-4.1-mini\"\nfast = \"offline\"\n", &[]);
    assert!(project.models().get("fast").is_ok());
    let error = project.models().get("main").err().unwrap();
    assert_eq!(error.code(), Code::ModelKeyMissing);
    assert_eq!(
        error.message(),
        "the key for the model `openai/gpt-4.1-mini` is missing: the environment variable `OPENAI_API_KEY` is not set"
    );
    assert_eq!(project.check().len(), 1);
    let roles: Vec<_> = project.models().roles().into_iter().map(|choice| choice.unwrap().name).collect();
    assert_eq!(roles, ["main", "fast"]);
    let error = project.models().get("opnai/gpt-5").err().unwrap();
    assert_eq!((error.code(), error.help()), (Code::ModelUnknown, Some("did you mean `openai/gpt-5`?")));
}

#[test]
fn an_account_of_amazon_is_found_where_amazons_tools_have_it() {
    const ID: (&str, &str) = ("AWS_ACCESS_KEY_ID", "AKID");
    const SECRET: (&str, &str) = ("AWS_SECRET_ACCESS_KEY", "very-secret");
    const REGION: (&str, &str) = ("AWS_REGION", "eu-central-1");
    const NOWHERE: (&str, &str) = ("AWS_SHARED_CREDENTIALS_FILE", "/nowhere/credentials");
    let model = "bedrock/eu.anthropic.claude-sonnet-5";
    let chosen = ("ADJUTANT_MODEL", model);
    let own = "[models.main]\nprovider = \"bedrock\"\nmodel = \"m\"\nregion = \"us-west-2\"\n\
        access_key_id = { env = \"OWN_ID\" }\nsecret_access_key = { env = \"OWN_SECRET\" }\n";
    let own_keys = [("OWN_ID", "AKID"), ("OWN_SECRET", "very-secret")];
    let with_own = |more: &[(&'static str, &'static str)]| [&own_keys[..], more].concat();
    let bearer = ("AWS_BEARER_TOKEN_BEDROCK", "ABSK-token");
    let found = "";
    let cases = [
        ("", vec![chosen, ID, SECRET, REGION], found),
        ("", vec![chosen, bearer, REGION], found),
        ("", vec![chosen, ID, SECRET], "the provider `bedrock` needs a `region`"),
        ("", vec![chosen, ID, REGION, NOWHERE], "has the `access_key_id` of an account and no"),
        ("", vec![chosen, REGION, NOWHERE], "`/nowhere/credentials` cannot be read"),
        // A token that cannot be sent shows that it is not even looked at.
        (own, with_own(&[("AWS_BEARER_TOKEN_BEDROCK", "\u{1}"), ("AWS_SESSION_TOKEN", "of another")]), found),
        (own, vec![own_keys[0], SECRET], "the environment variable `OWN_SECRET` is not set"),
    ];
    for (toml, variables, expected) in cases {
        let (_folder, project) = with(toml, &variables);
        let got = project.models().get("main");
        let missing = got.err().map_or_else(String::new, |error| error.message().to_owned());
        assert!(
            missing.contains(expected) && missing.is_empty() == expected.is_empty(),
            "{variables:?}: {missing}"
        );
    }
}

#[test]
fn a_model_of_the_settings_is_built_as_written() {
    let toml = r#"
        [models.main]
        provider = "openai"
        model = "qwen3"
        id = "house/qwen3"
        base_url = "http://127.0.0.1:9/v1"
        key = { file = "key" }
        context_window = 32768
        prices = { input = 0.10, output = "0.30", cached = 0 }
        abilities = { images = false }
        timeouts = { connect = "1s" }
        headers = { x-team = "desk", x-token = { env = "TOKEN" } }
        extra = { top_k = 20 }
    "#;
    let (folder, project) = with(toml, &[("TOKEN", "t")]);
    std::fs::write(folder.path().join("key"), "sk-file\n").unwrap();
    let model = project.models().get("main").unwrap();
    assert_eq!(model.id(), "house/qwen3");
    let profile = model.profile();
    assert_eq!((profile.context_window, profile.abilities.images), (Some(32_768), false));
    assert_eq!(profile.prices.unwrap().output.to_string(), "0.30");
    let preview = model
        .preview(&adjutant_model::Request::new([adjutant_core::message::Message::user("hi")]))
        .unwrap()
        .value();
    assert_eq!((&preview["model"], &preview["top_k"]), (&"qwen3".into(), &20.into()));
    assert!(!format!("{project:?}").contains("sk-file"));
}

/// A price that belongs to another server is worse than none.
#[test]
fn what_is_known_of_a_model_holds_at_its_own_address() {
    const NAMED: &str = "[models]\nmain = \"openai/gpt-4.1-mini\"\n";
    const PRICED: &str = "[models.main]\nprovider = \"openai\"\nmodel = \"gpt-4.1-mini\"\nprices = { input = 7, output = 8 }\n";
    const MOVED: &str = "[models.main]\nprovider = \"openai\"\nmodel = \"gpt-4.1-mini\"\nbase_url = \"http://127.0.0.1:1/v1\"\n";
    let (key, moved) = (("OPENAI_API_KEY", "sk-1"), ("OPENAI_BASE_URL", "http://127.0.0.1:1/v1"));
    type Case<'a> = (&'a str, &'a [(&'a str, &'a str)], bool, Option<&'a str>);
    let cases: [Case<'_>; 6] = [
        ("", &[key], true, Some("0.4")),
        (NAMED, &[key], true, Some("0.4")),
        (NAMED, &[key, moved], false, None),
        (MOVED, &[key], false, None),
        (PRICED, &[key], true, Some("7")),
        (PRICED, &[key, moved], false, Some("7")),
    ];
    for (toml, variables, has_window, price) in cases {
        let (_folder, project) = with(toml, variables);
        let model = project.models().get("main").unwrap();
        let profile = model.profile();
        let input = profile.prices.map(|prices| prices.input.to_string());
        assert_eq!(
            (profile.context_window.is_some(), input.as_deref()),
            (has_window, price),
            "{toml} {variables:?}"
        );
    }
}

#[test]
fn a_program_brings_its_own_model() {
    let (_folder, project) = with("", &[("ADJUTANT_MODEL", "ollama/llama3.2")]);
    project.models().insert("main", Arc::new(Offline::new()));
    assert_eq!(project.models().choice("main").unwrap().origin, Origin::Program);
    assert_eq!(project.models().get("main").unwrap().id(), "offline");
}

#[test]
fn a_program_needs_no_files() {
    let project = Project::without_files(environment(&[("OPENAI_API_KEY", "sk-1")])).unwrap();
    assert_eq!(project.models().choice("main").unwrap().id, "openai/gpt-4.1-mini");
    assert_eq!((project.agents().count(), project.tools().len()), (0, 0));
    assert_eq!(project.default_agent().unwrap_err().code(), Code::NotFound);
}

#[test]
fn secrets_are_told_by_name() {
    let (_folder, project) =
        with("[secrets]\ntoken = { env = \"TOKEN\" }\nother = { file = \"no\" }\n", &[("TOKEN", "t0k")]);
    assert_eq!(project.secrets().get("token").unwrap().expose(), "t0k");
    let faults = project.check();
    assert_eq!(faults.len(), 1);
    assert!(faults[0].message().starts_with("the secret `other` cannot be had: "), "{faults:?}");
    assert!(!format!("{project:?}{faults:?}").contains("t0k"));
}

#[test]
fn hostile_folders_are_bounded() {
    let huge = "x".repeat(3 << 20);
    let found = faults_of(&[("adjutant.toml", &huge), ("agents/desk.md", &huge)], &[]);
    assert_eq!(found.len(), 2, "{found:#?}");
    assert!(found.iter().all(|line| line.contains("is longer than 1048576 bytes")), "{found:#?}");
    let folder = folder(&[("agents/a.md", AGENT)]);
    std::fs::write(folder.path().join("agents/b.md"), [0xff, 0xfe, 0x00]).unwrap();
    std::fs::create_dir(folder.path().join("agents/c.md")).unwrap();
    let errors = Project::load_with(folder.path(), Environment::default()).unwrap_err();
    assert_eq!(errors.len(), 2, "{errors:?}");
    assert!(errors.iter().all(|error| error.code() == Code::FileUnreadable));
}

/// The sample project of the repository.
#[test]
fn the_sample_desk_is_whole() {
    let desk = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/desk");
    let project =
        Project::load_with(&desk, Environment::default()).unwrap_or_else(|errors| panic!("{errors:#?}"));
    let definition = project.default_agent().unwrap();
    assert_eq!((definition.name.as_str(), definition.model.as_str()), ("desk", "offline"));
    assert_eq!(definition.tool("file_ticket").unwrap().effect, Effect::AtMostOnce);
    assert!(definition.prompt(&serde_json::Map::new()).unwrap().contains("Larkfield Cycles"));
    assert_eq!(project.check(), []);
    let elsewhere = folder(&[("documents/a.md", "A")]);
    let path = elsewhere.path().join("documents");
    let other = environment(&[("DESK_DOCUMENTS", path.to_str().unwrap())]);
    assert!(Project::load_with(&desk, other).is_ok());
    let nowhere = environment(&[("DESK_DOCUMENTS", "/nowhere/at/all")]);
    let errors = Project::load_with(&desk, nowhere).unwrap_err();
    assert!(errors[0].message().contains("/nowhere/at/all"), "{errors:?}");
}

/// Every key that can be written stands in the documentation, as a word in backticks.
#[test]
fn every_key_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documentation = std::fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let mut missing = Vec::new();
    for (file, tables) in [("adjutant.toml", KEYS), ("agents/desk.md", AGENT_KEYS)] {
        for table in tables {
            for key in known_keys(file, table) {
                if !documentation.contains(&format!("`{key}`")) {
                    missing.push(format!("{file}: {table}: {key}"));
                }
            }
        }
    }
    assert_eq!(missing, Vec::<String>::new());
}

#[test]
fn every_provider_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let documentation = std::fs::read_to_string(root.join("docs/configuration.md")).unwrap();
    let cell = |text: Option<&str>| text.map_or_else(String::new, |text| format!("`{text}` "));
    for provider in Provider::ALL {
        let Provider { name, base_url, .. } = provider;
        let (key, address) = (cell(provider.key_variable()), cell(provider.base_url_variable));
        let row = format!("| `{name}` | {key}| {address}| `{base_url}` |");
        assert!(documentation.lines().any(|line| line == row), "{row}");
    }
}

const KEYS: &[&str] = &[
    "$ = 1",
    "[project]\n$ = 1",
    "[store]\n$ = 1",
    "[budget]\n$ = 1",
    "[limits]\n$ = 1",
    "[secrets.a]\nenv = \"A\"\n$ = 1",
    "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\n$ = 1",
    "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\n[models.main.timeouts]\n$ = 1",
    "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\n[models.main.prices]\ninput = 1\noutput = 1\n$ = 1",
    "[models.main]\nprovider = \"openai\"\nmodel = \"m\"\n[models.main.abilities]\n$ = 1",
    "[models.embed]\nprovider = \"local\"\nfolder = \"x\"\n$ = 1",
    "[tools.a]\ntype = \"files\"\nroot = \"documents\"\n$ = 1",
    "[tools.a]\ntype = \"fetch\"\nhosts = [\"example.org\"]\n$ = 1",
    "[tools.a]\ntype = \"database\"\npath = \"x\"\n$ = 1",
    "[tools.a]\ntype = \"lookup\"\npath = \"x\"\nquery = \"x\"\ndescription = \"x\"\n$ = 1",
    "[tools.a]\ntype = \"time\"\n$ = 1",
    "[tools.a]\ntype = \"calculator\"\n$ = 1",
    "[tools.a]\ntype = \"command\"\ncommand = [\"x\"]\ndescription = \"x\"\neffect = \"pure\"\n$ = 1",
    "[tools.a]\ntype = \"command\"\ncommand = [\"x\"]\ndescription = \"x\"\neffect = \"pure\"\nenv = { A = { $ = 1 } }",
];

const AGENT_KEYS: &[&str] = &["$: 1", "limits: { $: 1 }", "context: { $: 1 }"];

/// The keys of a table, from the hint that an unknown key gets.
fn known_keys(file: &str, table: &str) -> Vec<String> {
    let text = table.replace('$', "zzzzzzzzzzzzzzzz");
    let files = match file {
        "adjutant.toml" => [("adjutant.toml", text), ("agents/desk.md", AGENT.to_owned())],
        _ => [
            ("adjutant.toml", String::new()),
            ("agents/desk.md", format!("---\nmodel: main\n{text}\n---\nHelp.\n")),
        ],
    };
    let files = files.iter().map(|(name, text)| (*name, text.as_str())).collect::<Vec<_>>();
    let found = faults_of(&files, &[]);
    let line = found
        .iter()
        .find(|line| line.contains("unknown key"))
        .unwrap_or_else(|| panic!("{table}: {found:#?}"));
    let (_, keys) = line.split_once("known here are ").unwrap();
    keys.split(", ").map(|key| key.trim_matches('`').to_owned()).collect()
}

const ASKS: &str = "---\nmodel: offline\nagents: [scout]\n---\nYou ask.\n";
const SCOUT: &str = "---\nmodel: offline\ndescription: Finds shops.\n---\nYou find shops.\n";

#[test]
fn agents_may_ask_each_other() {
    let sees =
        "---\nmodel: offline\nagents: { scout: { sees: conversation } }\napprove: [scout]\n---\nYou ask.\n";
    let files = [("agents/desk.md", ASKS), ("agents/front.md", sees), ("agents/scout.md", SCOUT)];
    let (folder, project) = load(&files, &[]);
    let project = project.unwrap();
    let desk = project.definition("desk").unwrap();
    assert_eq!(desk.agents[0].definition, *project.definition("scout").unwrap());
    assert_eq!((desk.agents[0].sees, desk.tools[0].name.as_str()), (Sees::Task, "scout"));
    let front = project.definition("front").unwrap();
    assert_eq!(
        (front.agents[0].sees, front.approve.as_slice()),
        (Sees::Conversation, ["scout".to_owned()].as_slice())
    );

    // A file that is named alone brings along whom it asks, and is the one to talk to.
    let alone = Project::load_with(folder.path().join("agents/desk.md"), Environment::default()).unwrap();
    assert_eq!(alone.agents().map(|agent| agent.name.as_str()).collect::<Vec<_>>(), ["desk", "scout"]);
    assert_eq!(alone.default_agent().unwrap().name, "desk");
}

#[test]
fn agents_that_cannot_ask_each_other() {
    let asks = |whom: &str| format!("---\nmodel: offline\ndescription: A.\nagents: {whom}\n---\nYou ask.\n");
    let told = |files: &[(&str, &str)], expected: &[&str]| {
        let found = faults_of(files, &[]);
        assert_eq!(found.len(), expected.len(), "{found:#?}");
        for (found, expected) in found.iter().zip(expected) {
            assert!(found.contains(expected), "found: {found}\nshould contain: {expected}");
        }
    };
    told(
        &[("agents/desk.md", &asks("[scuot]")), ("agents/scout.md", SCOUT)],
        &["agents/desk.md:4:10: there is no agent `scuot` | did you mean `scout`?"],
    );
    // Also where something else is wrong.
    told(
        &[("adjutant.toml", "weather = 1"), ("agents/desk.md", &asks("[scuot]"))],
        &["unknown key `weather`", "there is no agent `scuot`"],
    );
    // One that cannot be read is there all the same.
    told(
        &[("agents/desk.md", &asks("[scout]")), ("agents/scout.md", "x")],
        &["scout.md:1:1: the file does not begin"],
    );
    told(&[("agents/desk.md", &asks("[desk]"))], &["agents/desk.md:4:10: the agent `desk` asks itself |"]);
    told(
        &[("agents/a.md", &asks("[b]")), ("agents/b.md", &asks("[c]")), ("agents/c.md", &asks("[b]"))],
        &[
            "agents/b.md:4:10: the agent `b` asks itself, over `c`",
            "agents/c.md:4:10: the agent `c` asks itself, over `b`",
        ],
    );
    told(
        &[("agents/desk.md", ASKS), ("agents/scout.md", "---\nmodel: offline\n---\nYou find.\n")],
        &["agents/desk.md:3:10: the agent `scout` is to be a tool of another and has no description"],
    );
    told(
        &[
            ("agents/desk.md", "---\nmodel: offline\ntools: [time]\nagents: [now]\n---\nYou ask.\n"),
            ("agents/now.md", SCOUT),
        ],
        &["agents/desk.md:4:10: the agent `now` is called like a tool of this one"],
    );
    told(
        &[("agents/desk.md", &asks("{ scout: { sees: all } }")), ("agents/scout.md", SCOUT)],
        &["agents/desk.md:4:26: `agents.scout.sees` must be one of `task`, `conversation`"],
    );
}
