//! What holds of every set of policies.

use adjutant_core::label::Label;
use adjutant_policy::cedar::{Mode, Policies};
use adjutant_policy::facts::{Action, Origin, Request};
use adjutant_policy::{Outcome, Verdict};
use cedar_policy::{Authorizer, Decision};
use proptest::prelude::*;
use serde_json::json;

use crate::shop::{Change, call, past, policies, read_as, request};

/// One random policy, without a name.
#[derive(Clone, Debug)]
struct Written {
    permits: bool,
    annotations: String,
    principal: &'static str,
    action: &'static str,
    condition: &'static str,
}

impl Written {
    fn text(&self, id: usize) -> String {
        let effect = if self.permits { "permit" } else { "forbid" };
        format!(
            "@id(\"p{id}\") {} {effect} ({}, {}, resource) {};\n",
            self.annotations, self.principal, self.action, self.condition
        )
    }
}

fn set(policies: &[Written]) -> String {
    policies.iter().enumerate().map(|(id, policy)| policy.text(id)).collect()
}

fn written() -> impl Strategy<Value = Written> {
    let principals = prop::sample::select(vec![
        "principal",
        "principal == Agent::\"desk\"",
        "principal == Agent::\"boss\"",
        "principal in User::\"ann\"",
        "principal in User::\"bob\"",
        "principal in Tenant::\"local\"",
    ]);
    let actions = prop::sample::select(vec![
        "action",
        "action == Action::\"refund\"",
        "action == Action::\"order\"",
        "action in Action::\"tools\"",
        "action in [Action::\"tools.pure\", Action::\"tools.egress\", Action::\"order\"]",
        "action == Action::\"run.answer\"",
    ]);
    let conditions = prop::sample::select(vec![
        "",
        "when { context.session.count.order > 0 }",
        "when { context.session.today.refund < 2 }",
        "unless { context.session.seen.order.number.contains(7) }",
        "when { context.session.sum.refund.amount.lessThan(decimal(\"10.0\")) }",
        "when { context.run.trusted }",
        "when { context has arguments && context.arguments has number && context.arguments.number.value == 7 }",
        "when { context has arguments && context.arguments has number && context.arguments.number.trusted }",
        "when { context has roles && context.roles.amount.trusted }",
        "when { context.approved }",
        "unless { principal has user && principal.user has level && principal.user.level > 3 }",
        "when { context.session.count.refund * 9223372036854775807 > 0 }",
    ]);
    let annotations = prop::sample::select(vec![
        "",
        "",
        "",
        "@ask(\"why\")",
        "@redact(\"email\")",
        "@ask(\"why\") @redact(\"iban\")",
    ]);
    (any::<bool>(), annotations, principals, actions, conditions).prop_map(
        |(permits, annotations, principal, action, condition)| Written {
            permits,
            annotations: annotations.to_owned(),
            principal,
            action,
            condition,
        },
    )
}

fn asked() -> impl Strategy<Value = Request> {
    let actions = prop::sample::select(vec![
        call("refund", json!({ "number": 7, "amount": 4.5 })),
        call("refund", json!({ "number": 8, "amount": 2 })),
        call("order", json!({ "number": 7 })),
        call("send-mail", json!({ "to": ["a@x.test"], "body": "hello" })),
        call("fetch", json!({ "url": "https://x.test" })),
        request(Action::Answer),
    ]);
    let calls = prop::collection::vec(prop::sample::select(vec!["refund", "order", "fetch"]), 0..4);
    let agents = prop::sample::select(vec![vec!["desk"], vec!["boss"], vec!["desk", "boss"], vec!["other"]]);
    (actions, calls, agents, any::<bool>(), any::<bool>(), any::<bool>(), prop::option::of(0..6_i64))
        .prop_map(|(request, calls, agents, approved, trusted, known, level)| {
            request.of_agents(&agents).with(|request| {
                let arguments = json!({ "number": 7, "amount": 3 });
                let calls = calls.iter().zip([60, 90_000, 5, 3]);
                request.session.calls = calls.map(|(tool, ago)| past(tool, arguments.clone(), ago)).collect();
                request.approved = approved;
                if !trusted {
                    request.label = Label::untrusted();
                    request.origins.values_mut().for_each(|origin| *origin = Origin::unknown());
                }
                match request.principal.user.as_mut().filter(|_| known) {
                    Some(user) => {
                        user.claims.extend(level.map(|level| ("level".to_owned(), json!(level))));
                    }
                    None => request.principal.user = None,
                }
            })
        })
}

