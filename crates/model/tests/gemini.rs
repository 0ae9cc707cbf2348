//! Google's Gemini against the mock provider, which checks every request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;
use std::time::Duration;

use adjutant_core::message::{Media, MediaSource, Message, Part, Reasoning, Role, ToolCall, ToolResult};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Result};
use adjutant_model::gemini::{GEMINI, VERTEX};
use adjutant_model::provider::Config;
use adjutant_model::{
    Call, Delta, Effort, Model, OutputSchema, Request, Response, StopReason, ToolChoice, collect,
};
use adjutant_testkit::provider::{Answer, Fault, Interface, MockProvider};
use futures::StreamExt;
use serde_json::{Value, json};

const NEW: &str = "gemini-3.8-flash";
const OLD: &str = "gemini-2.5-flash";

fn config(mock: &MockProvider, model: &str) -> Config {
    let mut config = Config::new("mock/m", mock.base_url_of(Interface::Gemini), model);
    config.timeouts.whole = Duration::from_secs(60);
    config.profile.abilities.audio = true;
    config.profile.abilities.files = true;
    config
}

/// The same model behind the other door.
fn at_vertex(mock: &MockProvider, model: &str) -> Config {
    let base = mock.base_url_of(Interface::Gemini).replace("/v1beta", "/v1beta1/projects/p/locations/global");
    Config { base_url: base, ..config(mock, model) }
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

fn output() -> OutputSchema {
    let schema = json!({"type": "object", "properties": {"n": {"type": "integer", "exclusiveMinimum": 0}}, "required": ["n"]});
    OutputSchema { name: "answer".into(), schema, strict: true }
}

async fn ask(model: &dyn Model, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// What one answer of the mock becomes.
async fn answered(model: &str, answer: Answer) -> Result<Response> {
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let model = GEMINI.model(&config(&mock, model)).unwrap();
    let request = Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) };
    let result = ask(&model, request).await;
    mock.assert_clean();
    result
}

/// One word a part.
fn shown(response: &Response) -> String {
    let part = |part: &Part| match part {
        Part::Text { text } => text.clone(),
        Part::Reasoning(Reasoning { text, signature, .. }) => {
            format!("({text}{})", if signature.is_some() { "!" } else { "" })
        }
        Part::ToolCall(call) => format!("{} {} {}", call.name, call.arguments, call.id),
        other => format!("{other:?}"),
    };
    response.message.parts.iter().map(part).collect::<Vec<_>>().join("|")
}

