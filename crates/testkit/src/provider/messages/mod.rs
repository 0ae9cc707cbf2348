//! Anthropic's messages.

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::Frame;
use super::received::{Asked, Received};

/// Anthropic's messages.
pub(super) struct Messages;

impl Format for Messages {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/messages"]
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.header("x-api-key").or_else(|| request.bearer())
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
        let kind = match status {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"})
    }

    fn frame(&self, event: &Value) -> Frame {
        Frame { name: event["type"].as_str().map(str::to_owned), data: event.to_string() }
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }
}