/// What Cedar itself says of the whole set, of all policies as they stand, for the first agent.
fn second_opinion(set: &Policies, request: &Request) -> (Decision, bool) {
    let (question, entities) = set.question(request, request.principal.agents.first().unwrap()).unwrap();
    let response = Authorizer::new().is_authorized(&question, set.set(), &entities);
    (response.decision(), response.diagnostics().errors().next().is_some())
}

fn decide(text: &str, request: &Request) -> Verdict {
    policies(text).decide(request)
}

/// How severe an outcome is, whatever is masked.
fn severity(verdict: &Verdict) -> u8 {
    match verdict.outcome {
        Outcome::Allow => 0,
        Outcome::Redact(_) => 1,
        Outcome::Ask => 2,
        Outcome::Deny => 3,
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn a_forbid_always_wins(mut policies in prop::collection::vec(written(), 0..6), request in asked(), at in 0..6_usize) {
        let forbid = Written { permits: false, annotations: String::new(), principal: "principal", action: "action", condition: "" };
        policies.insert(at.min(policies.len()), forbid);
        prop_assert_eq!(decide(&set(&policies), &request).outcome, Outcome::Deny);
    }

    #[test]
    fn without_a_permit_nothing_is_allowed(policies in prop::collection::vec(written(), 0..6), request in asked()) {
        let forbids: Vec<_> = policies.into_iter().filter(|policy| !policy.permits).collect();
        prop_assert_eq!(decide(&set(&forbids), &request).outcome, Outcome::Deny);
    }

    #[test]
    fn another_forbid_never_allows_more(policies in prop::collection::vec(written(), 0..6), more in written(), request in asked()) {
        let mut added = policies.clone();
        added.push(Written { permits: false, ..more });
        let (before, after) = (decide(&set(&policies), &request), decide(&set(&added), &request));
        prop_assert!(severity(&after) >= severity(&before), "{:?} {:?}", before, after);
    }

    #[test]
    fn a_child_never_may_more_than_who_asks_it(policies in prop::collection::vec(written(), 0..6), request in asked()) {
        let text = set(&policies);
        let child = decide(&text, &request.clone().of_agents(&["desk", "boss"]));
        let parent = decide(&text, &request.of_agents(&["boss"]));
        prop_assert!(severity(&child) >= severity(&parent), "{:?} {:?}", child, parent);
    }

    #[test]
    fn what_is_watched_changes_nothing(policies in prop::collection::vec(written(), 0..5), watched in prop::collection::vec(written(), 1..4), request in asked()) {
        let before = decide(&set(&policies), &request);
        let mut all = policies;
        all.extend(watched.into_iter().map(|policy| Written { annotations: format!("{} @mode(\"log_only\")", policy.annotations), ..policy }));
        let after = decide(&set(&all), &request);
        prop_assert_eq!((after.outcome, after.policies), (before.outcome, before.policies));
        let project = read_as(&set(&all), Mode::LogOnly).unwrap();
        prop_assert_eq!(project.decide(&request).outcome, Outcome::Allow);
    }

    #[test]
    fn a_slice_says_what_the_whole_set_says(policies in prop::collection::vec(written(), 0..8), request in asked()) {
        // Without annotations the outcomes are Cedar's own, but for what cannot be evaluated.
        let plain: Vec<_> = policies.into_iter().map(|policy| Written { annotations: String::new(), ..policy }).collect();
        let read = crate::shop::policies(&set(&plain));
        let one = request.clone().with(|request| request.principal.agents.truncate(1));
        let (decision, failed) = second_opinion(&read, &one);
        let expected = if failed || decision == Decision::Deny { Outcome::Deny } else { Outcome::Allow };
        prop_assert_eq!(read.decide(&one).outcome, expected);
    }

    #[test]
    fn forbids_alone_are_never_milder_than_the_set(policies in prop::collection::vec(written(), 0..6), request in asked()) {
        let read = crate::shop::policies(&set(&policies));
        if let Some(forbidden) = read.decide_forbids(&request) {
            prop_assert!(severity(&forbidden) <= severity(&read.decide(&request)));
        }
    }
}
