//! Anthropic's messages against the mock provider, which checks every request.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::message::{
    Media, MediaSource, Message, Native, Part, Reasoning, Role, ToolCall, ToolResult, transcript_fault,
};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Result};
use adjutant_model::anthropic::ANTHROPIC;
use adjutant_model::provider::{Config, PromptCache};
use adjutant_model::{Call, Delta, Effort, Model, OutputSchema, Request, Response, StopReason, collect};
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider};
use futures::StreamExt;
use serde_json::{Value, json};

const NEW: &str = "claude-opus-5-5";
const OLD: &str = "claude-sonnet-4-5";

fn config(mock: &MockProvider, model: &str) -> Config {
    let mut config = Config::new("mock/claude", mock.base_url_of(Interface::Messages), model);
    config.timeouts.whole = Duration::from_secs(60);
    config.profile.abilities.files = true;
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

fn hi() -> Request {
    Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) }
}

fn picture() -> Media {
    Media { media_type: "image/png".into(), name: None, source: MediaSource::Base64("AA==".into()) }
}

async fn ask(model: &dyn Model, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// What one answer of the mock becomes.
async fn answered(answer: Answer) -> Result<Response> {
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let result = ask(&ANTHROPIC.model(&config(&mock, NEW)).unwrap(), hi()).await;
    mock.assert_clean();
    result
}

fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(it) => format!("({} {})", it.text, it.signature.as_deref().unwrap_or_default()),
        Part::ToolCall(call) => format!("{} {} {}", call.name, call.arguments, call.id),
        Part::Native(native) => native.value["type"].as_str().unwrap_or_default().to_owned(),
        other => panic!("{other:?}"),
    };
    response.message.parts.iter().map(part).collect::<Vec<_>>().join("|")
}

#[tokio::test]
async fn answers_of_every_form_are_understood() {
    let used = Usage { input: 25, output: 7, cached: 4, reasoning: 3, cache_write: 6, ..Usage::default() };
    let text = || Answer::text("Good morning, and 雨 tomorrow.").using(used);
    let call = |id: &'static str| (id, "look", json!({"what": "order 1042"}));
    let thought =
        || Answer::calls([call("a"), call("b")]).saying("Let me look.").reasoning("Both.").signed("c2ln");
    let calls = r#"(Both. c2ln)|Let me look.|look {"what":"order 1042"} a|look {"what":"order 1042"} b"#;
    let hello = "Good morning, and 雨 tomorrow.";
    let cases = [
        ("text", text(), hello, StopReason::EndTurn),
        ("whole", text().with(Fault::Whole), hello, StopReason::EndTurn),
        ("a byte at a time", text().with(Fault::Trickle), hello, StopReason::EndTurn),
        ("a byte-order mark", text().with(Fault::ByteOrderMark), hello, StopReason::EndTurn),
        ("another type", text().with(Fault::ContentType("text/plain".into())), hello, StopReason::EndTurn),
        ("calls", thought(), calls, StopReason::ToolCalls),
        ("whole calls", thought().with(Fault::Whole), calls, StopReason::ToolCalls),
        ("no arguments", Answer::calls([("a", "look", json!(""))]), "look {} a", StopReason::ToolCalls),
        ("hidden reasoning", Answer::text("4").signed("c2ln"), "( c2ln)|4", StopReason::EndTurn),
        ("refusal", Answer::text("").refusing("No."), "No.", StopReason::Refusal),
        ("length", Answer::text("cut").ending(Finish::Length), "cut", StopReason::MaxTokens),
        ("stop text", Answer::text("a").ending(Finish::StopSequence), "a", StopReason::StopSequence),
        ("a new reason", Answer::text("x").finishing("tired"), "x", StopReason::Other("tired".into())),
    ];
    for (name, answer, expected, stop) in cases {
        let response = answered(answer).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((shown(&response).as_str(), response.stop), (expected, stop), "{name}");
    }
    for answer in [text(), text().with(Fault::Whole)] {
        let response = answered(answer).await.unwrap();
        assert_eq!(response.usage, Some(used));
        let said = (response.model.as_deref(), response.request_id.as_deref());
        assert_eq!(said, (Some(NEW), Some("req_mock")));
    }
    assert_eq!(answered(text().without_usage()).await.unwrap().usage, None);
}

