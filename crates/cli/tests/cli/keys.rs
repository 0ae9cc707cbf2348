//! `adjutant keys`.

use crate::sandbox::{Sandbox, sees};

fn id(made: &serde_json::Value) -> &str {
    made["key"]["id"].as_str().unwrap()
}

#[test]
fn keys_are_made_listed_replaced_and_taken_back() {
    let sandbox = Sandbox::with_agent("");
    sees!(sandbox.run(&["keys"]), @"
    exit 0
    --- stderr
    there is no key; `adjutant keys create NAME --role ROLE` makes one
    ");
    let made =
        sandbox.json(&["keys", "create", "ci", "--role", "operator", "--scope", "agent:desk", "--as", "ann"]);
    let token = made["token"].as_str().unwrap();
    assert!(token.starts_with(&format!("adj_{}_", id(&made))), "{token}");
    let listed = sandbox.run(&["keys"]);
    assert!(
        listed.contains("operator") && listed.contains("agent:desk") && listed.contains("holds"),
        "{listed}"
    );
    assert!(!listed.contains(token));
    let new = sandbox.json(&["keys", "rotate", id(&made), "--keep", "0s", "--as", "ann"]);
    let all = sandbox.run(&["keys", "list", "--all"]);
    assert!(all.contains("over, replaced by [run]"), "{all}");
    assert_eq!(sandbox.json(&["keys", "list", "--all"])[1]["replaced_by"], id(&new));
    let taken = sandbox.run(&["keys", "revoke", id(&new), "--reason", "it leaked", "--as", "ann"]);
    assert!(taken.contains("(ci): taken back"), "{taken}");
    assert!(sandbox.run(&["keys", "revoke", id(&new)]).contains("ann has taken the key"));
    assert_eq!(sandbox.json(&["keys", "list"]), serde_json::json!([]));
    let other = sandbox.json(&["keys", "create", "ci", "--role", "viewer", "--tenant", "acme"]);
    assert_eq!(other["key"]["scope"]["tenant"], "acme");
    assert_eq!(sandbox.json(&["keys", "list"]), serde_json::json!([]));
    assert_eq!(sandbox.json(&["keys", "list", "--tenant", "acme"]).as_array().unwrap().len(), 1);
}

#[test]
fn a_token_alone_is_on_standard_output() {
    let sandbox = Sandbox::with_agent("");
    let told = sandbox.run(&["keys", "create", "ci", "--role", "admin", "--expires", "90d"]);
    let (_, data) = told.split_once("--- stdout\n").unwrap();
    let token = data.lines().next().unwrap();
    assert!(token.starts_with("adj_") && !token.contains(char::is_whitespace), "{told}");
    sees!(sandbox.run(&["keys", "create", "ci", "--role", "operater"]), @"
    exit 2
    --- stderr
    error: invalid value 'operater' for '--role <ROLE>': `operater` is not a role; did you mean `operator`?

    For more information, try '--help'.
    ");
    sees!(sandbox.run(&["keys", "create", "ci", "--role", "viewer", "--scope", "desk"]), @"
    exit 2
    --- stderr
    error[input-invalid]: `desk` is not a scope of a key

    hint: write it as `agent:NAME`, for a workflow too, as `model:NAME` or `service:metrics`; a `*` may stand at its end
    ");
}
