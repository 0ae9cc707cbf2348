//! The decision point by itself.

use std::time::{Duration, Instant};

use adjutant::{Asked, Decision, Decisions, SystemClock};
use adjutant_core::role::Right;
use adjutant_core::time::Clock;
use adjutant_core::{Code, Error, Result};
use axum::Json;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::TAG;
use crate::access::Caller;
use crate::endpoint::{Call, Found, Nothing, Operation, Routes};

/// The largest body, in bytes.
const LARGEST: usize = 4 << 20;
/// How long a list may take; what is not decided by then is not allowed.
const PATIENCE: Duration = Duration::from_secs(2);

pub(super) fn routes() -> Routes {
    let fails: &[Code] = &[Code::NotFound, Code::ProjectInvalid, Code::ToolArguments];
    Routes::default()
        .on(
            Operation::post("/api/policy/decide", "decidePolicy", "Decide by the policies", Right::Run)
                .of(TAG)
                .said(
                    "For programs that run a loop of their own: it says whether something may be done, and on what terms. Nothing is \
                     recorded, and nothing is done. Whatever does not answer with `allow`, or with `redact` and what to mask, is not \
                     allowed, a problem included.",
                )
                .up_to(LARGEST)
                .fails(fails),
            decide,
        )
        .on(
            Operation::post("/api/policy/decide/batch", "decidePolicies", "Decide several at once", Right::Run)
                .of(TAG)
                .said("Each by itself; the answers are in the order of the requests.")
                .up_to(LARGEST)
                .fails(fails),
            decide_several,
        )
}

/// The request as the caller may make it: for their own tenant, for agents that they reach, and for nobody but themselves where they
/// are a person.
fn theirs(caller: &Caller, mut asked: Asked) -> Result<Asked> {
    let (who, own) = (caller.who(), &caller.adjutant().scope().tenant);
    if let Some(tenant) = asked.tenant().filter(|tenant| *tenant != &**own) {
        return Err(Error::new(Code::Forbidden, format!("`{}` does not decide for `{tenant}`", who.name))
            .with_help("leave `principal.tenant` out: it is that of the key"));
    }
    if asked.agents().is_empty() && !who.scopes.is_empty() {
        return Err(Error::new(
            Code::Forbidden,
            format!("`{}` is confined, and no `agent` is named", who.name),
        ));
    }
    asked.agents().iter().try_for_each(|agent| caller.reach(&format!("agent:{agent}")))?;
    if let Some(user) = &who.user {
        if asked.user().is_some_and(|(named, claims)| named != user || !claims.is_empty()) {
            return Err(Error::new(Code::Forbidden, format!("`{}` asks for `{user}` alone", who.name))
                .with_help("leave `principal.user` out: it is that of the token, with its claims"));
        }
        asked.set_user(user.clone(), who.claims.clone());
    }
    Ok(asked)
}

async fn decide(call: Call<Nothing, Nothing, Json<Asked>>) -> Result<Found<Decision>> {
    let asked = theirs(&call.caller, call.body.0)?;
    let decisions = call.caller.adjutant().decisions()?;
    aside(move || decisions.decide(&asked, SystemClock.now())).await?.map(Found)
}

/// Several requests.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Several {
    /// What is to be decided.
    #[schemars(length(min = 1, max = 1000))]
    requests: Vec<Asked>,
}

/// Several decisions.
#[derive(JsonSchema, Serialize)]
#[schemars(rename = "PolicyDecisions")]
struct Decided {
    /// In the order of the requests.
    decisions: Vec<OneDecided>,
}

/// One decision of several.
#[derive(JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
enum OneDecided {
    /// What is to be done.
    Decision(Box<Decision>),
    /// It could not be decided, so it is not allowed: `code`, `message`, and what helps.
    Error(Value),
}

impl From<Result<Decision>> for OneDecided {
    fn from(decided: Result<Decision>) -> Self {
        match decided {
            Ok(decision) => Self::Decision(Box::new(decision)),
            Err(error) => Self::Error(serde_json::to_value(error).unwrap_or_default()),
        }
    }
}

async fn decide_several(call: Call<Nothing, Nothing, Json<Several>>) -> Result<Found<Decided>> {
    let Json(Several { requests }) = call.body;
    let decisions = call.caller.adjutant().decisions()?;
    let theirs: Vec<_> = requests.into_iter().map(|asked| theirs(&call.caller, asked)).collect();
    let decisions = aside(move || all(&decisions, theirs)).await?;
    Ok(Found(Decided { decisions }))
}

/// Decides one after the other, as long as there is time.
fn all(decisions: &Decisions, requests: Vec<Result<Asked>>) -> Vec<OneDecided> {
    let (now, end) = (SystemClock.now(), Instant::now() + PATIENCE);
    let decide = |asked: Result<Asked>| match Instant::now() < end {
        true => decisions.decide(&asked?, now),
        false => Err(Error::new(Code::Overloaded, format!("the list was not done in {PATIENCE:?}"))
            .with_help("ask for fewer at once")),
    };
    requests.into_iter().map(|asked| decide(asked).into()).collect()
}

/// Evaluates without holding up what others ask.
async fn aside<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .map_err(|error| Error::new(Code::Internal, "the decision broke off").caused_by(&error))
}
