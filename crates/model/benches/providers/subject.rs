//! The interfaces that are measured.

use std::sync::Arc;

use adjutant_core::message::Message;
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error, Result};
use adjutant_model::layer::Layers;
use adjutant_model::provider::{Config, Provider, Remote};
use adjutant_model::transport::{Client, Timeouts, Transport};
use adjutant_model::{Model, Request};
use adjutant_testkit::provider::Interface;
use serde_json::json;

pub(crate) const KEY: &str = "sk-bench-1234";

/// The header that says how the provider shall answer.
pub(crate) const MANNER: &str = "x-bench";

/// How the provider answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Manner {
    /// In pieces.
    Streamed,
    /// Whole.
    Whole,
    /// In pieces, many.
    Long,
    /// In pieces, of which only the first ones come.
    Stalled,
}

impl Manner {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Streamed => "streamed",
            Self::Whole => "whole",
            Self::Long => "long",
            Self::Stalled => "stalled",
        }
    }
}

/// One interface, and a model that speaks it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) provider: &'static str,
    model: &'static str,
    interface: Interface,
}

impl Subject {
    pub(crate) const ALL: [Self; 5] = [
        Self { provider: "openai", model: "gpt-4.1", interface: Interface::Chat },
        Self { provider: "openai-responses", model: "gpt-5.6-sol", interface: Interface::Responses },
        Self { provider: "anthropic", model: "claude-opus-4-6", interface: Interface::Messages },
        Self { provider: "gemini", model: "gemini-3.8-flash", interface: Interface::Gemini },
        Self { provider: "bedrock", model: "anthropic.claude-opus-4-6-v1", interface: Interface::Converse },
    ];

    pub(crate) fn named(name: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|subject| subject.provider == name);
        found.ok_or_else(|| Error::new(Code::NotFound, format!("`{name}` is not measured")))
    }

    /// The content type of a stream.
    pub(crate) fn content_type(&self) -> &'static str {
        match self.interface {
            Interface::Converse => "application/vnd.amazon.eventstream",
            _ => "text/event-stream",
        }
    }

    /// The model over a transport, without anything around it.
    pub(crate) fn over(
        &self,
        address: &str,
        manner: Manner,
        transport: Arc<dyn Transport>,
    ) -> Result<Remote> {
        let base_url = format!("{address}{}", self.interface.base());
        let mut config = Config::new(self.provider, base_url, self.model);
        config.key = Some(Secret::new(KEY));
        config.options.insert("region".into(), "eu-west-1".into());
        config.headers.insert(MANNER.into(), Secret::new(manner.name()));
        let provider = Provider::named(self.provider)
            .ok_or_else(|| Error::new(Code::NotFound, format!("`{}` is no provider", self.provider)))?;
        provider.model_over(&config, transport)
    }

    /// The model as a project has it: over the network, with the layers around it.
    pub(crate) fn model(&self, address: &str, manner: Manner) -> Result<Arc<dyn Model>> {
        let client = Arc::new(Client::new(Timeouts::default()));
        Ok(Layers::default().around(Arc::new(self.over(address, manner, client)?)))
    }
}

/// A question with one tool.
pub(crate) fn question() -> Request {
    let look = ToolSpec {
        name: "look_up".into(),
        description: "Looks up an order by its number.".into(),
        parameters: json!({
            "type": "object",
            "properties": {"number": {"type": "integer", "description": "The number of the order."}},
            "required": ["number"],
        }),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    };
    let messages = [Message::system("You run the service desk."), Message::user("Where is order 1042?")];
    Request { tools: [look].into(), max_output_tokens: Some(4_096), ..Request::new(messages) }
}
