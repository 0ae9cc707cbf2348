//! Chat completions against the mock provider, which checks every request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::message::{Media, MediaSource, Message, Part, Role, ToolCall, ToolResult};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_model::openai::OPENAI;
use adjutant_model::provider::{Config, Decode, Encoded, Interface, Remote, Wire};
use adjutant_model::transport::{Client, Peer};
use adjutant_model::{Call, Delta, Model, OutputSchema, Request, Response, StopReason, ToolChoice, collect};
use adjutant_testkit::provider::{Answer, Fault, MockProvider};
use futures::StreamExt;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};

fn config(base_url: String) -> Config {
    let mut config = Config::new("mock/m", base_url, "m");
    config.timeouts.whole = Duration::from_secs(60);
    config
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

async fn ask(model: &dyn Model, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// What one answer of the mock becomes.
async fn answered(answer: Answer) -> Result<Response> {
    answered_within(answer, Duration::from_secs(20), Duration::from_secs(20)).await
}

async fn answered_within(answer: Answer, first_byte: Duration, idle: Duration) -> Result<Response> {
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let mut config = config(mock.base_url());
    config.timeouts.first_byte = first_byte;
    config.timeouts.idle = idle;
    let model = OPENAI.model(&config).unwrap();
    let request = Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) };
    let result = ask(&model, request).await;
    mock.assert_clean();
    result
}

#[tokio::test]
async fn answers_of_every_form_are_understood() {
    let used = Usage { input: 9, output: 7, cached: 4, reasoning: 3, cache_write: 0, ..Usage::default() };
    let text = || Answer::text("Good morning, and how are you?").using(used);
    let call = |id: &'static str| (id, "look", json!({"what": "order 1042"}));
    let chunk = |delta: Value, finish: Value| json!({"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]});
    let said = r#"look {"what":"order 1042"}"#;
    let (one, two) = (format!("{said} a"), |a: &str, b: &str| format!("{said} {a}|{said} {b}"));
    let (both, made, renamed) = (two("a", "b"), two("call_0", "call_1"), two("a", "a_2"));
    let cases: Vec<(&str, Answer, &str, StopReason)> = vec![
        ("text", text(), "Good morning, and how are you?", StopReason::EndTurn),
        ("whole", text().with(Fault::Whole), "Good morning, and how are you?", StopReason::EndTurn),
        (
            "another content type",
            text().with(Fault::ContentType("text/plain".into())),
            "Good morning, and how are you?",
            StopReason::EndTurn,
        ),
        ("calls", Answer::calls([call("a"), call("b")]), &both, StopReason::ToolCalls),
        ("whole calls", Answer::calls([call("a")]).with(Fault::Whole), &one, StopReason::ToolCalls),
        ("no ids", Answer::calls([call(""), call("")]), &made, StopReason::ToolCalls),
        ("one id twice", Answer::calls([call("a"), call("a")]), &renamed, StopReason::ToolCalls),
        ("calls that stop", Answer::calls([call("a")]).finishing("stop"), &one, StopReason::ToolCalls),
        ("no arguments", Answer::calls([("a", "look", json!(""))]), "look {} a", StopReason::ToolCalls),
        ("reasoning", Answer::text("4").reasoning("two and two"), "(two and two)|4", StopReason::EndTurn),
        ("refusal", Answer::text("").refusing("I cannot do that"), "I cannot do that", StopReason::Refusal),
        ("length", Answer::text("cut").finishing("length"), "cut", StopReason::MaxTokens),
        ("filter", Answer::text("").finishing("content_filter"), "", StopReason::ContentFilter),
        ("a new reason", Answer::text("x").finishing("tired"), "x", StopReason::Other("tired".into())),
        (
            "one index for all",
            Answer::chunks([
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "b", "function": {"name": "look", "arguments": "{}"}}]}),
                    json!("tool_calls"),
                ),
            ]),
            "look {} a|look {} b",
            StopReason::ToolCalls,
        ),
        (
            "no index, an object as arguments",
            Answer::chunks([
                chunk(
                    json!({"tool_calls": [{"id": "a", "function": {"name": "look", "arguments": {"what": "x"}}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"function": {"name": "look", "arguments": "{}"}}]}),
                    json!("tool_calls"),
                ),
            ]),
            r#"look {"what":"x"} a|look {} call_1"#,
            StopReason::ToolCalls,
        ),
        (
            "a name in every piece",
            Answer::chunks([
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "{"}}]}),
                    Value::Null,
                ),
                chunk(
                    json!({"tool_calls": [{"index": 0, "id": "a", "function": {"name": "look", "arguments": "}"}}]}),
                    json!("tool_calls"),
                ),
            ]),
            "look {} a",
            StopReason::ToolCalls,
        ),
        (
            "content as a list",
            Answer::chunks([chunk(json!({"content": [{"type": "text", "text": "a"}]}), json!("stop"))]),
            "a",
            StopReason::EndTurn,
        ),
        (
            "no reason at all",
            Answer::chunks([chunk(json!({"content": "a"}), Value::Null)]),
            "a",
            StopReason::EndTurn,
        ),
    ];
    for (name, answer, expected, stop) in cases {
        let response = answered(answer).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let part = |part: &Part| match part {
            Part::Text { text } => text.clone(),
            Part::Reasoning(reasoning) => format!("({})", reasoning.text),
            Part::ToolCall(call) => format!("{} {} {}", call.name, call.arguments, call.id),
            other => panic!("{other:?}"),
        };
        let said: Vec<String> = response.message.parts.iter().map(part).collect();
        assert_eq!((said.join("|").as_str(), response.stop), (expected, stop), "{name}");
    }
    let response = answered(text()).await.unwrap();
    assert_eq!(response.usage, Some(used));
    assert_eq!((response.model.as_deref(), response.request_id.as_deref()), (Some("m"), Some("req_mock")));
    assert_eq!(answered(text().without_usage()).await.unwrap().usage, None);
}

