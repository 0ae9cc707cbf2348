//! Google's Gemini, and Vertex.

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;

use super::received::{Asked, Received};

/// Google's Gemini, and Vertex.
pub(super) struct Gemini;

impl Format for Gemini {
    fn paths(&self) -> &'static [&'static str] {
        &[
            "/v1beta/models/{model}:generateContent",
            "/v1beta/models/{model}:streamGenerateContent",
            "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:generateContent",
            "/v1/projects/{project}/locations/{location}/publishers/google/models/{model}:streamGenerateContent",
        ]
    }

    fn serves(&self, path: &str) -> bool {
        path.contains("/models/")
            && (path.ends_with(":generateContent") || path.ends_with(":streamGenerateContent"))
    }

    fn base(&self) -> &'static str {
        "/v1beta"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.header("x-goog-api-key").or_else(|| request.bearer())
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
        let word = match status {
            401 => "UNAUTHENTICATED",
            403 => "PERMISSION_DENIED",
            404 => "NOT_FOUND",
            429 => "RESOURCE_EXHAUSTED",
            503 => "UNAVAILABLE",
            500.. => "INTERNAL",
            _ => "INVALID_ARGUMENT",
        };
        json!({"error": {"code": status, "message": message, "status": word}})
    }
}