#[tokio::test]
async fn an_answer_of_ten_megabytes_comes_through() {
    let long = "all work and no play ".repeat(500_000);
    let response = answered(Answer::text(&long)).await.unwrap();
    assert!(response.message.text() == long);
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let answer = || Answer::text("Good morning, and how are you?");
    let fail = |status, message: &str| answer().with(Fault::Fail(3, status, message.to_owned()));
    let credit = "Your credit balance is too low to access the Anthropic API.";
    let prefill = "Prefilling assistant messages is not supported for this model.";
    let limits = r#"{"type":"error","error":{"type":"rate_limit_error","message":"limit","details":{"error_code":"enforced_spend_limit_reached"}}}"#;
    let cases = [
        ("400", Answer::status(400, "max_tokens: too large"), Code::ModelRequestRefused, "max_tokens"),
        (
            "too long",
            Answer::status(400, "prompt is too long: 9 tokens > 8 maximum"),
            Code::ModelContextExceeded,
            "9",
        ),
        ("prefill", Answer::status(400, prefill), Code::ModelUnsupported, "Prefilling"),
        ("credit", Answer::status(400, credit), Code::ModelRequestRefused, "credit"),
        ("401", Answer::status(401, "invalid x-api-key"), Code::ModelKeyRefused, "invalid x-api-key"),
        ("403", Answer::status(403, "no access"), Code::ModelKeyRefused, "no access"),
        ("404", Answer::status(404, "model: claude-x"), Code::ModelRequestRefused, "claude-x"),
        ("413", Answer::status(413, "32 MB"), Code::ModelContextExceeded, "32 MB"),
        ("429", Answer::status(429, "slow down"), Code::ModelRateLimited, "slow down"),
        ("money", answer().with(Fault::Status(429, limits.into())), Code::ModelRequestRefused, "limit"),
        ("500", Answer::status(500, "oops"), Code::ModelUnavailable, "oops"),
        ("529", Answer::status(529, "Overloaded"), Code::ModelUnavailable, "Overloaded"),
        ("529 within", fail(529, "Overloaded"), Code::ModelUnavailable, "Overloaded (request `req_mock`)"),
        ("429 within", fail(429, "slow down"), Code::ModelRateLimited, "slow down"),
        ("cut", answer().with(Fault::Cut(3)), Code::ModelUnreachable, "broke within the answer"),
        (
            "unfinished",
            answer().with(Fault::Unfinished(3)),
            Code::ModelAnswerInvalid,
            "breaks off before its end",
        ),
        ("half", answer().with(Fault::HalfJson), Code::ModelAnswerInvalid, "is not JSON"),
        ("garbage", answer().with(Fault::Garbage), Code::ModelAnswerInvalid, "<html>oops</html>"),
        ("endless", answer().with(Fault::Endless), Code::ModelAnswerInvalid, "larger than 64 MiB"),
        (
            "other JSON",
            answer().with(Fault::Body("application/json".into(), "{}".into())),
            Code::ModelAnswerInvalid,
            "has no content",
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
    let error = answered(Answer::status(429, "slow").header("retry-after", "7")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn limits_and_the_request_are_told_at_the_start() {
    let answer = Answer::text("hi").header("anthropic-ratelimit-requests-remaining", "49");
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let model = ANTHROPIC.model(&config(&mock, NEW)).unwrap();
    let first = model.stream(hi(), Call::default()).await.unwrap().next().await;
    let Some(Ok(Delta::Start(start))) = first else { panic!("{first:?}") };
    assert_eq!(start.request_id.as_deref(), Some("req_mock"));
    assert_eq!(start.rate_limits, [("anthropic-ratelimit-requests-remaining".to_owned(), "49".to_owned())]);
}

#[tokio::test]
async fn the_key_has_its_own_header_and_is_never_shown() {
    let key = "sk-ant-very-secret-1";
    let mock = MockProvider::with(move |_| Answer::status(400, &format!("the key {key} has no access")))
        .key(key)
        .start()
        .await
        .unwrap();
    let with = |key: &str| {
        let mut config = config(&mock, NEW);
        config.key = Some(Secret::new(key));
        ANTHROPIC.model(&config).unwrap()
    };
    let (wrong, right) = (with("sk-ant-wrong-key"), with(key));
    assert_eq!(ask(&wrong, hi()).await.unwrap_err().code(), Code::ModelKeyRefused);
    let error = ask(&right, hi()).await.unwrap_err();
    assert!(error.to_string().contains("the key [secret] has no access"), "{error}");
    let shown = format!("{right:?} {error:?} {}", right.preview(&hi()).unwrap());
    assert!(!shown.contains(key), "{shown}");
    assert_eq!(mock.headers()[1]["x-api-key"], key);
    assert!(!mock.headers()[1].contains_key("authorization"));
}

/// Two calls with results that hold images, one of them a failure, then one more, then the answer; with everything
/// that a request may hold, and with what another provider has left in the transcript.
async fn talk(model_name: &str, effort: Option<Effort>) -> (Vec<Value>, Vec<Arc<Message>>) {
    let think = |answer: Answer| answer.reasoning("Let me think.").signed("c2lnbmVk");
    let mock = MockProvider::answering([
        think(Answer::calls([("a", "look", json!({"what": "x"})), ("b", "look", json!({"what": "y"}))])),
        Answer::calls([("a", "look", json!({"what": "y"}))]),
        think(Answer::text("done")),
    ])
    .start()
    .await
    .unwrap();
    let mut config = config(&mock, model_name);
    config.effort = effort;
    // It stays beside what the interface itself switches on.
    config.headers.insert("anthropic-beta".into(), Secret::new("context-management-2025-06-27"));
    config.provider_tools = vec![json!({"type": "web_search_20260318", "name": "web_search", "max_uses": 3})];
    let model = ANTHROPIC.model(&config).unwrap();
    let pdf = Media { media_type: "application/pdf".into(), name: Some("a.pdf".into()), ..picture() };
    let foreign =
        ToolCall { id: "functions.look:0".into(), name: "look".into(), arguments: "{broken".into() };
    let leftover = Part::Reasoning(Reasoning {
        text: "hm".into(),
        provider: Some("gemini".into()),
        signature: Some("x".into()),
        ..Reasoning::default()
    });
    let native = Part::Native(Native { provider: "openai-responses".into(), value: json!({"type": "x"}) });
    let schema = json!({"type": "object", "properties": {"at": {"type": "integer", "minimum": 1}}});
    let mut request = Request {
        output: Some(OutputSchema { name: "My answer".into(), schema, strict: true }),
        max_output_tokens: Some(9_000),
        stop: vec!["END".into()],
        ..hi()
    };
    request.messages = vec![
        Message::system("Be kind.").into(),
        Message::new(Role::User, vec![Part::text("look"), Part::Image(picture()), Part::File(pdf)]).into(),
        Message::assistant(vec![leftover, native, Part::ToolCall(foreign.clone())]).into(),
        Message::tool(ToolResult::error(&foreign, "no JSON")).into(),
    ];
    for turn in 0..3 {
        let response = ask(&model, request.clone()).await.unwrap();
        let calls: Vec<ToolCall> = response.message.calls().cloned().collect();
        request.messages.push(Arc::new(response.message));
        for call in &calls {
            let mut result = ToolResult::text(call, "seen");
            result.is_error = turn == 0;
            result.content.push(Part::Image(picture()));
            request.messages.push(Arc::new(Message::tool(result)));
        }
    }
    mock.assert_clean();
    for headers in mock.headers() {
        let betas: Vec<_> = headers.get_all("anthropic-beta").iter().collect();
        assert!(
            betas.len() == 1 && betas[0].to_str().unwrap().starts_with("context-management-"),
            "{betas:?}"
        );
    }
    let messages: Vec<Message> = request.messages.iter().map(|message| (**message).clone()).collect();
    assert_eq!(transcript_fault(&messages), None);
    let sent =
        Request { messages: request.messages[..request.messages.len() - 1].to_vec(), ..request.clone() };
    assert_eq!(model.preview(&sent).unwrap().value(), *mock.requests().last().unwrap());
    (mock.requests(), request.messages)
}

#[tokio::test]
async fn a_whole_conversation_is_valid_for_every_generation() {
    let models = [
        "claude-haiku-4-5",
        OLD,
        "claude-opus-4-5",
        "claude-opus-4-6",
        "claude-opus-4-8",
        "claude-opus-5",
        "claude-sonnet-5-5",
        "claude-haiku-5-5",
        NEW,
        "claude-fable-5-2",
        "claude-next-9",
    ];
    for model in models {
        for effort in [None, Some(Effort::Off), Some(Effort::Minimal), Some(Effort::Max)] {
            let (requests, messages) = talk(model, effort).await;
            assert_eq!(messages.last().unwrap().text(), "done", "{model}");
            let marks = requests.last().unwrap().to_string().matches("cache_control").count();
            assert_eq!(marks, 4, "{model}");
        }
    }
}

#[tokio::test]
async fn reasoning_goes_back_signed_and_in_its_place() {
    let (requests, messages) = talk(NEW, None).await;
    let thought = json!({"type": "thinking", "thinking": "Let me think.", "signature": "c2lnbmVk"});
    let last = requests.last().unwrap();
    let turn = &last["messages"][3]["content"];
    assert_eq!((&turn[0], turn[1]["id"].as_str()), (&thought, Some("a")));
    assert!(!last.to_string().contains("hm"), "another provider's reasoning stays behind");
    let Some(Part::Reasoning(reasoning)) = messages[4].parts.first() else { panic!("{:?}", messages[4]) };
    assert_eq!(reasoning.provider.as_deref(), Some("anthropic"));
    // The id of another provider's call is made one that is legal here, in the call and in its result.
    let id = last["messages"][1]["content"][0]["id"].as_str().unwrap();
    assert_ne!(id, "functions.look:0");
    assert_eq!(last["messages"][2]["content"][0]["tool_use_id"], id);
}

#[tokio::test]
async fn only_models_that_sample_are_given_a_temperature() {
    let mock = MockProvider::answering([Answer::text("warm")]).start().await.unwrap();
    let tepid = || Request { temperature: Some(0.2), ..hi() };
    let old = ANTHROPIC.model(&config(&mock, OLD)).unwrap();
    ask(&old, tepid()).await.unwrap();
    assert_eq!(mock.headers()[0]["anthropic-version"], "2023-06-01");
    let new = ANTHROPIC.model(&config(&mock, NEW)).unwrap();
    assert_eq!(ask(&new, tepid()).await.unwrap_err().code(), Code::ModelUnsupported);
    assert_eq!(mock.count(), 1);
    mock.assert_clean();
}

#[tokio::test]
async fn an_old_model_is_asked_for_the_form_by_a_tool() {
    let mock = MockProvider::with(|request| {
        let tool = request["tools"][0]["name"].as_str().unwrap_or_default();
        assert_eq!(request["tool_choice"], json!({"type": "tool", "name": tool}));
        Answer::calls([("a", tool, json!({"at": 3}))])
    });
    let mock = mock.start().await.unwrap();
    let mut config = config(&mock, "claude-3-5-haiku-latest");
    config.profile.abilities.structured_output = false;
    let schema = json!({"type": "object", "properties": {"at": {"type": "integer"}}});
    let output = Some(OutputSchema { name: "place".into(), schema, strict: true });
    let request = Request { output, ..Request::new([Message::user("where?")]) };
    let response = ask(&ANTHROPIC.model(&config).unwrap(), request).await.unwrap();
    assert_eq!((shown(&response).as_str(), response.stop), (r#"{"at":3}"#, StopReason::EndTurn));
    mock.assert_clean();
}

#[tokio::test]
async fn a_paused_turn_goes_on_where_it_was() {
    let open = |index: u32, block: Value| json!({"type": "content_block_start", "index": index, "content_block": block});
    let close = |index: u32| json!({"type": "content_block_stop", "index": index});
    let begin = || json!({"type": "message_start", "message": {"model": NEW, "usage": {"input_tokens": 1, "output_tokens": 1}}});
    let end = |reason: &str| json!({"type": "message_delta", "delta": {"stop_reason": reason}, "usage": {"output_tokens": 2}});
    let stop = || json!({"type": "message_stop"});
    let search = json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {}});
    let query = json!({"type": "content_block_delta", "index": 1, "delta": {"type": "input_json_delta", "partial_json": "{\"query\":\"x\"}"}});
    let found = json!({"type": "web_search_tool_result", "tool_use_id": "srvtoolu_1", "content": [
        {"type": "web_search_result", "url": "https://h", "title": "H", "encrypted_content": "Eq"}]});
    let mock = MockProvider::answering([
        Answer::chunks([
            begin(),
            open(0, json!({"type": "text", "text": "I search."})),
            close(0),
            open(1, search),
            query,
            close(1),
            end("pause_turn"),
            stop(),
        ]),
        Answer::chunks([
            begin(),
            open(0, found.clone()),
            close(0),
            open(1, json!({"type": "text", "text": "It is x."})),
            close(1),
            end("end_turn"),
            stop(),
        ]),
        Answer::text("You are welcome."),
    ])
    .start()
    .await
    .unwrap();
    let mut config = config(&mock, NEW);
    config.prompt_cache = PromptCache::Off;
    config.provider_tools = vec![json!({"type": "web_search_20260318", "name": "web_search"})];
    let model = ANTHROPIC.model(&config).unwrap();
    let mut request = hi();
    let first = ask(&model, request.clone()).await.unwrap();
    assert_eq!((shown(&first).as_str(), &first.stop), ("I search.|server_tool_use", &StopReason::Paused));
    request.messages.push(first.message.into());
    let second = ask(&model, request.clone()).await.unwrap();
    assert_eq!(
        (shown(&second).as_str(), &second.stop),
        ("web_search_tool_result|It is x.", &StopReason::EndTurn)
    );
    request.messages.push(second.message.into());
    request.messages.push(Message::user("Thanks").into());
    ask(&model, request).await.unwrap();
    mock.assert_clean();
    let sent = &mock.requests()[2]["messages"];
    let call =
        json!({"type": "server_tool_use", "id": "srvtoolu_1", "name": "web_search", "input": {"query": "x"}});
    assert_eq!(sent[1]["content"].as_array().unwrap()[1..3], [call, found]);
}

#[tokio::test]
async fn a_cancel_ends_the_answer_in_the_middle() {
    let answer = Answer::text("Good morning, and how are you?").with(Fault::Stall(4));
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let model = ANTHROPIC.model(&config(&mock, NEW)).unwrap();
    let call = Call::default();
    let cancel = call.cancel.clone();
    let mut deltas = model.stream(hi(), call).await.unwrap();
    let result = loop {
        match deltas.next().await {
            Some(Ok(Delta::Text(_))) => cancel.cancel(),
            Some(Ok(_)) => {}
            other => break other,
        }
    };
    assert_eq!(result.unwrap().unwrap_err().code(), Code::RunCancelled);
}
