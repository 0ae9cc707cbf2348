//! Proofs by the real solver. It is one of the programs that the tests need.

use std::time::Duration;

use adjutant::policy::cedar::{Claim, File, Mode, Policies, Schema, Vocabulary};
use adjutant_core::tool::{Effect, ToolSpec};
use serde_json::{Value, json};

use super::*;

fn tool(name: &str, effect: Effect, parameters: &Value) -> ToolSpec {
    let required: Vec<String> = parameters.as_object().unwrap().keys().cloned().collect();
    ToolSpec {
        name: name.to_owned(),
        description: String::new(),
        parameters: json!({ "type": "object", "properties": parameters, "required": required }),
        effect,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: Default::default(),
    }
}

fn shop() -> Schema {
    let tools = [
        tool("order", Effect::Pure, &json!({ "number": { "type": "string" } })),
        tool(
            "refund",
            Effect::AtMostOnce,
            &json!({ "number": { "type": "string" }, "amount": { "type": "integer" }, "rate": { "type": "number" } }),
        ),
        tool("fetch", Effect::Pure, &json!({ "url": { "type": "string", "format": "uri" } })),
    ];
    let vocabulary = Vocabulary {
        agents: ["desk".to_owned()].into(),
        claims: [("role".to_owned(), Claim::String)].into(),
        ..Vocabulary::default()
    };
    Schema::of(&tools, vocabulary)
}

fn policies(text: &str) -> Policies {
    let file = File { name: "shop.cedar".to_owned(), text: text.to_owned() };
    Policies::parse(&[file], Mode::Enforce, &shop()).unwrap()
}

fn solver() -> Solver {
    Solver::find(Duration::from_secs(20)).expect("cvc5 is installed where tests run")
}

#[track_caller]
fn compared(old: &str, new: &str, with_solver: bool) -> Comparison {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let mut solver = with_solver.then(solver);
    let compared = runtime.block_on(compare(&policies(old), &policies(new), solver.as_mut(), &[])).unwrap();
    assert_eq!(compared.open, Vec::<String>::new(), "{old} -> {new}");
    compared
}

const ORDER: &str = r#"permit (principal, action == Action::"order", resource);"#;

