//! [`decide`]: asks the policies, and records what they say.

use std::collections::BTreeMap;
use std::sync::Arc;

use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Ctx, Effects, work};
use adjutant_policy::detect::mask;
use adjutant_policy::facts::{Action, Origin, Request, Session};
use adjutant_policy::flow::{Endorsement, Endorser};
use adjutant_policy::narrow::{Narrowing, Outside};
use adjutant_policy::{Outcome, Verdict};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::log::Log;
use crate::flow::Knowledge;
use crate::hands::Hand;
use crate::runtime::Runtime;

/// Marks runs in which it is decided whether another agent is asked, though they have no policies: it may be forbidden by then.
const STARTS: &str = "agents-decided";

/// The name of the steps in which the policies are asked.
pub const DECIDE: &str = "decide";

/// What an agent is about to do: the input of the step that decides it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Considered {
    /// What.
    pub action: Action,
    /// With these arguments.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub arguments: Map<String, Value>,
    /// Whether a person has agreed to it already.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub approved: bool,
    /// The person who has written the arguments: who changed the call, or made it in the agent's place. They vouch for them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub written_by: Option<String>,
}

impl Considered {
    /// Something without arguments.
    pub fn new(action: Action) -> Self {
        Self { action, arguments: Map::new(), approved: false, written_by: None }
    }
}

/// What was decided, and what was known then: the output of the step.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ruling {
    /// What was decided.
    pub verdict: Verdict,
    /// What was known, without what other records of the run hold: the arguments stand in the step's input, and what was done
    /// before in the steps before ([`past`](super::past)).
    pub request: Request,
    /// The arguments with which it may be done, where something in them was masked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub masked: Option<Map<String, Value>>,
}

/// Asks the pinned policies, what is forbidden by now, and what the task needs. None where the run has no policies and its
/// task was not narrowed: then the definition of the agent decides alone, and what is forbidden by now at each attempt. The start
/// of another agent is no attempt, so it is decided in any case.
pub(crate) async fn decide(
    ctx: &Ctx,
    agent: &Arc<Runtime>,
    considered: Considered,
    known: impl Into<Knowledge>,
    log: &Log,
) -> Result<Option<Ruling>> {
    let (policies, narrowings) = (agent.policies.clone(), log.narrowings());
    let is_plain = policies.is_none() && narrowings.is_empty();
    if is_plain && !(matches!(considered.action, Action::Agent(_)) && ctx.version(STARTS).await?) {
        return Ok(None);
    }
    let known = known.into();
    let request = Request { session: log.session(), ..request(ctx, agent, &considered, &known.label()) };
    let (deciding, request, by) = (Arc::clone(agent), Arc::new(request), considered.written_by.clone());
    let decided = work(move |_| {
        let mut request = Request::clone(&request);
        request.origins = known.origins(&deciding, &request);
        if let Some(by) = &by {
            vouch(&mut request, by);
        }
        let outside = (!narrowings.is_empty())
            .then(|| narrowings.iter().find_map(|narrowing| outside(&deciding, narrowing, &request)));
        request.within_task = outside.as_ref().map(Option::is_none);
        let mut verdict = policies.as_ref().map_or_else(by_definition, |policies| policies.decide(&request));
        if let Some(outside) = outside.flatten().filter(|_| !request.approved) {
            verdict = verdict.stricter(asks(outside.to_string()));
        }
        if let Some(forbidden) = deciding.forbids.as_ref().and_then(|forbids| forbids.forbid(&request)) {
            verdict = verdict.stricter(forbidden);
        }
        let arguments = std::mem::take(&mut request.arguments);
        request.session = Session::default();
        let masked = match &verdict.outcome {
            Outcome::Redact(kinds) => Some(masked(arguments, kinds)),
            _ => None,
        };
        let ruling = Json::of(&Ruling { verdict, request, masked });
        async move { ruling }
    });
    let recorded = ctx.effect(DECIDE, Effects::pure(), Json::of(&considered)?, decided).await?;
    recorded.to().map(Some)
}

/// Arguments without what is of these kinds.
pub(super) fn masked(arguments: Map<String, Value>, kinds: &[String]) -> Map<String, Value> {
    match mask::value(&Value::Object(arguments), &mask::kinds(kinds)) {
        Value::Object(masked) => masked,
        _ => Map::new(),
    }
}

/// A person vouches for the arguments that they have written: for what they say, not for who may see it.
pub(crate) fn vouch(request: &mut Request, by: &str) {
    for name in request.arguments.keys() {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        request.origins.entry(pointer).or_insert_with(Origin::unknown);
    }
    for origin in request.origins.values_mut() {
        let by = Endorser::Person(Some(by.to_owned()));
        *origin = Endorsement::new(by, origin.label.clone()).origin();
    }
}

/// Why a call is outside of what the task needs; none where it is inside. What a routine does is looked at when it does it.
fn outside(agent: &Runtime, narrowing: &Narrowing, request: &Request) -> Option<Outside> {
    let Action::Tool(name) = &request.action else { return None };
    match agent.tools.get(name) {
        Some(Hand::Tool(tool)) => narrowing.outside(tool.spec(), &request.arguments, &request.origins),
        Some(Hand::Routine(_)) | None => None,
    }
}

/// What holds of something where policies say this: a person is asked about what is outside of what the task needs, as it was
/// recorded, whatever they permit.
pub fn within_task(verdict: Verdict, request: &Request) -> Verdict {
    match request.within_task {
        Some(false) if !request.approved => {
            verdict.stricter(asks("it is outside of what the task needs".to_owned()))
        }
        _ => verdict,
    }
}

/// A person is asked about what is outside.
fn asks(why: String) -> Verdict {
    Verdict { outcome: Outcome::Ask, reason: why, ..by_definition() }
}

/// What the definition of an agent says where there are no policies.
pub fn by_definition() -> Verdict {
    Verdict {
        outcome: Outcome::Allow,
        policies: Vec::new(),
        reason: "the agent has been given the tool".to_owned(),
        tell: None,
        watched: None,
        version: None,
    }
}

/// Why something is denied, for the model.
pub(crate) fn why(verdict: &Verdict) -> String {
    verdict.tell.clone().unwrap_or_else(|| "the policies of this project do not allow it".to_owned())
}

/// The denial of a call, for its model.
pub(crate) fn denied(verdict: &Verdict) -> Error {
    Error::new(Code::ToolDenied, why(verdict))
        .with_help("do not try the same again; find another way, or say what you would need")
}

/// What is known of something without looking at where its arguments came from and at what was done before.
pub(crate) fn request(ctx: &Ctx, agent: &Runtime, considered: &Considered, label: &Label) -> Request {
    let mut principal = agent.principal.clone();
    ctx.owner().tenant.as_ref().clone_into(&mut principal.tenant);
    Request {
        principal,
        action: considered.action.clone(),
        arguments: considered.arguments.clone(),
        origins: BTreeMap::new(),
        label: label.clone(),
        session: Session::default(),
        now: ctx.now(),
        approved: considered.approved,
        within_task: None,
    }
}
