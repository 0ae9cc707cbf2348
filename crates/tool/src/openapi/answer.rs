//! What a model reads of an answer. Pure.

use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::message::{Media, MediaSource};
use adjutant_core::{Code, Error, Result, message};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use reqwest::StatusCode;
use reqwest::header::{CONTENT_DISPOSITION, DATE, HeaderMap, LINK, LOCATION, RETRY_AFTER};
use serde_json::Value;

use super::part::{self, Part, Rest};
use super::schema::words;
use crate::artifact;
use crate::http::{Body, Kind};
use crate::output::Output;

/// How much of a service's explanation a model reads, in characters.
const LONGEST_PROBLEM: usize = 2_000;

/// An answer as it came.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    pub(super) kind: Kind,
    pub(super) body: Body,
}

/// How many characters fit where nothing is to be cut: a program reads the answer.
pub(super) const ALL: usize = usize::MAX;

/// How an answer is shown.
pub(super) struct Show<'a> {
    /// Which part is wanted.
    pub(super) part: &'a Part,
    /// How many characters fit.
    pub(super) characters: usize,
    /// How the rest is had.
    pub(super) rest: Rest<'a>,
}

impl Answer {
    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// A good answer as output, and whether there is a rest of it.
    pub(super) fn output(&self, show: &Show<'_>) -> Result<(Output, bool)> {
        let (mut output, cut) = self.content(show)?;
        // Many services say in a header where the next page is.
        if let Some(link) = self.header(LINK.as_str()).filter(|link| link.contains("rel=\"next\"")) {
            output
                .content
                .push(message::Part::text(format!("\n[there are more pages: {}]", words(link, 600))));
        }
        Ok((output, cut))
    }

    fn content(&self, show: &Show<'_>) -> Result<(Output, bool)> {
        let bytes = &self.body.bytes;
        if self.status.is_redirection() {
            let place = self
                .header(LOCATION.as_str())
                .map_or_else(String::new, |to| format!(": it is at {}", words(to, 1_000)));
            return Ok((Output::text(format!("{}{place}", self.status)), false));
        }
        if bytes.is_empty() {
            return Ok((Output::text(format!("done ({})", self.status)), false));
        }
        if self.body.cut {
            return Ok((self.cut_off(show), false));
        }
        let is_json = self.kind.media_type.ends_with("json") || self.kind.media_type.is_empty();
        if let Some(value) = is_json.then(|| serde_json::from_slice::<Value>(bytes).ok()).flatten() {
            let shown = show.part.of(&value)?;
            let (text, cut) = match show.characters {
                ALL => (Json::from(shown.clone()).to_string(), false),
                most => part::shortened(shown, show.part, most, show.rest),
            };
            let data = (!cut && show.part.pointer.is_empty()).then_some(value);
            return Ok((Output { data, ..Output::text(text) }, cut));
        }
        if self.is_text() {
            let text = self.kind.text(bytes);
            let (shown, cut) = part::text_from(&text, show.part, show.characters, show.rest);
            return Ok((Output::text(shown), cut));
        }
        Ok((self.file(), false))
    }

    pub(super) fn is_text(&self) -> bool {
        self.kind.is_text() && !self.body.bytes.iter().take(4_096).any(|byte| *byte == 0)
    }

    /// The beginning of an answer that was too long to be read.
    fn cut_off(&self, show: &Show<'_>) -> Output {
        let count = self.body.bytes.len();
        if !self.is_text() {
            let kind = if self.kind.media_type.is_empty() { "binary data" } else { &self.kind.media_type };
            return Output::text(format!(
                "{}: the answer is {kind} of more than {count} bytes, which is not read",
                self.status
            ));
        }
        let text: String = self.kind.text(&self.body.bytes).chars().take(show.characters).collect();
        Output::text(format!(
            "{text}\n[cut off: the answer has more than the {count} bytes that are read; ask for less]"
        ))
    }

    fn file(&self) -> Output {
        let media_type = match self.kind.media_type.as_str() {
            "" => "application/octet-stream",
            named => named,
        };
        let name = self.header(CONTENT_DISPOSITION.as_str()).and_then(|text| {
            let name = text.split("filename=").nth(1)?.split(';').next()?.trim().trim_matches('"');
            (!name.is_empty()).then(|| words(name, 100))
        });
        let media = Media {
            media_type: media_type.to_owned(),
            name,
            source: MediaSource::Base64(STANDARD.encode(&self.body.bytes)),
        };
        let said = format!("a file of type {media_type}, {} bytes", self.body.bytes.len());
        Output { content: vec![message::Part::text(said), artifact::part(media)], ..Output::default() }
    }

    /// What the service says about what went wrong.
    pub(super) fn problem(&self) -> String {
        let text = match serde_json::from_slice::<Value>(&self.body.bytes) {
            Ok(value) => explanation(&value),
            Err(_) if self.is_text() => self.kind.text(&self.body.bytes),
            Err(_) => String::new(),
        };
        let said = words(&text, LONGEST_PROBLEM);
        if said.is_empty() { self.status.to_string() } else { format!("{}: {said}", self.status) }
    }

