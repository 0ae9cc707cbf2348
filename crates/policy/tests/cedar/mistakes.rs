use crate::shop::{policies, read};

/// Checks that a set is refused, with words that begin so.
#[track_caller]
fn refused(text: &str, expected: &[&str]) {
    let problems = read(text).err().unwrap_or_else(|| panic!("{text} was read"));
    let shown: Vec<String> = problems
        .iter()
        .map(|problem| format!("{problem} ({})", problem.help.as_deref().unwrap_or_default()))
        .collect();
    assert_eq!(shown.len(), expected.len(), "{text}: {shown:#?}");
    for (shown, expected) in shown.iter().zip(expected) {
        assert!(shown.starts_with(&format!("shop.cedar:{expected}")), "{text}: {shown}");
    }
}

#[test]
fn a_typo_is_an_error_with_its_place_before_anything_runs() {
    let refund = "permit (principal, action == Action::\"refund\", resource)";
    refused(
        "permit (principal, action == Action::\"refnd\", resource);",
        &["1:30: unrecognized action `Action::\"refnd\"` (did you mean `Action::\"refund\"`?)"],
    );
    refused(
        &format!("{refund}\nwhen {{ context.arguments.amont.trusted }};"),
        &[
            "2:8: attribute `arguments.amont` in context for Action::\"refund\" not found (did you mean `amount`?)",
        ],
    );
    refused(
        &format!("{refund}\nwhen {{ context.session.count.ordr > 0 }};"),
        &["2:8: attribute `count.ordr` on entity type `Session` not found (did you mean `order`?)"],
    );
    refused(
        &format!("{refund}\nwhen {{ context.arguments.number.value == \"7\" }};"),
        &["2:8: the types Long and String are not compatible (both operands to a `==` expression"],
    );
    refused(&format!("{refund}\nwhen {{ context.arguments.reason.value == \"a\" }};"), &["2:8: "]);
    refused(
        "permit (principal, action == Action::\"refund\", resource == Tool::\"refnd\");",
        &["1:60: entity `Tool::\"refnd\"` is of an enumerated entity type"],
    );
    refused("permit (principal, action, resource == Model::\"smal\");", &["1:40: entity `Model::\"smal\"`"]);
    refused(
        "permit (principal in Usr::\"ann\", action, resource);",
        &["1:22: unrecognized entity type `Usr` (did you mean `User`?)"],
    );
}

#[test]
fn a_tool_may_be_forbidden_before_anybody_knows_it() {
    let forbid = "forbid (principal, action == Action::\"refnd\", resource)";
    let known = policies(&format!("@id(\"a\") @unknown(\"refnd\") {forbid};"));
    assert!(known.schema().tools().all(|tool| tool != "refnd"));
    found(
        &format!(
            "@id(\"all\") permit (principal, action in Action::\"tools\", resource);\n@id(\"a\") @unknown(\"refnd\") {forbid};"
        ),
        &[],
    );
    // Of another name nothing is known all the same, and there are no arguments to ask for.
    refused(&format!("@unknown(\"refnt\") {forbid};"), &["1:48: unrecognized action"]);
    let amount = "when { context.arguments.amount.value > 5 }";
    refused(&format!("@unknown(\"refnd\") {forbid} {amount};"), &["1:"]);
}

#[test]
fn a_number_is_compared_as_a_decimal() {
    let refund = "permit (principal, action == Action::\"refund\", resource)";
    for (condition, message) in [
        ("context.arguments.amount.value < 100", "unexpected type: expected "),
        ("context.arguments.amount.value == 100", "the types Long and decimal are not compatible"),
        ("context.arguments.amount.value.lessThan(100)", "unexpected type: expected decimal but saw Long"),
    ] {
        let problems = read(&format!("{refund}\nwhen {{ {condition} }};")).err().unwrap();
        let problem = &problems[0];
        assert!(problem.line == 2 && problem.message.starts_with(message), "{condition}: {problem}");
        let help = problem.help.as_deref().unwrap_or_default();
        assert!(help.contains("`.lessThan(decimal(\"100.0\"))`"), "{condition}: {help}");
    }
    // What has nothing to do with decimals is not explained by them.
    let problems =
        read(&format!("{refund}\nwhen {{ context.arguments.number.value < \"7\" }};")).err().unwrap();
    assert!(!problems[0].help.as_deref().unwrap_or_default().contains("decimal"), "{problems:?}");
}

#[test]
fn of_names_that_are_as_near_the_first_is_meant() {
    // `tools.pure` is two letters from it as well.
    for _ in 0..8 {
        refused(
            "permit (principal, action == Action::\"tools.cxre\", resource);",
            &["1:30: unrecognized action `Action::\"tools.cxre\"` (did you mean `Action::\"tools.code\"`?)"],
        );
    }
}

#[test]
fn what_is_no_policy_has_its_place_too() {
    refused("permit (principal, action, resource)", &["1:37: "]);
    refused("permit (principal, action, resource);\npermit (principal, acton, resource);", &["2:20: "]);
    refused("permit (principal, action, resource) when { context.now > };", &["1:59: "]);
    refused("permit (principal == ?principal, action, resource);", &["1:1: a policy must be whole"]);
}

