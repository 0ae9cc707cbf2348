//! Approvals: calls that wait for a person.

use adjutant_core::id::CallId;
use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::Ctx;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::returned::Called;

/// How the names of the signals begin that approvals are given to.
pub const PREFIX: &str = "approve:";

/// What a person is asked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The call, as the model names it.
    pub call: CallId,
    /// The tool that the model wants to call.
    pub tool: String,
    /// With these arguments.
    pub arguments: Value,
    /// Why a person is asked.
    pub why: String,
}

/// What a person answers.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the call may be made.
    pub approve: bool,
    /// Why; the model hears it where the call is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// The name of the signal that the approval of a call is given to.
fn signal(ctx: &Ctx) -> String {
    format!("{PREFIX}{}", place(ctx))
}

/// Where a call stands in the run, as a part of a name. A call id would not do, as models use theirs again.
pub(crate) fn place(ctx: &Ctx) -> String {
    let place = ctx.path().as_str().trim_start_matches('/').replace('/', ".").replace('#', "");
    match ctx.segment() {
        0 => place,
        segment => format!("segment{segment}.{place}"),
    }
}

/// Waits for a person to approve a call. Returns what is recorded as the reason why it was allowed, or the refusal
/// that the model hears: [`Code::ToolDenied`].
pub(crate) async fn ask(ctx: &Ctx, called: &Called, why: &str) -> Result<Result<Json>> {
    let request = Request {
        call: called.call.clone(),
        tool: called.name.clone(),
        arguments: called.arguments.clone(),
        why: why.to_owned(),
    };
    let answer = ctx.signal(&signal(ctx), Json::of(&request)?).await?;
    Ok(judge(&answer))
}

/// Reads a person's answer. What cannot be read is a refusal.
fn judge(answer: &Json) -> Result<Json> {
    let denied = |reason: Option<String>| {
        let why = reason.filter(|reason| !reason.trim().is_empty());
        let message = match why {
            Some(why) => format!("a person refused the call: {why}"),
            None => "a person refused the call, without a reason".to_owned(),
        };
        Err(Error::new(Code::ToolDenied, message)
            .with_help("do not try the same again; find another way or ask"))
    };
    match answer.to::<Answer>() {
        Ok(Answer { approve: true, .. }) => Ok(serde_json::json!({ "allowed_by": "approval" }).into()),
        Ok(Answer { approve: false, reason }) => denied(reason),
        Err(_) => denied(Some("the answer to the request for approval cannot be read".to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::Scope;
    use adjutant_durable::Moment;

    use super::*;

    #[test]
    fn only_a_clear_yes_is_one() {
        for (answer, allowed) in [
            (r#"{"approve":true}"#, true),
            (r#"{"approve":false}"#, false),
            (r#"{"approve":false,"reason":"too much"}"#, false),
            (r#"{"approve":"yes"}"#, false),
            ("true", false),
            ("null", false),
        ] {
            let verdict = judge(&Json::parse(answer).unwrap());
            assert_eq!(verdict.is_ok(), allowed, "{answer}");
        }
        let refused = judge(&Json::parse(r#"{"approve":false,"reason":"too much"}"#).unwrap()).unwrap_err();
        assert_eq!(refused.message(), "a person refused the call: too much");
    }

    #[test]
    fn each_call_of_a_run_has_a_name_of_its_own() {
        let ctx = |segment| Ctx::new("r".into(), Scope::default(), segment, Moment::default());
        let name = |ctx: &Ctx| signal(&ctx.scope("turn").scope("call"));
        let (first, second) = (ctx(0), ctx(1));
        assert_eq!(name(&first), "approve:turn0.call0");
        assert_eq!(name(&first), "approve:turn1.call0");
        assert_eq!(name(&second), "approve:segment1.turn0.call0");
    }
}
