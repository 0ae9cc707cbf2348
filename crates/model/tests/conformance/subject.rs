//! The providers under test.

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::message::Message;
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Error, Result};
use adjutant_model::provider::{Config, Provider};
use adjutant_model::{Abilities, Call, Model, Profile, Request, Response, collect};
use adjutant_testkit::provider::{Answer, Builder, Interface, MockProvider};
use serde_json::json;

pub(crate) const KEY: &str = "sk-conformance-1234";

/// One provider and the interface that it speaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subject {
    pub(crate) interface: Interface,
    provider: &'static str,
    model: &'static str,
}

/// Every provider with an interface of its own.
pub(crate) const ALL: [Subject; 5] = [
    Subject { interface: Interface::Chat, provider: "openai", model: "gpt-4.1" },
    Subject { interface: Interface::Responses, provider: "openai-responses", model: "gpt-5.6-sol" },
    Subject { interface: Interface::Messages, provider: "anthropic", model: "claude-opus-4-6" },
    Subject { interface: Interface::Gemini, provider: "gemini", model: "gemini-3.8-flash" },
    Subject { interface: Interface::Converse, provider: "bedrock", model: "anthropic.claude-opus-4-6-v1" },
];

impl Subject {
    pub(crate) fn config(&self, mock: &MockProvider) -> Config {
        let mut config = Config::new(self.provider, mock.base_url_of(self.interface), self.model);
        config.key = Some(Secret::new(KEY));
        config.options.insert("region".into(), "eu-west-1".into());
        config.profile = Profile {
            max_output_tokens: Some(64_000),
            abilities: Abilities { files: true, reasoning: true, ..Abilities::default() },
            ..Profile::default()
        };
        config.timeouts.whole = Duration::from_secs(60);
        config
    }

    pub(crate) fn model(&self, config: &Config) -> Arc<dyn Model> {
        Arc::new(Provider::named(self.provider).unwrap().model(config).unwrap())
    }

    /// The model, and the mock that answers for it.
    pub(crate) async fn answering(
        &self,
        answers: impl IntoIterator<Item = Answer>,
    ) -> (Arc<dyn Model>, MockProvider) {
        self.over(MockProvider::answering(answers)).await
    }

    pub(crate) async fn over(&self, builder: Builder) -> (Arc<dyn Model>, MockProvider) {
        let mock = builder.key(KEY).start().await.unwrap();
        (self.model(&self.config(&mock)), mock)
    }

    /// What one answer becomes, and the same where it is asked for whole. The requests must have been right.
    pub(crate) async fn hears(&self, answer: Answer, request: Request) -> Result<Response> {
        let (model, mock) = self.answering([answer.clone(), answer]).await;
        let heard = ask(&model, request.clone()).await;
        let whole = ask_whole(&model, request).await;
        assert_eq!(mock.faults(), Vec::<String>::new(), "{self:?}");
        let told = |heard: &Result<Response>| match heard {
            Ok(Response { message, stop, usage, .. }) => Ok((message.clone(), stop.clone(), *usage)),
            Err(error) => Err(error.code()),
        };
        assert_eq!(told(&heard), told(&whole), "{self:?}");
        heard
    }

    /// The error that one answer becomes.
    pub(crate) async fn fails(&self, answer: Answer) -> Error {
        match self.hears(answer, question()).await {
            Ok(response) => panic!("{self:?} took it for {response:?}"),
            Err(error) => error,
        }
    }
}

pub(crate) async fn ask(model: &Arc<dyn Model>, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// Asks for an answer that nobody sees before it is whole.
async fn ask_whole(model: &Arc<dyn Model>, request: Request) -> Result<Response> {
    let call = Call { whole: true, ..Call::default() };
    collect(model.stream(request, call).await?, |_| {}).await
}

pub(crate) fn question() -> Request {
    Request {
        tools: [look()].into(),
        max_output_tokens: Some(4_096),
        ..Request::new([Message::user("Where is order 1042?")])
    }
}

pub(crate) fn look() -> ToolSpec {
    ToolSpec {
        name: "look".into(),
        description: "Looks something up.".into(),
        parameters: json!({
            "type": "object",
            "properties": {"what": {"type": "string", "description": "What to look up."}},
            "required": ["what"],
        }),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}
