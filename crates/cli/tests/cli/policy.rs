//! Policies: what is wrong with them, whether their cases come out, and what they say to other programs.

use serde_json::Value;

use crate::sandbox::{Sandbox, sees};

const TOOLS: &str = r#"
[tools.refund]
type = "command"
description = "Refunds an order."
command = ["true"]
effect = "at_most_once"

[tools.refund.parameters]
number = { type = "integer", description = "The order." }
amount = { type = "number", description = "How much." }

[tools.clock]
type = "time"
"#;

/// A project with an agent that refunds, and these policies.
fn with_policies(policies: &str) -> Sandbox {
    let sandbox = Sandbox::with_agent("tools: [refund, clock]");
    sandbox.write("adjutant.toml", TOOLS).write("policies/desk.cedar", policies);
    sandbox
}

/// The answers of `policy decide` to lines.
fn decided(sandbox: &Sandbox, lines: &[&str]) -> Vec<Value> {
    let seen = sandbox.run_with_input(&["policy", "decide"], &lines.join("\n"));
    seen.lines().filter_map(|line| serde_json::from_str(line.trim()).ok()).collect()
}

#[test]
fn a_mistake_has_its_place_before_anything_runs() {
    let sandbox = with_policies("permit (principal, action == Action::\"refnd\", resource);\n");
    for command in [&["policy", "check"] as &[&str], &["check"], &["policy", "test"]] {
        let seen = sandbox.run(command);
        assert!(seen.starts_with("exit 2"), "{seen}");
        assert!(seen.contains("policies/desk.cedar:1:30"), "{seen}");
        assert!(seen.contains("did you mean `Action::\"refund\"`?"), "{seen}");
    }
    let none = Sandbox::with_agent("").run(&["policy", "check"]);
    assert!(none.starts_with("exit 2") && none.contains("the project has no policies"), "{none}");
}

