//! Bedrock's Converse against the mock provider, which checks every request and every signature.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::time::Duration;

use adjutant_core::message::{Media, MediaSource, Message, Part, Reasoning, Role, ToolCall, ToolResult};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Result};
use adjutant_model::bedrock::BEDROCK;
use adjutant_model::provider::{Config, PromptCache};
use adjutant_model::{
    Call, Delta, Effort, Model, OutputSchema, Request, Response, StopReason, ToolChoice, collect,
};
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider};
use futures::StreamExt;
use serde_json::{Value, json};

const CLAUDE: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const ARN: &str = "arn:aws:bedrock:us-east-1:123456789012:application-inference-profile/abcdef123456";

fn config(mock: &MockProvider, model: &str) -> Config {
    let mut config = Config::new(format!("bedrock/{model}"), mock.base_url_of(Interface::Converse), model);
    config.timeouts.whole = Duration::from_secs(60);
    config.options.insert("region".into(), "eu-central-1".into());
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
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let model = BEDROCK.model(&config(&mock, CLAUDE)).unwrap();
    let request = Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) };
    let result = ask(&model, request).await;
    mock.assert_clean();
    result
}

#[tokio::test]
async fn answers_of_every_form_are_understood() {
    let used = Usage { input: 29, output: 7, cached: 14, cache_write: 6, reasoning: 0, ..Usage::default() };
    let text = || Answer::text("Good morning, and how are you?").using(used);
    let call = |id: &'static str| (id, "look", json!({"what": "order 1042"}));
    let said = r#"look {"what":"order 1042"}"#;
    let (one, both, renamed) =
        (format!("{said} a"), format!("{said} a|{said} b"), format!("{said} a|{said} a_2"));
    let cases: Vec<(&str, Answer, &str, StopReason)> = vec![
        ("text", text(), "Good morning, and how are you?", StopReason::EndTurn),
        ("trickled", text().with(Fault::Trickle), "Good morning, and how are you?", StopReason::EndTurn),
        ("whole", text().with(Fault::Whole), "Good morning, and how are you?", StopReason::EndTurn),
        ("calls", Answer::calls([call("a"), call("b")]), &both, StopReason::ToolCalls),
        ("whole calls", Answer::calls([call("a")]).with(Fault::Whole), &one, StopReason::ToolCalls),
        ("one id twice", Answer::calls([call("a"), call("a")]), &renamed, StopReason::ToolCalls),
        ("calls that end", Answer::calls([call("a")]).ending(Finish::Stop), &one, StopReason::ToolCalls),
        ("no arguments", Answer::calls([("a", "look", json!(""))]), "look {} a", StopReason::ToolCalls),
        ("reasoning", Answer::text("4").reasoning("two and two"), "(two and two)|4", StopReason::EndTurn),
        (
            "signed",
            Answer::text("4").reasoning("two and two").signed("c2ln"),
            "(two and two bedrock c2ln)|4",
            StopReason::EndTurn,
        ),
        ("redacted", Answer::text("4").signed("AA=="), "( bedrock AA==)|4", StopReason::EndTurn),
        ("length", Answer::text("cut").ending(Finish::Length), "cut", StopReason::MaxTokens),
        ("guardrail", Answer::text("Blocked.").ending(Finish::Filter), "Blocked.", StopReason::ContentFilter),
        ("refusal", Answer::text("").refusing("I cannot"), "I cannot", StopReason::ContentFilter),
        ("a new reason", Answer::text("x").finishing("tired"), "x", StopReason::Other("tired".into())),
    ];
    for (name, answer, expected, stop) in cases {
        let response = answered(answer).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let part = |part: &Part| match part {
            Part::Text { text } => text.clone(),
            Part::Reasoning(thought) => {
                let secret = thought.signature.iter().chain(&thought.encrypted);
                let more: Vec<&str> = thought.provider.iter().chain(secret).map(String::as_str).collect();
                format!("({} {})", thought.text, more.join(" ")).replace(" )", ")")
            }
            Part::ToolCall(call) => format!("{} {} {}", call.name, call.arguments, call.id),
            other => panic!("{other:?}"),
        };
        let said: Vec<String> = response.message.parts.iter().map(part).collect();
        assert_eq!((said.join("|").as_str(), response.stop), (expected, stop), "{name}");
    }
    let response = answered(text()).await.unwrap();
    assert_eq!(response.usage, Some(used));
    assert_eq!((response.model, response.request_id.as_deref()), (None, Some("req_mock")));
    assert_eq!(answered(text().without_usage()).await.unwrap().usage, None);
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let answer = || Answer::text("Good morning, and how are you?");
    let within = |status: u16, message: &str| answer().with(Fault::Fail(2, status, message.to_owned()));
    let cases = [
        ("403", Answer::status(403, "who are you"), Code::ModelKeyRefused, "who are you"),
        ("404", Answer::status(404, "no model"), Code::ModelRequestRefused, "no model"),
        ("408", Answer::status(408, "late"), Code::ModelTimeout, "late"),
        ("424", Answer::status(424, "the model failed"), Code::ModelUnavailable, "the model failed"),
        ("429", Answer::status(429, "Too many tokens, please wait"), Code::ModelRateLimited, "req_mock"),
        ("500", Answer::status(500, "oops"), Code::ModelUnavailable, "oops"),
        (
            "too long",
            Answer::status(400, "Input is too long for requested model."),
            Code::ModelContextExceeded,
            "too long",
        ),
        (
            "clock",
            Answer::status(403, "Signature expired: 20261122T115000Z is now earlier than 20261122T115500Z"),
            Code::ModelKeyRefused,
            "Signature expired",
        ),
        ("cut", answer().with(Fault::Cut(2)), Code::ModelUnreachable, "broke within the answer"),
        (
            "unfinished",
            answer().with(Fault::Unfinished(2)),
            Code::ModelAnswerInvalid,
            "breaks off before its end",
        ),
        (
            "half a frame",
            answer().with(Fault::HalfJson),
            Code::ModelAnswerInvalid,
            "breaks off within a frame",
        ),
        ("garbage", answer().with(Fault::Garbage), Code::ModelAnswerInvalid, "<html>oops</html>"),
        ("endless", answer().with(Fault::Endless), Code::ModelAnswerInvalid, "larger than 64 MiB"),
        ("throttled within", within(429, "slow down"), Code::ModelRateLimited, "slow down"),
        ("unavailable within", within(503, "it broke"), Code::ModelUnavailable, "it broke"),
        ("model broke within", within(424, "it broke"), Code::ModelUnavailable, "it broke"),
        ("refused within", within(400, "bad image"), Code::ModelRequestRefused, "bad image"),
        (
            "page",
            answer().with(Fault::Body("text/html".into(), "<h1>Welcome</h1>".into())),
            Code::ModelAnswerInvalid,
            "`text/html`",
        ),
        (
            "other JSON",
            answer().with(Fault::Body("application/json".into(), "{}".into())),
            Code::ModelAnswerInvalid,
            "has no message",
        ),
        ("calls nothing", Answer::text("x").ending(Finish::Calls), Code::ModelAnswerInvalid, "calls none"),
        (
            "half a call",
            Answer::calls([("a", "look", json!("{\"what\""))]).ending(Finish::Length),
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
async fn a_damaged_frame_is_noticed() {
    let frames = "\u{0}\u{0}\u{0}\u{10}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}\u{0}";
    let kind = "application/vnd.amazon.eventstream";
    let error = answered(Answer::text("").with(Fault::Body(kind.into(), frames.into()))).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelAnswerInvalid);
    assert!(error.message().contains("a frame that is damaged"), "{error}");
}

#[tokio::test]
async fn a_token_is_sent_and_never_shown() {
    let token = "ABSK-very-secret";
    let mock = MockProvider::with(move |_| Answer::status(400, &format!("the token {token} has no access")))
        .key(token)
        .start()
        .await
        .unwrap();
    let mut config = config(&mock, CLAUDE);
    config.key = Some(Secret::new(token));
    let model = BEDROCK.model(&config).unwrap();
    let error = ask(&model, Request::new([Message::user("hi")])).await.unwrap_err();
    assert!(error.to_string().contains("the token [secret] has no access"), "{error}");
    config.key = Some(Secret::new("ABSK-wrong"));
    let wrong = BEDROCK.model(&config).unwrap();
    let error = ask(&wrong, Request::new([Message::user("hi")])).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyRefused);
    let headers = mock.headers();
    assert_eq!(headers[0]["accept"], "application/vnd.amazon.eventstream");
    assert_eq!(headers[0].get_all("accept").iter().count(), 1);
    mock.assert_clean();
}

#[tokio::test]
async fn each_request_is_signed_as_it_is_sent() {
    let secret = "wJalrXUtnFEMI/very+secret/key";
    let mock = MockProvider::with(|_| Answer::text("ok")).key(secret).start().await.unwrap();
    let signing = |model: &str, secret: &str| {
        let mut config = config(&mock, model);
        config.credentials.insert("access_key_id".into(), Secret::new("AKIDEXAMPLE"));
        config.credentials.insert("secret_access_key".into(), Secret::new(secret));
        config.credentials.insert("session_token".into(), Secret::new("the/session+token=="));
        config.headers.insert("x-team".into(), Secret::new("ops, and  more"));
        BEDROCK.model(&config).unwrap()
    };
    for model in [CLAUDE, ARN, "a model/with ~odd?#names%"] {
        for said in ["hi", "größer, \"quoted\" and 雨"] {
            let model = signing(model, secret);
            let call = Call { idempotency_key: Some("run-1-step-2".into()), ..Call::default() };
            let deltas = model.stream(Request::new([Message::user(said)]), call).await.unwrap();
            assert_eq!(collect(deltas, |_| {}).await.unwrap().message.text(), "ok");
        }
    }
    mock.assert_clean();
    let received = mock.received();
    assert_eq!(received[2].asked().model, ARN);
    assert_eq!(received[0].headers["x-amz-security-token"], "the/session+token==");
    let signature = received[0].headers["authorization"].to_str().unwrap();
    assert!(signature.contains("/eu-central-1/bedrock/aws4_request"), "{signature}");
    let error = ask(&signing(CLAUDE, "another"), Request::new([Message::user("hi")])).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyRefused, "{error}");
}

