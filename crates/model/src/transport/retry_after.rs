//! How long a provider asks to wait.

use std::time::Duration;

use http::HeaderMap;

/// The wait that the headers of a refusal ask for.
///
/// `retry-after-ms` (OpenAI, Azure) in milliseconds; `Retry-After` (RFC 9110, section 10.2.3) in seconds or as a
/// date. A date is read against the answer's own `Date`, so neither side's clock needs to be right.
pub fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok()).map(str::trim);
    if let Some(millis) = text("retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Duration::try_from_secs_f64(millis / 1_000.0).ok();
    }
    let value = text("retry-after")?;
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let until = httpdate::parse_http_date(value).ok()?;
    let now = httpdate::parse_http_date(text("date")?).ok()?;
    Some(until.duration_since(now).unwrap_or(Duration::ZERO))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_read_in_every_form() {
        let date = "Sun, 06 Nov 1994 08:49:37 GMT";
        type Case<'a> = (&'a [(&'a str, &'a str)], Option<u64>);
        let cases: [Case<'_>; 9] = [
            (&[], None),
            (&[("retry-after", "2")], Some(2_000)),
            (&[("retry-after", " 0.5 ")], Some(500)),
            (&[("retry-after-ms", "250"), ("retry-after", "9")], Some(250)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT"), ("date", date)], Some(60_000)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:00:00 GMT"), ("date", date)], Some(0)),
            (&[("retry-after", "Sun, 06 Nov 1994 08:50:37 GMT")], None),
            (&[("retry-after", "-1")], None),
            (&[("retry-after", "1e400")], None),
        ];
        for (headers, millis) in cases {
            let mut map = HeaderMap::new();
            for (name, value) in headers {
                map.insert(http::HeaderName::from_bytes(name.as_bytes()).unwrap(), value.parse().unwrap());
            }
            assert_eq!(retry_after(&map), millis.map(Duration::from_millis), "{headers:?}");
        }
    }
}