#[test]
fn what_is_hardly_meant_is_told() {
    let sandbox = with_policies("@id(\"all\") permit (principal, action, resource);\n");
    sees!(sandbox.run(&["policy", "check"]), @r#"
    exit 0
    --- stdout
    ok: 1 policy
    --- stderr
    warning: policies/desk.cedar:1: this policy allows everything that nothing forbids (`all`)
      hint: name the tools it is about: `action in Action::"tools.pure"`
    warning: together, the policies allow everything
    "#);
    assert!(sandbox.run(&["policy", "check", "--strict"]).starts_with("exit 1"));
    assert!(
        sandbox.run(&["check"]).contains("warning: policies/desk.cedar:1: this policy allows everything")
    );
    let found = sandbox.json(&["policy", "check"]);
    assert_eq!(found["findings"][0]["kind"], "allows_everything");
    assert_eq!(found["findings"][0]["severity"], "warning");
}

#[test]
fn cases_come_out_or_say_what_came_out() {
    let sandbox = with_policies(
        "@id(\"few\") permit (principal, action == Action::\"refund\", resource) when { context.session.today.refund < 3 };\n",
    );
    sandbox.write(
        "policies/desk.test.yaml",
        "agent: desk\ncases:\n  - name: the first refund\n    tool: refund\n    arguments: { number: 7, amount: 4.5 }\n    expect: allow\n    policy: few\n  \
         - name: the fourth refund\n    tool: refund\n    arguments: { number: 7, amount: 4.5 }\n    before: [{ tool: refund, ago: 2h, times: 3 }]\n    expect: deny\n    says: 3 of 3 calls\n",
    );
    sees!(sandbox.run(&["policy", "test"]), @"
    exit 0
    --- stdout
    ok: 2 cases
    ");
    sandbox.write(
        "policies/more.test.yaml",
        "cases:\n  - name: what comes out otherwise\n    tool: refund\n    arguments: { number: 7, amount: 4.5 }\n    before: [{ tool: refund, times: 3 }]\n    expect: ask\n",
    );
    let seen = sandbox.run(&["policy", "test"]);
    assert!(seen.starts_with("exit 1") && seen.contains("1 of 3 cases failed"), "{seen}");
    assert!(seen.contains("policies/more.test.yaml:2:"), "{seen}");
    assert!(seen.contains("what comes out otherwise: expected ask, and it is deny"), "{seen}");
    assert!(seen.contains("3 of 3 calls of `refund` in the last 24 hours are used"), "{seen}");
    sandbox.write("policies/more.test.yaml", "cases:\n  - name: a slip\n    tool: refnd\n    expct: ask\n");
    let seen = sandbox.run(&["policy", "test"]);
    assert!(seen.starts_with("exit 2"), "{seen}");
    assert!(seen.contains("there is no tool `refnd`") && seen.contains("did you mean `refund`?"), "{seen}");
    assert!(seen.contains("unknown key `expct`") && seen.contains("did you mean `expect`?"), "{seen}");
}

#[test]
fn other_programs_are_answered_line_by_line() {
    let sandbox = with_policies(
        "@id(\"known\") permit (principal, action == Action::\"refund\", resource) when { context.arguments.number.trusted && context.session.today.refund < 1 };\n",
    );
    let lines = [
        r#"{"id":1,"agent":"desk","request":"Refund order 104233, 20 EUR","tool":"refund","arguments":{"number":104233,"amount":20}}"#,
        r#"{"id":2,"agent":"desk","request":"Refund it","tool":"refund","arguments":{"number":104233,"amount":20},"results":[{"tool":"clock","text":"104233"}]}"#,
        "no json",
        r#"{"id":3,"agent":"desk","request":"Refund order 104233, 20 EUR","tool":"refund","arguments":{"number":104233,"amount":20},"results":[{"tool":"refund"}]}"#,
        r#"{"agent":"desk","tool":"refund","tols":1}"#,
        r#"{"id":4,"agent":"desk","action":"answer"}"#,
    ];
    let seen = sandbox.run_with_input(&["policy", "decide"], &lines.join("\n"));
    let answers: Vec<Value> =
        seen.lines().filter_map(|line| serde_json::from_str(line.trim()).ok()).collect();
    let words: Vec<&str> = answers.iter().filter_map(|answer| answer["decision"].as_str()).collect();
    assert_eq!(words, ["allow", "deny", "deny", "deny", "deny", "deny"], "{seen}");
    assert!(answers[0]["policies"][0] == "known" && answers[0]["id"] == 1, "{seen}");
    assert!(answers[2]["error"].is_object() && answers[2]["line"] == 3, "{seen}");
    assert!(
        seen.contains("`refund` was called in the last 24 hours already, and may be called once"),
        "{seen}"
    );
    assert!(seen.contains("unknown field `tols`"), "{seen}");
}

#[test]
fn a_call_that_the_tool_would_refuse_is_not_decided() {
    let sandbox = with_policies("permit (principal, action, resource);\n");
    let lines = [
        r#"{"agent":"desk","tool":"refund","arguments":{"number":7,"amount":"4.50"}}"#,
        r#"{"agent":"desk","tool":"refund","arguments":{"number":7.5,"amount":4}}"#,
        r#"{"agent":"desk","tool":"refund","arguments":{"number":7,"amount":4,"note":"x"}}"#,
        r#"{"agent":"desk","tool":"refund","arguments":{"number":7}}"#,
    ];
    let answers = decided(&sandbox, &lines);
    assert_eq!(answers[0]["decision"], "allow", "{answers:?}");
    for answer in &answers[1..] {
        assert!(answer["decision"] == "deny" && answer["error"]["code"] == "tool-arguments", "{answer}");
    }
    sandbox.write(
        "policies/desk.test.yaml",
        "cases:\n  - name: half an order\n    tool: refund\n    arguments: { number: 7.5, amount: 4, note: x }\n    expect: allow\n",
    );
    let seen = sandbox.run(&["policy", "test"]);
    assert!(seen.starts_with("exit 2") && seen.contains("policies/desk.test.yaml:4:"), "{seen}");
    assert!(seen.contains("do not fit its schema") && seen.contains("`note`"), "{seen}");
}

#[test]
fn nothing_in_a_line_goes_unread() {
    let sandbox = with_policies(
        "@id(\"ours\") permit (principal, action == Action::\"refund\", resource) when { context.run.readers.contains(\"ann\") && context.run.from.contains(\"web:a\") && context.now < datetime(\"2026-01-16\") };\n",
    );
    let line = |agent: &str, result: &str, more: &str| {
        format!(
            r#"{{"agent":"{agent}","tool":"refund","arguments":{{"number":7,"amount":4}},"results":[{{"tool":"clock"{result}}}]{more}}}"#
        )
    };
    let label = r#","at":"2026-01-15T11:00:00.250+01:00","label":{"integrity":"untrusted","readers":["ann"],"sources":["web:a"]}"#;
    let stored = r#","at":1768470000000,"label":{"integrity":"untrusted","readers":{"only":["ann"]},"sources":{"known":["web:a"]}}"#;
    let now = r#","now":"2026-01-15T12:00:00Z""#;
    for label in [label, stored] {
        let answers = decided(&sandbox, &[&line("desk", label, now)]);
        assert_eq!(answers[0]["decision"], "allow", "{answers:?}");
    }
    for (line, wrong) in [
        (line("desk", &label.replace("readers", "readrs"), now), "`readrs`"),
        (line("desk", label, r#","now":"noon""#), "a moment is"),
        (line("dsk", label, now), "there is no agent `dsk`"),
        (line("desk", label, r#","principal":{"usr":{"id":"ann"}}"#), "`usr`"),
        (line("desk", label, r#","principal":{"user":{"id":"ann","clams":{}}}"#), "`clams`"),
        (
            line("desk", label, r#","principal":{"user":{"id":"ann","claims":{"role":"x"}}}"#),
            "no claim `role`",
        ),
        (
            r#"{"agent":"desk","action":{"resource":{"server":"a","uri":"b","c":1}}}"#.to_owned(),
            "has more than",
        ),
        (
            r#"{"agent":"desk","action":{"tool":"refund"},"arguments":{"number":7.5,"amount":4}}"#.to_owned(),
            "fit its schema",
        ),
    ] {
        let answers = decided(&sandbox, &[&line]);
        let error = answers[0]["error"].to_string();
        assert!(answers[0]["decision"] == "deny" && error.contains(wrong), "{line}: {answers:?}");
    }
}

#[test]
fn what_is_claimed_of_a_user_is_what_policies_know() {
    let sandbox = with_policies("permit (principal, action, resource);\n");
    sandbox
        .write("adjutant.toml", &format!("[policy.claims]\nrole = \"string\"\nlevel = \"integer\"\n{TOOLS}"));
    for (claims, wrong) in [
        (&["rol=manager"] as &[&str], "did you mean `role`?"),
        (&["team=north"], "known are `level`, `role`"),
        (&["level=high"], "the claim `level` must be a whole number"),
        (&["role=a", "role=b"], "the claim `role` is given twice"),
    ] {
        let claims: Vec<&str> = claims.iter().flat_map(|claim| ["--claim", claim]).collect();
        let seen = sandbox.run(&[&["run", "hello", "--user", "ann"], &claims[..]].concat());
        assert!(seen.starts_with("exit 2") && seen.contains(wrong), "{seen}");
        let seen = sandbox.run_with_input(&[&["chat", "--user", "ann"], &claims[..]].concat(), "hello\n");
        assert!(seen.starts_with("exit 2") && seen.contains(wrong), "{seen}");
    }
    assert!(sandbox.json(&["runs"]).as_array().is_some_and(Vec::is_empty), "no run has begun");
    let seen =
        sandbox.run(&["run", "hello", "--user", "ann", "--claim", "role=manager", "--claim", "level=3"]);
    assert!(seen.starts_with("exit 0"), "{seen}");
}

#[test]
fn a_case_names_what_there_is() {
    let sandbox = with_policies("permit (principal, action, resource);\n");
    sandbox.write("adjutant.toml", &format!("[policy.claims]\nrole = \"string\"\n{TOOLS}"));
    sandbox.write(
        "policies/desk.test.yaml",
        "agent: dsk\ncases:\n  - name: slips\n    tool: refund\n    arguments: { number: 7, amount: 4 }\n    user: ann\n    \
         claims:\n      rol: manager\n    before:\n      - tool: refnd\n    untrusted: [/amount/cents]\n    expect: allow\n",
    );
    let seen = sandbox.run(&["policy", "test"]);
    assert!(seen.starts_with("exit 2"), "{seen}");
    for (line, wrong) in [
        (1, "there is no agent `dsk`"),
        (8, "`[policy.claims]` declares no claim `rol`"),
        (10, "there is no tool `refnd`"),
        (11, "`/amount/cents` is no argument of this case"),
    ] {
        assert!(seen.contains(&format!("desk.test.yaml:{line}:")) && seen.contains(wrong), "{wrong}: {seen}");
    }
}

#[test]
fn a_lockdown_is_not_held_against_what_people_wrote() {
    let sandbox = with_policies(
        "@id(\"refunds\") permit (principal, action == Action::\"refund\", resource) when { context.arguments.number.evidence == \"word\" };\n",
    );
    let open = sandbox.json(&["policy", "check"])["findings"].clone();
    assert!(open.to_string().contains("unknown_evidence"), "{open}");
    let locked = format!("[policy]\nlockdown = true\n{TOOLS}");
    sandbox.write("adjutant.toml", &locked);
    let seen = sandbox.json(&["policy", "check"]);
    assert_eq!(seen["findings"], open);
    assert!(seen["policies"].as_u64() > Some(1), "those that decide are counted: {seen}");
    let bare = Sandbox::with_agent("tools: [refund, clock]");
    bare.write("adjutant.toml", &locked);
    assert_eq!(bare.json(&["policy", "check"])["findings"], serde_json::json!([]));
}

#[test]
fn a_new_project_has_policies_that_pass_their_tests() {
    let sandbox = Sandbox::new();
    sandbox.run(&["new", "first"]);
    sees!(sandbox.run(&["policy", "test", "first"]), @"
    exit 0
    --- stdout
    ok: 3 cases
    ");
}
