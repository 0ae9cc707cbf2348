//! Faults as OpenAI's clients expect them (`Error` in its API description).

use adjutant_core::Code;
use serde_json::{Value, json};

use crate::wire::Fault;

/// The body of an answer that says why there is none.
pub(crate) fn body(fault: &Fault) -> Value {
    let (kind, code) = words(fault);
    json!({"error": {"message": fault.told(), "type": kind, "param": fault.param, "code": code}})
}

/// The status of that answer.
pub(crate) fn status(code: Code) -> u16 {
    match code {
        Code::InputInvalid
        | Code::ModelUnsupported
        | Code::ModelContextExceeded
        | Code::ModelRequestRefused
        | Code::ToolInvalid
        | Code::PromptVariable => 400,
        Code::Unauthenticated | Code::KeyRefused => 401,
        Code::RunDenied | Code::Forbidden => 403,
        Code::NotFound | Code::ModelUnknown => 404,
        Code::Conflict => 409,
        Code::TooLarge => 413,
        Code::TooManyRequests | Code::RunBudget | Code::RunLimit | Code::ModelRateLimited => 429,
        Code::ModelTimeout => 504,
        Code::ModelUnreachable | Code::ModelAnswerInvalid => 502,
        Code::Overloaded | Code::ModelUnavailable | Code::StoreUnavailable | Code::StoreFull => 503,
        // The keys of the providers are the operator's; the client can mend nothing about them.
        _ => 500,
    }
}

/// OpenAI's type of a fault, and its word: the vendor's own where clients look for it, else ours.
fn words(fault: &Fault) -> (&'static str, &'static str) {
    let code = fault.error.code();
    let word = match code {
        Code::ModelContextExceeded => "context_length_exceeded",
        Code::ModelUnknown => "model_not_found",
        Code::ModelRateLimited => "rate_limit_exceeded",
        Code::RunBudget => "insufficient_quota",
        Code::Unauthenticated | Code::KeyRefused => "invalid_api_key",
        _ => fault.word,
    };
    let kind = match status(code) {
        401 => "authentication_error",
        400 | 404 | 409 | 413 => "invalid_request_error",
        403 => "permission_error",
        429 if code == Code::RunBudget => "insufficient_quota",
        429 => "rate_limit_error",
        _ => "server_error",
    };
    (kind, word)
}

#[cfg(test)]
mod tests {
    use adjutant_core::Error;

    use super::*;

    #[test]
    fn faults_have_the_words_that_clients_look_for() {
        let cases = [
            (Code::InputInvalid, 400, "invalid_request_error", "input-invalid"),
            (Code::ModelUnknown, 404, "invalid_request_error", "model_not_found"),
            (Code::ModelContextExceeded, 400, "invalid_request_error", "context_length_exceeded"),
            (Code::RunDenied, 403, "permission_error", "run-denied"),
            (Code::RunBudget, 429, "insufficient_quota", "insufficient_quota"),
            (Code::ModelRateLimited, 429, "rate_limit_error", "rate_limit_exceeded"),
            (Code::ModelUnavailable, 503, "server_error", "model-unavailable"),
            (Code::ModelKeyRefused, 500, "server_error", "model-key-refused"),
        ];
        for (code, number, kind, word) in cases {
            let fault = Fault::from(Error::new(code, "no"));
            let body = body(&fault);
            let said = (status(code), body["error"]["type"].as_str(), body["error"]["code"].as_str());
            assert_eq!(said, (number, Some(kind), Some(word)), "{code}");
        }
        let fault = Fault::at("messages[0].role", "invalid_value", "no").with_help("say `user`");
        let error = &body(&fault)["error"];
        assert_eq!(error["message"], "no; say `user`");
        assert_eq!(
            (error["param"].as_str(), error["code"].as_str()),
            (Some("messages[0].role"), Some("invalid_value"))
        );
    }
}
