//! [`Frame`]: one event of a run, as it is sent.

use std::collections::HashSet;

use adjutant::{Run, Update};
use adjutant_core::Result;
use adjutant_core::event::{Event, EventKind};
use adjutant_core::id::RunId;
use futures::{Stream, StreamExt, stream};
use serde::Serialize;
use serde_json::{Value, json};

use super::position::Position;
use crate::access::Caller;

/// One event of a run, as it is sent.
#[derive(Debug, Serialize)]
pub(super) struct Frame {
    /// How far a client has come that has seen it; none for what has no place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    /// What happened, in one word.
    pub(super) event: String,
    /// The event.
    pub(super) data: Value,
}

impl Frame {
    /// A run stands otherwise than before.
    fn state(state: adjutant::durable::RunState) -> Self {
        Self { id: None, event: "state".to_owned(), data: json!({ "state": state.as_str() }) }
    }

    /// Something that happened in a run.
    fn of(event: &Event, id: Option<String>) -> Self {
        let data = serde_json::to_value(event).unwrap_or_default();
        let kind = match data.get("kind") {
            Some(Value::String(kind)) => kind.clone(),
            Some(Value::Object(kind)) => kind.keys().next().cloned().unwrap_or_default(),
            _ => String::new(),
        };
        Self { id, event: kind, data }
    }

    /// Why there is no more.
    pub(super) fn failed(error: &adjutant_core::Error) -> Self {
        Self { id: None, event: "error".to_owned(), data: json!({ "error": error }) }
    }
}

/// Which runs below one are not for somebody to see.
#[derive(Default)]
struct Hidden {
    shown: HashSet<RunId>,
}

impl Hidden {
    /// Hears of what a run that is seen has started.
    fn hear(&mut self, caller: &Caller, event: &Event) {
        if let EventKind::ChildStarted { run, name } = &event.kind
            && caller.who().reaches(&format!("agent:{name}"))
        {
            self.shown.insert(run.clone());
        }
    }

    /// Whether an event of a run below is hidden.
    fn hides(&mut self, caller: &Caller, event: &Event) -> bool {
        if caller.who().scopes.is_empty() {
            return false;
        }
        let hides = !self.shown.contains(&event.run);
        if !hides {
            self.hear(caller, event);
        }
        hides
    }
}

/// Whether it is a piece of nothing.
fn is_empty(event: &Event) -> bool {
    match &event.kind {
        EventKind::TextDelta { text, .. } | EventKind::ReasoningDelta { text, .. } => text.is_empty(),
        _ => false,
    }
}

/// What happens in a run after a position, as frames. Of the runs that it waits for, whoever is confined to some agents sees those of
/// these, from where they hear of them.
pub(super) fn frames(
    caller: &Caller,
    run: &Run,
    after: Position,
    with_children: bool,
) -> impl Stream<Item = Result<Frame>> + Send + use<> {
    let from = after.rests_on();
    let updates = if with_children { run.watch_from(from) } else { run.watch_alone_from(from) };
    let watched = stream::unfold(updates, |mut updates| async move {
        let update = updates.next().await?;
        Some(((update, updates.rests_on()), updates))
    });
    let (id, mut at) = (run.id().clone(), Position::default());
    let (caller, mut hidden) = (caller.clone(), Hidden::default());
    watched.filter_map(move |(update, rests_on)| {
        let frame = match update {
            Err(error) => Some(Err(error)),
            Ok(Update::State(state)) => Some(Ok(Frame::state(state))),
            // Models say so that they are at work on a call; it is no text.
            Ok(Update::Event(event)) if is_empty(&event) => None,
            Ok(Update::Event(event)) if event.run == id => {
                hidden.hear(&caller, &event);
                let placed = at.pass(&event, rests_on);
                let is_new = placed.is_none() || !after.has_seen(&at, &event);
                is_new.then(|| Ok(Frame::of(&event, placed.map(|()| at.to_string()))))
            }
            Ok(Update::Event(event)) if hidden.hides(&caller, &event) => None,
            Ok(Update::Event(event)) => Some(Ok(Frame::of(&event, None))),
        };
        std::future::ready(frame)
    })
}
