//! [`Happening`]: one thing that an address is told of.

use adjutant::durable::{Origin, RunInfo};
use adjutant_core::event::{Event, EventKind};
use adjutant_core::time::Timestamp;
use serde::Serialize;

/// One thing that an address is told of, as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct Happening<'a> {
    /// What it is, in two words.
    #[serde(rename = "type")]
    kind: &'static str,
    /// When it happened (RFC 3339).
    timestamp: String,
    data: Data<'a>,
}

#[derive(Debug, Serialize)]
struct Data<'a> {
    tenant: &'a str,
    run: &'a str,
    agent: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    title: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    session: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    event: &'a Event,
}

impl<'a> Happening<'a> {
    /// What is told of an event; none where nobody is told of such. What a run does that another one waits for is that one's
    /// affair, but for what people are asked.
    pub(super) fn of(tenant: &'a str, info: &'a RunInfo, event: &'a Event) -> Option<Self> {
        let kind = word(&event.kind)?;
        if kind.starts_with("run.") && matches!(info.origin, Some(Origin::Child { .. })) {
            return None;
        }
        let data = Data {
            tenant,
            run: info.run.as_str(),
            agent: &info.name,
            title: info.title.as_deref(),
            session: info.session.as_ref().map(adjutant_core::id::SessionId::as_str),
            user: info.user.as_deref(),
            event,
        };
        Some(Self { kind, timestamp: written(event.at), data })
    }

    /// What it is, in two words.
    pub(super) fn kind(&self) -> &'static str {
        self.kind
    }
}

/// What such an event is called.
fn word(kind: &EventKind) -> Option<&'static str> {
    Some(match kind {
        EventKind::Started { .. } => "run.started",
        EventKind::Ended { result: Ok(_) } => "run.ended",
        EventKind::Ended { result: Err(_) } => "run.failed",
        EventKind::Halted { .. } => "run.halted",
        EventKind::QuestionAsked { .. } | EventKind::OutcomeUnknown { .. } => "run.waiting",
        EventKind::ApprovalRequested { .. } => "approval.requested",
        EventKind::ApprovalAnswered { .. } => "approval.decided",
        _ => return None,
    })
}

/// A time as clients of webhooks read it.
fn written(at: Timestamp) -> String {
    jiff::Timestamp::from_millisecond(at.0).unwrap_or_default().to_string()
}

#[cfg(test)]
mod tests {
    use adjutant::project::OutgoingWebhook;

    use super::*;

    #[test]
    fn whatever_is_told_can_be_asked_for() {
        let kinds = [
            EventKind::Started { name: "desk".to_owned() },
            EventKind::Ended { result: Ok(adjutant_core::json::Json::null()) },
            EventKind::Ended { result: Err(adjutant_core::Error::new(adjutant_core::Code::Internal, "x")) },
            EventKind::Halted { error: adjutant_core::Error::new(adjutant_core::Code::Internal, "x") },
            EventKind::OutcomeUnknown { reason: "x".to_owned() },
            EventKind::ApprovalRequested {
                signal: "s".to_owned(),
                request: adjutant_core::json::Json::null(),
            },
            EventKind::ApprovalAnswered { signal: "s".to_owned(), answer: adjutant_core::json::Json::null() },
        ];
        let told: std::collections::BTreeSet<&str> = kinds.iter().filter_map(word).collect();
        assert_eq!(told, OutgoingWebhook::EVENTS.into_iter().collect());
        assert_eq!(word(&EventKind::Resumed), None);
        assert_eq!(written(Timestamp(1_796_098_962_604)), "2026-12-01T04:22:42.604Z");
    }
}
