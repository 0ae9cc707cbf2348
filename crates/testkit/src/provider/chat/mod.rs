//! OpenAI's chat completions.

mod check;
mod own;
mod server;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::Frame;
use super::received::{Asked, Received, at, list};

use server::Server;

/// OpenAI's chat completions, and under paths of their own the servers that differ.
pub(super) struct Chat;

impl Format for Chat {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/chat/completions", "/mistral/v1/chat/completions and such"]
    }

    fn serves(&self, path: &str) -> bool {
        Server::at(path).is_some()
    }

    fn base(&self) -> &'static str {
        "/v1"
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        match request.path.starts_with("/azure/") {
            true => request.header("api-key").or_else(|| request.bearer()),
            false => request.bearer(),
        }
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
        let server = Server::at(&request.path).unwrap_or_else(Server::common);
        let mut faults = check::faults_of(&request.body, server);
        let is_deployment = request.path.starts_with("/azure/openai/deployments/");
        if is_deployment && !request.query.starts_with("api-version=") {
            faults.push("the query has no `api-version`".into());
        }
        faults
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
