//! What a decision costs, the building of what Cedar is asked included, in a set of 1,000 policies over 200 tools. Prints
//! one line per measure.
//!
//! `cargo bench -p adjutant-policy --bench decide`

use std::time::Instant;

use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::{Effect, Flow, Role, ToolSpec};
use adjutant_policy::Outcome;
use adjutant_policy::cedar::{File, Mode, Policies, Problem, Schema, Vocabulary};
use adjutant_policy::facts::{Action, Evidence, Origin, Past, Principal, Request, Session, User};
use serde_json::{Map, Value, json};

const TOOLS: usize = 200;
const POLICIES: usize = 1_000;
const ROUNDS: usize = 20_000;
const NOW: Timestamp = Timestamp(1_800_000_000_000);

fn main() -> Result<(), String> {
    let schema = schema();
    let files = [File { name: "policies/bench.cedar".to_owned(), text: policies() }];
    let began = Instant::now();
    let policies = Policies::parse(&files, Mode::Enforce, &schema).map_err(|problems| shown(&problems))?;
    println!("read and validated: {POLICIES} policies over {TOOLS} tools in {:.0} ms", millis(began));
    let read = Read::Anew;
    measure("a short session", &policies, read, 4, true);
    measure("after 200 calls", &policies, read, 200, true);
    measure("denied, with what is missing", &policies, read, 4, false);
    measure("after 2,000 calls, and one more before each", &policies, Read::Before, 2_000, true);
    measure("after 2,000 calls, the first in a process", &policies, read, 2_000, true);
    Ok(())
}

/// Whether a decision is the first to look at what was done before, or meets what the decisions before it have found.
#[derive(Clone, Copy, PartialEq)]
enum Read {
    Anew,
    Before,
}

fn measure(name: &str, policies: &Policies, read: Read, calls: usize, fits: bool) {
    let mut requests: Vec<Request> = (0..TOOLS).map(|tool| request(tool, calls, fits)).collect();
    if read == Read::Before {
        requests.iter().for_each(|request| drop(policies.decide(request)));
    }
    let mut times = Vec::with_capacity(ROUNDS);
    for round in 0..ROUNDS {
        let Some(request) = requests.get_mut(round % TOOLS) else { continue };
        let next = before(round % TOOLS, request.session.calls.len(), fits);
        if read == Read::Anew {
            request.session.calls = request.session.calls.to_vec().into();
        }
        let began = Instant::now();
        if read == Read::Before {
            request.session.calls.push(next);
        }
        let verdict = policies.decide(request);
        times.push(began.elapsed());
        let expected = if fits { Outcome::Allow } else { Outcome::Deny };
        assert_eq!(verdict.outcome, expected, "{verdict:?}");
    }
    times.sort();
    let at = |share: usize| {
        times.get(times.len() * share / 1000).copied().unwrap_or_default().as_nanos() as f64 / 1000.0
    };
    println!("{name}: p50 {:.1} µs, p99 {:.1} µs, p99.9 {:.1} µs", at(500), at(990), at(999));
}

/// Five policies about each tool, as a project would have them: what it may be called with, for whom, how often, and what
/// must come before.
fn policies() -> String {
    let mut text = String::new();
    for index in 0..POLICIES {
        let tool = index % TOOLS;
        let before = (tool + 1) % TOOLS;
        let action = format!("action == Action::\"tool_{tool}\"");
        text += &match index / TOOLS {
            0 => format!(
                "permit (principal, {action}, resource) when {{ context.arguments.recipient.trusted && context.session.today.tool_{tool} < 3000 \
                 && context.session.seen.tool_{before}.number.contains(context.arguments.number.value) }};\n"
            ),
            1 => format!(
                "permit (principal in User::\"user_{index}\", {action}, resource) when {{ context.arguments.amount.value.lessThan(decimal(\"5.0\")) }};\n"
            ),
            2 => format!(
                "forbid (principal, {action}, resource) when {{ context.session.sum.tool_{tool}.amount.greaterThan(decimal(\"100000.0\")) }};\n"
            ),
            3 => format!(
                "@ask(\"what cannot be believed goes out\") forbid (principal, {action}, resource) \
                 when {{ !context.arguments.body.trusted && context.arguments.recipient.domain != \"example.org\" }};\n"
            ),
            _ => format!(
                "forbid (principal == Agent::\"agent_{index}\", {action}, resource) unless {{ context.run.trusted }};\n"
            ),
        };
    }
    text
}

fn schema() -> Schema {
    let parameters = json!({
        "type": "object",
        "properties": {
            "number": { "type": "integer" },
            "amount": { "type": "number" },
            "recipient": { "type": "string", "format": "email" },
            "body": { "type": "string" },
            "tags": { "type": "array", "items": { "type": "string" } },
        },
        "required": ["number", "amount", "recipient", "body"],
    });
    let roles = [("amount", Role::Amount), ("recipient", Role::Recipient), ("body", Role::Content)];
    let roles = roles.map(|(name, role)| (name.to_owned(), role));
    let tools: Vec<ToolSpec> = (0..TOOLS)
        .map(|index| ToolSpec {
            name: format!("tool_{index}"),
            description: String::new(),
            parameters: parameters.clone(),
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow { arguments: roles.clone().into(), ..Flow::default() },
        })
        .collect();
    Schema::of(&tools, Vocabulary::default())
}

fn arguments(number: usize) -> Map<String, Value> {
    let arguments = json!({
        "number": number, "amount": 4.5, "recipient": "ann@example.org", "body": "The parcel left on Tuesday.", "tags": ["a", "b"],
    });
    arguments.as_object().cloned().unwrap_or_default()
}

/// A call of the tool, or of the one that must come before it.
fn before(tool: usize, index: usize, fits: bool) -> Past {
    Past {
        tool: format!("tool_{}", if index.is_multiple_of(2) { (tool + 1) % TOOLS } else { tool }),
        at: NOW,
        arguments: arguments(if fits { index } else { index + 1 }),
        data: None,
        failed: false,
    }
}

fn request(tool: usize, calls: usize, fits: bool) -> Request {
    let origin = |evidence| Origin { evidence, label: Label::default() };
    Request {
        principal: Principal {
            tenant: "local".to_owned(),
            user: Some(User { id: "ann".to_owned(), claims: Map::new() }),
            agents: vec!["desk".to_owned()],
        },
        action: Action::Tool(format!("tool_{tool}")),
        arguments: arguments(0),
        origins: ["/number", "/amount", "/recipient", "/body"]
            .map(|name| (name.to_owned(), origin(Evidence::Words)))
            .into(),
        label: Label::default(),
        session: Session { calls: (0..calls).map(|index| before(tool, index, fits)).collect() },
        now: NOW,
        approved: false,
        within_task: None,
    }
}

fn shown(problems: &[Problem]) -> String {
    problems.iter().map(|problem| format!("{problem}\n")).collect()
}

fn millis(began: Instant) -> f64 {
    began.elapsed().as_secs_f64() * 1000.0
}
