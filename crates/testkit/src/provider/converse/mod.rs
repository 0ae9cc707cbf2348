//! Amazon Bedrock's Converse.

mod block;
mod check;
mod model;
mod option;
mod signature;
mod write;

use serde_json::{Value, json};

use super::answer::Answer;
use super::format::{Format, Refusal};
use super::frame::{Frame, Framing};
use super::received::{Asked, Received, at, list};

/// Amazon Bedrock's Converse.
///
/// A key may come as a token, or as a signature that is made with it as the secret key of an account.
pub(super) struct Converse;

impl Format for Converse {
    fn paths(&self) -> &'static [&'static str] {
        &["/model/{model}/converse", "/model/{model}/converse-stream"]
    }

    fn serves(&self, path: &str) -> bool {
        segment_of(path).is_some()
    }

    fn base(&self) -> &'static str {
        ""
    }

    fn most_bytes(&self) -> usize {
        25_000_000
    }

    fn key<'a>(&self, request: &'a Received) -> Option<&'a str> {
        request.bearer()
    }

    fn authorize(&self, request: &Received, wanted: Option<&str>) -> Result<(), Refusal> {
        let refused = |why: &str| Err(Refusal::new(403, why));
        match (request.header("authorization"), wanted) {
            (None, None) => Ok(()),
            (Some(_), None) => refused("nobody asked for a key"),
            (None, Some(_)) => refused("Missing Authentication Token"),
            (Some(given), Some(wanted)) if given.starts_with(signature::ALGORITHM) => {
                signature::check(request, given, wanted).or_else(|why| refused(&why))
            }
            (Some(_), Some(wanted)) if request.bearer() == Some(wanted) => Ok(()),
            _ => refused(signature::INVALID),
        }
    }

    fn asked(&self, request: &Received) -> Asked {
        let body = &request.body;
        let messages = list(&body["messages"]);
        let is_spoken = |message: &Value| {
            let is_result = |block: &Value| !block["toolResult"].is_null() || !block["cachePoint"].is_null();
            message["role"] == "user" && !list(&message["content"]).iter().all(is_result)
        };
        let turn = messages.iter().rposition(is_spoken).unwrap_or(0);
        let blocks = messages.iter().flat_map(|message| list(&message["content"]));
        let tools = list(at(body, "/toolConfig/tools")).iter();
        Asked {
            model: model_of(&request.path),
            streams: request.path.ends_with("/converse-stream"),
            tools: tools.filter_map(|tool| at(tool, "/toolSpec/name").as_str()).map(str::to_owned).collect(),
            calls: blocks.filter(|block| !block["toolUse"].is_null()).count(),
            steps: messages.iter().skip(turn).filter(|message| message["role"] == "assistant").count(),
        }
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        check::faults_of(request)
    }

    fn framing(&self) -> Framing {
        Framing::Amazon
    }

    fn events(&self, answer: &Answer, _request: &Received) -> Vec<Value> {
        write::events(answer)
    }

    fn frame(&self, event: &Value) -> Frame {
        let member = event.as_object().and_then(|event| event.iter().next());
        member.map_or_else(
            || Frame { name: None, data: event.to_string() },
            |(name, data)| Frame { name: Some(name.clone()), data: data.to_string() },
        )
    }

    fn whole(&self, answer: &Answer, _request: &Received) -> Value {
        write::whole(answer)
    }

    fn endless(&self, text: &str, _request: &Received) -> (Vec<Value>, Value) {
        write::endless(text)
    }

    fn error(&self, _status: u16, message: &str) -> Value {
        json!({"message": message})
    }

    fn error_headers(&self, status: u16) -> Vec<(&'static str, String)> {
        let name = match status {
            401 | 403 => "AccessDeniedException",
            404 => "ResourceNotFoundException",
            408 => "ModelTimeoutException",
            424 => "ModelErrorException",
            429 => "ThrottlingException",
            503 => "ServiceUnavailableException",
            500.. => "InternalServerException",
            _ => "ValidationException",
        };
        vec![("x-amzn-errortype", format!("{name}:http://internal.amazon.com/coral/com.amazon.bedrock/"))]
    }

    fn error_event(&self, status: u16, message: &str) -> Value {
        let name = match status {
            424 => "modelStreamErrorException",
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

/// The model's segment of a path, as it was sent.
fn segment_of(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/model/")?;
    let segment = rest.strip_suffix("/converse").or_else(|| rest.strip_suffix("/converse-stream"))?;
    (!segment.is_empty() && !segment.contains('/')).then_some(segment)
}

/// The model that a path names.
fn model_of(path: &str) -> String {
    let mut bytes = Vec::new();
    let mut rest = segment_of(path).unwrap_or_default().as_bytes();
    while let Some((first, after)) = rest.split_first() {
        let code = after.get(..2).and_then(|code| std::str::from_utf8(code).ok());
        match code.and_then(|code| u8::from_str_radix(code, 16).ok()).filter(|_| *first == b'%') {
            Some(byte) => {
                bytes.push(byte);
                rest = after.get(2..).unwrap_or_default();
            }
            None => {
                bytes.push(*first);
                rest = after;
            }
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_names_its_model() {
        let cases = [
            ("/model/a.b-v1%3A0/converse", Some("a.b-v1:0")),
            ("/model/arn%3Aaws%2Fx/converse-stream", Some("arn:aws/x")),
            ("/model/100%/converse", Some("100%")),
            ("/model/a/b/converse", None),
            ("/model//converse", None),
            ("/model/a/invoke", None),
        ];
        for (path, model) in cases {
            assert_eq!(Converse.serves(path), model.is_some(), "{path}");
            assert_eq!(model_of(path), model.unwrap_or_default(), "{path}");
        }
    }
}
