//! What the mock answers.

use std::time::Duration;

use adjutant_core::usage::Usage;
use serde_json::Value;

/// One answer of the mock.
#[derive(Clone, Debug)]
pub struct Answer {
    pub(super) text: String,
    pub(super) reasoning: String,
    pub(super) refusal: String,
    pub(super) calls: Vec<Call>,
    pub(super) finish: Option<String>,
    pub(super) usage: Option<Usage>,
    pub(super) delay: Duration,
    pub(super) fault: Option<Fault>,
    pub(super) chunks: Option<Vec<Value>>,
}

/// A tool call of an answer.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its id; where there is none, none is sent.
    pub id: Option<String>,
    /// The tool.
    pub name: String,
    /// The arguments' text, which need not be JSON.
    pub arguments: String,
}

/// A way in which a provider misbehaves.
#[derive(Clone, Debug)]
pub enum Fault {
    /// It refuses, with a status, headers and a body.
    Status(u16, Vec<(String, String)>, String),
    /// It accepts, and sends nothing for so long.
    SlowFirstByte(Duration),
    /// It stops after so many events and keeps the connection open.
    Stall(usize),
    /// It breaks the connection after so many events.
    Cut(usize),
    /// It ends the stream properly after so many events, without the end of the answer.
    Unfinished(usize),
    /// It sends half of an event's JSON and ends.
    HalfJson,
    /// It sends an event that is no JSON.
    Garbage,
    /// It never stops sending text.
    Endless,
    /// It sends the right body under this content type.
    ContentType(String),
    /// It answers whole though a stream was asked for.
    Whole,
    /// It sends an error within the stream, after so many events.
    ErrorEvent(usize, Value),
    /// It sends this body with status 200 under this content type.
    Body(String, String),
}

impl Answer {
    /// An answer of text.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            reasoning: String::new(),
            refusal: String::new(),
            calls: Vec::new(),
            finish: None,
            usage: Some(Usage { input: 10, output: 5, ..Usage::default() }),
            delay: Duration::ZERO,
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

    /// An answer of raw chunks, sent as they are before the end of the stream.
    pub fn chunks(chunks: impl IntoIterator<Item = Value>) -> Self {
        Self { chunks: Some(chunks.into_iter().collect()), ..Self::text("") }
    }

    /// A refusal with a status and a message, in the form that OpenAI gives it.
    pub fn status(status: u16, message: &str) -> Self {
        let body = serde_json::json!({"error": {"message": message, "type": "mock", "code": null}});
        Self::text("").with(Fault::Status(status, Vec::new(), body.to_string()))
    }

    /// Adds a header to a refusal.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        if let Some(Fault::Status(_, headers, _)) = &mut self.fault {
            headers.push((name.to_owned(), value.to_owned()));
        }
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

    /// Declines with this text.
    #[must_use]
    pub fn refusing(mut self, text: &str) -> Self {
        text.clone_into(&mut self.refusal);
        self
    }

    /// Ends with this reason instead of the one that fits.
    #[must_use]
    pub fn finishing(mut self, reason: &str) -> Self {
        self.finish = Some(reason.to_owned());
        self
    }

    /// The reason why it ends.
    pub(super) fn finish_reason(&self) -> String {
        let fitting = if self.calls.is_empty() { "stop" } else { "tool_calls" };
        self.finish.clone().unwrap_or_else(|| fitting.to_owned())
    }
}
