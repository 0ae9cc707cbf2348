//! The scripted model: its position comes from the request, so a replay plays the same turn.

use std::time::Duration;

use adjutant_core::message::{Message, ToolResult};
use adjutant_core::{Code, Error, Result};
use adjutant_model::scripted::{Scripted, Turn};
use adjutant_model::{Call, Model, Request, Response, StopReason, collect};
use serde_json::json;

async fn ask(model: &Scripted, request: &Request) -> Result<Response> {
    collect(model.stream(request.clone(), Call::default()).await?, |_| {}).await
}

fn script() -> Scripted {
    Scripted::new([
        Turn::calls([("look", json!({"what": "x"})), ("look", json!({"what": "y"}))]),
        Turn::text("all seen").expecting_last("seen"),
    ])
}

#[tokio::test]
async fn a_script_is_played_by_position() {
    let model = script();
    let mut request = Request::new([Message::user("look")]);
    let first = ask(&model, &request).await.unwrap();
    assert_eq!(first.stop, StopReason::ToolCalls);
    // Another process, with another instance, plays the same.
    assert_eq!(ask(&script(), &request).await.unwrap(), first);

    request.messages.push(first.message.clone().into());
    for call in first.message.calls() {
        request.messages.push(Message::tool(ToolResult::text(call, "seen")).into());
    }
    let second = ask(&model, &request).await.unwrap();
    assert_eq!((second.message.text().as_str(), second.stop), ("all seen", StopReason::EndTurn));
    assert!(second.usage.unwrap().input > 0);

    request.messages.push(second.message.into());
    request.messages.push(Message::user("and now?").into());
    let error = ask(&model, &request).await.unwrap_err();
    assert_eq!(error.code(), Code::ModelScript);
    assert_eq!(error.message(), "the script is over after 2 turns, and was asked user: `and now?`");
}

#[tokio::test]
async fn what_was_expected_is_said() {
    let model = Scripted::new([Turn::text("x").expecting_last("order")]);
    let error = ask(&model, &Request::new([Message::user("hi")])).await.unwrap_err();
    assert_eq!(
        (error.code(), error.message()),
        (Code::ModelScript, "turn 1 of the script expected `order` in the last message")
    );
}

#[tokio::test]
async fn errors_and_delays_are_played() {
    let down = || Error::new(Code::ModelUnavailable, "down");
    let model = Scripted::new([Turn::text("up again")
        .after_errors([down(), down()])
        .after(Duration::from_millis(5))]);
    let request = Request::new([Message::user("hi")]);
    for _ in 0..2 {
        assert_eq!(ask(&model, &request).await.unwrap_err(), down());
    }
    assert_eq!(ask(&model, &request).await.unwrap().message.text(), "up again");
    // Another conversation begins with the errors of its own.
    assert_eq!(ask(&model, &Request::new([Message::user("ho")])).await.unwrap_err(), down());

    let call = Call::default();
    call.cancel.cancel();
    let slow = Scripted::new([Turn::text("late").after(Duration::from_secs(60))]);
    assert_eq!(slow.stream(request, call).await.err().map(|error| error.code()), Some(Code::RunCancelled));
}
