//! Every server of chat completions that is known by name, against a mock that is as strict as the server itself.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;

use adjutant_core::message::{Media, MediaSource, Message, Part, ToolResult};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Result};
use adjutant_model::provider::{Config, Provider};
use adjutant_model::{Call, Effort, Model, OutputSchema, Request, Response, StopReason, ToolChoice, collect};
use adjutant_testkit::provider::{Answer, MockProvider};
use serde_json::{Value, json};

/// Each provider by its name, and where the mock stands for it.
const SERVERS: [(&str, &str); 13] = [
    ("openai", "/v1"),
    ("azure", "/azure/openai/v1"),
    ("deepseek", "/deepseek"),
    ("groq", "/groq/openai/v1"),
    ("litellm", "/litellm/v1"),
    ("llamacpp", "/llamacpp/v1"),
    ("lmstudio", "/llamacpp/v1"),
    ("mistral", "/mistral/v1"),
    ("ollama", "/ollama/v1"),
    ("openrouter", "/openrouter/api/v1"),
    ("together", "/v1"),
    ("vllm", "/vllm/v1"),
    ("xai", "/v1"),
];

fn config(mock: &MockProvider, root: &str) -> Config {
    Config::new("x/m", format!("http://{}{root}", mock.address()), "m")
}

fn model(name: &str, config: &Config) -> impl Model {
    Provider::named(name).unwrap().model(config).unwrap()
}

