//! What the mock answers.

use std::time::Duration;

use adjutant_core::usage::Usage;
use serde_json::Value;

use super::fault::Fault;

/// One answer of the mock, in no interface's words.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) signature: Option<String>,
    pub(super) refusal: String,
    pub(super) calls: Vec<Call>,
    pub(super) finish: Option<Finish>,
    pub(super) usage: Option<Usage>,
    pub(super) delay: Duration,
    pub(super) headers: Vec<(String, String)>,
    pub(super) fault: Option<Fault>,
    pub(super) chunks: Option<Vec<Value>>,
}

/// A tool call of an answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its id; where there is none, none is sent, or one of the mock's own where the interface demands it.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// The arguments' text, which need not be JSON.
    pub arguments: String,
}

impl Call {
    /// The arguments as JSON, for interfaces that send them so; a text that is no JSON stays a text.
    pub fn input(&self) -> Value {
        match self.arguments.trim() {
            "" => Value::Object(serde_json::Map::new()),
            text => serde_json::from_str(text).unwrap_or_else(|_| self.arguments.as_str().into()),
        }
    }
}

/// Why an answer ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finish {
    /// It is complete.
    Stop,
    /// It waits for the results of its calls.
    Calls,
    /// It is as long as it may be.
    Length,
    /// It came to a text at which it was told to stop.
    StopSequence,
    /// A filter cut it off.
    Filter,
    /// The model declined.
    Refusal,
    /// The interface's own word, sent as it is.
    Raw(String),
}

impl Answer {
    /// An answer of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            reasoning: String::new(),
            signature: None,
            refusal: String::new(),
            calls: Vec::new(),
            finish: None,
            usage: Some(Usage { input: 10, output: 5, ..Usage::default() }),
            delay: Duration::ZERO,
            headers: Vec::new(),
            fault: None,
            chunks: None,
        }
    }

    /// An answer that calls tools, each by id, name and arguments.
    pub fn calls<'a>(calls: impl IntoIterator<Item = (&'a str, &'a str, Value)>) -> Self {
        let call = |(id, name, arguments): (&str, &str, Value)| Call {
            id: (!id.is_empty()).then(|| id.to_owned()),
            name: name.to_owned(),
            arguments: match arguments {
                Value::String(text) => text,
                other => other.to_string(),
            },
        };
        Self { calls: calls.into_iter().map(call).collect(), ..Self::text("") }
    }

    /// An answer of raw events in the interface's own form, sent as they are before the end of the stream.
    pub fn chunks(chunks: impl IntoIterator<Item = Value>) -> Self {
        Self { chunks: Some(chunks.into_iter().collect()), ..Self::text("") }
    }

    /// A refusal with a status and a message, in the form that the interface gives it.
    pub fn status(status: u16, message: &str) -> Self {
        Self::text("").with(Fault::Refuse(status, message.to_owned()))
    }

    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Misbehaves.
    #[must_use]
    pub fn with(mut self, fault: Fault) -> Self {
        self.fault = Some(fault);
        self
    }

    /// Waits before it accepts the request.
    #[must_use]
    pub fn after(mut self, delay: Duration) -> Self {
        self.delay = delay;
        self
    }

    /// Says this text before its calls.
    #[must_use]
    pub fn saying(mut self, text: &str) -> Self {
        text.clone_into(&mut self.text);
        self
    }

    /// Says what it used.
    #[must_use]
    pub fn using(mut self, usage: Usage) -> Self {
        self.usage = Some(usage);
        self
    }

    /// Does not say what it used.
    #[must_use]
    pub fn without_usage(mut self) -> Self {
        self.usage = None;
        self
    }

    /// Shows some reasoning first.
    #[must_use]
    pub fn reasoning(mut self, text: &str) -> Self {
        text.clone_into(&mut self.reasoning);
        self
    }

    /// Signs its reasoning, or has this as its encrypted content. Base64, since some interfaces demand it.
    #[must_use]
    pub fn signed(mut self, signature: &str) -> Self {
        self.signature = Some(signature.to_owned());
        self
    }

    /// Declines with this text.
    #[must_use]
    pub fn refusing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.refusal);
        self
    }

    /// Ends for this reason instead of the one that fits.
    #[must_use]
    pub fn ending(mut self, finish: Finish) -> Self {
        self.finish = Some(finish);
        self
    }

    /// Ends with this reason, in the interface's own word.
    #[must_use]
    pub fn finishing(self, reason: &str) -> Self {
        self.ending(Finish::Raw(reason.to_owned()))
    }

    /// The reason why it ends.
    pub(super) fn finish(&self) -> Finish {
        let fitting = match (self.refusal.is_empty(), self.calls.is_empty()) {
            (false, _) => Finish::Refusal,
            (true, false) => Finish::Calls,
            (true, true) => Finish::Stop,
        };
        self.finish.clone().unwrap_or(fitting)
    }
}

/// Pieces of about a dozen bytes, or about a thousand larger ones of a text that is long.
pub(super) fn pieces(text: &str) -> impl Iterator<Item = &str> {
    let size = (text.len() / 1_000).max(12);
    let mut rest = text;
    std::iter::from_fn(move || {
        let (piece, after) = rest.split_at(rest.ceil_char_boundary(rest.len().min(size)));
        rest = after;
        (!piece.is_empty()).then_some(piece)
    })
}