#[test]
fn annotations_are_known_ones() {
    let permit = "permit (principal, action, resource);";
    refused(
        &format!("@aks(\"why\") {permit}"),
        &["1:1: there is no annotation `@aks` (did you mean `ask`?)"],
    );
    refused(&format!("@mode(\"log\") {permit}"), &["1:1: there is no mode `log` (did you mean `log_only`?)"]);
    for wrong in ["@unknown(\"refnd\") permit", "@unknown forbid"] {
        refused(
            &format!("{wrong} (principal, action == Action::\"refund\", resource);"),
            &["1:1: `@unknown` must name the tools that a `forbid` is about"],
        );
    }
    refused(&format!("@ask {permit}"), &["1:1: `@ask` must say why"]);
    refused(&format!("@redact {permit}"), &["1:1: `@redact` names nothing"]);
    refused(
        &format!("@redact(\"iban, emial\") {permit}"),
        &["1:1: there is nothing called `emial` to be masked (did you mean `email`?)"],
    );
    refused(
        &format!("@id(\"a\") {permit}\n@id(\"a\") {permit}"),
        &["2:1: two policies are called `a` (the other stands on line 1)"],
    );
}

/// Checks what is found about a set, as kind and policy.
#[track_caller]
fn found(text: &str, expected: &[&str]) {
    let about = policies(text).findings();
    let about: Vec<_> = about
        .iter()
        .filter(|finding| finding.file.is_some() || finding.kind.as_str() == "denies-everything")
        .map(|finding| format!("{} {}", finding.kind.as_str(), finding.policy.as_deref().unwrap_or("all")))
        .collect();
    assert_eq!(about, expected, "{text}");
}

#[test]
fn what_is_hardly_meant_is_found() {
    let refund = "action == Action::\"refund\"";
    found("", &["denies-everything all"]);
    found("@id(\"a\") permit (principal, action, resource);", &["allows-everything a"]);
    found(
        "@id(\"a\") permit (principal, action in Action::\"tools\", resource);\n@id(\"b\") forbid (principal, action, resource);",
        &["shadowed a", "denies-everything b"],
    );
    found(
        &format!(
            "@id(\"a\") permit (principal, action in Action::\"tools\", resource);\n\
             @id(\"b\") permit (principal, {refund}, resource) when {{ context.approved }};"
        ),
        &["shadowed b"],
    );
    found(
        &format!(
            "@id(\"a\") permit (principal, {refund}, resource) when {{ context.approved }};\n\
             @id(\"b\") permit (principal in User::\"ann\", {refund}, resource) when {{ context.approved }};\n\
             @id(\"c\") @ask(\"why\") permit (principal in User::\"ann\", {refund}, resource);"
        ),
        &["shadowed b"],
    );
    let rol = "principal has user && principal.user has rol && principal.user.rol == \"a\"";
    found(&format!("@id(\"a\") permit (principal, {refund}, resource)\nwhen {{ {rol} }};"), &["no-effect a"]);
    found(&format!("@id(\"a\") permit (principal == User::\"ann\", {refund}, resource);"), &["no-effect a"]);
    found(
        &format!("@id(\"a\") permit (principal == Agent::\"dsk\", {refund}, resource);"),
        &["unknown-agent a"],
    );
    let evidence = |condition: &str| {
        format!("@id(\"a\") permit (principal, {refund}, resource) when {{ {condition} }};")
    };
    for right in ["words", "exact", "fixed", "result", "endorsed", "none"] {
        found(&evidence(&format!("context.arguments.number.evidence == \"{right}\"")), &[]);
    }
    for wrong in [
        "context.arguments.number.evidence != \"word\"",
        "!(\"Words\" == context.arguments.number.evidence)",
        "context.approved || [\"exact\", \"resullt\"].contains(context.arguments.number.evidence)",
    ] {
        found(&evidence(wrong), &["unknown-evidence a"]);
    }
    for (resource, expected) in
        [("Memory::\"x\"", &["unknown-entity a"] as &[&str]), ("Resource::\"x\"", &[])]
    {
        found(&format!("@id(\"a\") permit (principal, action, resource == {resource});"), expected);
    }
    found(
        &format!(
            "@id(\"a\") permit (principal, {refund}, resource) when {{ context.session == Session::\"x\" }};"
        ),
        &["unknown-entity a"],
    );
    let long = "a".repeat(10_000);
    found(
        &format!(
            "@id(\"a\") permit (principal, {refund}, resource) unless {{ context.run.from.contains(\"{long}\") }};"
        ),
        &["too-large a"],
    );
    found(
        &format!(
            "@id(\"a\") permit (principal, {refund}, resource) unless {{ context.run.from.contains(\"wеb\") }};"
        ),
        &["confusable a"],
    );
    let unreached = policies(&format!("permit (principal, {refund}, resource);")).findings();
    let unreached: Vec<_> = unreached.iter().map(|finding| finding.message.as_str()).collect();
    assert!(unreached.contains(&"no policy permits the tool `order`"), "{unreached:?}");
    assert!(!unreached.contains(&"no policy permits the tool `refund`"), "{unreached:?}");
}
