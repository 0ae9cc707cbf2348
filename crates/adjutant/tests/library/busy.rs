//! Conversations in which something is said while they are at work.

use std::time::Duration;

use adjutant::core::message::{Message, Role};
use adjutant::durable::{Entry, Record, RunState};
use adjutant::model::Request;
use adjutant::model::scripted::{Scripted, Turn};
use adjutant::prelude::*;
use adjutant::{Code, WhenBusy};
use serde_json::json;
use tokio_util::sync::CancellationToken;

/// Sends a letter, which nobody can take back.
#[tool(idempotent)]
async fn send(to: String) -> Result<String, ToolError> {
    Ok(format!("sent to {to}"))
}

/// Thinks for as long as it is told.
#[tool(pure, timeout = "60s")]
async fn ponder() -> Result<String, ToolError> {
    tokio::time::sleep(Duration::from_secs(50)).await;
    Ok("42".to_owned())
}

/// Sends a letter and ponders where it is told so; otherwise says all that was said to it.
fn answers(request: &Request, _: usize) -> Option<Turn> {
    let last = request.messages.last()?;
    let asked = |words: &str| last.text().contains(words) && last.results().next().is_none();
    Some(if asked("Write") {
        Turn::calls([("send", json!({"to": "ann"}))])
    } else if asked("Ponder") || last.results().any(|result| result.as_text().contains("sent")) {
        Turn::calls([("ponder", json!({}))])
    } else {
        let said = request.messages.iter().filter(|message| message.role == Role::User);
        Turn::text(&said.map(|message| message.text()).collect::<Vec<_>>().join(" | "))
    })
}

fn desk() -> Agent {
    Agent::new("desk").instructions("Help.").tool(send).tool(ponder)
}

struct Service {
    adjutant: Adjutant,
    stop: CancellationToken,
}

impl Service {
    fn new() -> Self {
        let adjutant = Adjutant::builder()
            .in_memory()
            .model("main", Scripted::from_fn(answers))
            .agent(desk())
            .build()
            .unwrap();
        let stop = CancellationToken::new();
        tokio::spawn({
            let (adjutant, stop) = (adjutant.clone(), stop.clone());
            async move { adjutant.serve(stop).await }
        });
        Self { adjutant, stop }
    }

    async fn say(&self, text: &str, when_busy: WhenBusy) -> adjutant::Result<Run> {
        self.adjutant.start(&desk(), Task::new(text).session("s").when_busy(when_busy)).await
    }

    /// One that has sent a letter and ponders.
    async fn pondering(&self) -> Run {
        let run = self.say("Write", WhenBusy::Enqueue).await.unwrap();
        let ponders = |record: &Record| match &record.entry {
            Entry::Issued { operation, .. } => operation.summary().contains("ponder"),
            _ => false,
        };
        while !run.records().await.unwrap().iter().any(ponders) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        run
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn a_turn_that_interrupts_sees_what_was_done() {
    let service = Service::new();
    let first = service.pondering().await;
    let refused = service.say("Hello", WhenBusy::Reject).await.unwrap_err();
    assert_eq!(refused.code(), Code::Conflict);
    assert_eq!(service.adjutant.session("s").turns().await.unwrap().len(), 1);
    let waiting = service.say("Later", WhenBusy::Enqueue).await.unwrap();
    let second = service.say("Stop", WhenBusy::Interrupt).await.unwrap();
    assert_eq!(second.reply().await.unwrap().text, "Write | Later | Stop");
    assert!(second.taken_back().await.unwrap().is_empty());
    for cancelled in [first, waiting] {
        assert_eq!(cancelled.outcome().await.unwrap_err().code(), Code::RunCancelled);
    }
    let after = service.say("Go on", WhenBusy::Reject).await.unwrap();
    assert_eq!(after.reply().await.unwrap().text, "Write | Later | Stop | Go on");
}

#[tokio::test]
async fn a_turn_that_takes_back_does_not_see_it_and_says_what_has_happened() {
    let service = Service::new();
    service.say("Good morning", WhenBusy::Enqueue).await.unwrap().reply().await.unwrap();
    let first = service.pondering().await;
    let second = service.say("Rather not", WhenBusy::RollBack).await.unwrap();
    assert_eq!(second.reply().await.unwrap().text, "Good morning | Rather not");
    let taken = second.taken_back().await.unwrap();
    assert_eq!(taken.len(), 1);
    assert_eq!(&taken[0].run, first.id());
    assert!(taken[0].caused.iter().any(|line| line.contains("send")), "{taken:?}");
    let after = service.say("Well", WhenBusy::Enqueue).await.unwrap();
    assert_eq!(after.reply().await.unwrap().text, "Good morning | Rather not | Well");
    let history = service.adjutant.session("s").history().await.unwrap();
    let said = history.iter().filter(|message| message.role == Role::User);
    assert_eq!(said.map(Message::text).collect::<Vec<_>>(), ["Good morning", "Rather not", "Well"]);
}

#[tokio::test]
async fn whatever_is_said_at_once_one_order_stands() {
    let service = Service::new();
    let first = service.pondering().await;
    let ways =
        [WhenBusy::Interrupt, WhenBusy::RollBack, WhenBusy::Enqueue, WhenBusy::Interrupt, WhenBusy::RollBack];
    let said = ways.iter().enumerate().map(|(number, way)| {
        let service = &service;
        async move { service.say(&format!("Say {number}"), *way).await.unwrap() }
    });
    let runs = futures::future::join_all(said).await;
    let turns = service.adjutant.session("s").turns().await.unwrap();
    assert_eq!(turns.len(), 6);
    let last = turns.iter().rposition(|turn| turn.run != *first.id()).unwrap();
    assert!(
        service.adjutant.handle(&turns[last].run).reply().await.is_ok(),
        "the last one that was said is answered"
    );
    for run in &runs {
        // Each is over: answered, or cancelled by one that came after it.
        let _ = run.reply().await;
        assert_eq!(run.info().await.unwrap().state, RunState::Ended);
    }
    assert_eq!(first.outcome().await.unwrap_err().code(), Code::RunCancelled);
}