#[tokio::test]
async fn the_file_of_keys_is_read_for_each_request() {
    let path = std::env::temp_dir().join(format!("adjutant-bedrock-{}", std::process::id()));
    let mut config = Config::new("bedrock/m", "https://bedrock-runtime.us-east-1.amazonaws.com", "m");
    config.options.insert("credentials_file".into(), path.display().to_string());
    let error = BEDROCK.model(&config).unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyMissing);
    assert!(error.help().unwrap().contains("AWS_ACCESS_KEY_ID"), "{error:?}");
    std::fs::write(&path, "[default]\naws_access_key_id=AKID\naws_secret_access_key=first\n").unwrap();
    let model = BEDROCK.model(&config).unwrap();
    std::fs::remove_file(&path).unwrap();
    // Nothing is sent without keys.
    let error = ask(&model, Request::new([Message::user("hi")])).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelKeyMissing);
}

fn media(media_type: &str, name: &str) -> Media {
    let source = MediaSource::Base64("iVBORw0KGgo=".into());
    Media { media_type: media_type.into(), name: Some(name.into()), source }
}

#[tokio::test]
async fn a_whole_conversation_is_valid_on_the_wire() {
    let asks = Answer::calls([("a", "look", json!({"what": "x"})), ("b", "look", json!("{broken"))]);
    let mock = MockProvider::answering([
        asks.saying("Let me look.").reasoning("Where is it?").signed("c2ln"),
        Answer::calls([("a", "look", json!({"what": "y"}))]).signed("AA=="),
        Answer::text(r#"{"found":true}"#),
    ])
    .start()
    .await
    .unwrap();
    let mut config = config(&mock, CLAUDE);
    config.prompt_cache = PromptCache::Long;
    config.effort = Some(Effort::Low);
    config.profile.abilities.audio = true;
    config.profile.abilities.files = true;
    let model = BEDROCK.model(&config).unwrap();
    let mut request = Request {
        tools: [look()].into(),
        output: Some(OutputSchema {
            name: "My answer".into(),
            schema: json!({"type": "object", "properties": {"found": {"type": "boolean"}}, "required": ["found"]}),
            strict: true,
        }),
        max_output_tokens: Some(10_000),
        stop: vec!["END".into()],
        ..Request::new([
            Message::system("Be kind."),
            Message::new(
                Role::User,
                vec![
                    Part::Image(media("image/png", "a.png")),
                    Part::File(media("application/pdf", "order_1042.v2.pdf")),
                    Part::File(media("application/pdf", "order_1042.v2.pdf")),
                    Part::Audio(media("audio/mpeg", "a.mp3")),
                ],
            ),
            // A turn that another provider's model made.
            Message::assistant(vec![
                Part::Reasoning(Reasoning {
                    text: "hm".into(),
                    provider: Some("openai-responses".into()),
                    encrypted: Some("x".into()),
                    ..Reasoning::default()
                }),
                Part::ToolCall(ToolCall {
                    id: "call|fc_1 2".into(),
                    name: "no.such".into(),
                    arguments: "[]".into(),
                }),
            ]),
            Message::tool(ToolResult::error(
                &ToolCall { id: "call|fc_1 2".into(), name: "no.such".into(), arguments: String::new() },
                "there is no such tool",
            )),
            Message::user("Look."),
        ])
    };
    loop {
        let mut collector = adjutant_model::Collector::for_request(&request);
        let mut deltas = model.stream(request.clone(), Call::default()).await.unwrap();
        while let Some(delta) = deltas.next().await {
            collector.push(delta.unwrap());
        }
        let response = collector.finish().unwrap();
        request.messages.push(response.message.clone().into());
        let calls: Vec<ToolCall> = response.message.calls().cloned().collect();
        if calls.is_empty() {
            break;
        }
        for call in &calls {
            let mut result = ToolResult::text(call, " ");
            result.content.push(Part::Image(media("image/webp", "b.webp")));
            result.is_error = call.id.as_str() == "b";
            request.messages.push(Message::tool(result).into());
        }
    }
    mock.assert_clean();
    let last = mock.requests().pop().unwrap();
    let content = |at: &str| last.pointer(at).cloned().unwrap_or_default();
    // What was thought goes back as it came, signed or encrypted.
    let thought = json!({"reasoningText": {"text": "Where is it?", "signature": "c2ln"}});
    assert_eq!(content("/messages/3/content/0/reasoningContent"), thought);
    assert_eq!(content("/messages/5/content/0/reasoningContent"), json!({"redactedContent": "AA=="}));
    assert_eq!(content("/messages/0/content/1/document/name"), "order 1042 v2");
    assert_eq!(content("/messages/0/content/2/document/name"), "order 1042 v2 2");
    assert_eq!(content("/messages/3/content/3/toolUse/input"), json!({"invalid_arguments": "{broken"}));
    assert_eq!(content("/messages/4/content/1/toolResult/status"), "error");
    assert_eq!(content("/system/1/cachePoint/ttl"), "1h");
    assert_eq!(content("/additionalModelRequestFields/thinking/type"), "enabled");
    assert_eq!(last.to_string().matches("cachePoint").count(), 4);
}

#[tokio::test]
async fn a_model_that_takes_no_schemas_is_asked_by_a_tool() {
    let schema =
        json!({"type": "object", "properties": {"degrees": {"type": "integer"}}, "required": ["degrees"]});
    let answers =
        [Answer::calls([("a", "weather", json!({"degrees": 21}))]), Answer::text(r#"{"degrees":21}"#)];
    let mock = MockProvider::answering(answers).start().await.unwrap();
    for model in ["amazon.nova-lite-v1:0", "meta.llama4-scout-17b-instruct-v1:0"] {
        let output = OutputSchema { name: "weather".into(), schema: schema.clone(), strict: true };
        let request = Request { output: Some(output), ..Request::new([Message::user("How warm?")]) };
        let response = ask(&BEDROCK.model(&config(&mock, model)).unwrap(), request).await.unwrap();
        assert_eq!(
            (response.message.text().as_str(), response.stop),
            (r#"{"degrees":21}"#, StopReason::EndTurn)
        );
    }
    mock.assert_clean();
    let requests = mock.requests();
    let (nova, llama) = (&requests[0], &requests[1]);
    assert_eq!(nova.pointer("/toolConfig/toolChoice/tool/name").unwrap(), "weather");
    assert!(llama.pointer("/system/0/text").unwrap().as_str().unwrap().contains("\"degrees\""));
    assert_eq!(llama.get("toolConfig"), None);
}

#[tokio::test]
async fn what_is_hosted_comes_back_and_goes_back() {
    let event = |name: &str, data: Value| Value::from_iter([(name, data)]);
    let own = json!({"toolUse": {"toolUseId": "s", "name": "nova_grounding", "type": "server_tool_use"}});
    let found =
        json!({"toolResult": {"toolUseId": "s", "type": "nova_grounding_result", "status": "success"}});
    let chunks = Answer::chunks([
        event("messageStart", json!({"role": "assistant"})),
        event("contentBlockStart", json!({"contentBlockIndex": 0, "start": own})),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 0, "delta": {"toolUse": {"input": "{\"q\":1}"}}}),
        ),
        event("contentBlockStop", json!({"contentBlockIndex": 0})),
        event("contentBlockStart", json!({"contentBlockIndex": 1, "start": found})),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 1, "delta": {"toolResult": [{"text": "sunny"}]}}),
        ),
        event("contentBlockStop", json!({"contentBlockIndex": 1})),
        event(
            "contentBlockDelta",
            json!({"contentBlockIndex": 2, "delta": {"text": "Sunny.", "citation": {"title": "t"}}}),
        ),
        event("somethingNew", json!({"n": 1})),
        event("messageStop", json!({"stopReason": "end_turn"})),
    ]);
    let mock = MockProvider::answering([chunks, Answer::text("ok")]).start().await.unwrap();
    let mut config = config(&mock, "us.amazon.nova-2-lite-v1:0");
    config.provider_tools = vec![json!({"systemTool": {"name": "nova_grounding"}})];
    let model = BEDROCK.model(&config).unwrap();
    let mut request = Request::new([Message::user("How is the weather?")]);
    let response = ask(&model, request.clone()).await.unwrap();
    assert_eq!(response.message.text(), "Sunny.");
    assert_eq!(
        response.unknown,
        [json!({"delta.citation": {"title": "t"}}), json!({"somethingNew": {"n": 1}})]
    );
    request.messages.extend([response.message.into(), Message::user("Sure?").into()]);
    ask(&model, request).await.unwrap();
    mock.assert_clean();
    let sent = mock.requests().pop().unwrap();
    assert_eq!(sent.pointer("/messages/1/content/0/toolUse/input"), Some(&json!({"q": 1})));
    assert_eq!(sent.pointer("/messages/1/content/1/toolResult/content"), Some(&json!([{"text": "sunny"}])));
}

