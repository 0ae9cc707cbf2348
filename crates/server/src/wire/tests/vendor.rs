//! The three formats, as providers' interfaces and as ours.

use std::sync::Arc;

use adjutant::model::openai::chat::Quirks;
use adjutant::model::provider::{Config, Wire};
use adjutant::model::transport::Peer;
use adjutant::model::{Collector, Delta, Request, Response, anthropic, openai, sse};
use adjutant_core::message::Part;
use serde_json::{Map, Value};

use crate::gateway::Tell as _;
use crate::openai::chat::{Chunks, Head};
use crate::openai::responses::{self, Frame};
use crate::wire::{Carried, open};
use crate::{anthropic as messages, openai as own};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Vendor {
    Chat,
    Responses,
    Messages,
}

impl Vendor {
    /// The interface by which such a vendor is asked.
    pub(super) fn wire(self) -> Arc<dyn Wire> {
        let config = |model: &str| Config::new("m", "http://localhost/v1", model);
        let interface = match self {
            Self::Chat => openai::chat::interface(&config("m"), Quirks::COMMON),
            Self::Responses => openai::responses::interface(&config("m")),
            Self::Messages => anthropic::interface(&config("claude-opus-4-6")),
        };
        interface.unwrap().wire
    }

    /// The request that such a client sends.
    pub(super) fn read(self, body: &Value) -> Request {
        match self {
            Self::Chat => own::chat::read(body).unwrap().request,
            Self::Responses => {
                let asked = own::responses::read(body).unwrap();
                let mut request = asked.request;
                let instructions = asked.instructions.map(adjutant_core::message::Message::system);
                request.messages.splice(0..0, instructions.map(Arc::new));
                request
            }
            Self::Messages => messages::read(body).unwrap().request,
        }
    }

    /// The answer as such a client gets it in one piece.
    pub(super) fn whole(self, response: &Response) -> Value {
        match self {
            Self::Chat => own::chat::whole(&head(), response),
            Self::Responses => responses::whole(&frame(), response),
            Self::Messages => messages::whole(&head(), response, true),
        }
    }

    /// The answer as such a client gets it in pieces.
    pub(super) fn streamed(self, deltas: &[Delta]) -> String {
        let mut out = String::new();
        match self {
            Self::Chat => {
                let mut chunks = Chunks::new(head(), true);
                deltas.iter().for_each(|delta| chunks.push(delta, &mut out));
            }
            Self::Responses => {
                let (mut events, mut all) = (responses::Events::new(frame()), Vec::new());
                deltas.iter().for_each(|delta| events.push(delta, &mut all));
                for (number, event) in (0..).zip(&all) {
                    assert_eq!(event.number, number);
                    event.write(&mut out);
                }
                assert!(events.response().is_some());
            }
            Self::Messages => {
                let mut events = messages::Events::new(head(), 7, true);
                deltas.iter().for_each(|delta| events.push(delta, &mut out));
            }
        }
        out
    }

    /// What our provider's side understands of an answer in one piece.
    pub(super) fn understand(self, body: &Value) -> Response {
        let request = Request::default();
        let mut decoder = self.wire().decoder(&request, &peer());
        let mut deltas = Vec::new();
        decoder.whole(&body.to_string(), &mut deltas).unwrap();
        collected(deltas)
    }

    /// What it understands of one that comes in pieces of bytes.
    pub(super) fn hear(self, text: &str, cuts: &[usize]) -> Response {
        let request = Request::default();
        let mut decoder = self.wire().decoder(&request, &peer());
        let (mut reader, mut events, mut deltas) = (sse::Decoder::new(1 << 20), Vec::new(), Vec::new());
        let mut rest = text.as_bytes();
        for cut in cuts.iter().cycle().take(text.len()) {
            let (piece, left) = rest.split_at((*cut).min(rest.len()));
            reader.feed(piece, &mut events).unwrap();
            rest = left;
        }
        reader.feed(rest, &mut events).unwrap();
        for event in events {
            decoder.event(&event, &mut deltas).unwrap();
        }
        decoder.end(&mut deltas).unwrap();
        collected(deltas)
    }
}

fn peer() -> Peer {
    Peer::new(&"http://localhost/v1".parse().unwrap(), &[])
}

pub(super) fn head() -> Head {
    Head { id: "x1".into(), created: 1_700_000_000, model: "main".into() }
}

pub(super) fn frame() -> Frame {
    Frame {
        id: "x1".into(),
        created: 1_700_000_000,
        model: "main".into(),
        background: false,
        sealed: true,
        conversation: None,
        echo: Map::new(),
    }
}

pub(super) fn collected(deltas: Vec<Delta>) -> Response {
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    collector.finish().unwrap()
}

/// The parts of a message with every seal opened.
pub(super) fn opened(parts: &[Part]) -> Vec<Part> {
    parts.iter().map(opened_part).collect()
}

fn opened_part(part: &Part) -> Part {
    let Part::Reasoning(reasoning) = part else { return part.clone() };
    // What chat completions carry is kept whole by the decoder, as JSON.
    let detail = reasoning.encrypted.as_deref().and_then(|text| serde_json::from_str::<Value>(text).ok());
    let of_detail = |name: &str| detail.as_ref()?.get(name)?.as_str().map(str::to_owned);
    let sealed = of_detail("signature")
        .or_else(|| of_detail("data"))
        .or_else(|| reasoning.signature.clone())
        .or_else(|| reasoning.encrypted.clone());
    if let (Some(_), None) = (&detail, of_detail("signature").or_else(|| of_detail("data"))) {
        return Part::Reasoning(adjutant_core::message::Reasoning {
            text: reasoning.text.clone(),
            ..Default::default()
        });
    }
    match sealed.and_then(|sealed| open(&sealed, &reasoning.text)) {
        Some(Carried::Reasoning(reasoning)) => Part::Reasoning(reasoning),
        Some(Carried::Native(native)) => Part::Native(native),
        None => part.clone(),
    }
}
