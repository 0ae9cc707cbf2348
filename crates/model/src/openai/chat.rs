//! The model itself: what is pure, tied to the network.

use std::collections::VecDeque;
use std::sync::Arc;

use adjutant_core::json::Json;
use adjutant_core::{Code, Error, Result};
use futures::StreamExt;
use futures::future::BoxFuture;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use url::Url;

use super::config::{Config, is_openai, takes_stream_options};
use super::decode::Decoder;
use super::encode::{self, Dialect};
use crate::delta::{Delta, Deltas};
use crate::model::{Call, Model};
use crate::profile::Profile;
use crate::request::Request;
use crate::sse;
use crate::transport::{Answer, Body, Client, Peer, Post, request_id, secret_header};

/// The most bytes of one event: a whole tool call may come in one.
const MOST_EVENT_BYTES: usize = 16 << 20;

/// A model behind a server that speaks chat completions.
#[derive(Clone, Debug)]
pub struct Chat {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    profile: Profile,
    dialect: Dialect,
    url: Url,
    peer: Peer,
    headers: HeaderMap,
    client: Client,
}

impl Chat {
    /// Makes the model; nothing is sent. Fails with `input-invalid` where the address, the key or a header cannot be one.
    pub fn new(config: Config) -> Result<Self> {
        let url = config.endpoint()?;
        let max_tokens = if is_openai(&url) { "max_completion_tokens" } else { "max_tokens" };
        Ok(Self {
            inner: Arc::new(Inner {
                peer: config.peer(&url),
                headers: config.header_map()?,
                client: Client::new(config.timeouts),
                dialect: Dialect {
                    model: config.model,
                    max_tokens,
                    stream_options: takes_stream_options(&url),
                    parallel_tools: config.profile.abilities.parallel_tools,
                    reasoning_field: config.reasoning_field,
                    extra: config.extra,
                },
                id: config.id,
                profile: config.profile,
                url,
            }),
        })
    }
}

impl Model for Chat {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.send(&request, call).await })
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.inner.body(request).map(Json::from)
    }
}

impl Inner {
    fn body(&self, request: &Request) -> Result<serde_json::Value> {
        self.profile.check(&self.id, request)?;
        encode::body(&self.dialect, request)
    }

    async fn send(&self, request: &Request, call: Call) -> Result<Deltas> {
        let body = self.body(request)?.to_string();
        let mut headers = self.headers.clone();
        if let Some(key) = &call.idempotency_key {
            let (name, value) = secret_header("idempotency-key", key)?;
            headers.insert(name, value);
        }
        let post = Post {
            url: self.url.clone(),
            peer: self.peer.clone(),
            headers,
            body,
            cancel: call.cancel.clone(),
        };
        let answer = self.client.post(post).await?;
        let decoder = Decoder::new(self.peer.clone(), request, request_id(&answer.headers));
        Ok(read(answer, decoder, &self.peer))
    }
}

/// Reads an answer in the form that it has, which is not always the one that was asked for.
fn read(answer: Answer, decoder: Decoder, peer: &Peer) -> Deltas {
    let content_type =
        answer.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let reader = Reader {
        body: answer.body,
        form: Form::Unknown { content_type: content_type.to_owned(), begin: Vec::new() },
        decoder,
        peer: peer.clone(),
        ready: VecDeque::new(),
        over: false,
    };
    futures::stream::unfold(reader, |mut reader| async move {
        let next = reader.next().await?;
        Some((next, reader))
    })
    .boxed()
}

#[derive(Debug)]
struct Reader {
    body: Body,
    form: Form,
    decoder: Decoder,
    peer: Peer,
    ready: VecDeque<Delta>,
    over: bool,
}

#[derive(Debug)]
enum Form {
    Unknown { content_type: String, begin: Vec<u8> },
    Events(sse::Decoder),
    Whole(Vec<u8>),
}

impl Reader {
    async fn next(&mut self) -> Option<Result<Delta>> {
        loop {
            if let Some(delta) = self.ready.pop_front() {
                return Some(Ok(delta));
            }
            if self.over {
                return None;
            }
            match self.step().await {
                Ok(deltas) => self.ready.extend(deltas),
                Err(error) => {
                    self.over = true;
                    return Some(Err(error));
                }
            }
        }
    }

    /// Reads one piece of the body. The deltas that come before an error in it are not lost: they are ready already.
    async fn step(&mut self) -> Result<Vec<Delta>> {
        let Some(chunk) = self.body.chunk().await? else {
            self.over = true;
            return self.finish();
        };
        self.feed(&chunk)
    }

    fn feed(&mut self, chunk: &[u8]) -> Result<Vec<Delta>> {
        match &mut self.form {
            Form::Unknown { content_type, begin } => {
                begin.extend_from_slice(chunk);
                let Some(form) = recognise(content_type, begin, &self.peer)? else { return Ok(Vec::new()) };
                let begin = std::mem::take(begin);
                self.form = form;
                // INVARIANT: `recognise` returns a known form, so this calls itself once.
                self.feed(&begin)
            }
            Form::Whole(body) => {
                body.extend_from_slice(chunk);
                Ok(Vec::new())
            }
            Form::Events(events) => {
                for event in events.feed(chunk)? {
                    self.ready.extend(self.decoder.event(&event.data)?);
                }
                // The connection may stay open after the last event.
                self.over = self.decoder.has_ended();
                Ok(Vec::new())
            }
        }
    }

    fn finish(&mut self) -> Result<Vec<Delta>> {
        let none = Form::Whole(Vec::new());
        match std::mem::replace(&mut self.form, none) {
            Form::Unknown { .. } => {
                let name = self.peer.name();
                Err(Error::new(
                    Code::ModelAnswerInvalid,
                    format!("the answer of the provider at `{name}` is empty"),
                ))
            }
            Form::Whole(body) => self.decoder.whole(&String::from_utf8_lossy(&body)),
            Form::Events(events) => {
                if let Some(event) = events.finish() {
                    self.ready.extend(self.decoder.event(&event.data)?);
                }
                self.decoder.eof()
            }
        }
    }
}

/// What form a body has, by its type or else by its first bytes; none while these are too few to tell.
fn recognise(content_type: &str, begin: &[u8], peer: &Peer) -> Result<Option<Form>> {
    let kind = content_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let events = || Some(Form::Events(sse::Decoder::new(MOST_EVENT_BYTES)));
    match kind.as_str() {
        "text/event-stream" => return Ok(events()),
        "application/json" => return Ok(Some(Form::Whole(Vec::new()))),
        _ => {}
    }
    let text = String::from_utf8_lossy(begin);
    let text = text.trim_start_matches(|c: char| c.is_whitespace() || c == '\u{feff}');
    if text.starts_with('{') {
        return Ok(Some(Form::Whole(Vec::new())));
    }
    let fields = ["data:", "event:", "id:", "retry:", ":"];
    if fields.iter().any(|field| text.starts_with(field)) {
        return Ok(events());
    }
    if fields.iter().any(|field| field.starts_with(text)) {
        return Ok(None);
    }
    let shown: String = text.chars().take(100).collect();
    let message = format!(
        "the provider at `{}` answered with `{kind}` and not with a completion: {}",
        peer.name(),
        peer.clean(&shown)
    );
    Err(Error::new(Code::ModelAnswerInvalid, message)
        .with_help("check `base_url`: most servers want it to end with `/v1`"))
}
