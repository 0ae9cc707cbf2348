//! [`Body`]: what is sent with a request.

use adjutant_core::{Code, Error, Result};
use axum::Json;
use bytes::Bytes;
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::DeserializeOwned;
use serde_json::Value;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::timeout;

use super::call::Nothing;
use crate::problem::Refusal;
use crate::service::Service;

/// What is sent with a request.
pub(crate) trait Body: Sized + Send {
    /// Reads it.
    fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Refusal>;

    /// Its media type and schema, and whether it must be there; none where nothing is sent.
    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema, bool)>;
}

impl Body for Nothing {
    /// Whatever comes is not looked at: some clients send `{}` with everything.
    fn read(_: &HeaderMap, _: &[u8]) -> Result<Self, Refusal> {
        Ok(Self {})
    }

    fn describe(_: &mut SchemaGenerator) -> Option<(&'static str, Schema, bool)> {
        None
    }
}

impl<T: DeserializeOwned + JsonSchema + Send> Body for Json<T> {
    fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Refusal> {
        is_json(headers)?;
        Ok(parse(bytes).map(Self)?)
    }

    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema, bool)> {
        Some(("application/json", generator.subschema_for::<T>(), true))
    }
}

/// What may be sent, and need not be.
pub(crate) struct Optional<T>(pub(crate) T);

impl<T: DeserializeOwned + JsonSchema + Default + Send> Body for Optional<T> {
    fn read(headers: &HeaderMap, bytes: &[u8]) -> Result<Self, Refusal> {
        if bytes.is_empty() {
            return Ok(Self(T::default()));
        }
        Json::<T>::read(headers, bytes).map(|Json(body)| Self(body))
    }

    fn describe(generator: &mut SchemaGenerator) -> Option<(&'static str, Schema, bool)> {
        Some(("application/json", generator.subschema_for::<T>(), false))
    }
}

/// Fails unless the body is said to be JSON, or nothing is said of it. A form that a page of another site sends is not: such a
/// page may send it without asking.
fn is_json(headers: &HeaderMap) -> Result<(), Refusal> {
    let Some(said) = headers.get(CONTENT_TYPE) else { return Ok(()) };
    let said = said.to_str().unwrap_or_default();
    let kind = said.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    if kind == "application/json" || (kind.starts_with("application/") && kind.ends_with("+json")) {
        return Ok(());
    }
    let error = Error::new(Code::InputInvalid, format!("the body is said to be `{kind}`"))
        .with_help("send JSON, with the header `Content-Type: application/json`");
    Err(Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
}

/// Fails where the body is said to be compressed: how large it becomes would be known too late.
fn is_plain(headers: &HeaderMap) -> Result<(), Refusal> {
    let said = headers.get(CONTENT_ENCODING).map(|said| said.to_str().unwrap_or_default().trim());
    match said {
        None => Ok(()),
        Some(said) if said.is_empty() || said.eq_ignore_ascii_case("identity") => Ok(()),
        Some(said) => {
            let error = Error::new(Code::InputInvalid, format!("the body is compressed (`{said}`)"))
                .with_help("send it as it is, without `Content-Encoding`");
            Err(Refusal::with(StatusCode::UNSUPPORTED_MEDIA_TYPE, error))
        }
    }
}

/// Reads JSON, and says where it is wrong. A number such as `7.0` is an integer, as schemas have it.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    read(bytes).or_else(|error| match whole(bytes) {
        Some(bytes) => read(&bytes).map_err(|_| error),
        None => Err(error),
    })
}

/// JSON whose numbers without a fraction are written as integers; none where it is so already, or is no JSON.
fn whole(bytes: &[u8]) -> Option<Vec<u8>> {
    /// The largest up to which each integer is a number of this kind.
    const LARGEST: f64 = 9_007_199_254_740_992.0;
    fn mend(value: &mut Value) -> bool {
        match value {
            Value::Number(number) if number.is_f64() => {
                let float = number.as_f64().filter(|float| float.fract() == 0.0 && float.abs() <= LARGEST);
                #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and fits")]
                let integer = float.map(|float| Value::from(float as i64));
                integer.is_some_and(|integer| {
                    *value = integer;
                    true
                })
            }
            Value::Array(items) => items.iter_mut().map(mend).filter(|mended| *mended).count() > 0,
            Value::Object(members) => members.values_mut().map(mend).filter(|mended| *mended).count() > 0,
            _ => false,
        }
    }
    let mut value = serde_json::from_slice(bytes).ok()?;
    mend(&mut value).then(|| serde_json::to_vec(&value).ok())?
}

fn read<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let read = serde_path_to_error::deserialize(&mut deserializer).map_err(|error| {
        let path = error.path().to_string();
        let at = if path == "." { String::new() } else { format!(" at `{path}`") };
        Error::new(Code::InputInvalid, format!("the body is wrong{at}: {}", in_words(error.inner())))
    })?;
    deserializer.end().map_err(|error| {
        Error::new(Code::InputInvalid, format!("the body goes on after its end: {error}"))
    })?;
    Ok(read)
}

