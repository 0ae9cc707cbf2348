//! OpenAI's chat completions.

mod check;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::Frame;
use super::received::{Asked, Received, at, list};

/// OpenAI's chat completions.
pub(super) struct Chat;

impl Format for Chat {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/chat/completions"]
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.bearer()
    }

    fn asked(&self, request: &Received) -> Asked {
        let body = &request.body;
        let messages = list(&body["messages"]);
        let turn = messages.iter().rposition(|message| message["role"] == "user").unwrap_or(0);
        let tools = list(&body["tools"]).iter().filter_map(|tool| at(tool, "/function/name").as_str());
        Asked {
            model: body["model"].as_str().unwrap_or_default().to_owned(),
            streams: body["stream"] == true,
            tools: tools.map(str::to_owned).collect(),
            calls: messages.iter().map(|message| list(&message["tool_calls"]).len()).sum(),
            steps: messages.iter().skip(turn).filter(|message| message["role"] == "assistant").count(),
        }
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        check::faults_of(&request.body)
    }

    fn events(&self, answer: &Answer, request: &Received) -> Vec<Value> {
        let include_usage = at(&request.body, "/stream_options/include_usage") == true;
        write::chunks(answer, &request.asked().model, include_usage)
    }

    fn end(&self) -> Option<Frame> {
        Some(Frame { name: None, data: "[DONE]".to_owned() })
    }

    fn whole(&self, answer: &Answer, request: &Received) -> Value {
        write::whole(answer, &request.asked().model)
    }

    fn endless(&self, text: &str, request: &Received) -> (Vec<Value>, Value) {
        (Vec::new(), write::text(text, &request.asked().model))
    }

    fn error(&self, status: u16, message: &str) -> Value {
        let (kind, code) = match status {
            401 => ("invalid_request_error", json!("invalid_api_key")),
            404 => ("invalid_request_error", json!("model_not_found")),
            429 => ("requests", json!("rate_limit_exceeded")),
            500.. => ("server_error", Value::Null),
            _ => ("invalid_request_error", Value::Null),
        };
        json!({"error": {"message": message, "type": kind, "param": null, "code": code}})
    }
}
