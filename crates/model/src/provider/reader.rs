//! The body of an answer, cut into events and decoded.

use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use http::header::CONTENT_TYPE;

use super::noise::Noise;
use super::wire::Decode;
use crate::delta::{Delta, Deltas, Start};
use crate::event_stream;
use crate::sse;
use crate::transport::{Body, Incoming, Peer, rate_limits, request_id};

/// The most bytes of one event: a whole tool call may come in one.
const MOST_EVENT_BYTES: usize = 16 << 20;

/// The most bytes that are looked at to tell what an answer is: a hundred characters are shown of a foreign one.
const MOST_OF_FOREIGN: usize = 400;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// Reads an answer in the form that it has, which is not always the one that was asked for.
pub(super) fn read(incoming: Incoming, decoder: Box<dyn Decode>, peer: &Peer) -> Deltas {
    let headers = &incoming.headers;
    let content_type = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    // It is handed on with every delta, so it is no larger than a pointer.
    let reader = Box::new(Reader {
        form: Form::of(content_type),
        start: Some(Start {
            request_id: request_id(headers),
            rate_limits: rate_limits(headers),
            ..Start::default()
        }),
        body: incoming.body,
        decoder,
        peer: peer.clone(),
        noise: Noise::default(),
        ready: Vec::new().into_iter(),
        over: false,
        failure: None,
    });
    futures::stream::unfold(reader, |mut reader| async move {
        let next = reader.next().await?;
        Some((next, reader))
    })
    .boxed()
}

struct Reader {
    body: Body,
    form: Form,
    decoder: Box<dyn Decode>,
    /// What the headers say, until it is told.
    start: Option<Start>,
    peer: Peer,
    /// What stands between the events of the answer.
    noise: Noise,
    ready: std::vec::IntoIter<Delta>,
    over: bool,
    failure: Option<Error>,
}

#[derive(Debug)]
enum Form {
    Unknown { kind: String, begin: Vec<u8> },
    Events(sse::Decoder),
    Frames(event_stream::Decoder),
    Whole(Vec<u8>),
}

impl Form {
    /// The form that a content type means.
    fn of(content_type: &str) -> Self {
        let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        match kind.as_str() {
            "text/event-stream" => Self::events(),
            event_stream::CONTENT_TYPE => Self::Frames(event_stream::Decoder::new(MOST_EVENT_BYTES)),
            // JSON is said of streams too.
            _ => Self::Unknown { kind, begin: Vec::new() },
        }
    }

    fn events() -> Self {
        Self::Events(sse::Decoder::new(MOST_EVENT_BYTES))
    }

    /// The form of a body that begins so; none while that is too little to tell, or foreign.
    fn beginning(begin: &[u8]) -> Option<Self> {
        if begin.starts_with(b"{") || begin.starts_with(b"[") {
            return Some(Self::Whole(Vec::new()));
        }
        let fields: [&[u8]; 5] = [b"data:", b"event:", b"id:", b"retry:", b":"];
        fields.iter().any(|field| begin.starts_with(field)).then(Self::events)
    }
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Delta>> {
        loop {
            if let Some(delta) = self.ready.next() {
                return Some(Ok(delta));
            }
            if let Some(error) = self.failure.take() {
                return Some(Err(error));
            }
            if self.over {
                return None;
            }
            let mut deltas = Vec::new();
            let step = self.step(&mut deltas).await;
            self.tell_start(&mut deltas);
            // The deltas that came before an error are not lost.
            self.ready = deltas.into_iter();
            if let Err(error) = step {
                self.over = true;
                self.failure = Some(error);
            }
        }
    }

    /// Reads one piece of the body. One that says nothing, such as a comment or a part of a larger event, is a sign of life
    /// all the same.
    async fn step(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        match self.body.chunk().await? {
            Some(chunk) => {
                self.feed(&chunk, deltas)?;
                if deltas.is_empty() {
                    deltas.push(Delta::Text(String::new()));
                }
                Ok(())
            }
            None => {
                self.over = true;
                self.finish(deltas)
            }
        }
    }

