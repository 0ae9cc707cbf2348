//! Approvals: calls that wait for a person.

use adjutant_core::hash::Digest;
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

/// The name of the signal that the approval of a call is given to. An id that would not be easy to type is replaced
/// by its hash.
pub fn signal(call: &CallId) -> String {
    let id = call.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    if (1..=64).contains(&id.len()) && id.bytes().all(plain) {
        return format!("{PREFIX}{id}");
    }
    format!("{PREFIX}{}", Digest::of(id.as_bytes()).short())
}

/// Waits for a person to approve a call. Returns what is recorded as the reason why it was allowed, or the refusal
/// that the model hears: [`Code::ToolDenied`].
pub(crate) async fn ask(ctx: &Ctx, called: &Called) -> Result<Result<Json>> {
    let request = Request {
        tool: called.name.clone(),
        arguments: called.arguments.clone(),
        why: "the agent's definition asks for it".to_owned(),
    };
    let answer = ctx.signal(&signal(&called.call), Json::of(&request)?).await?;
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
    fn the_name_is_one_that_people_can_type() {
        assert_eq!(signal(&"call_1".into()), "approve:call_1");
        for odd in ["", "a b", "a/b", &"x".repeat(100)] {
            assert_eq!(signal(&odd.into()).len(), PREFIX.len() + 12, "{odd}");
        }
    }
}
