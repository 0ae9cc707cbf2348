//! The one error of Adjutant: a code with a page, a message, and what to do.
//!
//! An error says who hears it. What a model can mend goes back to the model; what only an operator can mend stops
//! the run. It can be stored and read again, since a failed step is a recorded step.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// A result with the one [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What an error is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// What somebody wrote: a file, an argument, a message.
    Input,
    /// A model or its provider.
    Model,
    /// A tool.
    Tool,
    /// The course of a run.
    Run,
    /// The store under it.
    Store,
    /// Adjutant itself.
    Internal,
}

/// Who hears an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Audience {
    /// The model: it goes into the transcript, and the model can try something else.
    Model,
    /// The run: it stops, and whoever started it is told.
    Run,
}

/// Whether doing the same again can help.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry {
    /// The same would fail again.
    Never,
    /// It may pass later without anybody doing anything.
    Later,
}

macro_rules! codes {
    ($($(#[$doc:meta])+ $name:ident = $text:literal: $kind:ident, $audience:ident, $retry:ident;)+) => {
        /// What went wrong, as a stable word. Each has a page `docs/errors/CODE.md`: what happened, why, what to do.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Code {
            $($(#[$doc])+ $name,)+
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name,)+];

            /// The stable word.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)+ }
            }

            /// What it is about.
            pub fn kind(self) -> Kind {
                match self { $(Self::$name => Kind::$kind,)+ }
            }

            /// Who hears it.
            pub fn audience(self) -> Audience {
                match self { $(Self::$name => Audience::$audience,)+ }
            }

            /// Whether a retry helps.
            pub fn retry(self) -> Retry {
                match self { $(Self::$name => Retry::$retry,)+ }
            }
        }
    };
}