    fn feed(&mut self, chunk: &[u8], deltas: &mut Vec<Delta>) -> Result<()> {
        match &mut self.form {
            Form::Unknown { kind, begin } => {
                begin.extend_from_slice(chunk);
                begin.drain(..blank(begin));
                let Some(form) = Form::beginning(begin) else {
                    let is_foreign = begin.len() >= MOST_OF_FOREIGN;
                    return if is_foreign { Err(foreign(kind, begin, &self.peer)) } else { Ok(()) };
                };
                let begin = std::mem::take(begin);
                self.form = form;
                // INVARIANT: the form is known now, so this calls itself once.
                self.feed(&begin, deltas)
            }
            Form::Whole(body) => {
                body.extend_from_slice(chunk);
                Ok(())
            }
            Form::Events(decoder) => {
                let mut events = Vec::new();
                let cut = decoder.feed(chunk, &mut events);
                self.decode(&events, cut, deltas)
            }
            Form::Frames(decoder) => {
                let mut events = Vec::new();
                let cut = decoder.feed(chunk, &mut events);
                // Text is blanked where it arrives; these bytes are counted, so it is done now.
                events.iter_mut().for_each(|event| self.peer.blank(&mut event.data));
                self.decode(&events, cut, deltas)
            }
        }
    }

    /// Decodes the events that were cut out of the bytes, until that failed.
    fn decode(&mut self, events: &[sse::Event], cut: Result<()>, deltas: &mut Vec<Delta>) -> Result<()> {
        for event in events {
            if self.decoder.is_complete() {
                break;
            }
            self.take(event, deltas)?;
        }
        if !self.decoder.is_complete() {
            return cut;
        }
        // The connection may stay open after the last event, and what comes behind that is not looked at.
        self.over = true;
        std::mem::take(&mut self.body).let_go();
        Ok(())
    }

    fn take(&mut self, event: &sse::Event, deltas: &mut Vec<Delta>) -> Result<()> {
        match self.noise.is(event, self.decoder.as_ref()) {
            true => {
                deltas.extend(self.noise.keep(event));
                Ok(())
            }
            false => self.decoder.event(event, deltas),
        }
    }

    /// Ends a stream. One of nothing but noise is no answer, and the noise says most of why.
    fn end(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        self.decoder.end(deltas).map_err(|error| match self.noise.alone() {
            Some(noise) => {
                let (name, noise) = (self.peer.name(), self.peer.clean(noise));
                let what = format!("the answer of the provider at `{name}` is not JSON: {noise}");
                Error::new(Code::ModelAnswerInvalid, what)
            }
            None => error,
        })
    }

    fn finish(&mut self, deltas: &mut Vec<Delta>) -> Result<()> {
        let none = Form::Whole(Vec::new());
        match std::mem::replace(&mut self.form, none) {
            Form::Unknown { kind, begin } if !begin.is_empty() => Err(foreign(&kind, &begin, &self.peer)),
            Form::Unknown { .. } => {
                let name = self.peer.name();
                Err(Error::new(
                    Code::ModelAnswerInvalid,
                    format!("the answer of the provider at `{name}` is empty"),
                ))
            }
            Form::Whole(body) => {
                let body = String::from_utf8_lossy(&body);
                self.decoder.whole(body.trim_start_matches('\u{feff}'), deltas)
            }
            Form::Events(events) => {
                if let Some(event) = events.finish() {
                    self.take(&event, deltas)?;
                }
                self.end(deltas)
            }
            Form::Frames(frames) => {
                frames.finish()?;
                self.end(deltas)
            }
        }
    }

    /// Adds what the headers say to the first delta that has a place for it.
    fn tell_start(&mut self, deltas: &mut [Delta]) {
        let place = deltas.iter_mut().find_map(|delta| match delta {
            Delta::Start(said) => Some(said),
            _ => None,
        });
        if let Some(said) = place
            && let Some(start) = self.start.take()
        {
            said.request_id = start.request_id.or(said.request_id.take());
            said.rate_limits = start.rate_limits;
        }
    }
}

/// How many bytes at the beginning say nothing: white space and byte-order marks.
fn blank(begin: &[u8]) -> usize {
    let mut rest = begin.trim_ascii_start();
    while let Some(after) = rest.strip_prefix(BYTE_ORDER_MARK) {
        rest = after.trim_ascii_start();
    }
    begin.len() - rest.len()
}

fn foreign(kind: &str, begin: &[u8], peer: &Peer) -> Error {
    let shown: String = String::from_utf8_lossy(begin).chars().take(100).collect();
    let message = format!(
        "the provider at `{}` answered with `{kind}` and not with a completion: {}",
        peer.name(),
        peer.clean(&shown)
    );
    Error::new(Code::ModelAnswerInvalid, message)
        .with_help("check `base_url`: most servers want it to end with `/v1`")
}
