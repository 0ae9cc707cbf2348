//! Anthropic's messages.

mod block;
mod check;
mod model;
mod option;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::{Format, Refusal};
use super::frame::Frame;
use super::received::{Asked, Received, list};

/// Anthropic's messages.
pub(super) struct Messages;

impl Format for Messages {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/messages"]
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn most_bytes(&self) -> usize {
        32 << 20
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.header("x-api-key").or_else(|| request.bearer())
    }

    fn authorize(&self, request: &Received, wanted: Option<&str>) -> Result<(), Refusal> {
        if request.header("x-api-key").is_some() && request.bearer().is_some() {
            return Err(Refusal::new(401, "a key must come in one header"));
        }
        match self.key(request) == wanted {
            true => Ok(()),
            false => Err(Refusal::new(401, "Incorrect API key provided")),
        }
    }

    fn asked(&self, request: &Received) -> Asked {
        let body = &request.body;
        let messages = list(&body["messages"]);
        let is_spoken = |message: &Value| {
            let content = &message["content"];
            let is_result = |block: &Value| block["type"] == "tool_result";
            message["role"] == "user" && (content.is_string() || !list(content).iter().all(is_result))
        };
        let turn = messages.iter().rposition(is_spoken).unwrap_or(0);
        let blocks = messages.iter().flat_map(|message| list(&message["content"]));
        let tools = list(&body["tools"]).iter().filter_map(|tool| tool["name"].as_str());
        Asked {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streams: body["stream"] == true,
            tools: tools.map(str::to_owned).collect(),
            calls: blocks.filter(|block| block["type"] == "tool_use").count(),
            steps: messages.iter().skip(turn).filter(|message| message["role"] == "assistant").count(),
        }
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        check::faults_of(request)
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
        let kind = match status {
            401 => "authentication_error",
            402 => "billing_error",
            403 => "permission_error",
            404 => "not_found_error",
            413 => "request_too_large",
            429 => "rate_limit_error",
            504 => "timeout_error",
            529 => "overloaded_error",
            500.. => "api_error",
            _ => "invalid_request_error",
        };
        json!({"type": "error", "error": {"type": kind, "message": message}, "request_id": "req_mock"})
    }

    fn request_id_header(&self) -> &'static str {
        "request-id"
    }
}
