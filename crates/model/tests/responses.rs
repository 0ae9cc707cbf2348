//! OpenAI's Responses against the mock provider, which checks every request.

#![expect(clippy::unwrap_used, reason = "a test fails by panicking, in its helpers too")]

use std::sync::Arc;
use std::time::{Duration, Instant};

use adjutant_core::message::{
    Media, MediaSource, Message, Native, Part, Reasoning, Role, ToolCall, ToolResult,
};
use adjutant_core::secret::Secret;
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::usage::Usage;
use adjutant_core::{Code, Error, Result};
use adjutant_model::openai::RESPONSES;
use adjutant_model::provider::Config;
use adjutant_model::{
    Call, Delta, Effort, Model, OutputSchema, Request, Response, StopReason, ToolChoice, collect,
};
use adjutant_testkit::provider::{Answer, Fault, Finish, Interface, MockProvider};
use futures::StreamExt;
use serde_json::{Value, json};

const NAME: &str = "openai-responses";

fn config(mock: &MockProvider) -> Config {
    let mut config = Config::new("mock/m", mock.base_url_of(Interface::Responses), "m");
    config.profile.abilities.reasoning = true;
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

fn hi() -> Request {
    Request { tools: [look()].into(), ..Request::new([Message::user("hi")]) }
}

async fn ask(model: &dyn Model, request: Request) -> Result<Response> {
    collect(model.stream(request, Call::default()).await?, |_| {}).await
}

/// What one answer of the mock becomes.
async fn answered(answer: Answer) -> Result<Response> {
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let result = ask(&RESPONSES.model(&config(&mock)).unwrap(), hi()).await;
    mock.assert_clean();
    result
}

#[tokio::test]
async fn answers_of_every_form_are_understood() {
    let used = Usage { input: 9, output: 7, cached: 4, reasoning: 3, cache_write: 2, ..Usage::default() };
    let said = "Good morning, and how are you?";
    let text = || Answer::text(said).using(used);
    let call = |id: &'static str| (id, "look", json!({"what": "order 1042"}));
    let (calls, last) = (r#"look {"what":"order 1042"}"#, r#"|{"phase":"final_answer"}"#);
    let spoken = format!("{said}{last}");
    let both = format!("{calls} a|{calls} b");
    let cases: Vec<(&str, Answer, String, StopReason)> = vec![
        ("text", text(), spoken.clone(), StopReason::EndTurn),
        ("whole", text().with(Fault::Whole), spoken.clone(), StopReason::EndTurn),
        ("byte by byte", text().with(Fault::Trickle), spoken.clone(), StopReason::EndTurn),
        ("a byte-order mark", text().with(Fault::ByteOrderMark), spoken.clone(), StopReason::EndTurn),
        (
            "another content type",
            text().with(Fault::ContentType("text/plain".into())),
            spoken,
            StopReason::EndTurn,
        ),
        ("calls", Answer::calls([call("a"), call("b")]), both.clone(), StopReason::ToolCalls),
        (
            "whole calls",
            Answer::calls([call("a"), call("b")]).with(Fault::Whole),
            both,
            StopReason::ToolCalls,
        ),
        (
            "one id twice",
            Answer::calls([call("a"), call("a")]),
            format!("{calls} a|{calls} a_2"),
            StopReason::ToolCalls,
        ),
        (
            "no arguments",
            Answer::calls([("a", "look", json!(""))]),
            "look {} a".into(),
            StopReason::ToolCalls,
        ),
        (
            "a comment before a call",
            Answer::calls([call("a")]).saying("I look."),
            format!("I look.|{{\"phase\":\"commentary\"}}|{calls} a"),
            StopReason::ToolCalls,
        ),
        (
            "reasoning",
            Answer::text("4").reasoning("two and two").signed("c2VhbGVk"),
            format!("(two and two rs_mock c2VhbGVk)|4{last}"),
            StopReason::EndTurn,
        ),
        (
            "reasoning that nobody may see",
            Answer::text("4").signed("c2VhbGVk"),
            format!("( rs_mock c2VhbGVk)|4{last}"),
            StopReason::EndTurn,
        ),
        (
            "refusal",
            Answer::text("").refusing("I cannot do that"),
            format!("I cannot do that{last}"),
            StopReason::Refusal,
        ),
        (
            "whole refusal",
            Answer::text("").refusing("I cannot do that").with(Fault::Whole),
            format!("I cannot do that{last}"),
            StopReason::Refusal,
        ),
        ("length", Answer::text("cut").ending(Finish::Length), format!("cut{last}"), StopReason::MaxTokens),
        ("filter", Answer::text("").ending(Finish::Filter), String::new(), StopReason::ContentFilter),
        (
            "a new reason",
            Answer::text("x").finishing("tired"),
            format!("x{last}"),
            StopReason::Other("tired".into()),
        ),
    ];
    for (name, answer, expected, stop) in cases {
        let response = answered(answer).await.unwrap_or_else(|error| panic!("{name}: {error}"));
        let part = |part: &Part| match part {
            Part::Text { text } => text.clone(),
            Part::Reasoning(Reasoning { text, id, encrypted, .. }) => {
                format!("({text} {} {})", id.as_deref().unwrap_or("-"), encrypted.as_deref().unwrap_or("-"))
            }
            Part::ToolCall(call) => format!("{} {} {}", call.name, call.arguments, call.id),
            Part::Native(native) => native.value.to_string(),
            other => panic!("{other:?}"),
        };
        let said: Vec<String> = response.message.parts.iter().map(part).collect();
        assert_eq!((said.join("|"), response.stop), (expected, stop), "{name}");
        assert_eq!(response.unknown, Vec::<Value>::new(), "{name}");
    }
    let response = answered(text()).await.unwrap();
    assert_eq!(response.usage, Some(used));
    assert_eq!((response.model.as_deref(), response.request_id.as_deref()), (Some("m"), Some("req_mock")));
    assert_eq!(answered(text().without_usage()).await.unwrap().usage, None);
}

#[tokio::test]
async fn the_limits_of_the_account_are_told() {
    let answer = Answer::text("hi").header("x-ratelimit-remaining-requests", "59");
    let mock = MockProvider::answering([answer]).start().await.unwrap();
    let model = RESPONSES.model(&config(&mock)).unwrap();
    let deltas: Vec<_> = model.stream(hi(), Call::default()).await.unwrap().collect().await;
    let Some(Ok(Delta::Start(start))) = deltas.first() else { panic!("{deltas:?}") };
    assert_eq!(start.rate_limits, [("x-ratelimit-remaining-requests".to_owned(), "59".to_owned())]);
    assert_eq!((start.request_id.as_deref(), start.model.as_deref()), (Some("req_mock"), Some("m")));
}

#[tokio::test]
async fn every_failure_has_its_code() {
    let answer = || Answer::text("Good morning, and how are you?");
    let cases = [
        ("401", Answer::status(401, "who are you"), Code::ModelKeyRefused, "who are you"),
        ("403", Answer::status(403, "not from there"), Code::ModelKeyRefused, "not from there"),
        ("404", Answer::status(404, "no model `m`"), Code::ModelRequestRefused, "no model `m`"),
        ("413", Answer::status(413, "too large"), Code::ModelContextExceeded, "too large"),
        ("429", Answer::status(429, "slow down"), Code::ModelRateLimited, "slow down"),
        ("500", Answer::status(500, "oops"), Code::ModelUnavailable, "oops"),
        ("503", Answer::status(503, "busy"), Code::ModelUnavailable, "busy"),
        (
            "too long",
            Answer::status(400, "exceeds the context window"),
            Code::ModelContextExceeded,
            "exceeds",
        ),
        ("cut", answer().with(Fault::Cut(4)), Code::ModelUnreachable, "broke within the answer"),
        (
            "unfinished",
            answer().with(Fault::Unfinished(6)),
            Code::ModelAnswerInvalid,
            "breaks off before its end",
        ),
        ("half", answer().with(Fault::HalfJson), Code::ModelAnswerInvalid, "is not JSON"),
        ("garbage", answer().with(Fault::Garbage), Code::ModelAnswerInvalid, "<html>oops</html>"),
        ("endless", answer().with(Fault::Endless), Code::ModelAnswerInvalid, "larger than 64 MiB"),
        ("limit", answer().with(Fault::Fail(6, 429, "slow".into())), Code::ModelRateLimited, "slow"),
        ("failure", answer().with(Fault::Fail(6, 500, "oops".into())), Code::ModelUnavailable, "oops"),
        ("policy", answer().with(Fault::Fail(2, 400, "no".into())), Code::ModelRequestRefused, "no"),
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
            "has no output",
        ),
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
async fn the_key_is_sent_and_never_shown() {
    let key = "sk-very-secret-1";
    let refusing = MockProvider::with(move |_| Answer::status(400, &format!("the key {key} has no access")));
    let mock = refusing.key(key).start().await.unwrap();
    let with = |key: &str| {
        let mut config = config(&mock);
        config.key = Some(Secret::new(key));
        RESPONSES.model(&config).unwrap()
    };
    let (wrong, right) = (with("sk-wrong-key"), with(key));
    assert_eq!(ask(&wrong, hi()).await.unwrap_err().code(), Code::ModelKeyRefused);
    let error = ask(&right, hi()).await.unwrap_err();
    assert!(error.to_string().contains("the key [secret] has no access"), "{error}");
    let shown = format!("{right:?} {error:?} {}", right.preview(&hi()).unwrap());
    assert!(!shown.contains(key), "{shown}");
}

/// A conversation of every kind of part, each of whose requests the mock takes.
#[tokio::test]
async fn a_whole_conversation_is_valid_on_the_wire() {
    let answers = [
        Answer::calls([("a", "look", json!({"what": "x"})), ("b", "look", json!("{broken"))])
            .reasoning("both")
            .signed("c2VhbGVk"),
        Answer::calls([("a", "look", json!({"what": "y"}))]).saying("Once more.").signed("c2VhbGVkMg=="),
        Answer::text("{}"),
    ];
    let mock = MockProvider::answering(answers).start().await.unwrap();
    let mut config = config(&mock);
    config.model = "gpt-6.2-sol".into();
    config.effort = Some(Effort::Max);
    config.profile.abilities.files = true;
    config.provider_tools = vec![json!({"type": "web_search"})];
    let model = RESPONSES.model(&config).unwrap();
    let media = |media_type: &str, source| Media { media_type: media_type.into(), name: None, source };
    let picture = || Part::Image(media("image/png", MediaSource::Base64("AA==".into())));
    let paper = || Part::File(media("application/pdf", MediaSource::Base64("AA==".into())));
    let page = Part::File(media("application/pdf", MediaSource::Url("https://h/a.pdf".into())));
    let closed = json!({"type": "object", "additionalProperties": false});
    let mut request = Request {
        output: Some(OutputSchema { name: "My answer".into(), schema: closed, strict: true }),
        max_output_tokens: Some(100),
        ..hi()
    };
    // What another provider made before, and what this one searched.
    let foreign =
        ToolCall { id: "t".repeat(80).as_str().into(), name: "look".into(), arguments: "{}".into() };
    let searched = Native {
        provider: NAME.into(),
        value: json!({"id": "ws_1", "type": "web_search_call", "status": "completed", "action": {"type": "search"}}),
    };
    let other =
        Reasoning { provider: Some("anthropic".into()), signature: Some("s".into()), ..Reasoning::default() };
    request.messages = [
        Message::system("Be kind."),
        Message::user("before"),
        Message::assistant(vec![Part::Reasoning(other), Part::ToolCall(foreign.clone())]),
        Message::tool(ToolResult::text(&foreign, "ok")),
        Message::assistant(vec![Part::Native(searched), Part::text("found")]),
        Message::system("Mind the time."),
        Message::new(Role::User, vec![Part::text("look"), picture(), paper(), page]),
    ]
    .map(Arc::new)
    .to_vec();
    for turn in 0..3 {
        let response = ask(&model, request.clone()).await.unwrap();
        let calls: Vec<ToolCall> = response.message.calls().cloned().collect();
        request.messages.push(Arc::new(response.message));
        for call in &calls {
            let mut result = ToolResult::text(call, "seen");
            result.is_error = turn == 0;
            result.content.extend([picture(), paper()]);
            request.messages.push(Arc::new(Message::tool(result)));
        }
    }
    mock.assert_clean();
    let messages: Vec<Message> = request.messages.iter().map(|message| (**message).clone()).collect();
    assert_eq!(adjutant_core::message::transcript_fault(&messages), None);
    let last = mock.requests().pop().unwrap();
    let before_last = Request { messages: request.messages[..12].to_vec(), ..request };
    assert_eq!(model.preview(&before_last).unwrap().value(), last);
    let of = |kind: &str| {
        let items = last["input"].as_array().unwrap().iter();
        items.filter(|item| item["type"] == kind).cloned().collect::<Vec<_>>()
    };
    let sealed: Vec<Value> = of("reasoning").iter().map(|item| item["encrypted_content"].clone()).collect();
    assert_eq!(sealed, ["c2VhbGVk", "c2VhbGVkMg=="]);
    assert_eq!(of("reasoning")[0]["summary"], json!([{"type": "summary_text", "text": "both"}]));
    assert_eq!(of("web_search_call")[0]["id"], "ws_1");
    assert_eq!(of("function_call").len(), 4);
    assert!(
        of("message").iter().any(|item| item["phase"] == "commentary" && item["content"] == "Once more.")
    );
    assert_eq!((&last["instructions"], &last["reasoning"]["effort"]), (&json!("Be kind."), &json!("max")));
}

#[tokio::test]
async fn a_form_that_the_model_does_not_know_is_asked_by_a_tool() {
    let mock =
        MockProvider::answering([Answer::calls([("a", "answer", json!({"sum": 4}))])]).start().await.unwrap();
    let mut config = config(&mock);
    config.profile.abilities.structured_output = false;
    let model = RESPONSES.model(&config).unwrap();
    let schema = json!({"type": "object", "properties": {"sum": {"type": "integer"}}});
    let output = Some(OutputSchema { name: "answer".into(), schema, strict: true });
    let response = ask(&model, Request { output, ..Request::new([Message::user("2+2")]) }).await.unwrap();
    mock.assert_clean();
    assert_eq!((response.message.text().as_str(), response.stop), (r#"{"sum":4}"#, StopReason::EndTurn));
}

#[tokio::test]
async fn what_cannot_be_done_is_never_sent() {
    let mock = MockProvider::answering([]).start().await.unwrap();
    let sound =
        Media { media_type: "audio/wav".into(), name: None, source: MediaSource::Base64("AA==".into()) };
    let hears = Message::new(Role::User, vec![Part::Audio(sound)]);
    let warm = |model: &str| {
        let mut config = config(&mock);
        config.model = model.into();
        config.profile.abilities.audio = true;
        RESPONSES.model(&config).unwrap()
    };
    let cases = [
        (warm("m"), Request { stop: vec!["END".into()], ..hi() }),
        (warm("m"), Request::new([hears])),
        (warm("gpt-6.2-sol"), Request { temperature: Some(0.2), ..hi() }),
        (warm("gpt-4.1"), Request { effort: Some(Effort::Low), ..hi() }),
    ];
    for (model, request) in cases {
        assert_eq!(model.preview(&request).unwrap_err().code(), Code::ModelUnsupported, "{request:?}");
        let error = ask(&model, request).await.unwrap_err();
        assert!(error.code() == Code::ModelUnsupported && error.help().is_some(), "{error:?}");
    }
    assert_eq!(mock.count(), 0);
}

#[tokio::test]
async fn a_cancel_ends_the_call_at_any_point() {
    let mock = MockProvider::with(|request| match request.get("tool_choice") {
        Some(_) => Answer::text("Good morning").with(Fault::Stall(5)),
        None => Answer::text("late").after(Duration::from_secs(5)),
    });
    let mock = mock.start().await.unwrap();
    let model = RESPONSES.model(&config(&mock)).unwrap();
    for tool_choice in [ToolChoice::Auto, ToolChoice::None] {
        let call = Call::default();
        let cancel = call.cancel.clone();
        tokio::spawn(async move {
            tokio::time::sleep(Duration::from_millis(100)).await;
            cancel.cancel();
        });
        let start = Instant::now();
        let result: Result<Vec<Delta>> = match model.stream(Request { tool_choice, ..hi() }, call).await {
            Ok(deltas) => deltas.collect::<Vec<_>>().await.into_iter().collect(),
            Err(error) => Err(error),
        };
        assert_eq!(result.map_err(|error: Error| error.code()), Err(Code::RunCancelled));
        assert!(start.elapsed() < Duration::from_secs(4));
    }
}

#[tokio::test]
async fn a_large_answer_comes_whole() {
    let text = "ä large answer. ".repeat(2 << 16);
    let response = answered(Answer::text(text.as_str())).await.unwrap();
    assert_eq!(response.message.text().len(), text.len());
}

/// As when Azure stands in for OpenAI: each decrypts what it encrypted itself, and refuses the rest.
#[tokio::test]
async fn what_one_server_encrypted_is_sent_to_no_other() {
    let thought = || Answer::text("42.").reasoning("Six times seven.").signed("c2lnbmF0dXJl");
    let model = |mock: &MockProvider| RESPONSES.model(&config(mock)).unwrap();
    let first = MockProvider::with(move |_| thought()).start().await.unwrap();
    let second = MockProvider::with(|_| Answer::text("done")).start().await.unwrap();
    let mut messages = vec![Message::user("6 * 7?")];
    messages.push(ask(&model(&first), Request::new(messages.clone())).await.unwrap().message);
    messages.push(Message::user("and now?"));
    for mock in [&second, &first] {
        ask(&model(mock), Request::new(messages.clone())).await.unwrap();
    }
    let is_sent = |mock: &MockProvider| mock.requests().pop().unwrap().to_string().contains("c2lnbmF0dXJl");
    assert_eq!((is_sent(&second), is_sent(&first)), (false, true));
}
