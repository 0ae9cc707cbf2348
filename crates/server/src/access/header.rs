//! Where a request says who asks.

use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use http::header::AUTHORIZATION;

/// The header that clients of Anthropic's interface send their key in.
const KEY: &str = "x-api-key";

/// What a request shows to say who asks: what stands after `Bearer`, or a key as clients of Anthropic send it. Two that differ are
/// none, since different readers might look at different ones.
pub(crate) fn credential(headers: &HeaderMap) -> Result<Option<&str>> {
    let mut shown: Option<&str> = None;
    let bearers = headers.get_all(AUTHORIZATION).iter().map(|value| {
        let text = value.to_str().map_err(|_| unreadable())?;
        let (scheme, rest) = text.split_once(' ').unwrap_or((text, ""));
        match scheme.eq_ignore_ascii_case("bearer") {
            true => Ok(rest.trim()),
            false => Err(Error::new(
                Code::Unauthenticated,
                "the header `Authorization` has another scheme than `Bearer`",
            )),
        }
    });
    let keys =
        headers.get_all(KEY).iter().map(|value| value.to_str().map_err(|_| unreadable()).map(str::trim));
    for credential in bearers.chain(keys) {
        let credential = credential?;
        if shown.is_some_and(|shown| shown != credential) {
            return Err(Error::new(Code::Unauthenticated, "the request shows two different keys")
                .with_help("send one, in `Authorization: Bearer KEY`"));
        }
        shown = Some(credential);
    }
    Ok(shown.filter(|shown| !shown.is_empty()))
}

fn unreadable() -> Error {
    Error::new(Code::Unauthenticated, "the key in the headers is not text")
}

#[cfg(test)]
mod tests {
    use http::HeaderName;

    use super::*;

    #[test]
    fn one_credential_is_read_and_two_that_differ_are_refused() {
        let read = |headers: &[(&'static str, &'static str)]| {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.append(HeaderName::from_static(name), value.parse().unwrap());
            }
            credential(&map).map(|shown| shown.map(str::to_owned)).map_err(|error| error.message().to_owned())
        };
        let some = |text: &str| Ok(Some(text.to_owned()));
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("authorization", "Bearer a")]), some("a"));
        assert_eq!(read(&[("authorization", "bearer  a ")]), some("a"));
        assert_eq!(read(&[("x-api-key", "a")]), some("a"));
        assert_eq!(read(&[("authorization", "Bearer a"), ("x-api-key", "a")]), some("a"));
        assert_eq!(read(&[("authorization", "Bearer")]), Ok(None));
        for headers in [
            &[("authorization", "Bearer a"), ("authorization", "Bearer b")][..],
            &[("authorization", "Bearer a"), ("x-api-key", "b")],
            &[("authorization", "Basic YTpi")],
        ] {
            assert!(read(headers).is_err(), "{headers:?}");
        }
    }
}