fn refund(when: &str) -> String {
    format!(r#"permit (principal, action == Action::"refund", resource) when {{ {when} }};"#)
}

#[test]
fn sets_are_more_or_less_permissive() {
    let amount = |most: i64| refund(&format!("context.arguments.amount.value <= {most}"));
    let asks = |text: &str| format!("@ask(\"money leaves\") {text}");
    let today = |most: i64| refund(&format!("context.session.today.refund < {most}"));
    let seen = refund("context.session.seen.order.number.contains(context.arguments.number.value)");
    let sum = |most: i64| refund(&format!("context.session.sum.refund.amount < {most}"));
    let host = |host: &str| {
        format!(
            r#"permit (principal, action == Action::"fetch", resource) when {{ context.arguments.url.host == "{host}" }};"#
        )
    };
    let manager =
        refund(r#"principal has user && principal.user has role && principal.user.role == "manager""#);
    let ann = r#"permit (principal in User::"ann", action == Action::"refund", resource);"#.to_owned();
    let trusted = refund("context.roles.target.trusted");
    let rate = refund(r#"context.arguments.rate.value.lessThan(decimal("0.5"))"#);
    let any = refund("true");
    let (more, less) = (Relation::MorePermissive, Relation::LessPermissive);
    let cases = [
        (amount(50), amount(50), Relation::Equal),
        (amount(50), refund("!(context.arguments.amount.value > 50)"), Relation::Equal),
        (amount(50), amount(100), more),
        (amount(100), amount(50), less),
        (amount(50), asks(&amount(50)), less),
        (amount(50), asks(&amount(100)), Relation::Incomparable),
        (asks(&amount(50)), amount(50), more),
        (today(3), today(4), more),
        (any.clone(), seen, less),
        (sum(500), sum(400), less),
        (host("a.test"), host("b.test"), Relation::Incomparable),
        (manager, any.clone(), more),
        (any.clone(), ann, less),
        (any.clone(), trusted, less),
        (any.clone(), rate, less),
        (
            any.clone(),
            format!("{any}\n@mode(\"log_only\") forbid (principal, action, resource);"),
            Relation::Equal,
        ),
        (any.clone(), format!("{any}\n@redact(\"iban\") forbid (principal, action, resource);"), less),
        (String::new(), ORDER.to_owned(), more),
    ];
    for (index, (old, new, relation)) in cases.into_iter().enumerate() {
        let found = compared(&old, &new, true);
        assert_eq!((found.relation, found.proved), (relation, true), "{old} -> {new}: {found:#?}");
        // What is shown is what would happen.
        for difference in &found.differences {
            let example = difference.example.as_ref().unwrap_or_else(|| panic!("{old} -> {new}: {found:#?}"));
            assert_eq!(policies(&old).decide(&example.request).outcome, example.before.outcome);
            assert_eq!(policies(&new).decide(&example.request).outcome, example.after.outcome);
            assert_ne!(example.before.outcome, example.after.outcome, "{old} -> {new}");
        }
        // Without a solver the same differences are found, and nothing is said to be proved.
        // It takes its time, so of some only.
        if index % 3 != 0 {
            continue;
        }
        let guessed = compared(&old, &new, false);
        assert!(!guessed.proved);
        let ways = |found: &Comparison| {
            let mut ways: Vec<_> =
                found.differences.iter().map(|one| (one.more, one.action.clone())).collect();
            ways.dedup();
            ways
        };
        assert_eq!(ways(&guessed), ways(&found), "{old} -> {new}");
    }
}

#[test]
fn an_example_is_told_in_words() {
    let old = refund("context.session.today.refund < 3 && context.arguments.amount.value < 10");
    let new = refund("context.session.today.refund < 4 && context.arguments.amount.value < 10");
    let found = compared(&old, &new, true);
    let example = found.differences[0].example.as_ref().unwrap();
    let words = in_words(&example.request).join("\n");
    assert!(words.starts_with("the agent `desk` calls `refund`"), "{words}");
    assert!(words.contains("before, 3 times: refund"), "{words}");
    assert_eq!(
        (outcome(&example.before.outcome), outcome(&example.after.outcome)),
        ("deny".into(), "allow".into())
    );
    // It is what `adjutant policy decide` reads.
    let written = serde_json::to_value(&example.request).unwrap();
    assert_eq!(serde_json::from_value::<adjutant::policy::Request>(written).unwrap(), example.request);
}

#[track_caller]
fn finds(text: &str, expected: &[&str]) {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(findings(&policies(text), &mut solver())).unwrap();
    let found: Vec<String> = found.iter().map(ToString::to_string).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn what_an_author_hardly_meant_is_found() {
    let permit = |id: &str, when: &str| {
        format!(r#"@id("{id}") permit (principal, action == Action::"refund", resource) when {{ {when} }};"#)
    };
    let small = permit("small", "context.arguments.amount.value < 50");
    let smaller = permit("smaller", "context.arguments.amount.value < 20");
    let rest = permit("rest", "context.arguments.amount.value >= 50");
    let forbid = r#"@id("never") forbid (principal, action == Action::"refund", resource) when { context.arguments.amount.value < 100 };"#;
    finds(&small, &[]);
    finds(
        r#"@id("all") permit (principal, action, resource);"#,
        &["together, the policies allow everything", "`all` permits everything, whatever it is"],
    );
    finds(
        &format!(r#"{small} @id("off") forbid (principal, action, resource);"#),
        &[
            "together, the policies allow nothing at all",
            "`off` forbids everything, whatever the other policies say",
            "`small` has no effect: it is shadowed by `off`, which holds wherever it does",
        ],
    );
    finds(
        &format!("{small}{smaller}"),
        &["`smaller` has no effect: it is shadowed by `small`, which holds wherever it does"],
    );
    finds(
        &format!("{small}{forbid}"),
        &[
            "together, the policies allow nothing at all",
            "`small` has no effect: it is shadowed by `never`, which holds wherever it does",
        ],
    );
    finds(
        &format!("{ORDER}{small}{}", forbid.replace("100", "50")),
        &[
            "`refund` is never allowed, though a policy permits it",
            "`small` has no effect: it is shadowed by `never`, which holds wherever it does",
        ],
    );
    finds(
        &format!("{small}{rest}{}", permit("all", "context.arguments.amount.trusted")),
        &["`all` has no effect: without it, all would be decided as it is"],
    );
    finds(
        &permit("never", "context.arguments.amount.value < 5 && context.arguments.amount.value > 5"),
        &[
            "together, the policies allow nothing at all",
            "`never` has no effect: its conditions cannot all hold",
        ],
    );
    finds(
        &permit("sum", "context.arguments.amount.value + context.session.count.refund < 5"),
        &["`sum` cannot be evaluated for some requests of `refund`, which are then denied"],
    );
    // Whoever asks has not allowed, so neither is in the other's shadow.
    finds(&format!(r#"{small} @ask("why") {}"#, smaller.replace("20", "70")), &[]);
}

#[test]
fn policies_are_illustrated() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let small = refund("context.arguments.amount.value < 50 && context.arguments.number.value like \"A-*\"");
    let asks = format!(
        "permit (principal, action, resource);\n{}",
        r#"@ask("why") forbid (principal, action == Action::"refund", resource) when { context.arguments.amount.value >= 50 };"#
    );
    for text in [small, asks] {
        let policies = policies(&text);
        for solver in [Some(solver()), None] {
            let mut solver = solver;
            let found = runtime.block_on(illustrate(&policies, solver.as_mut())).unwrap();
            let (allowed, denied) = (found.allowed.unwrap(), found.denied.unwrap());
            assert_eq!(allowed.action, denied.action);
            assert_eq!(outcome(&policies.decide(&allowed).outcome), "allow");
            assert_ne!(outcome(&policies.decide(&denied).outcome), "allow");
        }
    }
}

#[test]
fn single_facts_are_changed() {
    let text = refund("context.arguments.amount.value < 50 && context.arguments.number.trusted");
    let policies = policies(&text);
    let found = compared("", &text, true);
    let mut request = found.differences[0].example.as_ref().unwrap().request.clone();
    request.arguments.insert("amount".to_owned(), json!(70));
    let mends: Vec<String> = changes(&policies, &request)
        .into_iter()
        .filter(|(_, changed)| outcome(&policies.decide(changed).outcome) == "allow")
        .map(|(change, _)| change)
        .collect();
    assert_eq!(mends, ["`amount` were 49"]);
}

#[test]
fn a_solver_that_takes_too_long_is_ended_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let slow = folder.path().join("cvc5");
    std::fs::write(&slow, "#!/bin/sh\nexec sleep 600\n").unwrap();
    std::fs::set_permissions(&slow, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut solver = Solver::at(slow, Duration::from_millis(10));
    let (old, new) = (policies(&refund("context.arguments.amount.value < 5")), policies(&refund("false")));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let found = runtime.block_on(compare(&old, &new, Some(&mut solver), &[])).unwrap();
    assert!(!found.proved && found.open.iter().any(|why| why.contains("no answer within")), "{found:#?}");
    // What can be found without it is.
    assert!(found.differences.iter().any(|difference| !difference.more), "{found:#?}");
}