codes! {
    /// An argument or a value given to Adjutant has the wrong form.
    InputInvalid = "input-invalid": Input, Run, Never;
    /// Something that was named does not exist.
    NotFound = "not-found": Input, Run, Never;
    /// What was asked does not fit the state that the thing is in.
    Conflict = "conflict": Input, Run, Never;
    /// Nobody says who asks, or what they say is not known.
    Unauthenticated = "unauthenticated": Input, Run, Never;
    /// Who asks may not do that.
    Forbidden = "forbidden": Input, Run, Never;
    /// Who asks has asked too often in a short time.
    TooManyRequests = "too-many-requests": Input, Run, Later;
    /// What was sent is larger than is taken.
    TooLarge = "too-large": Input, Run, Never;
    /// The service has as much to do as it can.
    Overloaded = "overloaded": Run, Run, Later;
    /// A file cannot be read or written.
    FileUnreadable = "file-unreadable": Input, Run, Never;
    /// A project file (`adjutant.toml`, an agent) is not valid.
    ProjectInvalid = "project-invalid": Input, Run, Never;
    /// The key with which a service is asked is not accepted.
    KeyRefused = "key-refused": Input, Run, Never;
    /// A prompt uses a variable that has no value.
    PromptVariable = "prompt-variable": Input, Run, Never;

    /// No model is configured under that name.
    ModelUnknown = "model-unknown": Model, Run, Never;
    /// The key for a provider is missing.
    ModelKeyMissing = "model-key-missing": Model, Run, Never;
    /// The provider refused the key.
    ModelKeyRefused = "model-key-refused": Model, Run, Never;
    /// The provider cannot be reached.
    ModelUnreachable = "model-unreachable": Model, Run, Later;
    /// The provider did not answer, or stopped answering, in time.
    ModelTimeout = "model-timeout": Model, Run, Later;
    /// The provider asks to slow down.
    ModelRateLimited = "model-rate-limited": Model, Run, Later;
    /// The provider failed on its side.
    ModelUnavailable = "model-unavailable": Model, Run, Later;
    /// The provider refused the request as wrong.
    ModelRequestRefused = "model-request-refused": Model, Run, Never;
    /// The provider's answer is not what its interface promises.
    ModelAnswerInvalid = "model-answer-invalid": Model, Run, Later;
    /// The request is larger than the model's context window.
    ModelContextExceeded = "model-context-exceeded": Model, Run, Never;
    /// The model cannot do what the request asks of it.
    ModelUnsupported = "model-unsupported": Model, Run, Never;
    /// The script of a scripted model is over, or expected another request.
    ModelScript = "model-script": Model, Run, Never;
    /// A cassette that is played back holds no answer to the request.
    ModelCassette = "model-cassette": Model, Run, Never;

    /// The model called a tool that it was not given.
    ToolUnknown = "tool-unknown": Tool, Model, Never;
    /// The arguments of a call do not fit the tool's schema.
    ToolArguments = "tool-arguments": Tool, Model, Never;
    /// The tool ran and says that it failed.
    ToolFailed = "tool-failed": Tool, Model, Never;
    /// The tool did nothing, for a reason that passes.
    ToolBusy = "tool-busy": Tool, Model, Later;
    /// The tool took too long and was stopped.
    ToolTimeout = "tool-timeout": Tool, Model, Never;
    /// The call was refused, by a person or by a rule.
    ToolDenied = "tool-denied": Tool, Model, Never;
    /// The tool's server describes it otherwise than when a person accepted it.
    ToolQuarantined = "tool-quarantined": Tool, Model, Never;
    /// The tool's server wants a login that is not there or is over.
    ToolUnauthorized = "tool-unauthorized": Tool, Run, Never;
    /// What is kept encrypted cannot be read: it was changed, or the key is another one.
    VaultUnreadable = "vault-unreadable": Tool, Run, Never;
    /// The tool cannot be started or does not keep its contract.
    ToolBroken = "tool-broken": Tool, Model, Never;
    /// It is not known whether the call happened.
    ToolOutcomeUnknown = "tool-outcome-unknown": Tool, Run, Never;
    /// A tool of the agent is configured wrongly.
    ToolInvalid = "tool-invalid": Tool, Run, Never;
    /// A tool runs only in a sandbox, and this machine cannot make one.
    SandboxUnavailable = "sandbox-unavailable": Tool, Run, Never;
    /// A program that the model wrote failed, or ran into a limit.
    ProgramFailed = "program-failed": Tool, Model, Never;
    /// A program that the model wrote, run again, did something else than before.
    ProgramDiverged = "program-diverged": Tool, Run, Never;
    /// Programs that models write cannot be interpreted here.
    InterpreterUnavailable = "interpreter-unavailable": Tool, Run, Never;

    /// The run was cancelled.
    RunCancelled = "run-cancelled": Run, Run, Never;
    /// The code asked for another step than the one recorded.
    RunDiverged = "run-diverged": Run, Run, Never;
    /// The run waits for something that `Ctx` does not know of.
    RunStuck = "run-stuck": Run, Run, Never;
    /// The run's code panicked.
    RunPanicked = "run-panicked": Run, Run, Never;
    /// Another process has taken the run over.
    RunFenced = "run-fenced": Run, Run, Never;
    /// A limit was reached where no last turn was possible.
    RunLimit = "run-limit": Run, Run, Never;
    /// The policies do not allow what the run cannot do without.
    RunDenied = "run-denied": Run, Run, Never;
    /// The shared budget has no room for the call.
    RunBudget = "run-budget": Run, Run, Never;
    /// The answer does not fit the agent's output schema, also after one repair.
    RunOutputInvalid = "run-output-invalid": Run, Run, Never;
    /// The definition that the run is pinned to is not here.
    RunDefinitionMissing = "run-definition-missing": Run, Run, Never;
    /// A published version cannot be run here and now.
    VersionUnusable = "version-unusable": Run, Run, Never;

    /// The store cannot be opened or answers wrongly.
    StoreUnavailable = "store-unavailable": Store, Run, Later;
    /// The disk is full, or a quota is.
    StoreFull = "store-full": Store, Run, Later;
    /// The store was written by a newer version.
    StoreNewer = "store-newer": Store, Run, Never;
    /// A record in the store cannot be read.
    StoreCorrupt = "store-corrupt": Store, Run, Never;

    /// Adjutant broke one of its own rules.
    Internal = "internal": Internal, Run, Never;
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::str::FromStr for Code {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.iter().find(|code| code.as_str() == text);
        found.copied().ok_or_else(|| Error::new(Code::NotFound, format!("there is no error code `{text}`")))
    }
}

impl Serialize for Code {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> std::result::Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        // A record of a version that had other codes must stay readable.
        let text = String::deserialize(deserializer)?;
        Ok(text.parse().unwrap_or(Code::Internal))
    }
}

/// A place in a file that a person wrote.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The file, as the person named it.
    pub file: String,
    /// The line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<usize>,
    /// The column in characters, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<usize>,
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
            if let Some(column) = self.column {
                write!(f, ":{column}")?;
            }
        }
        Ok(())
    }
}

