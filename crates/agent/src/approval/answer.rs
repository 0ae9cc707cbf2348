//! [`Answer`]: what a person says to a [`Request`](super::Request).

use std::collections::BTreeMap;

use adjutant_core::hash::Digest;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::request::Request;

/// What a person answers, as it is sent and recorded.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Answer {
    /// Whether the call may be made.
    pub approve: bool,
    /// Why; the model hears it where the call is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who answered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// When.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<Timestamp>,
    /// The [digest](Request::digest) of the call that they saw.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// The arguments with which the call is to be made instead, and with no others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arguments: Option<Value>,
    /// What stands in the place of the tool's result; the tool is not called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instead: Option<Value>,
    /// What else it allows; this one call alone where it is not said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

/// Which later calls an answer allows beside the one that it is about: those of the same tool by the same agent for the
/// same person, about which no other policy asks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Reach {
    /// Whether it holds in the whole project; in this session, or run, where it does not.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub everywhere: bool,
    /// The values that arguments must have, by their JSON pointers; others may have any.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub pinned: BTreeMap<String, Value>,
    /// When it ends; when it is revoked where none is given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// What is to be done about a call.
#[derive(Clone, Debug, PartialEq)]
pub enum Decision {
    /// Make it.
    Approve,
    /// Make it with these arguments.
    Edit(Value),
    /// Do not make it; the model hears why, where a reason is given.
    Deny(Option<String>),
    /// Do not make it, and let this stand in the place of its result.
    Answer(Value),
}

impl Decision {
    /// The decision as an answer that nobody has given yet.
    pub fn into_answer(self) -> Answer {
        match self {
            Self::Approve => Answer { approve: true, ..Answer::default() },
            Self::Edit(arguments) => {
                Answer { approve: true, arguments: Some(arguments), ..Answer::default() }
            }
            Self::Deny(reason) => Answer { reason, ..Answer::default() },
            Self::Answer(instead) => Answer { instead: Some(instead), ..Answer::default() },
        }
    }
}

impl Answer {
    /// What it decides, in a word.
    pub fn verb(&self) -> &'static str {
        match (self.approve, &self.arguments, &self.instead) {
            (_, _, Some(_)) => "answered in the tool's place",
            (true, Some(_), None) => "allowed with other arguments",
            (true, None, None) => "allowed",
            (false, _, None) => "refused",
        }
    }

    /// Who gave it and what they decided, for those who come too late.
    pub fn told(&self) -> String {
        let by = self.by.as_deref().unwrap_or("somebody");
        let reason = self.reason.as_deref().filter(|reason| !reason.trim().is_empty());
        let reason = reason.map(|reason| format!(" ({reason})")).unwrap_or_default();
        format!("{by} has {} it{reason}", self.verb())
    }

    /// Checks that it can be given to a request. Fails with [`Code::Conflict`] where the request is of another call or is
    /// over, and with [`Code::InputInvalid`] where the answer makes no sense.
    pub fn check(&self, request: &Request, now: Timestamp) -> Result<()> {
        let invalid = |why: &str, help: &str| Err(Error::new(Code::InputInvalid, why).with_help(help));
        if let (Some(seen), Some(digest)) = (self.digest, request.digest)
            && seen != digest
        {
            let message =
                "the answer is to another call than the one that waits: the arguments are not the same";
            return Err(Error::new(Code::Conflict, message).with_help(
                "look at the call that waits now, `adjutant approvals show`, and answer to that one",
            ));
        }
        if request.expires.is_some_and(|expires| expires <= now) {
            return Err(Error::new(Code::Conflict, "the request has expired, and the call is refused")
                .with_help("the model may ask again"));
        }
        if self.instead.is_some() && (self.approve || self.arguments.is_some()) {
            return invalid("an answer either allows the call or stands in its place", "give one of the two");
        }
        let Some(reach) = &self.reach else { return Ok(()) };
        if !self.approve {
            return invalid("only an approval can hold for later calls", "leave out for what it is to hold");
        }
        if reach.everywhere && reach.pinned.is_empty() {
            return invalid(
                "what holds in the whole project must name arguments that stay the same",
                "name the argument that decides, such as the recipient: `--pin to`",
            );
        }
        let arguments = self.arguments.as_ref().unwrap_or(&request.arguments);
        match reach.pinned.iter().find(|(place, value)| arguments.pointer(place) != Some(value)) {
            Some((place, _)) => invalid(
                &format!("the call does not have that value at `{place}`"),
                "only what the call itself has can stay the same",
            ),
            None => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request() -> Request {
        Request {
            call: "c".into(),
            tool: "send".into(),
            arguments: json!({ "to": "ann", "text": "hi" }),
            why: String::new(),
            description: None,
            effect: None,
            origins: BTreeMap::new(),
            read: adjutant_core::label::Label::default(),
            policies: Vec::new(),
            digest: Some(Digest::of(b"this")),
            expires: Some(Timestamp(100)),
        }
    }

    #[test]
    fn an_answer_is_to_one_call_at_one_time() {
        let yes = Decision::Approve.into_answer();
        let now = Timestamp(99);
        assert!(yes.check(&request(), now).is_ok());
        assert_eq!(yes.check(&request(), Timestamp(100)).unwrap_err().code(), Code::Conflict);
        let other = Answer { digest: Some(Digest::of(b"that")), ..yes.clone() };
        assert_eq!(other.check(&request(), now).unwrap_err().code(), Code::Conflict);
        let reaching = |decision: Decision, everywhere, pins: &[(&str, &str)]| {
            let pinned = pins.iter().map(|(place, value)| ((*place).to_owned(), json!(value))).collect();
            let reach = Some(Reach { everywhere, pinned, until: None });
            Answer { reach, ..decision.into_answer() }.check(&request(), now).map_err(|error| error.code())
        };
        assert_eq!(reaching(Decision::Approve, false, &[]), Ok(()));
        assert_eq!(reaching(Decision::Approve, true, &[("/to", "ann")]), Ok(()));
        assert_eq!(reaching(Decision::Approve, true, &[]), Err(Code::InputInvalid));
        assert_eq!(reaching(Decision::Approve, true, &[("/to", "bob")]), Err(Code::InputInvalid));
        assert_eq!(reaching(Decision::Deny(None), false, &[]), Err(Code::InputInvalid));
        let edit = Decision::Edit(json!({ "to": "bob", "text": "hi" }));
        assert_eq!(reaching(edit, true, &[("/to", "bob")]), Ok(()));
    }

    #[test]
    fn what_the_first_version_wrote_is_read() {
        let read: Answer = serde_json::from_str(r#"{"approve":true}"#).unwrap();
        assert_eq!(read, Decision::Approve.into_answer());
        assert_eq!(serde_json::to_string(&read).unwrap(), r#"{"approve":true}"#);
    }
}