fn look() -> ToolSpec {
    ToolSpec {
        name: "look".into(),
        description: "Looks something up.".into(),
        parameters: json!({"type": "object", "properties": {"what": {"type": "string"}}}),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

fn form() -> OutputSchema {
    let schema = json!({"type": "object", "properties": {"a": {"type": "integer"}}, "required": ["a"], "additionalProperties": false});
    OutputSchema { name: "reply".into(), schema, strict: true }
}

async fn ask(model: &impl Model, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// Looks twice at once, and then replies in the form that is asked for.
fn replies(body: &Value) -> Answer {
    let messages = body["messages"].as_array().unwrap();
    if !messages.iter().any(|message| message["role"] == "tool") {
        let call = |id| (id, "look", json!({"what": "order 1042"}));
        return Answer::calls([call("call_1"), call("")]).reasoning("I must look");
    }
    let tools = body["tools"].as_array().into_iter().flatten();
    match tools.into_iter().any(|tool| tool.pointer("/function/name").is_some_and(|name| name == "reply")) {
        true => Answer::calls([("", "reply", json!({"a": 1}))]),
        false => Answer::text(r#"{"a":1}"#),
    }
}

#[tokio::test]
async fn a_whole_conversation_is_what_each_server_takes() {
    for (name, root) in SERVERS {
        let mock = MockProvider::with(replies).start().await.unwrap();
        let model = model(name, &config(&mock, root));
        let mut request = Request {
            tools: [look()].into(),
            output: Some(form()),
            max_output_tokens: Some(100),
            temperature: Some(0.2),
            ..Request::new([
                Message::system("Be kind."),
                Message::user("hi"),
                Message::assistant(vec![]),
                Message::system("Be brief."),
                Message::user("look"),
            ])
        };
        let first = ask(&model, request.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(first.stop, StopReason::ToolCalls, "{name}");
        let mut results: Vec<Message> = first
            .message
            .calls()
            .map(|call| {
                let mut result = ToolResult::error(call, "blurred");
                let source = MediaSource::Base64("AA==".into());
                result.content.push(Part::Image(Media {
                    media_type: "image/png".into(),
                    name: None,
                    source,
                }));
                Message::tool(result)
            })
            .collect();
        assert_eq!(results.len(), 2, "{name}");
        results.insert(0, first.message);
        results.push(Message::user("well?"));
        request.messages.extend(results.into_iter().map(Arc::new));
        let second = ask(&model, request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(
            (second.message.text().as_str(), second.stop),
            (r#"{"a":1}"#, StopReason::EndTurn),
            "{name}"
        );
        assert_eq!(mock.faults(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_form_without_tools_is_what_each_server_takes() {
    for (name, root) in SERVERS {
        let mock = MockProvider::answering([Answer::text(r#"{"a":1}"#)]).start().await.unwrap();
        let request = Request { output: Some(form()), ..Request::new([Message::user("hi")]) };
        let answer = ask(&model(name, &config(&mock, root)), request).await;
        let answer = answer.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(answer.message.text(), r#"{"a":1}"#, "{name}");
        assert_eq!(mock.faults(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn a_tool_that_must_be_called_is_asked_for_as_each_server_can() {
    for (name, root) in SERVERS {
        let answer = || Answer::calls([("", "look", json!({}))]);
        let mock = MockProvider::answering([answer(), answer()]).start().await.unwrap();
        let model = model(name, &config(&mock, root));
        for tool_choice in [ToolChoice::Required, ToolChoice::Named("look".into())] {
            let find = ToolSpec { name: "find".into(), ..look() };
            let request =
                Request { tools: [find, look()].into(), tool_choice, ..Request::new([Message::user("hi")]) };
            let answer = ask(&model, request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!(answer.stop, StopReason::ToolCalls, "{name}");
        }
        assert_eq!(mock.faults(), Vec::<String>::new(), "{name}");
    }
}

/// What a model thought, in the form of each server, and what of its message the next request must hold.
#[tokio::test]
async fn reasoning_goes_back_as_it_came() {
    let detail = json!({"type": "reasoning.text", "text": "hm", "signature": "s", "format": "anthropic-claude-v1", "index": 0});
    let sealed = json!({"type": "reasoning.encrypted", "data": "AA", "id": "e", "format": "google-gemini-v1", "index": 1});
    let block = json!({"type": "thinking", "thinking": "hm", "signature": "s"});
    let chunk = |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    let cases = [
        ("deepseek", "/deepseek", json!({"reasoning_content": "hm"}), "reasoning_content", json!("hm")),
        ("deepseek", "/deepseek", json!({}), "reasoning_content", json!(" ")),
        ("groq", "/groq/openai/v1", json!({"reasoning": "hm"}), "reasoning", json!("hm")),
        ("ollama", "/ollama/v1", json!({"reasoning": "hm"}), "reasoning", json!("hm")),
        ("vllm", "/vllm/v1", json!({"reasoning_content": "hm"}), "reasoning", json!("hm")),
        ("llamacpp", "/llamacpp/v1", json!({"reasoning_content": "hm"}), "reasoning_content", json!("hm")),
        ("openai", "/v1", json!({"reasoning": "hm"}), "reasoning", json!(null)),
        (
            "openrouter",
            "/openrouter/api/v1",
            json!({"reasoning": "hm", "reasoning_details": [detail, sealed]}),
            "reasoning_details",
            json!([detail, sealed]),
        ),
        (
            "litellm",
            "/litellm/v1",
            json!({"reasoning_content": "hm", "thinking_blocks": [block]}),
            "thinking_blocks",
            json!([block]),
        ),
        (
            "mistral",
            "/mistral/v1",
            json!({"content": [chunk("hm")]}),
            "content",
            json!([{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": true}]),
        ),
    ];
    for (name, root, thought, field, back) in cases {
        let delta = |delta: &Value| json!({"model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": null}]});
        let call = json!({"tool_calls": [{"index": 0, "id": "call_00_x", "function": {"name": "look", "arguments": "{}"}}]});
        let end = json!({"choices": [{"index": 0, "delta": {}, "finish_reason": "tool_calls"}]});
        let answers = [Answer::chunks([delta(&thought), delta(&call), end]), Answer::text("4")];
        let mock = MockProvider::answering(answers).start().await.unwrap();
        let model = model(name, &config(&mock, root));
        let mut request = Request { tools: [look()].into(), ..Request::new([Message::user("two and two?")]) };
        let first = ask(&model, request.clone()).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let result = Message::tool(ToolResult::text(first.message.calls().next().unwrap(), "ok"));
        request.messages.extend([Arc::new(first.message), Arc::new(result)]);
        ask(&model, request).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(mock.requests()[1]["messages"][1][field], back, "{name}");
        assert_eq!(mock.faults(), Vec::<String>::new(), "{name}");
    }
}

#[tokio::test]
async fn deepseek_does_not_think_where_it_must_call() {
    let mock = MockProvider::answering([Answer::calls([("", "look", json!({}))])]).start().await.unwrap();
    let must = Request {
        tools: [look()].into(),
        tool_choice: ToolChoice::Required,
        ..Request::new([Message::user("hi")])
    };
    let model = model("deepseek", &config(&mock, "/deepseek"));
    ask(&model, must.clone()).await.unwrap();
    assert_eq!(mock.requests()[0]["thinking"], json!({"type": "disabled"}));
    let error = ask(&model, Request { effort: Some(Effort::High), ..must }).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelUnsupported);
    assert_eq!(mock.count(), 1);
    mock.assert_clean();
}

#[tokio::test]
async fn azure_is_asked_by_key_or_token_and_in_both_interfaces() {
    let deployments = "/azure/openai/deployments/m/chat/completions";
    let cases = [
        ("", "0123456789abcdef", None, "/azure/openai/v1/chat/completions", ""),
        ("", "eyJ0eXAi.eyJhdWQi.c2ln", None, "/azure/openai/v1/chat/completions", ""),
        ("", "0123456789abcdef", Some("2024-10-21"), deployments, "api-version=2024-10-21"),
        (
            "/openai/deployments/m",
            "0123456789abcdef",
            Some("2024-10-21"),
            deployments,
            "api-version=2024-10-21",
        ),
    ];
    for (path, key, version, asked, query) in cases {
        let mock = MockProvider::answering([Answer::text("hi")]).key(key).start().await.unwrap();
        let at = if path.is_empty() && version.is_none() { "/openai/v1" } else { path };
        let mut config = config(&mock, &format!("/azure{at}"));
        config.key = Some(Secret::new(key));
        config.options.extend(version.map(|version| ("api_version".to_owned(), version.to_owned())));
        let request = Request { max_output_tokens: Some(9), ..Request::new([Message::user("hi")]) };
        ask(&model("azure", &config), request).await.unwrap();
        mock.assert_clean();
        let received = mock.received().remove(0);
        assert_eq!((received.path.as_str(), received.query.as_str()), (asked, query));
        let most = if version.is_some() { "max_tokens" } else { "max_completion_tokens" };
        assert_eq!(received.body[most], 9, "{version:?}");
        assert_eq!(received.headers.contains_key("api-key"), !key.starts_with("eyJ"), "{key}");
        assert_eq!(received.headers.contains_key("authorization"), key.starts_with("eyJ"), "{key}");
    }
}
