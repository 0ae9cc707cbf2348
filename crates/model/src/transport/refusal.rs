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
                Value::String(message) => Some(Self { message: message.clone(), ..Self::default() }),
                Value::Object(_) => Some(Self::of_object(inner)),
                other => Some(Self { message: other.to_string(), ..Self::default() }),
            };
        }
        let is_complaint = value.get("message").is_some_and(Value::is_string)
            || value.get("object").and_then(Value::as_str) == Some("error")
            || value.get("detail").is_some();
        is_complaint.then(|| Self::of_object(value))
    }

    fn of_object(value: &Value) -> Self {
        let message = match value.get("message").or_else(|| value.get("detail")) {
            Some(Value::String(text)) => text.clone(),
            _ => value.to_string(),
        };
        let text = |key: &str| value.get(key).and_then(Value::as_str).map(str::to_owned);
        let number = |key: &str| value.get(key).and_then(Value::as_u64).and_then(|n| u16::try_from(n).ok());
        let word = text("code").or_else(|| text("type")).or_else(|| text("status"));
        let details = value.get("details").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        Self {
            message,
            word: word.into_iter().chain(reasons(details)).collect::<Vec<_>>().join(" "),
            status: number("code").or_else(|| number("status")).filter(|n| (400..600).contains(n)),
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
    let names = ["x-request-id", "request-id", "x-amzn-requestid", "apim-request-id", "cf-ray"];
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
        400 | 413 | 422 | 500 if says(CONTEXT) || is_long_content(&text) => {
            (Code::ModelContextExceeded, Some(SHORTEN))
        }
        400 | 422 | 500 if says(UNSUPPORTED) => {
            (Code::ModelUnsupported, Some("use another model, or leave out what this one cannot do"))
        }
        401 | 403 => (Code::ModelKeyRefused, Some("check the key, and that it may use this model")),
        402 => (Code::ModelRequestRefused, Some(PAY)),
        404 => (Code::ModelRequestRefused, Some("check `base_url` and the model's name")),
        408 => (Code::ModelTimeout, None),
        409 | 425 | 499 => (Code::ModelUnavailable, None),
        413 => (Code::ModelContextExceeded, Some(SHORTEN)),
        // Google says "exceeded your current quota" of every limit; only the limit's name tells a minute from a day.
        429 if says(GOOGLE_LIMIT) => match says(&["perday"]) {
            true => (Code::ModelRequestRefused, Some(TOMORROW)),
            false => (Code::ModelRateLimited, None),
        },
        429 if says(QUOTA) => (Code::ModelRequestRefused, Some(PAY)),
        429 => (Code::ModelRateLimited, None),
        500.. => (Code::ModelUnavailable, None),
        _ => (Code::ModelRequestRefused, None),
    }
}

const SHORTEN: &str =
    "shorten the conversation or the results of the tools, or use a model with a larger window";
const PAY: &str = "the account has no credit left: see the provider's billing page";
const TOMORROW: &str = "the account's limit for this day is reached: wait for the next one, raise the limit, or use another model";

const KEY: &[&str] = &["invalid_api_key", "api_key_invalid", "api key not valid", "incorrect api key"];
const QUOTA: &[&str] =
    &["insufficient_quota", "exceeded your current quota", "billing_hard_limit", "credit balance"];
