//! What a refusal means.

use std::time::Duration;

use adjutant_core::{Code, Error};
use http::HeaderMap;
use serde_json::Value;

use super::peer::Peer;
use super::retry_after::retry_after;

/// What a provider says went wrong, wherever its interface puts it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Complaint {
    /// In words.
    pub message: String,
    /// The provider's word for it: its `code`, or its `type` where there is no code.
    pub word: String,
    /// The HTTP status that it names in the body, for complaints within a stream.
    pub status: Option<u16>,
    /// The wait that it asks for in the body, where no header says one.
    pub wait: Option<Duration>,
}

impl Complaint {
    /// Finds the complaint in a body: `{"error": {...}}`, `{"error": "..."}`, `{"message": ...}`, `{"detail": ...}`, any
    /// of these in a list, or plain text.
    pub fn read(body: &str) -> Self {
        match serde_json::from_str::<Value>(body) {
            Ok(value) => {
                Self::find(&value).unwrap_or_else(|| Self { message: value.to_string(), ..Self::default() })
            }
            Err(_) => Self { message: without_markup(body), ..Self::default() },
        }
    }

    /// Finds the complaint in a value; none where the value is something else.
    pub fn find(value: &Value) -> Option<Self> {
        let value = value.as_array().and_then(|list| list.first()).unwrap_or(value);
        if let Some(inner) = value.get("error").filter(|inner| !inner.is_null()) {
            return match inner {
                // xAI writes its word beside the message.
                Value::String(message) => {
                    let word = value.get("code").and_then(Value::as_str).unwrap_or_default().to_owned();
                    Some(Self { message: message.clone(), word, ..Self::default() })
                }
                Value::Object(_) => Some(Self::of_object(inner)),
                other => Some(Self { message: other.to_string(), ..Self::default() }),
            };
        }
        let is_complaint =
            value.get("message").or_else(|| value.get("Message")).is_some_and(Value::is_string)
                || value.get("object").and_then(Value::as_str) == Some("error")
                || value.get("detail").is_some();
        is_complaint.then(|| Self::of_object(value))
    }

    fn of_object(value: &Value) -> Self {
        // The one with a capital letter is Amazon's, of some of its services.
        let message = match ["message", "Message", "detail"].iter().find_map(|key| value.get(*key)) {
            Some(Value::String(text)) => text.clone(),
            _ => value.to_string(),
        };
        let text = |key: &str| {
            value.get(key).and_then(Value::as_str).filter(|text| !is_number(text)).map(str::to_owned)
        };
        let status = |key: &str| value.get(key).and_then(status_in).filter(|n| (400..600).contains(n));
        let word =
            text("code").or_else(|| text("type")).or_else(|| text("status")).or_else(|| text("__type"));
        let details = value.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        // Anthropic: a code of its own beside the type.
        let code = value.pointer("/details/error_code").and_then(Value::as_str).map(str::to_owned);
        let metadata = value.get("metadata");
        let words =
            word.into_iter().chain(code).chain(reasons(details)).chain(metadata.and_then(routed_word));
        Self {
            message: with_upstream(message, metadata),
            word: words.collect::<Vec<_>>().join(" "),
            status: ["code", "status", "status_code", "statusCode"].into_iter().find_map(status),
            wait: details.iter().find_map(|detail| seconds(detail.get("retryDelay")?.as_str()?)),
        }
    }
}

/// What Google's details say in words of their own: `reason` of `google.rpc.ErrorInfo`, and `quotaId` of
/// `google.rpc.QuotaFailure`.
fn reasons(details: &[Value]) -> impl Iterator<Item = String> {
    let quotas =
        |detail: &Value| detail.get("violations").and_then(Value::as_array).cloned().unwrap_or_default();
    details.iter().flat_map(move |detail| {
        let quotas = quotas(detail).into_iter().filter_map(|quota| quota.get("quotaId").cloned());
        let words = detail.get("reason").cloned().into_iter().chain(quotas);
        words.filter_map(|word| word.as_str().map(str::to_owned))
    })
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// A status, which LiteLLM writes as a text.
fn status_in(value: &Value) -> Option<u16> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|n| u16::try_from(n).ok()),
    }
}

/// What OpenRouter calls an error, wherever it comes from; a refusal of its own filters may have no word, but says what it
/// found.
fn routed_word(metadata: &Value) -> Option<String> {
    let filtered = ["reasons", "patterns"].iter().any(|key| metadata.get(key).is_some_and(Value::is_array));
    let word = metadata.get("error_type").and_then(Value::as_str);
    word.or(filtered.then_some("content_policy_violation")).map(str::to_owned)
}

/// A message with what the server behind OpenRouter said: alone it is "provider returned error".
fn with_upstream(message: String, metadata: Option<&Value>) -> String {
    match metadata.and_then(|metadata| metadata.get("raw")).and_then(Value::as_str) {
        Some(raw) if !raw.is_empty() => format!("{message}: {raw}"),
        _ => message,
    }
}

