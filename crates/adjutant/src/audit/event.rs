//! What a link of the chain says that somebody did, or was kept from doing.

use adjutant_agent::approval::{self, Answer};
use adjutant_agent::rules::{DECIDE, Ruling};
use adjutant_agent::takeover::{self, Done};
use adjutant_core::Code;
use adjutant_core::id::RunId;
use adjutant_core::json::Json;
use adjutant_core::time::Timestamp;
use adjutant_durable::{Act, Admission, Entry, Link, Linked, Origin, Source, Told};
use adjutant_policy::Outcome;
use serde::Serialize;
use serde_json::{Value, json};

/// Something that somebody did to the service or to a run, or that a run was kept from doing.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AuditEvent {
    /// The link that holds it.
    pub link: u64,
    /// When.
    pub at: Timestamp,
    /// Who; none where it was not said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What, in two words such as `call.allowed`.
    pub what: String,
    /// On what: an agent, a key, a grant, a name.
    pub subject: String,
    /// The run, where it was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub run: Option<RunId>,
    /// What else is known.
    #[serde(skip_serializing_if = "Value::is_null")]
    pub details: Value,
}

/// The effects whose results say something.
pub(super) const TELLING: &[&str] = &[DECIDE];

/// What happened by a link, the latest first.
pub(super) fn of(link: Link) -> Vec<AuditEvent> {
    let number = link.number;
    match link.what {
        Linked::Act(Act { by, what, subject, at, details }) => {
            let by = Some(by).filter(|by| !by.is_empty());
            let mut details = details.value();
            let run = details.as_object_mut().and_then(|details| details.remove(Act::RUN));
            let run = run.as_ref().and_then(Value::as_str).map(RunId::from);
            if details.as_object().is_some_and(serde_json::Map::is_empty) {
                details = Value::Null;
            }
            vec![AuditEvent { link: number, at, by, what, subject, run, details }]
        }
        Linked::Records { run, name, told } => {
            let event = |told: Told| {
                let at = told.record.at;
                let (what, by, details) = deed(told)?;
                let (what, subject, run) = (what.to_owned(), name.clone(), Some(run.clone()));
                Some(AuditEvent { link: number, at, by, what, subject, run, details })
            };
            told.into_iter().rev().filter_map(event).collect()
        }
    }
}

/// What somebody did by a record, and who, or what was kept from being done; none where it says neither.
fn deed(told: Told) -> Option<(&'static str, Option<String>, Value)> {
    match told.record.entry {
        Entry::Admitted(admission) => match admission.origin {
            Some(Origin::Child { .. }) => None,
            Some(Origin::Fork { of, edits, .. }) => {
                let edited: Vec<_> = edits.into_iter().map(|edit| edit.key).collect();
                let edited = (!edited.is_empty()).then_some(edited);
                let details = json!({ "of": of, "user": admission.user, "edited": edited });
                Some(("run.forked", admission.by, known(details)))
            }
            None => {
                let Admission { session, definition, user, .. } = &*admission;
                let details = json!({ "session": session, "definition": definition, "user": user });
                Some(("run.started", admission.by.clone(), known(details)))
            }
        },
        Entry::Completed { outcome: Ok(result), .. } => match told.from? {
            Source::Signal(name) => answered(&name, &result),
            Source::Effect(name) if name == DECIDE => ruled(&result),
            Source::Effect(_) => None,
        },
        Entry::Completed { outcome: Err(error), key } => {
            let is_denied = matches!(error.code(), Code::ToolDenied | Code::RunDenied);
            let details = json!({ "step": key, "reason": error.message() });
            is_denied.then_some(("action.denied", None, details))
        }
        _ => None,
    }
}

/// What policies kept from being done, or made wait for a person: that is nobody's deed, but what an audit asks for. What may
/// be done is in the run.
fn ruled(ruling: &Json) -> Option<(&'static str, Option<String>, Value)> {
    let Ruling { verdict, request, .. } = ruling.to().ok()?;
    let what = match verdict.outcome {
        Outcome::Deny => "action.denied",
        Outcome::Ask => "action.asked",
        Outcome::Allow | Outcome::Redact(_) => return None,
    };
    let details = json!({ "action": request.action, "policies": verdict.policies, "reason": verdict.reason });
    Some((what, None, details))
}

/// Details without what is not known.
fn known(mut details: Value) -> Value {
    if let Some(details) = details.as_object_mut() {
        details.retain(|_, value| !value.is_null());
    }
    details
}

fn answered(signal: &str, answer: &Json) -> Option<(&'static str, Option<String>, Value)> {
    if let Some(call) = signal.strip_prefix(approval::PREFIX) {
        let answer: Answer = answer.to().ok()?;
        let what = match (answer.approve, &answer.instead) {
            (_, Some(_)) => "call.replaced",
            (true, None) => "call.allowed",
            (false, None) => "call.refused",
        };
        let details =
            json!({ "call": call, "said": answer.verb(), "reason": answer.reason, "seen": answer.digest });
        return Some((what, answer.by, details));
    }
    if signal.starts_with(takeover::PREFIX) {
        let done: Done = answer.to().ok()?;
        // What was said and which arguments were given is content, which the run has.
        let deed = serde_json::to_value(&done.deed).unwrap_or_default();
        let kind = deed.as_object().and_then(|deed| deed.keys().next().cloned());
        let kind = kind.or_else(|| deed.as_str().map(str::to_owned));
        return Some(("run.handled", Some(done.by), json!({ "deed": kind })));
    }
    // Who answers a question or sends an event is told by the act that is recorded with it.
    None
}

#[cfg(test)]
mod tests {
    use adjutant_core::id::StepKey;
    use adjutant_durable::Record;

    use super::*;

    fn told(entry: Entry, from: Option<Source>) -> Option<(&'static str, Option<String>)> {
        let record = Record { offset: 1, segment: 0, at: Timestamp(1), entry };
        deed(Told { record, from }).map(|(what, by, _)| (what, by))
    }

    fn completed(answer: Value) -> Entry {
        Entry::Completed { key: StepKey::parse("a#0"), outcome: Ok(answer.into()) }
    }

    #[test]
    fn who_decided_is_read_from_the_answer_to_an_approval_only() {
        let answer = json!({ "approve": true, "by": "ann" });
        let signal = || Some(Source::Signal(format!("{}call1", approval::PREFIX)));
        assert_eq!(told(completed(answer.clone()), signal()), Some(("call.allowed", Some("ann".into()))));
        let refused = json!({ "approve": false, "by": "bob" });
        assert_eq!(told(completed(refused), signal()), Some(("call.refused", Some("bob".into()))));
        assert_eq!(told(completed(answer.clone()), None), None, "a tool that says so has decided nothing");
        assert_eq!(told(completed(answer), Some(Source::Signal("go".into()))), None);
    }
}
