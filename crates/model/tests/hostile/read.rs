//! Answers out of memory, read as if they had come over the network.

use std::sync::{Arc, Mutex};

use adjutant_core::Result;
use adjutant_core::message::{Message, Part, ToolCall, ToolResult};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_model::provider::{Config, Provider, Remote};
use adjutant_model::transport::{Body, Incoming, Outgoing, Transport};
use adjutant_model::{Abilities, Call, Delta, Model, Profile, Request};
use adjutant_testkit::provider::Interface;
use bytes::Bytes;
use futures::StreamExt;
use futures::future::BoxFuture;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use serde_json::json;

pub(crate) const KEY: &str = "sk-hostile-1234";

/// One provider and the interface that it speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) interface: Interface,
    pub(crate) provider: &'static str,
    model: &'static str,
}

impl Subject {
    /// Every provider with an interface of its own.
    pub(crate) const ALL: [Self; 5] = [
        Self { interface: Interface::Chat, provider: "openai", model: "gpt-4.1" },
        Self { interface: Interface::Responses, provider: "openai-responses", model: "gpt-5.6-sol" },
        Self { interface: Interface::Messages, provider: "anthropic", model: "claude-opus-4-6" },
        Self { interface: Interface::Gemini, provider: "gemini", model: "gemini-3.8-flash" },
        Self { interface: Interface::Converse, provider: "bedrock", model: "anthropic.claude-opus-4-6-v1" },
    ];

    pub(crate) fn config(&self, base_url: &str) -> Config {
        let mut config = Config::new(self.provider, base_url, self.model);
        config.key = Some(Secret::new(KEY));
        config.options.insert("region".into(), "eu-west-1".into());
        config.profile = Profile {
            abilities: Abilities { files: true, reasoning: true, ..Abilities::default() },
            ..Profile::default()
        };
        config
    }

    /// The content type of a stream.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.interface {
            Interface::Converse => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }

    /// The model over an answer that is in memory.
    pub(crate) fn over(&self, canned: Canned) -> Remote {
        let provider = Provider::named(self.provider).unwrap();
        provider.model_over(&self.config("http://127.0.0.1:9"), Arc::new(canned)).unwrap()
    }

    /// What becomes of these pieces of a body, without the signs of life that each of them may be.
    pub(crate) fn read<'a>(
        &self,
        kind: &str,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<Result<Delta>> {
        let mut read = self.read_all(kind, pieces);
        read.retain(|delta| !is_alive(delta));
        read
    }

    /// What becomes of these pieces of a body.
    pub(crate) fn read_all<'a>(
        &self,
        kind: &str,
        pieces: impl IntoIterator<Item = &'a [u8]>,
    ) -> Vec<Result<Delta>> {
        let pieces: Vec<Bytes> = pieces.into_iter().map(Bytes::copy_from_slice).collect();
        let model = self.over(Canned { kind: kind.to_owned(), pieces: Mutex::new(pieces) });
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let deltas = model.stream(question(), Call::default()).await.unwrap();
            deltas.collect().await
        })
    }
}

/// Whether this is nothing but a sign of life.
pub(crate) fn is_alive(delta: &Result<Delta>) -> bool {
    matches!(delta, Ok(Delta::Text(text)) if text.is_empty())
}

/// The body of an answer, in pieces.
#[derive(Debug, Default)]
pub(crate) struct Canned {
    kind: String,
    pieces: Mutex<Vec<Bytes>>,
}

impl Transport for Canned {
    fn send(&self, _: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        let pieces = std::mem::take(&mut *self.pieces.lock().unwrap());
        let kind = HeaderValue::from_str(&self.kind).unwrap();
        Box::pin(async move {
            Ok(Incoming {
                status: 200,
                headers: HeaderMap::from_iter([(CONTENT_TYPE, kind)]),
                body: Body::new(futures::stream::iter(pieces.into_iter().map(Ok)).boxed()),
            })
        })
    }
}

/// A request whose transcript has used an id that the answers use as well.
pub(crate) fn question() -> Request {
    let call = ToolCall { id: "call_0".into(), name: "look".into(), arguments: "{}".into() };
    let result = ToolResult::text(&call, "nothing");
    let look = ToolSpec {
        name: "look".into(),
        description: "Looks something up.".into(),
        parameters: json!({"type": "object", "properties": {"what": {"type": "string"}}}),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    };
    let messages = [
        Message::user("Where is order 1042?"),
        Message::assistant(vec![Part::ToolCall(call)]),
        Message::tool(result),
    ];
    Request { tools: [look].into(), max_output_tokens: Some(4_096), ..Request::new(messages) }
}
