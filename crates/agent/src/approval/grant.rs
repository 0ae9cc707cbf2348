//! Grants: calls that a person has allowed beforehand.

use adjutant_core::hash::Digest;
use adjutant_core::id::{RunId, SessionId};
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Grant, Within};
use adjutant_tool::sandbox::Owner;
use serde_json::Value;

use super::answer::{Answer, Reach};
use super::desk::Desk;
use crate::runtime::Runtime;

/// A call that might be allowed beforehand.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub(super) agent: String,
    pub(super) user: Option<String>,
    pub(super) tool: String,
    pub(super) arguments: Value,
    pub(super) policies: Vec<String>,
    /// Where it is made: in a session, or in a run and what that starts.
    pub(super) place: Within,
    pub(super) at: Timestamp,
}

impl Wish {
    /// The grant that allows it; of several the newest.
    pub(super) async fn granted(&self, desk: &Desk) -> Result<Option<Grant>> {
        let grants = desk.engine.grants(Some(&self.tool)).await?;
        Ok(grants.into_iter().find(|grant| self.is_allowed_by(grant)))
    }

    /// Whether a grant allows the call. A policy that the person was not asked about then keeps it from being allowed.
    fn is_allowed_by(&self, grant: &Grant) -> bool {
        let holds_here = grant.within == Within::Project || grant.within == self.place;
        let is_over = grant.revoked.is_some() || grant.until.is_some_and(|until| until <= self.at);
        let is_pinned = |(place, value): (&String, &Value)| self.arguments.pointer(place) == Some(value);
        holds_here
            && !is_over
            && grant.agent == self.agent
            && grant.user == self.user
            && grant.tool == self.tool
            && grant.pinned.iter().all(is_pinned)
            && self.policies.iter().all(|policy| grant.policies.contains(policy))
    }

    /// The grant that an answer to this call is, where it reaches further than the call. `run` and `signal` are what was
    /// answered to.
    pub(super) fn grant(&self, run: &RunId, signal: &str, answer: &Answer) -> Option<Grant> {
        let reach = answer.reach.clone()?;
        let Reach { everywhere, pinned, until } = reach;
        let is_of_call = pinned.iter().all(|(place, value)| self.arguments.pointer(place) == Some(value));
        if !is_of_call || (everywhere && pinned.is_empty()) {
            return None;
        }
        let digest = Digest::of_parts(&[b"grant", run.as_str().as_bytes(), signal.as_bytes()]);
        Some(Grant {
            id: digest.short(),
            within: if everywhere { Within::Project } else { self.place.clone() },
            user: self.user.clone(),
            agent: self.agent.clone(),
            tool: self.tool.clone(),
            pinned,
            policies: self.policies.clone(),
            by: answer.by.clone().unwrap_or_else(|| "somebody".to_owned()),
            at: answer.at.unwrap_or(self.at),
            until,
            run: run.clone(),
            signal: signal.to_owned(),
            revoked: None,
        })
    }
}

/// Where the calls of an agent are made, for grants: in the session of the run that was started first, or in that run.
pub(super) fn place(agent: &Runtime, run: &RunId) -> Within {
    let session = |session: &SessionId| Within::Session(session.clone());
    match &agent.files {
        Some(Owner::Session(owner)) => session(owner),
        Some(Owner::Run(owner)) => Within::Run(owner.clone()),
        _ => agent.session.as_ref().map_or_else(|| Within::Run(run.clone()), session),
    }
}

/// What is recorded as the reason why a call is allowed.
pub(super) fn reason(grant: &Grant) -> Json {
    serde_json::json!({ "allowed_by": "grant", "grant": grant.id, "by": grant.by }).into()
}

