//! What every answer says beside what it answers.

use std::time::Duration;

use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS, X_FRAME_OPTIONS,
};
use http::{HeaderMap, HeaderName, HeaderValue};

use super::id;
use super::witness::Witness;
use crate::limits::Standing;

/// How often somebody may ask (draft-ietf-httpapi-ratelimit-headers).
const POLICY: HeaderName = HeaderName::from_static("ratelimit-policy");

/// How much of that is left.
const LEFT: HeaderName = HeaderName::from_static("ratelimit");

/// Says what every answer says. What an answer says for itself about how long it may be kept, and about what a page of it may do, stays.
pub(super) fn dress(headers: &mut HeaderMap, witness: &Witness) {
    let mut set = |name: HeaderName, value: &'static str| {
        headers.insert(name, HeaderValue::from_static(value));
    };
    set(X_CONTENT_TYPE_OPTIONS, "nosniff");
    set(REFERRER_POLICY, "no-referrer");
    set(X_FRAME_OPTIONS, "DENY");
    if witness.peer.secure {
        set(STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
    for (name, value) in
        [(CACHE_CONTROL, "no-store"), (CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'")]
    {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    headers.insert(id::HEADER, witness.id.clone());
    if let Some(standing) = witness.standing() {
        let Standing { rate, left, whole_in, .. } = standing;
        let seconds = |time: &Duration| time.as_millis().div_ceil(1000);
        let policy = format!("\"default\";q={};w={}", rate.times, seconds(&rate.within));
        let left = format!("\"default\";r={left};t={}", seconds(whole_in));
        for (name, value) in [(POLICY, policy), (LEFT, left)] {
            if let Ok(value) = HeaderValue::from_str(&value) {
                headers.insert(name, value);
            }
        }
    }
}
