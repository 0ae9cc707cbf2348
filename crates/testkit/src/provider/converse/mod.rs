//! Amazon Bedrock's Converse.

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::Format;
use super::frame::{Frame, Framing};
use super::received::{Asked, Received};

/// Amazon Bedrock's Converse.
pub(super) struct Converse;

impl Format for Converse {
    fn paths(&self) -> &'static [&'static str] {
        &["/model/{model}/converse", "/model/{model}/converse-stream"]
    }

    fn serves(&self, path: &str) -> bool {
        path.starts_with("/model/") && (path.ends_with("/converse") || path.ends_with("/converse-stream"))
    }

    fn base(&self) -> &'static str {
        ""
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
        let _ = status;
        json!({"message": message})
    }

    fn framing(&self) -> Framing {
        Framing::Amazon
    }

    fn frame(&self, event: &Value) -> Frame {
        let member = event.as_object().and_then(|event| event.iter().next());
        member.map_or_else(
            || Frame { name: None, data: event.to_string() },
            |(name, data)| Frame { name: Some(name.clone()), data: data.to_string() },
        )
    }

    fn error_headers(&self, status: u16) -> Vec<(&'static str, String)> {
        let name = match status {
            403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        };
        vec![("x-amzn-errortype", name.to_owned())]
    }

    fn error_event(&self, status: u16, message: &str) -> Value {
        let name = match status {
            429 => "throttlingException",
            503 => "serviceUnavailableException",
            500.. => "internalServerException",
            _ => "validationException",
        };
        json!({name: {"message": message}})
    }

    fn request_id_header(&self) -> &'static str {
        "x-amzn-requestid"
    }
}
