//! By which id a request is known, in logs and to its client.

use std::hash::{BuildHasher, RandomState};
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};

use http::{HeaderMap, HeaderName, HeaderValue};

/// The header that it stands in.
pub(super) const HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The same, as Anthropic's clients look for it.
pub(super) const ANTHROPIC: HeaderName = HeaderName::from_static("request-id");

/// The header of a trace that a request is part of (W3C Trace Context).
const TRACE: &str = "traceparent";

/// The longest id of a client that is taken, in bytes.
const LONGEST: usize = 128;

/// The client's own id, where it sent one that can stand in a line of a log, or a new one.
pub(super) fn of(headers: &HeaderMap) -> HeaderValue {
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.:".contains(byte);
    let sent = headers
        .get(HEADER)
        .filter(|sent| !sent.is_empty() && sent.len() <= LONGEST && sent.as_bytes().iter().all(fits));
    sent.cloned().unwrap_or_else(fresh)
}

/// An id that no other request has, of this process or another. Nobody relies on its not being guessed.
fn fresh() -> HeaderValue {
    static KEYS: LazyLock<[RandomState; 2]> = LazyLock::new(Default::default);
    static NUMBER: AtomicU64 = AtomicU64::new(0);
    let number = NUMBER.fetch_add(1, Ordering::Relaxed);
    let [high, low] = KEYS.each_ref().map(|keys| keys.hash_one(number));
    HeaderValue::from_str(&format!("req_{high:016x}{low:016x}"))
        .unwrap_or_else(|_| HeaderValue::from_static("req"))
}

/// The id of the trace that a request is part of.
pub(super) fn trace(headers: &HeaderMap) -> Option<&str> {
    let mut parts = headers.get(TRACE)?.to_str().ok()?.split('-');
    let (version, trace, span) = (parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        let is_digit = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        text.len() == length && text.bytes().all(is_digit) && text.bytes().any(|byte| byte != b'0')
    };
    (version.len() == 2 && version != "ff" && is_hex(trace, 32) && is_hex(span, 16)).then_some(trace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_s_own_id_is_taken_where_it_can_stand_in_a_log() {
        let taken = |sent: &[u8]| {
            let headers: HeaderMap = [(HEADER, HeaderValue::from_bytes(sent).unwrap())].into_iter().collect();
            of(&headers) == sent
        };
        assert!(taken(b"abc-123_x.y:z"));
        assert!(taken(&[b'a'; 128]));
        for wrong in [&b""[..], b"a b", b"a\"b", b"\xc3\xa9", &[b'a'; 129], b"a{b}"] {
            assert!(!taken(wrong), "{wrong:?}");
        }
        assert_ne!(of(&HeaderMap::new()), of(&HeaderMap::new()));
    }

    #[test]
    fn a_trace_is_read_as_its_standard_says() {
        let read = |sent: &'static str| {
            let headers: HeaderMap =
                [(HeaderName::from_static(TRACE), HeaderValue::from_static(sent))].into_iter().collect();
            trace(&headers).map(str::to_owned)
        };
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(read("00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01").as_deref(), Some(id));
        for wrong in [
            "",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01",
            "00-4bf9-00f067aa0ba902b7-01",
        ] {
            assert_eq!(read(wrong), None, "{wrong}");
        }
    }
}
