//! Messages from outside that begin runs.

use adjutant_core::hash::Digest;
use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_core::{Code, Error, Result};
use adjutant_durable::{Fate, Fired};
use jiff::tz::TimeZone;
use serde::Serialize;
use serde_json::{Map, Value};

use super::watch::{Event, Triggers, written};
use crate::project::{MessageKey, TriggerSource};
use crate::run::Run;

/// The longest body that begins a run, in bytes.
const LONGEST: usize = 1 << 20;

/// The longest text by which a message is known, in bytes.
const LONGEST_KEY: usize = 512;

/// A message from outside.
#[derive(Clone, Debug)]
pub struct Message<'a> {
    /// The last part of the address to which it came.
    pub path: &'a str,
    /// Its headers, with their names in lower case.
    pub headers: &'a [(&'a str, &'a str)],
    /// Its body.
    pub body: &'a [u8],
}

impl<'a> Message<'a> {
    fn header(&self, name: &str) -> Option<&'a str> {
        self.headers.iter().find(|(known, _)| *known == name).map(|(_, value)| *value)
    }
}

/// What became of a message.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "fate", rename_all = "snake_case")]
pub enum Received {
    /// It began a run, now or when it came before.
    Began {
        /// The run.
        run: adjutant_core::id::RunId,
        /// Whether it came for the first time.
        new: bool,
    },
    /// Nothing was done.
    Skipped {
        /// Why.
        why: String,
    },
}

impl Triggers {
    /// Takes a message from outside: one that is signed as its trigger wants begins a run, once, however often it comes. It is recorded
    /// when this returns. Somebody must drive the run.
    ///
    /// Fails with [`Code::NotFound`] where no trigger that is on has the path, with [`Code::Unauthenticated`] for a message that is
    /// not signed, with [`Code::TooLarge`] and [`Code::InputInvalid`] for one that makes no sense, with [`Code::Overloaded`] where its secret cannot be
    /// had, and as
    /// [`Adjutant::start`](crate::Adjutant::start) does.
    pub async fn receive(&self, message: &Message<'_>) -> Result<Received> {
        let all = self.all();
        let mut meant = all.iter().filter_map(|(name, trigger)| match &trigger.source {
            TriggerSource::Webhook { path, secret, signing, key }
                if trigger.enabled && path == message.path =>
            {
                Some((name, trigger, secret.clone(), *signing, key))
            }
            _ => None,
        });
        let Some((name, trigger, secret, signing, key)) = meant.next() else {
            return Err(Error::new(
                Code::NotFound,
                format!("no trigger takes messages at `{}`", message.path),
            ));
        };
        let now = self.adjutant().now();
        let secrets = self.adjutant().secrets();
        // A secret may come from a command that takes its time.
        let secret = tokio::task::spawn_blocking(move || secrets.get(&secret))
            .await
            .map_err(|error| Error::new(Code::Internal, "a secret cannot be read").caused_by(&error))?
            .map_err(|error| {
                let message =
                    format!("the trigger `{name}` cannot check signatures: its secret cannot be read");
                Error::new(Code::Overloaded, message).caused_by(&error)
            })?;
        signing.check(&secret, |name| message.header(name), message.body, now)?;
        let event = event(name, message, key, now)?;
        let (fired, occurrence) = self.admit(name, trigger, &event, None).await?;
        Ok(match (fired, occurrence.map(|occurrence| occurrence.fate)) {
            (_, Some(Fate::Skipped { why, .. })) => Received::Skipped { why },
            (Fired::Busy(run), _) => Received::Skipped { why: format!("the run {run} of it is not over") },
            (fired, _) => self.began(name, &event.key, fired == Fired::Recorded).await?,
        })
    }

    /// What a message began that is known by a key; one that was passed over when it first came began nothing.
    async fn began(&self, name: &str, key: &str, new: bool) -> Result<Received> {
        let run: Run = self.run_of(name, key);
        match run.info().await {
            Ok(info) => Ok(Received::Began { run: info.run, new }),
            Err(error) if error.code() == Code::NotFound => Ok(Received::Skipped {
                why: "it came before, and was passed over or is forgotten".to_owned(),
            }),
            Err(error) => Err(error),
        }
    }
}

/// A message as something that a trigger has come to. Whoever signed it vouches for who sends it, not for what stands in it.
fn event(name: &str, message: &Message<'_>, key: &MessageKey, now: Timestamp) -> Result<Event> {
    if message.body.len() > LONGEST {
        let why = format!("a message that begins a run has at most {LONGEST} bytes");
        return Err(Error::new(Code::TooLarge, why));
    }
    let invalid = |why: &str| Error::new(Code::InputInvalid, why.to_owned());
    let text = std::str::from_utf8(message.body).map_err(|_| invalid("the body is not UTF-8 text"))?;
    let body: Value = serde_json::from_str(text).unwrap_or(Value::Null);
    let key = key_of(message, key, &body)?;
    let mut values = Map::new();
    values.insert("text".to_owned(), Value::String(text.to_owned()));
    values.insert("body".to_owned(), body);
    values.insert("key".to_owned(), Value::String(key.clone()));
    values.insert("time".to_owned(), Value::String(written(now, &TimeZone::UTC)));
    values.insert("trigger".to_owned(), Value::String(name.to_owned()));
    Ok(Event { key, due: now, values, label: Label::untrusted_from(format!("webhook:{name}")) })
}

/// By what the message is known. A long text is known by its hash.
fn key_of(message: &Message<'_>, key: &MessageKey, body: &Value) -> Result<String> {
    let (found, place) = match key {
        MessageKey::Header(name) => (message.header(name).map(str::to_owned), format!("the header `{name}`")),
        MessageKey::Body(pointer) => {
            let value = body.pointer(pointer).filter(|value| !value.is_null());
            let text = value.map(|value| value.as_str().map_or_else(|| value.to_string(), str::to_owned));
            (text, format!("`{pointer}` of the body"))
        }
        MessageKey::Content => (Some(Digest::of(message.body).to_string()), "the body".to_owned()),
    };
    let found = found.filter(|text| !text.trim().is_empty());
    let found = found.ok_or_else(|| {
        Error::new(Code::InputInvalid, format!("the message is known by nothing: {place} is missing"))
            .with_help("it says which messages are the same one; `key` of the trigger names another place")
    })?;
    Ok(match found.len() <= LONGEST_KEY {
        true => found,
        false => Digest::of(found.as_bytes()).to_string(),
    })
}
