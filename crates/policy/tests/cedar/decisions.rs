use std::borrow::Borrow;

use adjutant_core::label::Label;
use adjutant_policy::cedar::Mode;
use adjutant_policy::facts::{Action, Request};
use adjutant_policy::{Outcome, Verdict};
use serde_json::json;

use crate::shop::{Change, call, past, policies, read_as, request};

/// Checks what a set says of a request: its outcome, and a part of what it tells.
#[track_caller]
fn check(text: &str, request: &Request, outcome: impl Borrow<Outcome>, says: &str) -> Verdict {
    let verdict = policies(text).decide(request);
    assert_eq!(&verdict.outcome, outcome.borrow(), "{text}: {verdict:#?}");
    let said = format!("{} | {}", verdict.reason, verdict.tell.as_deref().unwrap_or_default());
    assert!(said.contains(says), "{text}: `{said}` has no `{says}`");
    verdict
}

fn refund(amount: f64) -> Request {
    call("refund", json!({ "number": 7, "amount": amount }))
}

#[test]
fn nothing_is_allowed_that_no_policy_permits() {
    check("", &refund(1.0), Outcome::Deny, "no policy permits `refund` to the agent `desk`");
    check(r#"permit (principal, action == Action::"order", resource);"#, &refund(1.0), Outcome::Deny, "");
    check(
        r#"permit (principal, action == Action::"refund", resource);"#,
        &refund(1.0),
        Outcome::Allow,
        "permitted by",
    );
    check(
        "permit (principal, action, resource);",
        &call("unknown", json!({})),
        Outcome::Deny,
        "know no tool `unknown`",
    );
    check("permit (principal, action, resource);", &refund(1.0).of_agents(&[]), Outcome::Deny, "nobody");
}

#[test]
fn the_order_of_a_decision() {
    let ask = r#"@id("ask") @ask("money leaves") permit (principal, action == Action::"refund", resource);"#;
    let free = r#"@id("free") permit (principal, action in Action::"tools", resource);"#;
    let hard = r#"@id("hard") forbid (principal, action, resource) when { context.approved || true };"#;
    let lifted =
        r#"@id("lifted") @ask("look at it") forbid (principal, action == Action::"refund", resource);"#;
    let masked =
        r#"@id("masked") @redact("iban, email") permit (principal, action == Action::"refund", resource);"#;
    let both = r#"@id("both") @ask("first") @redact("secret") permit (principal, action == Action::"refund", resource);"#;
    let mask = r#"@id("mask") @redact("phone") forbid (principal, action == Action::"refund", resource);"#;
    let kinds = |kinds: &[&str]| Outcome::Redact(kinds.iter().map(|kind| (*kind).to_owned()).collect());
    let now = refund(1.0);
    let agreed = refund(1.0).with(|request| request.approved = true);
    for (set, before, after) in [
        (vec![ask], Outcome::Ask, Outcome::Allow),
        (vec![ask, free], Outcome::Allow, Outcome::Allow),
        (vec![free, hard], Outcome::Deny, Outcome::Deny),
        (vec![free, lifted], Outcome::Ask, Outcome::Allow),
        (vec![lifted], Outcome::Deny, Outcome::Deny),
        (vec![lifted, hard, free], Outcome::Deny, Outcome::Deny),
        (vec![masked], kinds(&["email", "iban"]), kinds(&["email", "iban"])),
        (vec![masked, free], Outcome::Allow, Outcome::Allow),
        (vec![masked, ask], kinds(&["email", "iban"]), Outcome::Allow),
        (vec![both], Outcome::Ask, kinds(&["secret"])),
        (vec![free, mask], kinds(&["phone"]), kinds(&["phone"])),
        (vec![masked, mask], kinds(&["email", "iban", "phone"]), kinds(&["email", "iban", "phone"])),
        (vec![mask], Outcome::Deny, Outcome::Deny),
    ] {
        check(&set.join("\n"), &now, before, "");
        check(&set.join("\n"), &agreed, after, "");
    }
    let verdict = check(&[free, lifted].join("\n"), &now, Outcome::Ask, "look at it");
    assert_eq!((verdict.policies, verdict.tell), (vec!["lifted".to_owned()], None));
}

#[test]
fn rules_over_the_past_say_what_is_missing() {
    let thrice = r#"permit (principal, action == Action::"refund", resource) when { context.session.today.refund < 3 };"#;
    let used = |calls: usize| {
        (0..calls)
            .fold(refund(1.0), |request, _| request.after("refund", json!({ "number": 7, "amount": 1 })))
    };
    check(thrice, &used(2), Outcome::Allow, "");
    check(thrice, &used(3), Outcome::Deny, "3 of 3 calls of `refund` in the last 24 hours are used");
    let yesterday = used(2).with(|request| request.session.calls.push(past("refund", json!({}), 25 * 3600)));
    check(thrice, &yesterday, Outcome::Allow, "");

    let read = r#"permit (principal, action == Action::"refund", resource)
        when { context.session.seen.order.number.contains(context.arguments.number.value) };"#;
    check(read, &refund(1.0), Outcome::Deny, "call `order` first: it was not called with `number` = 7");
    check(read, &refund(1.0).after("order", json!({ "number": 8 })), Outcome::Deny, "call `order` first");
    check(read, &refund(1.0).after("order", json!({ "number": 7 })), Outcome::Allow, "");
    let failed = refund(1.0)
        .after("order", json!({ "number": 7 }))
        .with(|request| request.session.calls[0].failed = true);
    check(read, &failed, Outcome::Deny, "call `order` first");

    let sum = r#"permit (principal, action == Action::"refund", resource)
        when { context.session.sum.refund.amount.lessThan(decimal("500.0")) };"#;
    check(sum, &refund(499.99), Outcome::Allow, "");
    check(
        sum,
        &refund(500.0),
        Outcome::Deny,
        "the sum of `amount` of `refund` is 500; it must stay under 500",
    );
    let before = refund(200.0).after("refund", json!({ "number": 1, "amount": 300.5 }));
    check(sum, &before, Outcome::Deny, "is 500.5;");
    check(sum, &refund(0.00001), Outcome::Deny, "`amount` is no number with at most four digits");

    let returned = r#"permit (principal, action == Action::"refund", resource)
        when { context.session.returned.order.customer.contains(context.arguments.reason.text) };"#;
    let returned = returned.replace("when {", "when { context.arguments has reason &&");
    let asked = call("refund", json!({ "number": 7, "amount": 1, "reason": "Ann" }));
    check(&returned, &asked, Outcome::Deny, "call `order` first: it has not returned \"Ann\" as `customer`");
    let known = asked.after("order", json!({ "number": 7 })).with(|request| {
        request.session.calls[0].data = Some(json!([{ "customer": "Bob" }, { "customer": "Ann" }]));
    });
    check(&returned, &known, Outcome::Allow, "");

    let once = r#"permit (principal, action, resource);
        forbid (principal, action == Action::"refund", resource) when { context.session.count.refund >= 1 };"#;
    check(once, &used(1), Outcome::Deny, "`refund` was called in this session already");
    let unless = r#"permit (principal, action, resource);
        forbid (principal, action == Action::"refund", resource) unless { context.session.count["send-mail"] > 0 };"#;
    check(unless, &refund(1.0), Outcome::Deny, "call `send-mail` first");
}

#[test]
fn conditions_on_arguments_say_what_they_want() {
    let permit = |when: &str| {
        format!(r#"permit (principal, action == Action::"refund", resource) when {{ {when} }};"#)
    };
    for (when, says) in [
        ("context.arguments.number.value < 5", "`number` must be under 5"),
        ("!(context.arguments.number.value > 5)", "`number` may be 5 at most"),
        ("8 <= context.arguments.number.value", "`number` must be 8 at least"),
        ("[1, 2].contains(context.arguments.number.value)", "`number` must be one of 1, 2"),
        ("context.arguments has reason", "`reason` must be given"),
        ("context.arguments.amount.value.lessThan(decimal(\"0.5\"))", "`amount` must be under 0.5"),
        (
            "context.arguments.number.value == 1 || context.arguments.number.value == 2",
            "`number` must be 1, or `number` must be 2",
        ),
    ] {
        check(&permit(when), &refund(1.0), Outcome::Deny, says);
    }
    let author = r#"@tell("ask the boss") permit (principal, action == Action::"refund", resource) when { context.arguments.number.value < 5 };"#;
    check(author, &refund(1.0), Outcome::Deny, "ask the boss");
    let trusted = permit("context.arguments.number.trusted");
    check(&trusted, &refund(1.0), Outcome::Allow, "");
    check(
        &trusted,
        &refund(1.0).untrusted("number"),
        Outcome::Deny,
        "`number` comes from a source that nobody vouches for",
    );
    check(&trusted, &refund(1.0).with(|request| request.origins.clear()), Outcome::Deny, "");
}

#[test]
fn nested_arguments_and_roles_have_labels() {
    let request = || call("refund", json!({ "number": 7, "amount": 1, "account": { "iban": "DE1" } }));
    let nested = r#"permit (principal, action == Action::"refund", resource)
        when { context.arguments has account && context.arguments.account.value.iban.trusted
            && context.arguments.account.value.iban.value == "DE1" };"#;
    check(nested, &request(), Outcome::Allow, "");
    check(nested, &request().untrusted("account/iban"), Outcome::Deny, "");
    let whole = nested.replace("account.value.iban.trusted", "account.trusted");
    check(&whole, &request().untrusted("account/iban"), Outcome::Deny, "");
    let role = r#"permit (principal, action in Action::"tools", resource) when { context.roles.recipient.trusted };"#;
    check(role, &request(), Outcome::Allow, "");
    check(role, &request().untrusted("account/iban"), Outcome::Deny, "the recipient of this call");
    let mail = call("send-mail", json!({ "to": ["a@x.test", "b@x.test"], "body": "hello" }));
    check(role, &mail.clone().untrusted("body"), Outcome::Allow, "");
    check(role, &mail.clone().untrusted("to/1"), Outcome::Deny, "");
    let readers = r#"permit (principal, action == Action::"send-mail", resource)
        when { context.roles.content.public || context.roles.content.readers.containsAll(context.roles.recipient.values) };"#;
    check(readers, &mail.clone().private("body", &["a@x.test", "b@x.test"]), Outcome::Allow, "");
    check(readers, &mail.clone().private("body", &["a@x.test"]), Outcome::Deny, "");
    let domains = r#"permit (principal, action == Action::"send-mail", resource) when { ["x.test"].containsAll(context.arguments.to.domains) };"#;
    check(domains, &mail, Outcome::Allow, "");
    let host = r#"permit (principal, action == Action::"fetch", resource) when { context.arguments.url.host == "x.test" };"#;
    check(host, &call("fetch", json!({ "url": "https://x.test/a" })), Outcome::Allow, "");
    check(
        host,
        &call("fetch", json!({ "url": "https://x.test@y.test/a" })),
        Outcome::Deny,
        "the host of `url` must be \"x.test\"",
    );
}

#[test]
fn what_the_schema_does_not_speak_of_is_no_way_around_a_role() {
    let check_role = |role: &str, argument: &str, account: serde_json::Value, outcome: Outcome| {
        let policy = format!(
            r#"permit (principal, action == Action::"refund", resource) when {{ context.roles.{role}.trusted }};"#
        );
        let refund = call("refund", json!({ "number": 7, "amount": 1, "account": account }));
        check(&policy, &refund.untrusted(argument), outcome, "");
    };
    for role in ["recipient", "target"] {
        check_role(role, "account/x~1y", json!({ "iban": "DE1", "x/y": "DE2" }), Outcome::Deny);
        check_role(role, "account/deep", json!({ "iban": "DE1", "deep": { "iban": "DE2" } }), Outcome::Deny);
    }
    check_role("amount", "account/bic", json!({ "iban": "DE1", "bic": "DE2" }), Outcome::Allow);
    check_role("recipient", "account", json!([{ "iban": "DE2" }]), Outcome::Deny);
    check_role("target", "account/iban", json!({ "iban": "DE1" }), Outcome::Allow);
}

#[test]
fn principals_are_the_agent_the_user_and_the_tenant() {
    let scoped = |scope: &str| format!("permit ({scope}, action, resource);");
    for (scope, outcome) in [
        (r#"principal == Agent::"desk""#, Outcome::Allow),
        (r#"principal == Agent::"boss""#, Outcome::Deny),
        (r#"principal in User::"ann""#, Outcome::Allow),
        (r#"principal in User::"bob""#, Outcome::Deny),
        (r#"principal in Tenant::"local""#, Outcome::Allow),
        (r#"principal is Agent in Tenant::"acme""#, Outcome::Deny),
    ] {
        check(&scoped(scope), &refund(1.0), outcome, "");
    }
    let manager = r#"permit (principal, action, resource)
        when { principal has user && principal.user has role && principal.user.role == "manager" };"#;
    check(manager, &refund(1.0), Outcome::Deny, "");
    let claimed = refund(1.0).with(|request| {
        request.principal.user.as_mut().unwrap().claims.insert("role".to_owned(), json!("manager"));
    });
    check(manager, &claimed, Outcome::Allow, "");
    check(manager, &refund(1.0).with(|request| request.principal.user = None), Outcome::Deny, "");
}

#[test]
fn a_child_may_no_more_than_those_behind_it() {
    let desk = r#"permit (principal == Agent::"desk", action, resource);"#;
    let both = r#"permit (principal, action, resource); @id("no") @reason("not the boss") forbid (principal == Agent::"boss", action, resource);"#;
    check(desk, &refund(1.0).of_agents(&["desk", "boss"]), Outcome::Deny, "to the agent `boss`");
    check(both, &refund(1.0), Outcome::Allow, "");
    check(
        both,
        &refund(1.0).of_agents(&["desk", "boss"]),
        Outcome::Deny,
        "for the agent `boss` behind it: not the boss",
    );
}

#[test]
fn other_actions_are_decided_too() {
    let set = r#"permit (principal, action == Action::"run.answer", resource) when { context.run.public };
        permit (principal, action == Action::"run.model", resource == Model::"small");
        permit (principal, action == Action::"run.agent", resource == Agent::"boss");
        permit (principal, action == Action::"run.resource", resource) when { context.server == "mail" };
        permit (principal, action == Action::"run.remember", resource == Memory::"notes");"#;
    let resource = |server: &str| Action::Resource { server: server.to_owned(), uri: "mail://1".to_owned() };
    for (action, outcome) in [
        (Action::Answer, Outcome::Allow),
        (Action::Model("small".to_owned()), Outcome::Allow),
        (Action::Model("large".to_owned()), Outcome::Deny),
        (Action::Agent("boss".to_owned()), Outcome::Allow),
        (Action::Agent("desk".to_owned()), Outcome::Deny),
        (resource("mail"), Outcome::Allow),
        (resource("web"), Outcome::Deny),
        (Action::Remember("notes".to_owned()), Outcome::Allow),
        (Action::Remember("other".to_owned()), Outcome::Deny),
    ] {
        check(set, &request(action), outcome, "");
    }
    let label =
        Label { readers: adjutant_core::label::Readers::Only(["ann".to_owned()].into()), ..Label::default() };
    check(set, &request(Action::Answer).with(|request| request.label = label), Outcome::Deny, "");
}

#[test]
fn what_cannot_be_evaluated_is_denied() {
    let overflow = r#"permit (principal, action, resource);
        @id("large") forbid (principal, action == Action::"refund", resource) when { context.arguments.number.value * 9223372036854775807 > 0 };"#;
    check(overflow, &refund(1.0), Outcome::Deny, "`large` could not be evaluated");
    let watched = overflow.replace("@id(\"large\")", "@id(\"large\") @mode(\"log_only\")");
    check(&watched, &refund(1.0), Outcome::Allow, "");
    let text = call("refund", json!({ "number": "seven", "amount": 1 }));
    check(overflow, &text, Outcome::Deny, "`number` is no whole number");
    check(&watched, &text, Outcome::Allow, "");
}

#[test]
fn what_is_only_watched_says_what_it_would_have_said() {
    let set = r#"permit (principal, action, resource); @id("watch") @mode("log_only") forbid (principal, action == Action::"refund", resource);"#;
    let watched = check(set, &refund(1.0), Outcome::Allow, "").watched.unwrap();
    assert_eq!((watched.outcome, watched.policies), (Outcome::Deny, vec!["watch".to_owned()]));
    assert_eq!(policies(set).decide(&call("order", json!({ "number": 1 }))).watched, None);
    let whole = read_as("", Mode::LogOnly).unwrap().decide(&refund(1.0));
    assert_eq!((whole.outcome, whole.watched.unwrap().outcome), (Outcome::Allow, Outcome::Deny));
}

#[test]
fn forbids_alone_can_only_deny() {
    let newer =
        |text: &str, request: &Request| policies(text).decide_forbids(request).map(|verdict| verdict.outcome);
    let stop = r#"@tell("refunds are stopped") forbid (principal, action == Action::"refund", resource);"#;
    assert_eq!(newer(stop, &refund(1.0)), Some(Outcome::Deny));
    assert_eq!(newer(stop, &call("order", json!({ "number": 1 }))), None);
    assert_eq!(newer("permit (principal, action, resource);", &refund(1.0)), None);
    assert_eq!(newer(&stop.replace("@tell", "@ask"), &refund(1.0)), Some(Outcome::Ask));
    let gone = call("gone", json!({ "number": 1 }));
    assert_eq!(newer("forbid (principal, action, resource);", &gone), Some(Outcome::Deny));
    assert_eq!(newer(stop, &gone), None);
    let cannot = r#"forbid (principal, action, resource) when { context has arguments && context.arguments has number };"#;
    assert_eq!(newer(cannot, &gone), Some(Outcome::Deny));
}

#[test]
fn who_depends_on_whom_is_known_before() {
    let set = policies(
        r#"permit (principal, action == Action::"refund", resource)
            when { context.session.seen.order.number.contains(context.arguments.number.value) && context.session.today.refund < 3 };
        permit (principal, action == Action::"order", resource);"#,
    );
    let of = |tool: &str| set.depends_on(&Action::Tool(tool.to_owned())).into_iter().collect::<Vec<_>>();
    assert_eq!(of("refund"), ["order", "refund"]);
    assert!(of("order").is_empty());
}

#[test]
fn a_pinned_set_decides_the_same() {
    let set = policies(
        r#"permit (principal, action == Action::"refund", resource) when { context.session.today.refund < 3 };"#,
    );
    let stored = serde_json::to_string(&set.pinned()).unwrap();
    let read: adjutant_policy::cedar::Pinned = serde_json::from_str(&stored).unwrap();
    let again = read.open().unwrap();
    assert_eq!((again.version(), again.decide(&refund(1.0))), (set.version(), set.decide(&refund(1.0))));
}
