//! The policies that a new project begins with, on tools that it does not know.

use adjutant_policy::Outcome;
use adjutant_policy::cedar::{LOCKDOWN, PACK};
use adjutant_policy::facts::{Action, Request};
use serde_json::json;

use crate::shop::{Change, call, policies, request};

#[track_caller]
fn check(request: &Request, outcome: &Outcome, policy: &str) {
    let verdict = policies(PACK).decide(request);
    assert_eq!(&verdict.outcome, outcome, "{verdict:#?}");
    assert!(verdict.policies.iter().any(|made| made == policy), "{verdict:#?}");
}

#[test]
fn the_pack_goes_by_what_tools_do() {
    let refund = || call("refund", json!({ "number": 7, "amount": 4, "account": { "iban": "DE1" } }));
    let mail = || call("send-mail", json!({ "to": ["ann@x.test"], "body": "hello" }));
    check(&call("order", json!({ "number": 7 })).untrusted("number"), &Outcome::Allow, "looking-up");
    check(&refund(), &Outcome::Allow, "known-effects");
    check(&refund().untrusted("account/iban"), &Outcome::Ask, "unknown-effects");
    check(&refund().untrusted("number"), &Outcome::Ask, "unknown-effects");
    check(&mail().untrusted("to"), &Outcome::Ask, "unknown-effects");
    check(&mail().untrusted("body"), &Outcome::Ask, "strangers-words-out");
    check(&mail().private("body", &["bob@x.test"]), &Outcome::Ask, "private-content-out");
    check(&mail().private("body", &["ann@x.test", "bob@x.test"]), &Outcome::Allow, "known-effects");
    let approved = |request: Request| request.with(|request| request.approved = true);
    check(&approved(refund().untrusted("number")), &Outcome::Allow, "unknown-effects");
    check(&approved(mail().untrusted("body")), &Outcome::Allow, "known-effects");
    check(&request(Action::Answer), &Outcome::Allow, "the-run-itself");
    let page = || call("fetch", json!({ "url": "https://x.test/?q=1" }));
    check(&page(), &Outcome::Allow, "looking-up");
    check(&page().untrusted("url"), &Outcome::Ask, "unknown-addresses");
    check(&page().private("url", &["ann@x.test"]), &Outcome::Ask, "unknown-addresses");
}

#[test]
fn a_locked_project_lets_nothing_out_whoever_permits_it() {
    let locked = policies(&format!("@id(\"all\") permit (principal, action, resource);\n{LOCKDOWN}"));
    let approved = |request: Request| request.with(|request| request.approved = true);
    let resource = || request(Action::Resource { server: "mail".into(), uri: "mail://inbox".into() });
    for (request, outcome) in [
        (call("order", json!({ "number": 7 })), Outcome::Allow),
        (call("fetch", json!({ "url": "https://x.test" })), Outcome::Deny),
        (approved(call("fetch", json!({ "url": "https://x.test" }))), Outcome::Deny),
        (approved(call("script", json!({}))), Outcome::Deny),
        (approved(call("send-mail", json!({ "to": ["ann@x.test"], "body": "hello" }))), Outcome::Deny),
        (approved(resource()), Outcome::Deny),
        (call("note", json!({})), Outcome::Ask),
        (approved(call("note", json!({}))), Outcome::Allow),
        (request(Action::Answer), Outcome::Allow),
    ] {
        let verdict = locked.decide(&request);
        assert_eq!(verdict.outcome, outcome, "{request:#?}: {verdict:#?}");
    }
}

#[test]
fn nothing_is_found_about_the_pack() {
    let findings = policies(PACK).findings();
    assert!(findings.is_empty(), "{findings:#?}");
}