#[tokio::test]
async fn answers_of_every_form_are_understood() {
    let used = Usage { input: 9, output: 7, cached: 4, reasoning: 3, cache_write: 0, ..Usage::default() };
    let text = || Answer::text("Good morning, and how are you?").using(used);
    let call = |id: &'static str| (id, "look", json!({"what": "x"}));
    let said = r#"look {"what":"x"}"#;
    let one = format!("(!)|{said} a");
    let two = format!("(!)|{said} a|{said} b");
    let made = format!("{said} call_0|{said} call_1");
    let cases = [
        ("text", OLD, text(), "Good morning, and how are you?", StopReason::EndTurn),
        ("signed", NEW, text(), "Good morning, and how are you?|(!)", StopReason::EndTurn),
        ("whole", OLD, text().with(Fault::Whole), "Good morning, and how are you?", StopReason::EndTurn),
        ("trickle", OLD, text().with(Fault::Trickle), "Good morning, and how are you?", StopReason::EndTurn),
        (
            "mark",
            OLD,
            text().with(Fault::ByteOrderMark),
            "Good morning, and how are you?",
            StopReason::EndTurn,
        ),
        (
            "another content type",
            OLD,
            text().with(Fault::ContentType("text/plain".into())),
            "Good morning, and how are you?",
            StopReason::EndTurn,
        ),
        ("calls", NEW, Answer::calls([call("a"), call("b")]), &two, StopReason::ToolCalls),
        ("whole calls", NEW, Answer::calls([call("a")]).with(Fault::Whole), &one, StopReason::ToolCalls),
        ("no ids", OLD, Answer::calls([call("a"), call("b")]), &made, StopReason::ToolCalls),
        (
            "reasoning",
            OLD,
            Answer::text("4").reasoning("two and two"),
            "(two and two)|4",
            StopReason::EndTurn,
        ),
        (
            "reasoning before a signed call",
            NEW,
            Answer::calls([call("a")]).reasoning("hm"),
            &format!("(hm)|{one}"),
            StopReason::ToolCalls,
        ),
        ("length", OLD, Answer::text("cut").finishing("MAX_TOKENS"), "cut", StopReason::MaxTokens),
        ("filter", OLD, Answer::text("").finishing("SAFETY"), "", StopReason::ContentFilter),
        ("a new reason", OLD, Answer::text("x").finishing("TIRED"), "x", StopReason::Other("TIRED".into())),
        (
            "a blocked prompt",
            OLD,
            Answer::chunks([json!({"promptFeedback": {"blockReason": "PROHIBITED_CONTENT"}})]),
            "",
            StopReason::ContentFilter,
        ),
    ];
    for (name, model, answer, expected, stop) in cases {
        let response = answered(model, answer).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!((shown(&response).as_str(), response.stop), (expected, stop), "{name}");
    }
    let response = answered(OLD, text()).await.unwrap();
    assert_eq!(response.usage, Some(used));
    assert_eq!((response.model.as_deref(), response.request_id.as_deref()), (Some(OLD), Some("req_mock")));
    assert_eq!(answered(OLD, text().without_usage()).await.unwrap().usage, None);
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let answer = || Answer::text("Good morning, and how are you?");
    let quota = |id: &str| {
        let details = json!([{"@type": "type.googleapis.com/google.rpc.QuotaFailure", "violations": [{"quotaId": id}]},
            {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "22s"}]);
        let error = json!({"error": {"code": 429, "message": "You exceeded your current quota", "status": "RESOURCE_EXHAUSTED", "details": details}});
        answer().with(Fault::Status(429, error.to_string()))
    };
    let cases = [
        (
            "400",
            Answer::status(400, "Invalid JSON payload received."),
            Code::ModelRequestRefused,
            "Invalid JSON",
        ),
        ("403", Answer::status(403, "leaked key"), Code::ModelKeyRefused, "leaked key"),
        ("404", Answer::status(404, "no model"), Code::ModelRequestRefused, "no model"),
        ("429", quota("GenerateRequestsPerMinutePerProject"), Code::ModelRateLimited, "current quota"),
        (
            "429 of a day",
            quota("GenerateRequestsPerDayPerProject"),
            Code::ModelRequestRefused,
            "current quota",
        ),
        ("500", Answer::status(500, "oops"), Code::ModelUnavailable, "oops"),
        ("503", Answer::status(503, "The model is overloaded."), Code::ModelUnavailable, "overloaded"),
        (
            "too long",
            Answer::status(
                400,
                "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            ),
            Code::ModelContextExceeded,
            "(8)",
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
            "an error in the stream",
            answer().with(Fault::Fail(2, 503, "shed".into())),
            Code::ModelUnavailable,
            "status 503: shed",
        ),
        (
            "a list of one error",
            answer().with(Fault::Status(
                400,
                r#"[{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}]"#.into(),
            )),
            Code::ModelRequestRefused,
            "status 400: no",
        ),
        (
            "other JSON",
            answer().with(Fault::Body("application/json".into(), "{}".into())),
            Code::ModelAnswerInvalid,
            "has no candidate that is complete",
        ),
        (
            "a malformed call",
            Answer::calls([("a", "look", json!("{broken"))]),
            Code::ModelAnswerInvalid,
            "a call that is not well-formed",
        ),
    ];
    for (name, answer, code, says) in cases {
        let error = answered(NEW, answer).await.expect_err(name);
        assert_eq!(error.code(), code, "{name}: {error}");
        assert!(error.to_string().contains(says), "{name}: {error}");
    }
    let error = answered(NEW, quota("PerMinute")).await.unwrap_err();
    assert_eq!(error.retry_after(), Some(Duration::from_secs(22)));
}

/// A conversation with everything in it is right on the wire of each generation, and through each door.
#[tokio::test]
async fn a_whole_conversation_is_valid_on_the_wire() {
    for (model, vertex) in
        [(NEW, false), (NEW, true), (OLD, false), ("gemini-3-flash-preview", false), ("m", true)]
    {
        let two = [("a", "look", json!({"what": "x"})), ("b", "look", json!({"what": "y"}))];
        let mock = MockProvider::answering([
            Answer::calls(two).reasoning("hm").saying("Let me see."),
            Answer::calls([("c", "look", json!({"what": "z"}))]),
            Answer::text("done"),
            Answer::text("bye"),
        ])
        .start()
        .await
        .unwrap();
        let config = if vertex { at_vertex(&mock, model) } else { config(&mock, model) };
        let model = if vertex { VERTEX.model(&config) } else { GEMINI.model(&config) }.unwrap();
        let media = |media_type: &str| Media {
            media_type: media_type.into(),
            name: None,
            source: MediaSource::Base64("AA==".into()),
        };
        let foreign = ToolCall { id: "toolu_1".into(), name: "a b".into(), arguments: "{broken".into() };
        let thought = Reasoning {
            text: "hm".into(),
            provider: Some("anthropic".into()),
            signature: Some("x".into()),
            ..Reasoning::default()
        };
        let user = vec![
            Part::text("look"),
            Part::Image(media("image/png")),
            Part::Audio(media("audio/x-wav")),
            Part::File(media("application/pdf")),
        ];
        let mut request = Request {
            tools: [look()].into(),
            max_output_tokens: Some(100),
            effort: Some(Effort::Off),
            stop: vec!["END".into()],
            ..Request::new([
                Message::system("Be kind."),
                Message::user("before"),
                Message::assistant(vec![Part::Reasoning(thought), Part::ToolCall(foreign.clone())]),
                Message::tool(ToolResult::error(&foreign, "no such tool")),
                Message::new(Role::User, user),
            ])
        };
        for round in 0..3 {
            let response = ask(&model, request.clone()).await.unwrap();
            assert_eq!(response.stop == StopReason::ToolCalls, round < 2, "{response:?}");
            let calls: Vec<ToolCall> = response.message.calls().cloned().collect();
            request.messages.push(Arc::new(response.message));
            // Whoever is ready first, answers first.
            for (index, call) in calls.iter().enumerate().rev() {
                let mut result = ToolResult::text(call, "found");
                let image = Part::Image(media("image/png"));
                result.content.extend(
                    (index == 0).then_some([image, Part::Audio(media("audio/wav"))]).into_iter().flatten(),
                );
                request.messages.push(Message::tool(result).into());
            }
        }
        request.messages.push(Message::user("and?").into());
        request.tool_choice = ToolChoice::Named("look".into());
        ask(&model, request).await.unwrap();
        mock.assert_clean();
        assert_eq!(mock.count(), 4);
    }
}

#[tokio::test]
async fn a_signature_goes_back_where_it_came() {
    let call = ("a", "look", json!({"what": "x"}));
    let mock = MockProvider::answering([
        Answer::calls([call]).reasoning("hm").signed("U0lHTg=="),
        Answer::text("done").signed("TEFTVA=="),
        Answer::text("bye"),
    ])
    .start()
    .await
    .unwrap();
    let model = GEMINI.model(&config(&mock, NEW)).unwrap();
    let mut request = Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) };
    for _ in 0..2 {
        let message = ask(&model, request.clone()).await.unwrap().message;
        let results: Vec<_> =
            message.calls().map(|call| Message::tool(ToolResult::text(call, "ok"))).collect();
        request.messages.push(message.into());
        request.messages.extend(results.into_iter().map(Arc::new));
    }
    request.messages.push(Message::user("and?").into());
    ask(&model, request).await.unwrap();
    mock.assert_clean();
    let last = mock.requests().pop().unwrap();
    let expected = json!([
        {"role": "user", "parts": [{"text": "hi"}]},
        {"role": "model", "parts": [
            {"functionCall": {"id": "a", "name": "look", "args": {"what": "x"}}, "thoughtSignature": "U0lHTg=="}]},
        {"role": "user", "parts": [
            {"functionResponse": {"id": "a", "name": "look", "response": {"output": "ok"}}}]},
        {"role": "model", "parts": [{"text": "done"}, {"text": "", "thoughtSignature": "TEFTVA=="}]},
        {"role": "user", "parts": [{"text": "and?"}]},
    ]);
    assert_eq!(last["contents"], expected);
}

