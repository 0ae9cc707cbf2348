//! `adjutant audit`.

use crate::sandbox::{Sandbox, sees};

#[test]
fn what_was_done_is_told_and_what_was_changed_is_seen() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run(&["audit"]), @"
    exit 0
    --- stderr
    nothing of that kind is recorded
    ");
    sandbox.run(&["run", "--user", "carl", "Hello!"]);
    sandbox.run(&["keys", "create", "ci", "--role", "viewer", "--as", "ann"]);
    let listed = sandbox.run(&["audit"]);
    assert!(listed.contains("key.created") && listed.contains("run.started"), "{listed}");
    assert!(!sandbox.run(&["audit", "list", "--by", "ann"]).contains("run.started"));
    let verified = sandbox.run(&["audit", "verify"]);
    assert!(verified.starts_with("exit 0") && verified.contains("1 act are"), "{verified}");
    let found = sandbox.json(&["audit", "verify"]);
    let head = found["head"].as_str().unwrap();
    assert!(sandbox.run(&["audit", "verify", "--head", head]).starts_with("exit 0"));
    sandbox.run(&["runs", "erase", "--user", "carl", "--as", "dora"]);
    assert!(sandbox.run(&["audit", "verify", "--head", head]).contains("1 run erased by dora"));
    let store = rusqlite::Connection::open(sandbox.path(".adjutant/adjutant.db")).unwrap();
    store.execute("UPDATE acts SET subject = 'another' WHERE what = 'key.created'", []).unwrap();
    drop(store);
    let broken = sandbox.run(&["audit", "verify"]);
    assert!(
        broken.starts_with("exit 1") && broken.contains("broken: the act that it is for was changed (link"),
        "{broken}"
    );
    assert!(sandbox.run(&["audit", "verify", "--head", "zz"]).starts_with("exit 2"));
}

#[test]
fn what_policies_keep_an_agent_from_is_told_with_the_policy() {
    let sandbox = Sandbox::with_agent("tools: [clock]");
    let policies = "permit (principal, action, resource);\n\
        @id(\"no-clock\") forbid (principal, action == Action::\"now\", resource);\n";
    sandbox.write("adjutant.toml", "[tools.clock]\ntype = \"time\"\n").write("policies/desk.cedar", policies);
    sandbox.run(&["run", "What time is it now?"]);
    let found = sandbox.json(&["audit", "list", "--what", "action"]);
    let event = &found["events"][0];
    assert_eq!(found["events"].as_array().map(Vec::len), Some(1), "{found}");
    assert_eq!((&event["what"], &event["subject"]), (&"action.denied".into(), &"desk".into()), "{found}");
    assert_eq!(event["details"]["action"], serde_json::json!({ "tool": "now" }), "{found}");
    assert_eq!(event["details"]["policies"], serde_json::json!(["no-clock"]), "{found}");
    assert_eq!(event["by"], serde_json::Value::Null, "{found}");
}
