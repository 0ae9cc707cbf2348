//! What policies allow, proved, compared, explained and forbidden, from outside.

use adjutant_testkit::provider::{Answer, MockProvider, Received};

use crate::sandbox::{Sandbox, sees};

/// A project whose agent refunds by a program.
fn shop(policies: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [refund]\n");
    sandbox.program("refund", "#!/bin/sh\necho '{\"refunded\": true}'\n");
    sandbox.write(
        "adjutant.toml",
        "[tools.refund]\ntype = \"command\"\ndescription = \"Refunds an order.\"\ncommand = [\"./refund\"]\n\
         effect = \"idempotent\"\n[tools.refund.parameters]\n\
         amount = { type = \"integer\", description = \"How much.\" }\n",
    );
    sandbox.write("policies/shop.cedar", policies);
    sandbox
}

const SMALL: &str = r#"@id("small")
permit (principal, action == Action::"refund", resource)
when { context.arguments.amount.value <= 50 };

@id("rest")
permit (principal, action in [Action::"run.model", Action::"run.answer"], resource);
"#;

#[test]
fn a_larger_limit_is_more_permissive() {
    let sandbox = shop(SMALL);
    sandbox.write("proposed/shop.cedar", &SMALL.replace("50", "100"));
    let found = sandbox.json(&["policy", "diff", "proposed"]);
    assert_eq!(
        (found["relation"].as_str(), found["proved"].as_bool()),
        (Some("more_permissive"), Some(true))
    );
    let example = &found["differences"][0]["example"];
    let amount = example["request"]["arguments"]["amount"].as_i64().unwrap();
    assert!((51..=100).contains(&amount), "{found}");
    assert_eq!(
        (example["before"]["outcome"].as_str(), example["after"]["outcome"].as_str()),
        (Some("deny"), Some("allow"))
    );
    assert_eq!(sandbox.output(&["policy", "diff", "proposed", "--strict"]).status.code(), Some(1));
    // The other way round nothing more is allowed.
    sandbox.write("proposed/shop.cedar", &SMALL.replace("50", "20"));
    assert_eq!(sandbox.output(&["policy", "diff", "proposed", "--strict"]).status.code(), Some(0));
}

/// Of the calls that are decided otherwise, those come first that the changed policies are about by name.
#[test]
fn the_calls_that_a_change_names_are_shown_first() {
    for solver in [true, false] {
        let mut sandbox = shop(SMALL);
        if !solver {
            sandbox.set("CVC5", "/nonexistent/cvc5");
        }
        let all = "@id(\"looks\") permit (principal, action in Action::\"tools.pure\", resource);\n";
        sandbox.write("proposed/shop.cedar", &format!("{all}{}", SMALL.replace("50", "100")));
        let found = sandbox.json(&["policy", "diff", "proposed"]);
        let actions: Vec<_> =
            found["differences"].as_array().unwrap().iter().map(|one| &one["action"]).collect();
        assert!(
            actions.len() > 1 && actions[0] == "refund" && actions.iter().any(|other| *other == "calculate"),
            "{found}"
        );
    }
}

#[test]
fn without_a_solver_nothing_is_said_to_be_proved() {
    let mut sandbox = shop(SMALL);
    sandbox.set("CVC5", "/nonexistent/cvc5");
    sandbox.write("proposed/shop.cedar", &SMALL.replace("50", "100"));
    let seen = sandbox.run(&["policy", "diff", "proposed"]);
    assert!(seen.contains("allows more; whether it allows less, too, is not proved"), "{seen}");
    assert!(seen.contains("the solver cvc5 is not installed"), "{seen}");
    let seen = sandbox.run(&["policy", "check"]);
    assert!(seen.contains("the solver cvc5 is not installed"), "{seen}");
}

