//! Problems: errors as clients of the service read them, after RFC 9457.

use adjutant_core::error::{Location, Retry};
use adjutant_core::{Code, Error};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use schemars::JsonSchema;
use serde::Serialize;

/// The type of a body that is a problem.
pub(crate) const MEDIA_TYPE: &str = "application/problem+json";

/// How long to wait where nobody said how long, in seconds.
const WAIT: u64 = 1;

/// What went wrong, and what to do (RFC 9457).
#[derive(Debug, JsonSchema, Serialize)]
#[schemars(rename = "Problem")]
pub(crate) struct Problem {
    /// `urn:adjutant:error:` and the code.
    #[serde(rename = "type")]
    kind: String,
    /// What the status means.
    title: &'static str,
    /// The status of the answer.
    status: u16,
    /// What went wrong.
    detail: String,
    /// The stable word for it, which has a page in the documentation.
    code: &'static str,
    /// What to do about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    /// Where it is, in a file of the project.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Place>")]
    location: Option<Location>,
    /// What led to it, from the nearest to the first.
    #[serde(skip_serializing_if = "Option::is_none")]
    causes: Option<Vec<String>>,
    /// After how many milliseconds it can be tried again.
    #[serde(skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
}

/// A place in a file.
#[derive(JsonSchema)]
#[schemars(rename = "Location")]
#[expect(dead_code, reason = "it is the schema of `adjutant_core::error::Location`")]
struct Place {
    /// The file.
    file: String,
    /// The line, from 1.
    line: Option<usize>,
    /// The column in characters, from 1.
    column: Option<usize>,
}

/// The status that a code is told by.
pub(crate) fn status(code: Code) -> StatusCode {
    match code {
        Code::Unauthenticated | Code::KeyRefused => StatusCode::UNAUTHORIZED,
        Code::Forbidden | Code::RunDenied | Code::ToolDenied => StatusCode::FORBIDDEN,
        Code::NotFound | Code::RunDefinitionMissing => StatusCode::NOT_FOUND,
        Code::Conflict | Code::RunCancelled | Code::RunFenced | Code::VersionUnusable => StatusCode::CONFLICT,
        Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
        Code::TooManyRequests | Code::ModelRateLimited | Code::RunBudget => StatusCode::TOO_MANY_REQUESTS,
        Code::Overloaded | Code::StoreUnavailable => StatusCode::SERVICE_UNAVAILABLE,
        Code::StoreFull => StatusCode::INSUFFICIENT_STORAGE,
        Code::ModelTimeout => StatusCode::GATEWAY_TIMEOUT,
        Code::ModelUnreachable
        | Code::ModelUnavailable
        | Code::ModelAnswerInvalid
        | Code::ModelKeyMissing
        | Code::ModelKeyRefused => StatusCode::BAD_GATEWAY,
        Code::InputInvalid
        | Code::PromptVariable
        | Code::ModelUnknown
        | Code::ModelRequestRefused
        | Code::ModelContextExceeded
        | Code::ModelUnsupported
        | Code::ToolUnknown
        | Code::ToolArguments => StatusCode::BAD_REQUEST,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    }
}

/// An error with the status that it is told by.
#[derive(Debug)]
pub(crate) struct Refusal {
    status: StatusCode,
    error: Error,
}

impl From<Refusal> for Error {
    fn from(refusal: Refusal) -> Self {
        refusal.error
    }
}

impl Refusal {
    /// An error that is told by another status than its code usually is.
    pub(crate) fn with(status: StatusCode, error: Error) -> Self {
        Self { status, error }
    }

    /// An error of a request that was read whole: what fits the document and makes no sense here is told apart from what does not fit it.
    pub(crate) fn of_sense(error: Error) -> Self {
        match status(error.code()) {
            StatusCode::BAD_REQUEST => Self::with(StatusCode::UNPROCESSABLE_ENTITY, error),
            status => Self::with(status, error),
        }
    }
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self { status: status(error.code()), error }
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self { status, error } = self;
        let code = error.code();
        let wait = error.retry_after();
        let again = code.retry() == Retry::Later && !status.is_success();
        let problem = Problem {
            kind: format!("urn:adjutant:error:{code}"),
            title: status.canonical_reason().unwrap_or("Error"),
            status: status.as_u16(),
            detail: error.to_string(),
            code: code.as_str(),
            help: error.help().map(str::to_owned),
            location: error.location().cloned(),
            causes: Some(error.causes().to_vec()).filter(|causes| !causes.is_empty()),
            retry_after_ms: wait.map(|wait| u64::try_from(wait.as_millis()).unwrap_or(u64::MAX)),
        };
        let body = serde_json::to_vec(&problem).unwrap_or_default();
        let mut response = (status, body).into_response();
        // For the log, and for what is counted.
        response.extensions_mut().insert(code);
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if again {
            let seconds =
                wait.map_or(WAIT, |wait| wait.as_millis().div_ceil(1000).try_into().unwrap_or(WAIT));
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
        }
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}
