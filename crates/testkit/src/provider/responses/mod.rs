//! OpenAI's responses.

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::Frame;
use super::received::{Asked, Received};

/// OpenAI's responses.
pub(super) struct Responses;

impl Format for Responses {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/responses"]
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.bearer()
    }

    fn asked(&self, _request: &Received) -> Asked {
        Asked::default()
    }

    fn faults(&self, _request: &Received) -> Vec<String> {
        vec!["the mock does not speak this interface yet".to_owned()]
    }

    fn events(&self, _answer: &Answer, _request: &Received) -> Vec<Value> {
        Vec::new()
    }

    fn whole(&self, _answer: &Answer, _request: &Received) -> Value {
        Value::Null
    }

    fn endless(&self, _text: &str, _request: &Received) -> (Vec<Value>, Value) {
        (Vec::new(), Value::Null)
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let code = if status == 401 { json!("invalid_api_key") } else { Value::Null };
        json!({"error": {"message": message, "type": "invalid_request_error", "param": null, "code": code}})
    }

    fn frame(&self, event: &Value) -> Frame {
        Frame { name: event["type"].as_str().map(str::to_owned), data: event.to_string() }
    }
}