#[tokio::test]
async fn a_stream_that_is_cancelled_ends() {
    let mock =
        MockProvider::answering([Answer::text("Good morning, and how are you?").with(Fault::Stall(3))])
            .start()
            .await
            .unwrap();
    let model = BEDROCK.model(&config(&mock, CLAUDE)).unwrap();
    let call = Call::default();
    let mut deltas = model.stream(Request::new([Message::user("hi")]), call.clone()).await.unwrap();
    let mut said = String::new();
    while said.is_empty() {
        if let Delta::Text(piece) = deltas.next().await.unwrap().unwrap() {
            said = piece;
        }
    }
    call.cancel.cancel();
    let mut last = deltas.next().await.unwrap();
    while last.is_ok() {
        last = deltas.next().await.unwrap();
    }
    assert_eq!(last.unwrap_err().code(), Code::RunCancelled);
    assert!(deltas.next().await.is_none());
}

#[tokio::test]
async fn ten_megabytes_are_read() {
    let text = "0123456789abcdef".repeat(640 << 10);
    let response = answered(Answer::text(text.clone())).await.unwrap();
    assert!(response.message.text() == text, "{} bytes", response.message.text().len());
    let response = answered(Answer::calls([("a", "look", json!({"what": text}))])).await.unwrap();
    assert_eq!(response.message.calls().next().unwrap().arguments.len(), text.len() + r#"{"what":""}"#.len());
}

#[tokio::test]
async fn a_forced_tool_is_called_by_who_can() {
    let mock = MockProvider::answering([Answer::calls([("a", "look", json!({}))])]).start().await.unwrap();
    let forced = || Request {
        tools: [look()].into(),
        tool_choice: ToolChoice::Named("look".into()),
        ..Request::new([Message::user("hi")])
    };
    let response = ask(&BEDROCK.model(&config(&mock, CLAUDE)).unwrap(), forced()).await.unwrap();
    assert_eq!(response.stop, StopReason::ToolCalls);
    let llama = BEDROCK.model(&config(&mock, "meta.llama4-scout-17b-instruct-v1:0")).unwrap();
    let error = ask(&llama, forced()).await.unwrap_err();
    assert_eq!((error.code(), mock.count()), (Code::ModelUnsupported, 1));
    mock.assert_clean();
}