/// What went wrong, where, and what to do.
///
/// Messages are in lower case without a final period, with what the user typed in backticks, and without secrets.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Error(Box<Body>);

#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Body {
    code: Code,
    message: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    help: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    location: Option<Location>,
    /// From the nearest to the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    causes: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    retry_after_ms: Option<u64>,
    /// How often it was tried, where somebody has tried again already.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    attempts: Option<u32>,
}

impl Error {
    /// An error with a code and a message.
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Self(Box::new(Body {
            code,
            message: message.into(),
            help: None,
            location: None,
            causes: Vec::new(),
            retry_after_ms: None,
            attempts: None,
        }))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(help.into());
        self
    }

    /// Says where it is.
    #[must_use]
    pub fn at(mut self, file: impl Into<String>, line: Option<usize>, column: Option<usize>) -> Self {
        self.0.location = Some(Location { file: file.into(), line, column });
        self
    }

    /// Adds the error that led to this one, with all that led to that.
    #[must_use]
    pub fn caused_by(mut self, cause: &(dyn std::error::Error + 'static)) -> Self {
        let mut next = Some(cause);
        while let Some(cause) = next {
            let text = cause.to_string();
            // Many libraries repeat the inner message in the outer one.
            if !self.0.causes.last().is_some_and(|last| last.contains(&text)) {
                self.0.causes.push(text);
            }
            next = cause.source();
        }
        self
    }

    /// Says first which part of a larger thing went wrong.
    #[must_use]
    pub fn within(mut self, part: impl fmt::Display) -> Self {
        self.0.message.insert_str(0, &format!("{part}: "));
        self
    }

    /// Says how long the other side asked to wait before the next try.
    #[must_use]
    pub fn with_retry_after(mut self, wait: Duration) -> Self {
        self.0.retry_after_ms = Some(u64::try_from(wait.as_millis()).unwrap_or(u64::MAX));
        self
    }

    /// Says that it was tried so often in all, and that nobody else need try again now.
    #[must_use]
    pub fn after_attempts(mut self, attempts: u32) -> Self {
        self.0.attempts = Some(attempts);
        self
    }

    /// How often it was tried; none where nobody has tried again.
    pub fn attempts(&self) -> Option<u32> {
        self.0.attempts
    }

    /// Whether doing the same again can help now: as the code says, unless somebody has tried again already.
    pub fn retry(&self) -> Retry {
        match self.0.attempts {
            Some(_) => Retry::Never,
            None => self.code().retry(),
        }
    }

    /// What went wrong, as a stable word.
    pub fn code(&self) -> Code {
        self.0.code
    }

    /// What went wrong, in a sentence.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// What to do about it.
    pub fn help(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// Where it is.
    pub fn location(&self) -> Option<&Location> {
        self.0.location.as_ref()
    }

    /// What led to it, from the nearest to the first.
    pub fn causes(&self) -> &[String] {
        &self.0.causes
    }

    /// How long the other side asked to wait.
    pub fn retry_after(&self) -> Option<Duration> {
        self.0.retry_after_ms.map(Duration::from_millis)
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(location) = &self.0.location {
            write!(f, "{location}: ")?;
        }
        f.write_str(&self.0.message)?;
        for cause in &self.0.causes {
            write!(f, ": {cause}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "[{}] {self}", self.0.code)?;
        if let Some(help) = &self.0.help {
            write!(f, " (hint: {help})")?;
        }
        Ok(())
    }
}

impl std::error::Error for Error {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_words() {
        for code in Code::ALL {
            assert_eq!(code.as_str().parse::<Code>().unwrap(), *code);
            assert!(code.as_str().bytes().all(|b| b.is_ascii_lowercase() || b == b'-'), "{code}");
        }
    }

    #[test]
    fn an_error_survives_storage() {
        let error = Error::new(Code::ModelRateLimited, "slow down")
            .with_help("wait")
            .at("adjutant.toml", Some(3), Some(7))
            .caused_by(&std::io::Error::other("reset"))
            .with_retry_after(Duration::from_secs(2));
        let text = serde_json::to_string(&error).unwrap();
        assert_eq!(serde_json::from_str::<Error>(&text).unwrap(), error);
        assert_eq!(error.to_string(), "adjutant.toml:3:7: slow down: reset");
    }
}