const GOOGLE_LIMIT: &[&str] = &["resource_exhausted"];
const UNSUPPORTED: &[&str] = &[
    // Google: a MIME type, function calling with a MIME type of the answer, a thinking budget, audio for a text model.
    "unsupported mime type",
    "function calling is unsupported",
    "function calling with a response mime type",
    "not supported for this model",
    "is not enabled for models/",
    "does not support tools",
    "does not support image",
    "does not support tool",
    "not a multimodal model",
    "unsupported_parameter",
    "unsupported_value",
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
/// shorter conversation mends; the message names the field, as in `messages[1].content`.
fn is_long_content(text: &str) -> bool {
    text.contains("string_above_max_length") && text.contains("].content")
}

#[cfg(test)]
mod tests {
    use adjutant_core::secret::Secret;
    use url::Url;

    use super::*;

    fn check(status: u16, body: &str) -> Error {
        let peer =
            Peer::new(&Url::parse("https://api.example.com/v1").unwrap(), vec![Secret::new("sk-secret")]);
        refusal(&peer, status, &HeaderMap::new(), &Complaint::read(body))
    }

    #[test]
    fn every_refusal_has_a_code() {
        let cases = [
            (400, r#"{"error":{"message":"bad","type":"invalid_request_error"}}"#, Code::ModelRequestRefused),
            (
                400,
                r#"{"error":{"message":"x","code":"context_length_exceeded"}}"#,
                Code::ModelContextExceeded,
            ),
            (
                400,
                r#"{"object":"error","message":"This model's maximum context length is 4096 tokens","code":400}"#,
                Code::ModelContextExceeded,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages[1].content': string too long.","param":"messages[1].content","code":"string_above_max_length"}}"#,
                Code::ModelContextExceeded,
            ),
            (
                400,
                r#"{"error":{"message":"Invalid 'messages[3].tool_calls[0].id': string too long. Expected a string with maximum length 40.","code":"string_above_max_length"}}"#,
                Code::ModelRequestRefused,
            ),
            (
                400,
                r#"{"error":{"message":"Unsupported parameter: 'temperature' is not supported with this model.","type":"invalid_request_error","param":"temperature","code":"unsupported_parameter"}}"#,
                Code::ModelUnsupported,
            ),
            (400, r#"{"error":{"message":"registry/llava does not support tools"}}"#, Code::ModelUnsupported),
            (
                400,
                r#"[{"error":{"message":"API key not valid.","status":"INVALID_ARGUMENT"}}]"#,
                Code::ModelKeyRefused,
            ),
            (401, "", Code::ModelKeyRefused),
            (402, "{}", Code::ModelRequestRefused),
            (403, r#"{"error":"country"}"#, Code::ModelKeyRefused),
            (404, r#"{"error":{"message":"model not found"}}"#, Code::ModelRequestRefused),
            (408, "", Code::ModelTimeout),
            (413, "<html><body>Too large</body></html>", Code::ModelContextExceeded),
            (422, r#"{"detail":[{"msg":"field required"}]}"#, Code::ModelRequestRefused),
            (
                429,
                r#"{"error":{"message":"slow down","code":"rate_limit_exceeded"}}"#,
                Code::ModelRateLimited,
            ),
            (429, r#"{"error":{"message":"pay","code":"insufficient_quota"}}"#, Code::ModelRequestRefused),
            (500, "boom", Code::ModelUnavailable),
            (503, "", Code::ModelUnavailable),
            (529, "", Code::ModelUnavailable),
            (
                400,
                r#"{"error":{"code":400,"message":"API key expired.","status":"INVALID_ARGUMENT","details":[{"reason":"API_KEY_INVALID"}]}}"#,
                Code::ModelKeyRefused,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"The input token count (1200000) exceeds the maximum number of tokens allowed (1048576).","status":"INVALID_ARGUMENT"}}"#,
                Code::ModelContextExceeded,
            ),
            (
                400,
                r#"{"error":{"code":400,"message":"Unsupported MIME type: image/tiff","status":"INVALID_ARGUMENT"}}"#,
                Code::ModelUnsupported,
            ),
            (
                429,
                r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerMinutePerProjectPerModel"}]}]}}"#,
                Code::ModelRateLimited,
            ),
            (
                429,
                r#"{"error":{"code":429,"message":"You exceeded your current quota","status":"RESOURCE_EXHAUSTED","details":[{"violations":[{"quotaId":"GenerateRequestsPerDayPerProjectPerModel-FreeTier"}]}]}}"#,
                Code::ModelRequestRefused,
            ),
            (
                499,
                r#"{"error":{"code":499,"message":"cancelled","status":"CANCELLED"}}"#,
                Code::ModelUnavailable,
            ),
            (307, "", Code::ModelRequestRefused),
            (418, "", Code::ModelRequestRefused),
        ];
        for (status, body, code) in cases {
            assert_eq!(check(status, body).code(), code, "{status} {body}");
        }
    }

    #[test]
    fn the_provider_is_quoted_without_secrets() {
        let cases = [
            (r#"{"error":{"message":"key sk-secret is wrong"}}"#, "key [secret] is wrong"),
            ("<html><style>p{}</style><h1>502</h1>\n<p>Bad gateway</p></html>", "502 Bad gateway"),
            (r#"{"error":"model `x` not found"}"#, "model `x` not found"),
            (r#"{"detail":"Not Found"}"#, "Not Found"),
            (r#"{"unexpected":1}"#, r#"{"unexpected":1}"#),
        ];
        for (body, said) in cases {
            let message = check(502, body).to_string();
            assert_eq!(
                message,
                format!("the provider at `api.example.com` answered with status 502: {said}")
            );
        }
    }

    #[test]
    fn a_wait_in_the_body_is_kept() {
        let wait = |delay: &str| {
            let details = serde_json::json!([{"reason": "x"}, {"retryDelay": delay}]);
            let body = serde_json::json!({"error": {"code": 429, "message": "slow", "details": details}});
            check(429, &body.to_string()).retry_after()
        };
        let cases = [
            ("22s", Some(22_000)),
            ("0.5s", Some(500)),
            ("22", None),
            ("-1s", None),
            ("1e400s", None),
            ("s", None),
        ];
        for (delay, millis) in cases {
            assert_eq!(wait(delay), millis.map(Duration::from_millis), "{delay}");
        }
    }

    #[test]
    fn the_request_id_is_kept() {
        let peer = Peer::new(&Url::parse("https://api.example.com/v1").unwrap(), vec![]);
        let mut headers = HeaderMap::new();
        headers.insert("x-request-id", "req_7".parse().unwrap());
        let error = refusal(&peer, 500, &headers, &Complaint::default());
        assert!(error.message().ends_with("(request `req_7`)"), "{error}");
    }
}
