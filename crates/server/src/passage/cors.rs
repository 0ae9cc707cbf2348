//! Which pages of other sites may ask (CORS). Pure.

use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, ACCESS_CONTROL_MAX_AGE, ACCESS_CONTROL_REQUEST_METHOD, ORIGIN, VARY,
};
use http::{HeaderMap, HeaderValue, Method};

/// What pages may ask with.
const METHODS: &str = "GET, POST, PUT, DELETE";

/// What they may send. A key is none of what a browser adds by itself, so credentials of its own are never allowed.
const HEADERS: &str = "accept, authorization, content-type, idempotency-key, last-event-id, traceparent, x-api-key, x-request-id, \
    openai-organization, openai-project, openai-beta, anthropic-version, anthropic-beta, \
    anthropic-dangerous-direct-browser-access, x-stainless-arch, x-stainless-lang, x-stainless-os, x-stainless-package-version, \
    x-stainless-retry-count, x-stainless-runtime, x-stainless-runtime-version, x-stainless-timeout, x-stainless-helper-method";

/// What they may read of an answer, beside its body.
const EXPOSED: &str = "idempotency-replayed, location, ratelimit, ratelimit-policy, retry-after, x-request-id, \
    x-adjutant-cost-usd, x-adjutant-model, x-adjutant-run";

/// How long a browser need not ask again, in seconds.
const LASTS: &str = "600";

/// Whether a request asks beforehand what a page may ask.
pub(super) fn asks_beforehand(method: &Method, headers: &HeaderMap) -> bool {
    *method == Method::OPTIONS
        && headers.contains_key(ORIGIN)
        && headers.contains_key(ACCESS_CONTROL_REQUEST_METHOD)
}

/// Whose page asks, where it may. None where no page asks, or one that may not.
pub(super) fn origin<'a>(origins: &[String], headers: &'a HeaderMap) -> Option<&'a HeaderValue> {
    let origin = headers.get(ORIGIN)?;
    origins.iter().any(|listed| listed == "*" || origin == listed.as_str()).then_some(origin)
}

/// Says to a browser that a page may ask.
pub(super) fn allow(origin: HeaderValue, beforehand: bool, headers: &mut HeaderMap) {
    headers.insert(ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    if beforehand {
        headers.insert(ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static(METHODS));
        headers.insert(ACCESS_CONTROL_ALLOW_HEADERS, HeaderValue::from_static(HEADERS));
        headers.insert(ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(LASTS));
    } else {
        headers.insert(ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    }
}

/// Says to whoever keeps answers that they differ by whose page asks.
pub(super) fn vary(headers: &mut HeaderMap) {
    headers.append(VARY, HeaderValue::from_static("origin"));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_pages_of_listed_origins_may_ask() {
        let of = |origins: &[&str], asking: &'static str| {
            let origins: Vec<String> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let headers: HeaderMap = [(ORIGIN, HeaderValue::from_static(asking))].into_iter().collect();
            origin(&origins, &headers).is_some()
        };
        let listed = ["https://app.example"];
        assert!(of(&listed, "https://app.example") && of(&["*"], "https://x.example"));
        for other in [
            "https://app.example.evil",
            "http://app.example",
            "https://app.example:8443",
            "null",
            "https://sub.app.example",
        ] {
            assert!(!of(&listed, other) && !of(&[], other), "{other}");
        }
        assert!(origin(&["*".to_owned()], &HeaderMap::new()).is_none());
    }
}