/// A duration as protocol buffers write it in JSON: `22s`, `0.5s`.
fn seconds(text: &str) -> Option<Duration> {
    Duration::try_from_secs_f64(text.strip_suffix('s')?.parse().ok()?).ok()
}

/// The text of an error page.
fn without_markup(body: &str) -> String {
    if !body.trim_start().starts_with('<') {
        return body.to_owned();
    }
    let pieces = body.split('<').filter_map(|piece| piece.split_once('>'));
    let shown = pieces.filter(|(tag, _)| !tag.starts_with("style") && !tag.starts_with("script"));
    shown.map(|(_, text)| text.trim()).filter(|text| !text.is_empty()).collect::<Vec<_>>().join(" ")
}

/// The error that a provider's refusal means.
pub fn refusal(peer: &Peer, status: u16, headers: &HeaderMap, complaint: &Complaint) -> Error {
    let (code, help) = meaning(status, complaint);
    let said = peer.clean(&complaint.message);
    let name = peer.name();
    let message = match said.is_empty() {
        true => format!("the provider at `{name}` answered with status {status}"),
        false => format!("the provider at `{name}` answered with status {status}: {said}"),
    };
    let message = match request_id(headers) {
        Some(id) => format!("{message} (request `{}`)", peer.clean(&id)),
        None => message,
    };
    let error = Error::new(code, message);
    let error = match help {
        Some(help) => error.with_help(help),
        None => error,
    };
    match retry_after(headers).or(complaint.wait) {
        Some(wait) => error.with_retry_after(wait),
        None => error,
    }
}

/// The provider's id of a request, to quote in a report to the provider.
pub(crate) fn request_id(headers: &HeaderMap) -> Option<String> {
    let names = [
        "x-request-id",
        "request-id",
        "x-amzn-requestid",
        "apim-request-id",
        "mistral-correlation-id",
        "x-generation-id",
        "x-litellm-call-id",
        "x-ds-trace-id",
        "cf-ray",
    ];
    names.iter().find_map(|name| headers.get(*name)?.to_str().ok()).map(str::to_owned)
}

/// What the headers say of the account's limits. OpenAI and most others write `x-ratelimit-remaining-requests` and
/// such, Anthropic `anthropic-ratelimit-requests-remaining`.
pub(crate) fn rate_limits(headers: &HeaderMap) -> Vec<(String, String)> {
    let tells = |name: &str| name.contains("ratelimit") || name == "retry-after" || name == "retry-after-ms";
    let shown = headers.iter().filter(|(name, _)| tells(name.as_str()));
    shown.filter_map(|(name, value)| Some((name.to_string(), value.to_str().ok()?.to_owned()))).collect()
}

fn meaning(status: u16, complaint: &Complaint) -> (Code, Option<&'static str>) {
    let text = format!("{} {}", complaint.word, complaint.message).to_lowercase();
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| text.contains(phrase));
    match status {
        300..400 => (
            Code::ModelRequestRefused,
            Some("a key is never sent on to another address: set `base_url` to the one that it redirects to"),
        ),
        400..500 if says(KEY) => {
            (Code::ModelKeyRefused, Some("check the key, and that it belongs to this provider"))
        }
        400 | 403 if says(CLOCK) => (Code::ModelKeyRefused, Some(SET_THE_CLOCK)),
        400 | 403 if says(OVER) => (Code::ModelKeyRefused, Some(GET_NEW_KEYS)),
        400 | 403 if says(SIGNATURE) => (Code::ModelKeyRefused, Some("check the keys of the account")),
        400 | 404 if says(RESPONSES) => (Code::ModelUnsupported, Some(ASK_BY_RESPONSES)),
        400 if says(&["invalid_encrypted_content"]) => (Code::ModelRequestRefused, Some(OTHER_ACCOUNT)),
        400 | 422 if says(WRONG_ANSWER) => (Code::ModelAnswerInvalid, None),
        400 | 413 | 422 | 500 if says(CONTEXT) || is_long_content(&text) => {
            (Code::ModelContextExceeded, Some(SHORTEN))
        }
        400 | 403 | 422 | 500 if says(UNSUPPORTED) => {
            (Code::ModelUnsupported, Some("use another model, or leave out what this one cannot do"))
        }
        400 | 403 if says(QUOTA) => (Code::ModelRequestRefused, Some(PAY)),
        400 | 403 if says(FILTER) => (Code::ModelRequestRefused, Some(SAY_IT_OTHERWISE)),
        400 if says(BUDGET) => (Code::ModelRequestRefused, Some(PAY)),
        401 | 403 => (Code::ModelKeyRefused, Some("check the key, and that it may use this model")),
        402 => (Code::ModelRequestRefused, Some(PAY)),
        404 => (Code::ModelRequestRefused, Some("check `base_url` and the model's name")),
        408 => (Code::ModelTimeout, None),
        // Amazon says 424 of a model that failed behind its interface.
        409 | 424 | 425 | 498 | 499 => (Code::ModelUnavailable, None),
        413 => (Code::ModelContextExceeded, Some(SHORTEN)),
        // Google says "exceeded your current quota" of every limit; only the limit's name tells a minute from a day.
        429 if says(GOOGLE_LIMIT) => match says(&["perday"]) {
            true => (Code::ModelRequestRefused, Some(TOMORROW)),
            false => (Code::ModelRateLimited, None),
        },
        429 if says(&["too many tokens per day"]) => (Code::ModelRequestRefused, Some(TOMORROW)),
        429 if says(QUOTA) || says(BUDGET) => (Code::ModelRequestRefused, Some(PAY)),
        429 => (Code::ModelRateLimited, None),
        500.. => (Code::ModelUnavailable, None),
        _ => (Code::ModelRequestRefused, None),
    }
}

