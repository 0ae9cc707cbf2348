//! OpenAI's responses.

mod check;
mod item;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::Frame;
use super::received::{Asked, Received, list};

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

    fn asked(&self, request: &Received) -> Asked {
        let body = &request.body;
        let input = list(&body["input"]);
        let turn = input.iter().rposition(|item| item["role"] == "user").map_or(0, |place| place + 1);
        let made: Vec<bool> = input.iter().skip(turn).map(item::is_made).collect();
        let begins = |place: usize| {
            made.get(place) == Some(&true) && (place == 0 || made.get(place - 1) == Some(&false))
        };
        let tools = list(&body["tools"]).iter().filter(|tool| tool["type"] == "function");
        Asked {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streams: body["stream"] == true,
            tools: tools.filter_map(|tool| tool["name"].as_str()).map(str::to_owned).collect(),
            calls: input.iter().filter(|item| item["type"] == "function_call").count(),
            steps: (0..made.len()).filter(|place| begins(*place)).count(),
        }
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        check::faults_of(&request.body)
    }

    fn events(&self, answer: &Answer, request: &Received) -> Vec<Value> {
        write::events(answer, &request.asked().model)
    }

    fn frame(&self, event: &Value) -> Frame {
        Frame { name: event["type"].as_str().map(str::to_owned), data: event.to_string() }
    }

    fn whole(&self, answer: &Answer, request: &Received) -> Value {
        write::whole(answer, &request.asked().model)
    }

    fn endless(&self, text: &str, request: &Received) -> (Vec<Value>, Value) {
        write::endless(text, &request.asked().model)
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let (kind, code) = match status {
            401 => ("invalid_request_error", json!("invalid_api_key")),
            404 => ("invalid_request_error", json!("model_not_found")),
            429 => ("rate_limit_error", json!("rate_limit_exceeded")),
            503 => ("service_unavailable_error", json!("server_is_overloaded")),
            500.. => ("server_error", json!("server_error")),
            _ => ("invalid_request_error", Value::Null),
        };
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }

    fn error_event(&self, status: u16, message: &str) -> Value {
        let code = match status {
            429 => "rate_limit_exceeded",
            500.. => "server_error",
            _ => "invalid_prompt",
        };
        json!({"type": "error", "code": code, "message": message, "param": null, "sequence_number": 9})
    }
}