#[tokio::test]
async fn what_is_not_understood_is_kept() {
    let chunk = json!({"choices": [{"index": 0, "delta": {"content": "a", "annotations": [1]}, "finish_reason": "stop"}], "citations": ["x"]});
    let response = answered(Answer::chunks([chunk.clone(), chunk])).await.unwrap();
    assert_eq!(response.unknown, [json!({"delta.annotations": [1]}), json!({"citations": ["x"]})]);
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let answer = || Answer::text("Good morning, and how are you?");
    let error_event = json!({"error": {"message": "overloaded", "code": 503}});
    let cases = [
        ("401", Answer::status(401, "who are you"), Code::ModelKeyRefused, "who are you"),
        ("404", Answer::status(404, "no model `m`"), Code::ModelRequestRefused, "no model `m`"),
        ("429", Answer::status(429, "slow down"), Code::ModelRateLimited, "slow down"),
        ("500", Answer::status(500, "oops"), Code::ModelUnavailable, "oops"),
        ("too long", Answer::status(400, "maximum context length is 8"), Code::ModelContextExceeded, "8"),
        (
            "redirect",
            Answer::status(307, "").header("location", "http://127.0.0.1:1/v1"),
            Code::ModelRequestRefused,
            "127.0.0.1:1",
        ),
        ("cut", answer().with(Fault::Cut(2)), Code::ModelUnreachable, "broke within the answer"),
        (
            "unfinished",
            answer().with(Fault::Unfinished(2)),
            Code::ModelAnswerInvalid,
            "breaks off before its end",
        ),
        ("half", answer().with(Fault::HalfJson), Code::ModelAnswerInvalid, "is not JSON"),
        ("garbage", answer().with(Fault::Garbage), Code::ModelAnswerInvalid, "<html>oops</html>"),
        ("endless", answer().with(Fault::Endless), Code::ModelAnswerInvalid, "larger than 64 MiB"),
        (
            "error event",
            answer().with(Fault::ErrorEvent(2, error_event)),
            Code::ModelUnavailable,
            "overloaded",
        ),
        (
            "limit within the stream",
            answer().with(Fault::ErrorEvent(
                2,
                json!({"error": {"message": "slow", "code": "rate_limit_exceeded"}}),
            )),
            Code::ModelRateLimited,
            "slow",
        ),
        (
            "no credit within the stream",
            answer().with(Fault::ErrorEvent(
                2,
                json!({"error": {"message": "pay", "code": "insufficient_quota"}}),
            )),
            Code::ModelRequestRefused,
            "pay",
        ),
        (
            "page",
            answer().with(Fault::Body("text/html".into(), "<h1>Welcome</h1>".into())),
            Code::ModelAnswerInvalid,
            "`text/html`",
        ),
        (
            "empty",
            answer().with(Fault::Body("text/plain".into(), String::new())),
            Code::ModelAnswerInvalid,
            "is empty",
        ),
        (
            "other JSON",
            answer().with(Fault::Body("application/json".into(), "{}".into())),
            Code::ModelAnswerInvalid,
            "has no choices",
        ),
        ("calls nothing", Answer::text("x").finishing("tool_calls"), Code::ModelAnswerInvalid, "calls none"),
        (
            "half a call",
            Answer::calls([("a", "look", json!("{\"what\""))]).finishing("length"),
            Code::ModelAnswerInvalid,
            "cut off within its call",
        ),
    ];
    for (name, answer, code, says) in cases {
        let error = answered(answer).await.expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
}

#[tokio::test]
async fn each_wait_has_its_limit() {
    let (short, long) = (Duration::from_millis(700), Duration::from_secs(30));
    let answer = || Answer::text("Good morning, and how are you?");
    let cases = [
        (answer().after(long), short, long, "did not answer within 700ms"),
        (answer().with(Fault::SlowFirstByte(long)), short, long, "did not begin to answer within 700ms"),
        (answer().with(Fault::Stall(2)), long, short, "stopped answering within 700ms"),
    ];
    for (answer, first_byte, idle, says) in cases {
        let error = answered_within(answer, first_byte, idle).await.unwrap_err();
        assert_eq!(error.code(), Code::ModelTimeout, "{error}");
        assert!(error.to_string().ends_with(says), "{error}");
    }
}

#[tokio::test]
async fn nobody_listening_is_told_with_what_to_do() {
    let model = OPENAI.model(&config(MockProvider::nowhere().await.unwrap())).unwrap();
    let error = ask(&model, Request::new([Message::user("hi")])).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelUnreachable);
    assert!(error.help().unwrap().contains("start the server"), "{error:?}");
}