    /// How long the service asks to wait, where it says that it is only now that it cannot: by `Retry-After` (seconds, or
    /// a date that is read against the answer's own), or by the limits that GitHub and others name.
    pub(super) fn wait(&self) -> Option<Option<Duration>> {
        let has_run_out = self.header("x-ratelimit-remaining") == Some("0")
            || self.header("ratelimit-remaining") == Some("0");
        let asked = self.header(RETRY_AFTER.as_str());
        let is_busy = matches!(self.status, StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE)
            || (self.status == StatusCode::FORBIDDEN && (has_run_out || asked.is_some()));
        if !is_busy {
            return None;
        }
        let date = || httpdate::parse_http_date(self.header(DATE.as_str())?).ok();
        let asked = asked.and_then(|text| match text.trim().parse::<u64>() {
            Ok(seconds) => Some(Duration::from_secs(seconds)),
            Err(_) => httpdate::parse_http_date(text).ok()?.duration_since(date()?).ok(),
        });
        let reset = || {
            let seconds: u64 = self.header("x-ratelimit-reset")?.trim().parse().ok()?;
            let now = date()?.duration_since(std::time::UNIX_EPOCH).ok()?;
            Duration::from_secs(seconds).checked_sub(now)
        };
        Some(asked.or_else(|| if has_run_out { reset() } else { None }))
    }
}

/// The words in an error's JSON: those of problem details (RFC 9457), and what most services have in their place.
fn explanation(value: &Value) -> String {
    let text = |key: &str| value.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
    let parts: Vec<&str> =
        ["title", "message", "detail", "error_description"].into_iter().filter_map(text).collect();
    let rest = value.get("errors").or_else(|| value.get("error")).filter(|rest| !rest.is_null());
    match (parts.is_empty(), rest) {
        (false, Some(rest)) => format!("{} {rest}", parts.join(": ")),
        (false, None) => parts.join(": "),
        (true, _) => value.to_string(),
    }
}

/// The error that a model hears of an answer that is none.
pub(super) fn refused(what: &str, answer: &Answer) -> Error {
    Error::new(Code::ToolFailed, format!("{what} answered {}", answer.problem()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &str)], body: &[u8]) -> Answer {
        let mut map = HeaderMap::new();
        for (name, value) in headers {
            map.insert(*name, value.parse().unwrap());
        }
        let kind = Kind::of(&map);
        let body = Body { bytes: body.to_vec(), cut: false };
        Answer { status: StatusCode::from_u16(status).unwrap(), headers: map, kind, body }
    }

    fn shown(answer: &Answer) -> Output {
        answer.output(&Show { part: &Part::default(), characters: 100, rest: Rest::Again }).unwrap().0
    }

    #[test]
    fn answers_become_what_a_model_reads() {
        assert_eq!(shown(&answer(204, &[], b"")).as_text(), "done (204 No Content)");
        let json = answer(200, &[("content-type", "application/json")], b"{\"a\": 1}");
        assert_eq!((shown(&json).as_text(), shown(&json).data), ("{\"a\":1}".into(), Some(json!({"a": 1}))));
        let text = answer(200, &[("content-type", "text/plain")], &[b'x'; 150]);
        assert_eq!(
            shown(&text).as_text(),
            format!("{}[50 more characters, part: from 100]", "x".repeat(100))
        );
        let image = answer(200, &[("content-type", "image/png")], &[0, 1, 2]);
        assert!(
            matches!(&shown(&image).content[1], message::Part::Image(media) if media.media_type == "image/png")
        );
        let file = answer(200, &[("content-disposition", "attachment; filename=\"a.bin\"")], &[0, 255]);
        assert!(
            matches!(&shown(&file).content[1], message::Part::File(media) if media.name.as_deref() == Some("a.bin"))
        );
        let broken = answer(200, &[("content-type", "application/json")], b"{\"a\": ");
        assert_eq!(shown(&broken).as_text(), "{\"a\": ");
        let pages = answer(200, &[("link", "<https://a/?page=2>; rel=\"next\"")], b"[]");
        assert!(shown(&pages).as_text().contains("there are more pages: <https://a/?page=2>"));
    }

    #[test]
    fn problems_are_told_in_the_services_words() {
        for (body, expected) in [
            ("{\"title\": \"No such order\", \"detail\": \"7\"}", "404 Not Found: No such order: 7"),
            ("{\"message\": \"Not Found\", \"errors\": [1]}", "404 Not Found: Not Found [1]"),
            ("{\"error\": {\"code\": 3}}", "404 Not Found: {\"error\":{\"code\":3}}"),
            ("plain\u{7} words", "404 Not Found: plain words"),
            ("", "404 Not Found"),
        ] {
            assert_eq!(answer(404, &[], body.as_bytes()).problem(), expected);
        }
    }

    #[test]
    fn waiting_is_asked_for_in_several_ways() {
        let seconds = |answer: Answer| answer.wait().map(|wait| wait.map(|wait| wait.as_secs()));
        assert_eq!(seconds(answer(200, &[("retry-after", "3")], b"")), None);
        assert_eq!(seconds(answer(429, &[("retry-after", "3")], b"")), Some(Some(3)));
        assert_eq!(seconds(answer(503, &[], b"")), Some(None));
        let (now, then) = ("Sun, 06 Nov 1994 08:49:37 GMT", "Sun, 06 Nov 1994 08:50:07 GMT");
        assert_eq!(seconds(answer(429, &[("date", now), ("retry-after", then)], b"")), Some(Some(30)));
        let spent = [("date", now), ("x-ratelimit-remaining", "0"), ("x-ratelimit-reset", "784111837")];
        assert_eq!(seconds(answer(403, &spent, b"")), Some(Some(60)));
        assert_eq!(seconds(answer(403, &[], b"")), None);
    }
}
