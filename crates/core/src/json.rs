//! [`Json`]: a JSON text that is kept as text.
//!
//! Results and inputs of steps pass from a tool to the journal and back to the run. Most of them are only stored,
//! hashed and read again as one type, so they stay text; nobody builds a tree of values that nobody looks at.

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::error::{Code, Error};

/// One JSON text, cheap to clone. It is always valid JSON.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Writes a value as JSON. Fails with [`Code::Internal`] when the type cannot be JSON (a map with keys that
    /// are not text).
    pub fn of<T: Serialize + ?Sized>(value: &T) -> Result<Self, Error> {
        serde_json::to_string(value)
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
            Error::new(Code::InputInvalid, format!("not a {}: {error}", std::any::type_name::<T>()))
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
        Self(value.to_string().into())
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
}