/// Looks again, right before an attempt of a call that a grant allows: it may have been taken back since. Fails with
/// [`Code::ToolDenied`] then.
pub(crate) async fn recheck(agent: &Runtime, reason: &Json, tool: &str) -> Result<()> {
    let value = reason.value();
    let (Some(id), Some(desk)) = (value.get("grant").and_then(Value::as_str), &agent.desk) else {
        return Ok(());
    };
    let grants = desk.engine.grants(Some(tool)).await?;
    let revoked = match grants.into_iter().find(|grant| grant.id == id) {
        Some(grant) => grant.revoked,
        None => return Err(denied("the grant that allowed the call is gone")),
    };
    match revoked {
        Some(revoked) => {
            Err(denied(&format!("{} has taken back the grant that allowed the call", revoked.by)))
        }
        None => Ok(()),
    }
}

fn denied(why: &str) -> Error {
    Error::new(Code::ToolDenied, why)
        .with_help("find another way, or make the call again: a person is asked then")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use adjutant_durable::Revoked;
    use serde_json::json;

    use super::*;

    fn wish() -> Wish {
        Wish {
            agent: "desk".into(),
            user: Some("ann".into()),
            tool: "send".into(),
            arguments: json!({ "to": "bob", "text": "hi" }),
            policies: vec!["outward".into()],
            place: Within::Session("s".into()),
            at: Timestamp(50),
        }
    }

    fn grant(pinned: &[(&str, &str)], everywhere: bool) -> Grant {
        let pinned: BTreeMap<_, _> =
            pinned.iter().map(|(place, value)| ((*place).to_owned(), json!(value))).collect();
        let reach = Some(Reach { everywhere, pinned, until: Some(Timestamp(60)) });
        let answer = Answer { approve: true, reach, by: Some("eve".into()), ..Answer::default() };
        wish().grant(&"r".into(), "approve:turn0.call0", &answer).unwrap()
    }

    #[test]
    fn a_grant_allows_what_the_person_was_asked_about_and_nothing_else() {
        type Change = fn(&mut Wish, &mut Grant);
        let cases: [(Change, bool); 12] = [
            (|_, _| {}, true),
            (|wish, _| wish.arguments = json!({ "to": "bob", "text": "other" }), true),
            (|wish, _| wish.arguments = json!({ "to": "mallory", "text": "hi" }), false),
            (|wish, _| wish.tool = "pay".into(), false),
            (|wish, _| wish.agent = "helper".into(), false),
            (|wish, _| wish.user = None, false),
            (|wish, _| wish.place = Within::Session("t".into()), false),
            (|wish, _| wish.policies.push("at_night".into()), false),
            (|wish, _| wish.policies.clear(), true),
            (|wish, _| wish.at = Timestamp(60), false),
            (|_, grant| grant.within = Within::Project, true),
            (
                |_, grant| {
                    grant.revoked = Some(Revoked { by: "ann".into(), at: Timestamp(1), reason: None });
                },
                false,
            ),
        ];
        for (place, (change, allowed)) in cases.into_iter().enumerate() {
            let (mut wish, mut grant) = (wish(), grant(&[("/to", "bob")], false));
            change(&mut wish, &mut grant);
            assert_eq!(wish.is_allowed_by(&grant), allowed, "case {place}");
        }
        // A grant for the session that pins nothing allows the tool there.
        let any = Wish { arguments: json!({ "to": "mallory" }), ..wish() };
        assert!(any.is_allowed_by(&grant(&[], false)));
    }

    #[test]
    fn an_answer_grants_only_what_the_call_has() {
        let reaching = |everywhere, place: &str, value: &str| {
            let pinned = BTreeMap::from([(place.to_owned(), json!(value))]);
            let reach = Some(Reach { everywhere, pinned, until: None });
            let answer = Answer { approve: true, reach, ..Answer::default() };
            wish().grant(&"r".into(), "approve:x", &answer)
        };
        assert!(reaching(false, "/to", "bob").is_some());
        assert!(reaching(false, "/to", "mallory").is_none());
        assert!(reaching(true, "/nothing", "bob").is_none());
    }
}