#[tokio::test]
async fn the_wait_that_a_provider_asks_for_is_kept() {
    let error = answered(Answer::status(429, "slow").header("retry-after", "7")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn the_key_is_sent_and_never_shown() {
    let key = "sk-very-secret-1";
    let mock = MockProvider::with(move |_| Answer::status(400, &format!("the key {key} has no access")))
        .key(key)
        .start()
        .await
        .unwrap();
    let with = |key: &str| {
        let mut config = config(mock.base_url());
        config.key = Some(Secret::new(key));
        OPENAI.model(&config).unwrap()
    };
    let hi = || Request::new([Message::user("hi")]);
    let (wrong, right) = (with("sk-wrong-key"), with(key));
    let error = ask(&wrong, hi()).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyRefused);
    let error = ask(&right, hi()).await.unwrap_err();
    assert!(error.to_string().contains("the key [secret] has no access"), "{error}");
    let shown = format!("{right:?} {error:?} {}", right.preview(&hi()).unwrap());
    assert!(!shown.contains(key), "{shown}");
}

#[tokio::test]
async fn a_redirect_never_takes_the_key_to_another_server() {
    let other = MockProvider::answering([Answer::text("stolen")]).start().await.unwrap();
    let target = format!("{}/chat/completions", other.base_url());
    let mock = MockProvider::with(move |_| Answer::status(307, "").header("location", &target))
        .start()
        .await
        .unwrap();
    let mut config = config(mock.base_url());
    config.headers.insert("api-key".into(), Secret::new("very-secret"));
    let error = ask(&OPENAI.model(&config).unwrap(), Request::new([Message::user("hi")])).await.unwrap_err();
    assert!(error.message().contains("it redirects to"), "{error}");
    assert_eq!(other.count(), 0);
}

#[tokio::test]
async fn a_whole_conversation_is_valid_on_the_wire() {
    let mock = MockProvider::answering([
        Answer::calls([("a", "look", json!({"what": "x"})), ("b", "look", json!("{broken"))]),
        Answer::calls([("a", "look", json!({"what": "y"}))]),
        Answer::text("done"),
    ])
    .start()
    .await
    .unwrap();
    let model = OPENAI.model(&config(mock.base_url())).unwrap();
    let picture =
        Media { media_type: "image/png".into(), name: None, source: MediaSource::Base64("AA==".into()) };
    let mut request = Request {
        tools: [look()].into(),
        output: Some(OutputSchema {
            name: "My answer".into(),
            schema: json!({"type": "object"}),
            strict: true,
        }),
        max_output_tokens: Some(100),
        temperature: Some(0.2),
        stop: vec!["END".into()],
        ..Request::new([
            Message::system("Be kind."),
            Message::new(Role::User, vec![Part::text("look"), Part::Image(picture.clone())]),
        ])
    };
    for turn in 0..3 {
        let response = ask(&model, request.clone()).await.unwrap();
        let calls: Vec<ToolCall> = response.message.calls().cloned().collect();
        request.messages.push(Arc::new(response.message));
        for call in &calls {
            let mut result = ToolResult::text(call, "seen");
            result.is_error = turn == 0;
            result.content.push(Part::Image(picture.clone()));
            request.messages.push(Arc::new(Message::tool(result)));
        }
    }
    mock.assert_clean();
    let messages: Vec<Message> = request.messages.iter().map(|message| (**message).clone()).collect();
    assert_eq!(adjutant_core::message::transcript_fault(&messages), None);
    assert_eq!(request.messages.last().unwrap().text(), "done");
    let last = mock.requests().pop().unwrap();
    assert_eq!(
        model.preview(&Request { messages: request.messages[..7].to_vec(), ..request }).unwrap().value(),
        last
    );
}

#[tokio::test]
async fn what_the_model_cannot_do_is_never_sent() {
    let mock = MockProvider::answering([]).start().await.unwrap();
    let mut config = config(mock.base_url());
    config.profile.abilities.tools = false;
    let model = OPENAI.model(&config).unwrap();
    let request = Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) };
    assert_eq!(model.preview(&request).unwrap_err().code(), Code::ModelUnsupported);
    assert_eq!(ask(&model, request).await.unwrap_err().code(), Code::ModelUnsupported);
    assert_eq!(mock.count(), 0);
}