/// What Google runs on its side comes back in the next request as it came, and where an answer was found does not.
#[tokio::test]
async fn what_google_ran_goes_back_as_it_came() {
    let code = json!({"executableCode": {"language": "PYTHON", "code": "6*7"}, "thoughtSignature": "AAAA"});
    let ran = json!({"codeExecutionResult": {"outcome": "OUTCOME_OK", "output": "42"}});
    let mock = MockProvider::answering([
        Answer::chunks([
            json!({"candidates": [{"content": {"role": "model", "parts": [code, ran]}}]}),
            json!({"candidates": [{"content": {"parts": [{"text": "It is 42."}]}, "finishReason": "STOP",
                "groundingMetadata": {"webSearchQueries": ["x"]}}]}),
        ]),
        Answer::text("bye"),
    ])
    .start()
    .await
    .unwrap();
    let mut config = config(&mock, NEW);
    config.provider_tools = vec![json!({"codeExecution": {}})];
    let model = GEMINI.model(&config).unwrap();
    let mut request = Request { tools: [look()].into(), ..Request::new([Message::user("6*7?")]) };
    let response = ask(&model, request.clone()).await.unwrap();
    let sources = response.message.parts.iter().filter_map(|part| match part {
        Part::Native(native) => native.value.get("groundingMetadata"),
        _ => None,
    });
    assert_eq!(sources.collect::<Vec<_>>(), [&json!({"webSearchQueries": ["x"]})]);
    request.messages.extend([response.message, Message::user("sure?")].map(Arc::new));
    ask(&model, request).await.unwrap();
    mock.assert_clean();
    let requests = mock.requests();
    assert_eq!(requests[0]["tools"][1], json!({"codeExecution": {}}));
    assert_eq!(requests[1]["contents"][1]["parts"], json!([code, ran, {"text": "It is 42."}]));
}

