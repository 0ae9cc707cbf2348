//! Faults as Anthropic's clients expect them (platform.claude.com/docs, "Errors").

use adjutant_core::Code;
use serde_json::{Value, json};

use crate::openai;
use crate::wire::Fault;

/// The body of an answer that says why there is none, and the event that says it within a stream.
pub(crate) fn body(fault: &Fault) -> Value {
    let kind = match status(fault.error.code()) {
        400 | 409 => "invalid_request_error",
        401 => "authentication_error",
        403 => "permission_error",
        404 => "not_found_error",
        413 => "request_too_large",
        429 => "rate_limit_error",
        504 => "timeout_error",
        529 => "overloaded_error",
        _ => "api_error",
    };
    let error = json!({"type": kind, "message": fault.told(), "code": fault.word, "param": fault.param});
    json!({"type": "error", "error": error})
}

/// The status of that answer: OpenAI's, but for a provider that has too much to do, for which Anthropic has one of its own.
pub(crate) fn status(code: Code) -> u16 {
    match code {
        Code::ModelUnavailable => 529,
        other => openai::fault_status(other),
    }
}