#[test]
fn a_policy_in_the_shadow_of_another_is_found() {
    let sandbox = shop(&format!(
        "{SMALL}\n@id(\"tiny\")\npermit (principal, action == Action::\"refund\", resource)\n\
         when {{ context.arguments.amount.value <= 5 }};\n"
    ));
    let found = sandbox.json(&["policy", "check"]);
    let tiny = found["findings"].as_array().unwrap().iter().find(|found| found["policy"] == "tiny").unwrap();
    assert_eq!((tiny["kind"].as_str(), tiny["line"].as_u64()), (Some("shadowed"), Some(8)), "{found}");
    assert!(tiny["message"].as_str().unwrap().contains("shadowed by `small`"), "{found}");
}

#[test]
fn a_tool_is_forbidden_and_allowed_again() {
    let sandbox = shop(SMALL);
    sees!(sandbox.run(&["policy", "forbid", "--tool", "refund", "--reason", "under attack"]), @r#"
    exit 0
    --- stdout
    forbidden: refund (policies/kill-refund.cedar)
    --- stderr
    hint: take it back with `adjutant policy allow-again refund`
    "#);
    assert!(sandbox.read("policies/kill-refund.cedar").contains("@reason(\"under attack\")"));
    sees!(sandbox.run(&["policy", "forbids"]), @r#"
    exit 0
    --- stdout
    name  reason  policy
    refund  under attack  forbid (principal, action == Action::"refund", resource);
    "#);
    // Twice is once, and what permits is no kill switch.
    assert!(sandbox.run(&["policy", "forbid", "--tool", "refund"]).contains("forbidden already"));
    // In Cedar a typo is an error; a tool is forbidden whatever it is called, and it is told what may have been meant.
    let seen =
        sandbox.run(&["policy", "forbid", "forbid (principal, action == Action::\"refunt\", resource);"]);
    assert!(seen.starts_with("exit 2") && seen.contains("did you mean `Action::\"refund\"`?"), "{seen}");
    sees!(sandbox.run(&["policy", "forbid", "--tool", "refunt"]), @r#"
    exit 0
    --- stdout
    forbidden: refunt (policies/kill-refunt.cedar)
    --- stderr
    warning: the project knows no tool `refunt` as it is now; it is forbidden all the same; did you mean `refund`?
    hint: take it back with `adjutant policy allow-again refunt`
    "#);
    assert!(
        sandbox.run(&["policy", "forbid", "--tool", "desk.send"]).contains("policies/kill-desk-send.cedar")
    );
    let seen = sandbox.run(&["policy", "check"]);
    assert!(seen.starts_with("exit 0\n--- stdout\nok: 5 policies"), "{seen}");
    for wrong in ["warning", "kill-refunt", "kill-desk-send", "not proved"] {
        assert!(!seen.contains(wrong), "{seen}");
    }
    sandbox.run(&["policy", "allow-again", "desk-send"]);
    sandbox.run(&["policy", "allow-again", "refunt"]);
    assert!(
        sandbox
            .run(&["policy", "forbid", "permit (principal, action, resource);"])
            .contains("does not forbid")
    );
    assert!(
        sandbox.run(&["policy", "forbid", "--tool", "x", "--name", "../x"]).contains("cannot be the name")
    );
    assert!(sandbox.run(&["policy", "allow-again", "refund"]).starts_with("exit 0"));
    assert!(!sandbox.path("policies/kill-refund.cedar").exists());
    assert!(
        sandbox.run(&["policy", "allow-again", "refund"]).contains("nothing that is forbidden is called")
    );
}

#[test]
fn what_a_model_writes_is_not_put_in_force() {
    let sandbox = shop(SMALL);
    let seen = sandbox.run(&["policy", "generate", "no refunds", "--output", "policies/new.cedar"]);
    assert!(seen.contains("what a model writes is not put in force by itself"), "{seen}");
    assert!(!sandbox.path("policies/new.cedar").exists());
    // The model that works by rules writes no Cedar: after two tries that is told.
    let seen = sandbox.run(&["policy", "generate", "no refunds", "--output", "policies/proposed/new.cedar"]);
    assert!(seen.contains("the model wrote no valid policies"), "{seen}");
    assert!(!sandbox.path("policies/proposed/new.cedar").exists());
}

/// A model that first writes what the schema does not know, then what was asked for.
fn writes(request: &Received) -> Answer {
    let messages = request.body["messages"].to_string();
    let wrong = "```cedar\npermit (principal, action == Action::\"refunt\", resource);\n```";
    let right = "```cedar\n@id(\"tiny\")\npermit (principal, action == Action::\"refund\", resource)\n\
                 when { context.arguments.amount.value < 7 };\n```";
    assert!(messages.contains("action \\\"refund\\\""), "the schema is told: {messages}");
    Answer::text(if messages.contains("This is not valid") { right } else { wrong })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_model_writes_is_checked_mended_and_illustrated() {
    let provider = MockProvider::responding(writes).start().await.expect("a port");
    let sandbox = shop(SMALL);
    let settings = sandbox.read("adjutant.toml");
    let model = format!(
        "[models.main]\nprovider = \"openai\"\nmodel = \"large\"\nbase_url = \"{}\"\n{settings}",
        provider.base_url()
    );
    sandbox.write("adjutant.toml", &model);
    let found =
        sandbox.json(&["policy", "generate", "tiny refunds", "--output", "policies/proposed/tiny.cedar"]);
    let amount = |which: &str| found[which]["request"]["arguments"]["amount"].as_i64().unwrap();
    assert!(amount("allowed") < 7 && amount("denied") >= 7, "{found}");
    assert_eq!(found["allowed"]["verdict"]["outcome"], "allow", "{found}");
    assert_eq!(found["denied"]["verdict"]["outcome"], "deny", "{found}");
    assert_eq!(provider.count(), 2, "one mistake, one repair");
    assert!(sandbox.read("policies/proposed/tiny.cedar").contains("@id(\"tiny\")"));
    // It is part of what the project spends on a day.
    let spent = sandbox.json(&["runs"]);
    assert!(spent.as_array().unwrap().iter().all(|run| run["name"] == "policy-generate"), "{spent}");
    sandbox.write("adjutant.toml", &format!("{model}\n[budget]\ntokens = 20\n"));
    let seen = sandbox.run(&["policy", "generate", "tiny refunds"]);
    assert!(seen.starts_with("exit 1") && seen.contains("error[run-budget]"), "{seen}");
    assert_eq!(provider.count(), 2, "nothing was asked");
    provider.assert_clean();
}

/// A project whose agent files notes by a program, under these policies.
fn notes(front_matter: &str, policies: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent(&format!("tools: [note]\n{front_matter}"));
    sandbox.program("note", "#!/bin/sh\necho '{\"filed\": true}'\n");
    sandbox.write(
        "adjutant.toml",
        "[tools.note]\ntype = \"command\"\ndescription = \"Files a note.\"\ncommand = [\"./note\"]\n\
         effect = \"at_most_once\"\n[tools.note.parameters]\ntext = \"What to note.\"\n",
    );
    sandbox.write("policies/notes.cedar", &format!("{policies}\n{ALL_ELSE}"));
    sandbox
}

const ALL_ELSE: &str = r#"@id("rest")
permit (principal, action in [Action::"run.model", Action::"run.answer"], resource);
"#;

const NOTE: [&str; 2] = ["run", "Please file a note: \"buy milk\""];

#[test]
fn who_had_a_say_after_the_policies_is_explained() {
    let sandbox =
        notes("approve: [note]", r#"@id("notes") permit (principal, action == Action::"note", resource);"#);
    sandbox.run(&NOTE);
    let run = sandbox.newest();
    let waiting = sandbox.json(&["approvals"]);
    // The policies permit it; it is the definition that asks.
    assert!(waiting[0]["request"].get("policies").is_none(), "{waiting}");
    let seen = sandbox.run(&["policy", "explain", &run, "note"]);
    assert!(seen.contains("then a person was asked: the agent's definition asks for it"), "{seen}");
    assert!(sandbox.run(&["policy", "forbid", "--tool", "note"]).starts_with("exit 0"));
    let id = waiting[0]["id"].as_str().unwrap();
    sandbox.run(&["approvals", "decide", id, "--approve", "--as", "ann"]);
    let seen = sandbox.run(&["policy", "explain", &run, "note"]);
    assert!(seen.contains("then ann agreed"), "{seen}");
    let denied = seen.lines().find(|line| line.contains("then it was not made")).unwrap();
    assert!(denied.ends_with("(forbidden now by kill-note)"), "{seen}");
}

#[test]
fn nothing_that_is_forbidden_by_now_is_said_to_help() {
    let sandbox =
        notes("", r#"@id("notes") @ask("by hand") permit (principal, action == Action::"note", resource);"#);
    sandbox.run(&NOTE);
    let run = sandbox.newest();
    let helps = "if a person had agreed to it: allow";
    let seen = sandbox.run(&["policy", "explain", &run, "note"]);
    assert!(seen.contains(helps), "{seen}");
    sandbox.run(&["policy", "forbid", "--tool", "note"]);
    let seen = sandbox.run(&["policy", "explain", &run, "note"]);
    assert!(seen.contains("a person was asked: by hand") && !seen.contains("  if "), "{seen}");
    // That a person agreed has not helped, whatever has become of the kill switch since.
    let waiting = sandbox.json(&["approvals"]);
    sandbox.run(&["approvals", "decide", waiting[0]["id"].as_str().unwrap(), "--approve"]);
    sandbox.run(&["policy", "allow-again", "note"]);
    let seen = sandbox.run(&["policy", "explain", &run, "note"]);
    assert!(seen.contains("then it was not made") && !seen.contains("  if "), "{seen}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_outside_the_task_is_so_whatever_policies_are_tried() {
    let calls = || Answer::calls([("c1", "note", serde_json::json!({ "text": "buy milk" }))]);
    let provider = MockProvider::responding(move |_| calls()).start().await.expect("a port");
    let sandbox =
        notes("narrow: rules", r#"@id("notes") permit (principal, action == Action::"note", resource);"#);
    let settings = sandbox.read("adjutant.toml");
    let model = format!(
        "[models.main]\nprovider = \"openai\"\nmodel = \"large\"\nbase_url = \"{}\"\n{settings}",
        provider.base_url()
    );
    sandbox.write("adjutant.toml", &model);
    sandbox.run(&["run", "What time is it in Rome?"]);
    let explained = sandbox.json(&["policy", "explain", &sandbox.newest(), "note"]);
    assert_eq!(explained[0]["request"]["within_task"], false, "{explained}");
    assert_eq!(explained[0]["verdict"]["outcome"], "ask", "{explained}");
    let helps = explained[0]["otherwise"].as_array().unwrap();
    assert!(helps.iter().all(|one| one["if"] == "a person had agreed to it"), "{explained}");
    let replayed = sandbox.json(&["policy", "replay"]);
    assert_eq!(replayed["changes"].as_array().map(Vec::len), Some(0), "{replayed}");
    assert!(replayed["decisions"].as_u64() > Some(0), "{replayed}");
    // A run without policies is narrowed all the same.
    std::fs::remove_dir_all(sandbox.path("policies")).unwrap();
    sandbox.run(&["run", "What time is it in Rome?"]);
    let seen = sandbox.run(&["policy", "explain", &sandbox.newest(), "note"]);
    assert!(seen.contains("narrowing: it is outside of what the task needs"), "{seen}");
    assert!(seen.contains("if a person had agreed to it: allow"), "{seen}");
    assert!(!seen.contains("by no policy"), "{seen}");
}

#[test]
fn a_tool_is_forbidden_while_the_project_is_broken() {
    let sandbox = shop(SMALL);
    sandbox.write("agents/other.md", "---\nmodel: main\ntools: [refunt]\n---\nYou help.\n");
    let seen = sandbox.run(&["policy", "forbid", "--tool", "refund"]);
    assert!(seen.starts_with("exit 0") && seen.contains("warning: the project has 1 fault"), "{seen}");
    assert!(sandbox.read("policies/kill-refund.cedar").contains(r#"action == Action::"refund""#));
    let seen = sandbox.run(&["policy", "forbid", "--tool", "refunt"]);
    assert!(seen.starts_with("exit 0") && seen.contains("the project knows no tool `refunt`"), "{seen}");
    let settings = sandbox.read("adjutant.toml");
    sandbox.write("policies/shop.cedar", "permit (").write("adjutant.toml", "[tools");
    sees!(sandbox.run(&["policy", "forbids"]), @r#"
    exit 0
    --- stdout
    name  reason  policy
    refund  forbidden by an operator  forbid (principal, action == Action::"refund", resource);
    refunt  forbidden by an operator  forbid (principal, action == Action::"refunt", resource);
    "#);
    let seen = sandbox.run(&["policy", "forbid", "--tool", "other"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    assert!(sandbox.run(&["policy", "allow-again", "other"]).starts_with("exit 0"));
    sandbox.write("adjutant.toml", &settings);
    assert!(sandbox.run(&["policy", "allow-again", "refunt"]).starts_with("exit 0"));
    sandbox.write("policies/shop.cedar", SMALL);
    std::fs::remove_file(sandbox.path("agents/other.md")).unwrap();
    let request = r#"{"agent": "desk", "tool": "refund", "arguments": {"amount": 5}}"#;
    let decided = sandbox.run_with_input(&["policy", "decide"], request);
    assert!(decided.contains("kill-refund"), "{decided}");
}

#[test]
fn a_kill_switch_takes_nothing_else_from_a_locked_project() {
    let sandbox = shop(SMALL);
    std::fs::remove_dir_all(sandbox.path("policies")).unwrap();
    let settings = sandbox.read("adjutant.toml");
    sandbox.write("adjutant.toml", &format!("[policy]\nlockdown = true\n{settings}"));
    let answer = r#"{"agent": "desk", "action": "answer"}"#;
    let before = sandbox.run_with_input(&["policy", "decide"], answer);
    let seen = sandbox.run(&["policy", "forbid", "--tool", "refund"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
    let decision = |seen: &str| seen.split("\"version\"").next().map(str::to_owned);
    let after = sandbox.run_with_input(&["policy", "decide"], answer);
    assert_eq!(decision(&before), decision(&after));
    assert!(before.contains(r#""decision":"allow""#), "{before}");
    assert!(sandbox.run(&["policy", "allow-again", "refund"]).starts_with("exit 0"));
    assert_eq!(before, sandbox.run_with_input(&["policy", "decide"], answer));
}

#[test]
fn an_example_is_small_and_decided_as_it_is_shown() {
    let often = "@id(\"often\") forbid (principal, action == Action::\"refund\", resource)\n\
                 when { context.session.count.refund >= 3 };\n";
    let sandbox = shop(SMALL);
    sandbox.write("proposed/shop.cedar", &format!("{SMALL}\n{often}"));
    let found = sandbox.json(&["policy", "diff", "proposed"]);
    let example = &found["differences"][0]["example"];
    let calls = example["request"]["session"]["calls"].as_array().unwrap();
    assert_eq!(calls.len(), 3, "{found}");
    let request = format!("{}\n", example["request"]);
    let decided = sandbox.run_with_input(&["policy", "decide"], &request);
    assert!(decided.contains(r#""decision":"allow""#), "{decided}");
    sandbox.write("policies/shop.cedar", &sandbox.read("proposed/shop.cedar"));
    let decided = sandbox.run_with_input(&["policy", "decide"], &request);
    assert!(decided.contains(r#""decision":"deny""#), "{decided}");
}