const SHORTEN: &str =
    "shorten the conversation or the results of the tools, or use a model with a larger window";
const PAY: &str = "the account has no credit left: see the provider's billing page";
const ASK_BY_RESPONSES: &str =
    "write `openai-responses` for the provider `openai`: this model is asked that way";
const OTHER_ACCOUNT: &str = "the model's reasoning in this conversation can be read only by the account that it came from: use its key, or begin anew";
const TOMORROW: &str = "the account's limit for this day is reached: wait for the next one, raise the limit, or use another model";

const SET_THE_CLOCK: &str = "the clock of this machine is wrong: a signature holds for five minutes";
const GET_NEW_KEYS: &str = "these keys held for some hours, which are over: get new ones";

const SAY_IT_OTHERWISE: &str = "the provider's rules of content are broken by something in the conversation: change what is said or what a tool returned";

const KEY: &[&str] = &["invalid_api_key", "api_key_invalid", "api key not valid", "incorrect api key"];
const QUOTA: &[&str] = &[
    "insufficient_quota",
    "exceeded your current quota",
    "billing_hard_limit",
    "credit balance",
    "credit_balance",
    "spend_limit",
];
/// LiteLLM, of a key's budget.
const BUDGET: &[&str] = &["budget_exceeded", "budget has been exceeded"];
/// Azure, and what OpenRouter makes of others' words.
const FILTER: &[&str] = &["content_filter", "content management policy", "content_policy_violation"];
/// Groq, where the model wrote a call or a form that it was not to write.
const WRONG_ANSWER: &[&str] = &["tool_use_failed", "json_validate_failed"];
/// OpenAI of chat completions, where only Responses will do.
const RESPONSES: &[&str] = &["use /v1/responses", "only supported in v1/responses"];
/// Amazon, of signatures: "Signature expired: ... is now earlier than ...", "Signature not yet current".
const CLOCK: &[&str] = &["signature expired", "signature not yet current", "requesttimetooskewed"];
const OVER: &[&str] = &["expiredtoken", "security token included in the request is expired"];
const SIGNATURE: &[&str] =
    &["unrecognizedclient", "invalidsignature", "incompletesignature", "missingauthenticationtoken"];
const GOOGLE_LIMIT: &[&str] = &["resource_exhausted"];
const UNSUPPORTED: &[&str] = &[
    // Google: a MIME type, function calling with a MIME type of the answer, a thinking budget, audio for a text model.
    "unsupported mime type",
    "function calling is unsupported",
    "function calling with a response mime type",
    "not supported for this model",
    // Anthropic: a role, a kind of thinking, effort, a forced choice of tools.
    "not supported on this model",
    "does not support the",
    "when tool_choice forces tool use",
    // Amazon: a kind of content, tools while streaming, marks of the prompt cache.
    "model doesn't support",
    "did not allow prompt caching",
    "is not enabled for models/",
    "does not support tools",
    "does not support image",
    "does not support tool",
    "not a multimodal model",
    "unsupported_parameter",
    "unsupported_value",
    // LiteLLM; llama.cpp without a projector or its templates; vLLM without a parser; DeepSeek; Groq.
    "unsupportedparamserror",
    "does not support parameters",
    "image input is not supported",
    "audio input is not supported",
    "tools param requires --jinja",
    "tool choice requires --enable-auto-tool-choice",
    "does not support this tool_choice",
    "response_format type is unavailable",
    "does not support response format",
    "json mode cannot be combined with",
];
const CONTEXT: &[&str] = &[
    "context_length_exceeded",
    "maximum context length",
    "context length",
    "context window",
    "context size",
    "prompt is too long",
    "input is too long",
    "input length",
    "too many tokens",
    "input token count",
    "exceed_context_size",
];

/// Whether the text of a message is too long for OpenAI. The same code is given for a long id or name, which no
/// shorter conversation mends; the message names the field, as in `messages[1].content` or `input[2].output`.
fn is_long_content(text: &str) -> bool {
    text.contains("string_above_max_length") && (text.contains("].content") || text.contains("].output"))
}

#[cfg(test)]
mod tests;
