//! [`Json`]: a JSON text that is kept as text.
//!
//! Results and inputs of steps pass from a tool to the journal and back to the run. Most of them are only stored,
//! hashed and read again as one type, so they stay text; nobody builds a tree of values that nobody looks at.

mod sorted;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use self::sorted::Sorted;
use crate::error::{Code, Error};

/// One JSON text, cheap to clone. It is always valid JSON.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Writes a value as JSON: the fields of types as they have them, the keys of maps in their order. So the same value
    /// always has the same text. Fails with [`Code::Internal`] when the type cannot be JSON (a map with keys that
    /// are not text).
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::to_string(&Sorted(value))
            .map(|text| Self(text.into()))
            .map_err(|error| Error::new(Code::Internal, format!("cannot be written as JSON: {error}")))
    }

    /// Checks a text. Fails with [`Code::InputInvalid`] and the place.
    pub fn parse(text: &str) -> Result<Self, Error> {
        serde_json::from_str::<&RawValue>(text)
            .map(|raw| Self(raw.get().into()))
            .map_err(|error| Error::new(Code::InputInvalid, format!("not JSON: {error}")))
    }

    /// `null`.
    pub fn null() -> Self {
        Self("null".into())
    }

    /// Reads the text as a type. Fails with [`Code::InputInvalid`] when it has another shape.
    pub fn to<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.0).map_err(|error| {
            let mut again = serde_json::Deserializer::from_str(&self.0);
            // Knowing the path costs time, so only what did not fit is read so.
            match serde_path_to_error::deserialize::<_, T>(&mut again) {
                Err(placed) => misfit(&placed.path().to_string(), placed.inner()),
                Ok(_) => misfit(".", &error),
            }
        })
    }

    /// Reads the text as a tree of values.
    pub fn value(&self) -> serde_json::Value {
        // INVARIANT: `Json` holds valid JSON only.
        serde_json::from_str(&self.0).unwrap_or_default()
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The length of the text in bytes.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Never true: the shortest JSON text has one character.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl From<serde_json::Value> for Json {
    fn from(value: serde_json::Value) -> Self {
        // A tree of values has no key that is not text, so this cannot fail.
        Self::of(&value).unwrap_or_default()
    }
}

impl Default for Json {
    fn default() -> Self {
        Self::null()
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Ok(Self(raw.get().into()))
    }
}

/// What does not fit, and where.
fn misfit(path: &str, error: &serde_json::Error) -> Error {
    let text = error.to_string();
    let why = plain(text.rsplit_once(" at line ").map_or(text.as_str(), |(why, _)| why));
    let place = if path == "." { String::new() } else { format!(" at `{path}`") };
    Error::new(Code::InputInvalid, format!("the JSON has another shape than expected{place}: {why}"))
}

/// The words of an error without the names of types, which nobody knows who writes JSON.
fn plain(why: &str) -> String {
    let mut words = why.split(' ');
    let mut plain = Vec::new();
    while let Some(word) = words.next() {
        plain.push(match word {
            "struct" => words.next().map_or(word, |_| "an object"),
            "enum" => words.next().map_or(word, |_| "one of its kinds"),
            _ => word,
        });
    }
    plain.join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_stays_as_it_was() {
        let json = Json::parse(r#" {"b":1, "a":2.50} "#).unwrap();
        assert_eq!(json.as_str(), r#"{"b":1, "a":2.50}"#);
        assert_eq!(serde_json::to_string(&json).unwrap(), json.as_str());
        assert!(Json::parse("{").is_err());
    }

    #[test]
    fn maps_are_sorted_and_types_are_not() {
        #[derive(Serialize)]
        struct Order {
            zone: u32,
            arguments: serde_json::Value,
            of: (Option<serde_json::Value>, Kind),
            kept: Json,
        }
        #[derive(Serialize)]
        enum Kind {
            Known { z: serde_json::Value, a: u8 },
        }
        let unsorted = || {
            let mut map = serde_json::Map::new();
            for key in ["b", "a", "c"] {
                map.insert(
                    key.to_owned(),
                    serde_json::json!([{ "z": 1.5 }, null, { "y": { "k": 1, "b": 2 } }]),
                );
            }
            serde_json::Value::Object(map)
        };
        let order = Order {
            zone: 7,
            arguments: unsorted(),
            of: (Some(unsorted()), Kind::Known { z: unsorted(), a: 1 }),
            kept: Json::parse(r#"{"b":1,"a":2}"#).unwrap(),
        };
        let item = r#"[{"z":1.5},null,{"y":{"b":2,"k":1}}]"#;
        let map = format!(r#"{{"a":{item},"b":{item},"c":{item}}}"#);
        assert_eq!(
            Json::of(&order).unwrap().as_str(),
            format!(
                r#"{{"zone":7,"arguments":{map},"of":[{map},{{"Known":{{"z":{map},"a":1}}}}],"kept":{{"b":1,"a":2}}}}"#
            )
        );
        assert_eq!(Json::from(unsorted()).as_str(), map);
        let numbered = std::collections::BTreeMap::from([(10, true), (9, false)]);
        assert_eq!(Json::of(&numbered).unwrap().as_str(), r#"{"10":true,"9":false}"#);
        assert!(Json::of(&std::collections::BTreeMap::from([((1, 2), 3)])).is_err());
    }

    #[test]
    fn what_does_not_fit_has_a_path_and_no_type() {
        #[derive(Debug, Deserialize)]
        struct Order {
            #[expect(dead_code, reason = "only its shape matters")]
            lines: Vec<u32>,
        }
        let wrong = |text: &str| Json::parse(text).unwrap().to::<Order>().unwrap_err().message().to_owned();
        let start = "the JSON has another shape than expected";
        assert_eq!(
            wrong(r#"{"lines": [1, "two"]}"#),
            format!("{start} at `lines[1]`: invalid type: string \"two\", expected u32")
        );
        assert_eq!(wrong("{}"), format!("{start}: missing field `lines`"));
        assert_eq!(wrong("7"), format!("{start}: invalid type: integer `7`, expected an object"));
    }
}