/// Newer models are given the schema; older ones only where no tool is, and are asked by a tool otherwise.
#[tokio::test]
async fn an_answer_has_its_form() {
    let request = |tools: &[ToolSpec]| Request {
        tools: tools.into(),
        output: Some(output()),
        ..Request::new([Message::user("a number")])
    };
    let native = || Answer::text(r#"{"n":1}"#);
    let by_tool = || Answer::calls([("a", "answer", json!({"n": 1.0}))]);
    let tools = [look()];
    let cases: [(&str, &[ToolSpec], Answer, bool); 4] = [
        (NEW, &[], native(), true),
        (NEW, &tools, native(), true),
        (OLD, &[], native(), true),
        (OLD, &tools, by_tool(), false),
    ];
    for (name, tools, answer, is_native) in cases {
        let mock = MockProvider::answering([answer]).start().await.unwrap();
        let model = GEMINI.model(&config(&mock, name)).unwrap();
        let response = ask(&model, request(tools)).await.unwrap();
        mock.assert_clean();
        let said: Value = serde_json::from_str(&response.message.text()).unwrap();
        assert_eq!((said, response.stop), (json!({"n": 1}), StopReason::EndTurn), "{name}");
        let sent = mock.requests().pop().unwrap();
        let schema = &sent["generationConfig"]["responseJsonSchema"];
        let also = "must also fit this JSON schema: {\"exclusiveMinimum\":0}";
        let is_asked = schema["properties"]["n"] == json!({"type": "integer", "description": also});
        assert_eq!(is_asked, is_native, "{sent}");
        assert_eq!(sent["toolConfig"]["functionCallingConfig"]["mode"] == "ANY", !is_native, "{sent}");
    }
}

#[tokio::test]
async fn each_door_has_its_key() {
    let key = "very-secret-key";
    let mock = MockProvider::with(move |_| Answer::status(403, &format!("the key {key} has no access")))
        .key(key)
        .start()
        .await
        .unwrap();
    for (provider, base) in [(GEMINI, config(&mock, NEW)), (VERTEX, at_vertex(&mock, NEW))] {
        let with = |key: &str| {
            let config = Config { key: Some(Secret::new(key)), ..base.clone() };
            provider.model(&config).unwrap()
        };
        let hi = || Request::new([Message::user("hi")]);
        let error = ask(&with("wrong-key"), hi()).await.unwrap_err();
        assert_eq!(error.code(), Code::ModelKeyRefused, "{error}");
        assert!(!error.to_string().contains("has no access"), "{error}");
        let model = with(key);
        let error = ask(&model, hi()).await.unwrap_err();
        assert!(error.to_string().contains("the key [secret] has no access"), "{error}");
        let shown = format!("{model:?} {error:?} {}", model.preview(&hi()).unwrap());
        assert!(!shown.contains(key), "{shown}");
    }
    mock.assert_clean();
}

#[tokio::test]
async fn a_call_that_is_cancelled_ends_at_once() {
    let mock =
        MockProvider::answering([Answer::text("Good morning, and how are you?").with(Fault::Stall(1))])
            .start()
            .await
            .unwrap();
    let model = GEMINI.model(&config(&mock, NEW)).unwrap();
    let call = Call::default();
    let mut deltas = model.stream(Request::new([Message::user("hi")]), call.clone()).await.unwrap();
    let mut text = String::new();
    while text.is_empty() {
        if let Delta::Text(piece) = deltas.next().await.unwrap().unwrap() {
            text.push_str(&piece);
        }
    }
    call.cancel.cancel();
    let error = deltas.next().await.unwrap().unwrap_err();
    assert_eq!(error.code(), Code::RunCancelled);
    assert!(deltas.next().await.is_none());
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let text = "All work and no play. ".repeat(500_000);
    let response = answered(OLD, Answer::text(&text)).await.unwrap();
    assert_eq!(response.message.text().len(), text.len());
}
