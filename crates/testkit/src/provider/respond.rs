//! From a request to a response.

use axum::body::Body;
use axum::response::Response;
use http::header::{CONTENT_TYPE, HeaderName};
use http::{HeaderValue, StatusCode};
use serde_json::json;

use super::answer::Answer;
use super::body;
use super::fault::Fault;
use super::format::Refusal;
use super::interface::Interface;
use super::received::Received;

const JSON: &str = "application/json";

/// The response that carries an answer; never, where the answer is that none comes.
pub(super) async fn answered(answer: &Answer, request: &Received) -> Response {
    let mut response = match &answer.fault {
        Some(Fault::Never) => std::future::pending().await,
        Some(Fault::Refuse(status, message)) => {
            refused(request.interface, &Refusal::new(*status, message.clone()))
        }
        Some(Fault::Status(status, body)) => response(*status, JSON, Body::from(body.clone())),
        Some(Fault::Body(kind, body)) => response(200, kind, Body::from(body.clone())),
        fault => {
            let streams = request.asked().streams && !matches!(fault, Some(Fault::Whole));
            let (fitting, body) = match streams {
                true => {
                    (request.interface.format().framing().content_type(), body::streamed(answer, request))
                }
                false => (JSON, body::unstreamed(answer, request)),
            };
            let kind = match fault {
                Some(Fault::ContentType(kind)) => kind.as_str(),
                _ => fitting,
            };
            response(200, kind, body)
        }
    };
    for (name, value) in &answer.headers {
        set(&mut response, name, value);
    }
    set(&mut response, request.interface.format().request_id_header(), "req_mock");
    response
}

/// A response that belongs to no interface.
pub(super) fn json_response(status: u16, body: &serde_json::Value) -> Response {
    response(status, JSON, Body::from(body.to_string()))
}

/// The response of an interface that does not take a request.
pub(super) fn refused(interface: Interface, refusal: &Refusal) -> Response {
    let format = interface.format();
    let body = format.error(refusal.status, &refusal.message).to_string();
    let mut response = response(refusal.status, JSON, Body::from(body));
    for (name, value) in format.error_headers(refusal.status) {
        set(&mut response, name, &value);
    }
    set(&mut response, format.request_id_header(), "req_mock");
    response
}

/// The response where no interface is.
pub(super) fn nothing_here(what: &str) -> Response {
    response(404, JSON, Body::from(json!({"error": {"message": what}}).to_string()))
}

fn response(status: u16, kind: &str, body: Body) -> Response {
    let mut response = Response::new(body);
    *response.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    set(&mut response, CONTENT_TYPE.as_str(), kind);
    response
}

/// Sets a header, unless it is none.
fn set(response: &mut Response, name: &str, value: &str) {
    if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value)) {
        response.headers_mut().insert(name, value);
    }
}