/// What is wrong with JSON, without the names that things have in the program.
fn in_words(error: &serde_json::Error) -> String {
    let text = error.to_string();
    let place = text.find(" at line ").and_then(|at| text.get(at..)).unwrap_or_default();
    if text.contains("any variant of untagged enum") {
        return format!("it has none of the forms that it may have{place}");
    }
    let Some((before, rest)) = text.split_once("expected ") else { return text };
    let kind = rest.split(' ').next().unwrap_or_default();
    let instead = match kind {
        "struct" | "internally" | "adjacently" => "an object",
        "enum" => "one of its words",
        "tuple" | "unit" => "another form",
        _ => return text,
    };
    format!("{before}expected {instead}{place}")
}

/// A body that was taken in, and its room.
pub(crate) struct Taken {
    pub(crate) bytes: Bytes,
    /// Held for as long as what was read of it is.
    pub(crate) room: Option<OwnedSemaphorePermit>,
}

/// Takes in a body of at most so many bytes, as long as the service has room for it and the client's time lasts.
pub(crate) async fn take(
    service: &Service,
    headers: &HeaderMap,
    body: axum::body::Body,
    most: usize,
) -> Result<Taken, Refusal> {
    is_plain(headers)?;
    let said = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if said.is_some_and(|length: u64| length > most as u64) {
        return Err(too_large(most).into());
    }
    let patience = service.settings().body_patience;
    match timeout(patience, gather(service, Limited::new(body, most))).await {
        Ok(Ok(taken)) => Ok(taken),
        Ok(Err(Broken::Room(error))) => Err(error.into()),
        Ok(Err(Broken::Body(error))) if error.is::<LengthLimitError>() => Err(too_large(most).into()),
        Ok(Err(Broken::Body(error))) => {
            let broken = Error::new(Code::InputInvalid, "the body broke off").caused_by(error.as_ref());
            Err(broken.into())
        }
        Err(_) => {
            let message = format!("the body did not come within {} s", patience.as_secs());
            Err(Refusal::with(StatusCode::REQUEST_TIMEOUT, Error::new(Code::InputInvalid, message)))
        }
    }
}

/// Why a body was not taken in.
enum Broken {
    Room(Error),
    Body(Box<dyn std::error::Error + Send + Sync>),
}

/// Gathers a body. Room is taken for what has come, not for what a client says that will.
async fn gather(service: &Service, mut body: Limited<axum::body::Body>) -> Result<Taken, Broken> {
    let (mut pieces, mut room) = (Vec::new(), None::<OwnedSemaphorePermit>);
    while let Some(frame) = body.frame().await {
        let Ok(piece) = frame.map_err(Broken::Body)?.into_data() else { continue };
        let more = service.traffic().room(piece.len()).map_err(Broken::Room)?;
        match &mut room {
            Some(room) => room.merge(more),
            None => room = Some(more),
        }
        pieces.push(piece);
    }
    let bytes = match pieces.len() {
        1 => pieces.pop().unwrap_or_default(),
        _ => pieces.concat().into(),
    };
    Ok(Taken { bytes, room })
}

fn too_large(most: usize) -> Error {
    Error::new(Code::TooLarge, format!("the body is larger than {most} bytes"))
        .with_help("send less at once, or raise `server.largest_body` in `adjutant.toml`")
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Given {
        count: u64,
        share: f64,
    }

    #[test]
    fn what_is_wrong_is_said_without_the_names_of_the_program() {
        #[derive(Debug, Deserialize)]
        #[serde(rename_all = "snake_case")]
        enum Word {
            One,
        }
        #[derive(Debug, Deserialize)]
        struct Holds {
            _given: Given,
            _word: Word,
        }
        let said = |text: &str| parse::<Holds>(text.as_bytes()).unwrap_err().message().to_owned();
        for (text, expected) in [
            (
                r#"{"_given": 7}"#,
                "the body is wrong at `_given`: invalid type: integer `7`, expected an object at line 1 column 12",
            ),
            (
                r#"{"_given": {"count": 1, "share": 1}, "_word": "two"}"#,
                "unknown variant `two`, expected `one`",
            ),
        ] {
            assert!(said(text).contains(expected), "{}", said(text));
        }
    }

    #[test]
    fn a_number_without_a_fraction_is_an_integer_and_another_is_not() {
        let given = |text: &str| parse::<Given>(text.as_bytes()).map_err(|error| error.message().to_owned());
        let some = |count, share| Ok(Given { count, share });
        assert_eq!(given("{\"count\": 7.0, \"share\": 2.0}"), some(7, 2.0));
        assert_eq!(given("{\"count\": 1e3, \"share\": 0.5}"), some(1000, 0.5));
        for wrong in ["7.5", "-7.0", "1e300", "\"7\""] {
            let error = given(&format!("{{\"count\": {wrong}, \"share\": 1}}")).unwrap_err();
            assert!(error.starts_with("the body is wrong at `count`"), "{error}");
        }
    }
}
