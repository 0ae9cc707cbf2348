//! How long a provider may take.

use std::time::Duration;

use adjutant_core::time::{format_exact, parse_duration};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// How long a provider may take for each part of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Timeouts {
    /// Until the connection stands, TLS included.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub connect: Duration,
    /// Until the provider accepts the request, and again until the first byte of the answer.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub first_byte: Duration,
    /// The same, for an answer that was asked for whole: nothing of it comes before the model is done.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub answer: Duration,
    /// Between two pieces of the answer.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub idle: Duration,
    /// For everything.
    #[serde(serialize_with = "write", deserialize_with = "read")]
    pub whole: Duration,
}

impl Default for Timeouts {
    /// Wide enough for a model that reasons for minutes, or that a local server has to load first; and shorter than the
    /// five minutes after which a run gives a silent model up, so that another one is asked before.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(2 * 60),
            // As long as the vendors' own clients wait.
            answer: Duration::from_secs(10 * 60),
            idle: Duration::from_secs(2 * 60),
            whole: Duration::from_secs(30 * 60),
        }
    }
}

impl Timeouts {
    /// The limits for an answer that is asked for whole or as a stream.
    #[must_use]
    pub(super) fn of(self, whole: bool) -> Self {
        let first_byte = if whole { self.answer } else { self.first_byte };
        Self { first_byte, ..self }
    }
}

fn write<S: Serializer>(duration: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_exact(*duration))
}

fn read<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
    let text = String::deserialize(deserializer)?;
    parse_duration(&text).filter(|duration| !duration.is_zero()).ok_or_else(|| {
        serde::de::Error::custom(format!("`{text}` is not a time limit: write it as `90s`, `5m` or `1h 30m`"))
    })
}
