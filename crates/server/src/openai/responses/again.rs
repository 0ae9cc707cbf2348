//! [`Return`]: somebody comes back to a response that was kept.

use std::time::Duration;

use adjutant::durable::Expected;
use adjutant::model::StopReason;
use adjutant_core::Code;
use adjutant_core::message::{Message, Part};
use axum::response::Response;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Sender, channel};

use super::answer::{Frame, failed, message};
use super::background::Under;
use super::held::is_open;
use super::route::{MOST_WAITING, received};
use super::store::{Kept, Shelf};
use super::stream::Event;
use super::work::Keeping;
use crate::access::Caller;
use crate::gateway::{Given, Tells, streamed};
use crate::service::Service;
use crate::wire::Fault;

/// How often it is looked how a response stands on which another process works.
const LOOK: Duration = Duration::from_millis(500);

/// Somebody who comes back to a response.
pub(super) struct Return {
    service: Service,
    caller: Caller,
    id: String,
}

impl Return {
    pub(super) fn to(given: &Given, id: &str) -> Self {
        Self { service: given.service.clone(), caller: given.caller.clone(), id: id.to_owned() }
    }

    /// The response, where this process works on it.
    pub(super) fn under(&self) -> Option<Under> {
        self.service.background().find(&self.caller.who().tenant, &self.id)
    }

    /// The response as it is kept. One that was under way in a process that is gone, and that nobody is to take over, is over.
    pub(super) async fn settled(&self) -> Result<Kept, Fault> {
        let shelf = Shelf::of(&self.caller);
        let mut kept = shelf.response(&self.id).await?;
        if !kept.is_under_way() || self.under().is_some() {
            return Ok(kept);
        }
        if let Some(run) = kept.run.clone() {
            return self.of_run(kept, &run).await;
        }
        if is_open(shelf.adjutant().engine().as_ref(), &self.id).await? || !shelf.is_left(&self.id).await? {
            return Ok(kept);
        }
        kept.end(
            "failed",
            json!({"code": "server_error", "message": "the process that worked on it is gone"}),
        );
        shelf.keep(&self.id, &kept, Expected::Something).await?;
        Ok(kept)
    }

    /// A response of an agent that no process here works on: its run goes on by itself, and once it is over the response is.
    async fn of_run(&self, kept: Kept, run: &str) -> Result<Kept, Fault> {
        let run = self.caller.adjutant().find(run).await?;
        if run.info().await?.outcome.is_none() {
            return Ok(kept);
        }
        let text =
            |name: &str| kept.response.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        let frame = Frame {
            id: self.id.clone(),
            created: kept.response.get("created_at").and_then(Value::as_i64).unwrap_or_default(),
            model: text("model"),
            background: true,
            sealed: false,
            conversation: kept
                .response
                .pointer("/conversation/id")
                .and_then(Value::as_str)
                .map(str::to_owned),
            echo: kept.response.as_object().cloned().unwrap_or_default(),
        };
        let shelf = Shelf::of(&self.caller);
        let keeping = Keeping {
            shelf: shelf.clone().for_whom(kept.by),
            id: self.id.clone(),
            over: Some(Expected::Something),
            said: kept.said,
            input: kept.input,
            session: kept.session,
            conversation: frame.conversation.clone(),
            by_agent: true,
            user: kept.user,
        };
        match run.outcome().await {
            Ok(reply) => {
                let answer = Message::assistant(vec![Part::text(reply.text.as_str())]);
                let output = vec![message(&frame.item_id("msg", 0), &reply.text, None, false)];
                let response = frame.ended(&StopReason::EndTurn, output, Some(reply.usage));
                keeping.whole(&response, &answer, Vec::new()).await?;
            }
            Err(error) => {
                let response = match error.code() {
                    Code::RunCancelled => frame.response("cancelled", Vec::new(), None),
                    _ => failed(&frame, &Fault::from(error), Vec::new()),
                };
                keeping.partial(&response, None, Vec::new()).await?;
            }
        }
        Ok(shelf.response(&self.id).await?)
    }

    /// Tells it again, after an event: as it goes on, whoever works on it.
    pub(super) async fn told(self, after: Option<u64>) -> Result<Response, Fault> {
        let place = self.service.stream()?;
        let kept = self.settled().await?;
        let is_background = kept.response.get("background") == Some(&Value::Bool(true));
        if kept.events.is_empty() && !is_background {
            return Err(Fault::at("stream", "invalid_value", "this response cannot be told again")
                .with_help("only those that are made with `background` can; ask for it without `stream`"));
        }
        let first = usize::try_from(after.map_or(0, |after| after.saturating_add(1))).unwrap_or(usize::MAX);
        let (sender, pieces) = channel(MOST_WAITING);
        let (tells, heartbeat) = (Tells::default(), self.service.settings().heartbeat);
        tokio::spawn(async move {
            let stopped = self.service.draining().clone();
            tokio::select! {
                biased;
                () = sender.closed() => {}
                _ = self.tell(&sender, first, place) => {}
                // Whoever still listens goes on at another process.
                () = stopped.cancelled(), if self.under().is_none() => {}
            }
        });
        Ok(streamed(received(pieces), heartbeat, &tells))
    }

    /// None where nobody listens any more, or it cannot be read.
    async fn tell(&self, to: &Sender<String>, first: usize, _place: OwnedSemaphorePermit) -> Option<()> {
        let mut next = first;
        loop {
            if let Some(mut under) = self.under() {
                while let Some(events) = under.from(next).await {
                    next += events.len();
                    send(to, &events).await?;
                }
            }
            let kept = self.settled().await.ok()?;
            if !kept.is_under_way() {
                return send(to, &rest(kept, next)).await;
            }
            // It is begun anew, or was not begun here; either way all of its events are to come.
            next = if next == first { first } else { 0 };
            tokio::time::sleep(LOOK).await;
        }
    }
}

/// What is left to be told of a response that is over. One whose events nobody kept is told by its end.
fn rest(kept: Kept, next: usize) -> Vec<Event> {
    let number = next as u64;
    if kept.events.is_empty() {
        let status = kept.response.get("status").and_then(Value::as_str).unwrap_or("completed");
        let kind = format!("response.{status}");
        let data = json!({"type": kind, "sequence_number": number, "response": kept.response});
        return vec![Event { number, data }];
    }
    (number..).zip(kept.events.into_iter().skip(next)).map(|(number, data)| Event { number, data }).collect()
}

async fn send(to: &Sender<String>, events: &[Event]) -> Option<()> {
    let mut out = String::new();
    events.iter().for_each(|event| event.write(&mut out));
    if out.is_empty() { Some(()) } else { to.send(out).await.ok() }
}