#[tokio::test]
async fn a_cancel_ends_the_call_at_any_point() {
    let mock = MockProvider::with(|request| match request.get("tool_choice") {
        Some(_) => Answer::text("Good morning").with(Fault::Stall(2)),
        None => Answer::text("late").after(Duration::from_secs(3)),
    })
    .start()
    .await
    .unwrap();
    let mut config = config(mock.base_url());
    config.timeouts.first_byte = Duration::from_secs(3);
    config.timeouts.idle = Duration::from_secs(3);
    let model = OPENAI.model(&config).unwrap();
    for tool_choice in [ToolChoice::Auto, ToolChoice::None] {
        let request = Request { tools: [look()].into(), tool_choice, ..Request::new([Message::user("hi")]) };
        let call = Call::default();
        let cancel = call.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            cancel.cancel();
        });
        let start = Instant::now();
        let result: Result<Vec<Delta>> = match model.stream(request, call).await {
            Ok(deltas) => deltas.collect::<Vec<_>>().await.into_iter().collect(),
            Err(error) => Err(error),
        };
        assert_eq!(result.map_err(|error: Error| error.code()), Err(Code::RunCancelled));
        assert!(start.elapsed() < Duration::from_secs(2));
    }
}

/// Chat completions of a server that knows keys of calls.
#[derive(Debug)]
struct Keyed(Arc<dyn Wire>);

impl Wire for Keyed {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        self.0.encode(request)
    }

    fn idempotency_header(&self) -> Option<HeaderName> {
        Some(HeaderName::from_static("idempotency-key"))
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        self.0.decoder(request, peer)
    }
}

#[tokio::test]
async fn the_key_of_a_call_goes_where_it_is_known() {
    let mock = MockProvider::with(|_| Answer::text("hi")).start().await.unwrap();
    let config = config(mock.base_url());
    let Interface { wire, authorize } = (OPENAI.open)(&config).unwrap();
    let keyed = Interface { wire: Arc::new(Keyed(wire)), authorize };
    let keyed = Remote::new(&config, keyed, Arc::new(Client::new(config.timeouts))).unwrap();
    for model in [OPENAI.model(&config).unwrap(), keyed] {
        let call = Call { idempotency_key: Some("run-1/model#0".into()), ..Call::default() };
        let deltas = model.stream(Request::new([Message::user("hi")]), call).await.unwrap();
        collect(deltas, |_| {}).await.unwrap();
    }
    let sent: Vec<_> = mock.headers().iter().map(|headers| headers.get("idempotency-key").cloned()).collect();
    assert_eq!(sent, [None, Some(HeaderValue::from_static("run-1/model#0"))]);
}
