//! Why a call gave no output, and who hears it.

use std::fmt;

use adjutant_core::error::Audience;
use adjutant_core::{Code, Error};
use serde::{Deserialize, Serialize};

use crate::pending::Pending;

/// Why a call gave no output, and who hears it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Failure {
    /// The model hears it and may try something else.
    Model(Error),
    /// It is not known whether the call happened; the text says why. It never goes to the model as an ordinary
    /// error: the tool reconciles it, or a person resolves it.
    Unknown(String),
    /// The run stops.
    Run(Error),
    /// There is no output yet: the call waits for something, and goes on from there.
    Pending(Box<Pending>),
}

impl From<Pending> for Failure {
    fn from(pending: Pending) -> Self {
        Self::Pending(Box::new(pending))
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match (error.code(), error.code().audience()) {
            (Code::ToolOutcomeUnknown, _) => Self::Unknown(error.to_string()),
            (_, Audience::Model) => Self::Model(error),
            (_, Audience::Run) => Self::Run(error),
        }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Model(error) | Self::Run(error) => error.fmt(f),
            Self::Unknown(why) => f.write_str(why),
            Self::Pending(_) => f.write_str("the call is not over"),
        }
    }
}

impl std::error::Error for Failure {}

/// What the author of a tool returns when a call fails. The model hears it, unless the author says otherwise.
///
/// Any error becomes one with `?`. An [`Error`] keeps its code and with that its audience.
pub struct ToolError(Failure);

impl ToolError {
    /// The call failed, and the model should know why.
    pub fn new(message: impl Into<String>) -> Self {
        Self(Failure::Model(Error::new(Code::ToolFailed, message)))
    }

    /// It is not known whether the call happened.
    pub fn unknown(why: impl Into<String>) -> Self {
        Self(Failure::Unknown(why.into()))
    }

    /// Nothing that the model does can help; the run stops.
    pub fn run(message: impl Into<String>) -> Self {
        Self(Failure::Run(Error::new(Code::ToolFailed, message)))
    }

    /// Says what to do about it.
    #[must_use]
    pub fn with_help(self, help: impl Into<String>) -> Self {
        Self(match self.0 {
            Failure::Model(error) => Failure::Model(error.with_help(help)),
            Failure::Run(error) => Failure::Run(error.with_help(help)),
            Failure::Unknown(why) => Failure::Unknown(format!("{why} ({})", help.into())),
            pending @ Failure::Pending(_) => pending,
        })
    }
}

impl fmt::Display for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for ToolError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<ToolError> for Failure {
    fn from(error: ToolError) -> Self {
        error.0
    }
}

// As with `anyhow::Error`, this is why `ToolError` is no `std::error::Error` itself.
impl<E: std::error::Error + Send + Sync + 'static> From<E> for ToolError {
    fn from(error: E) -> Self {
        let error: Box<dyn std::error::Error + Send + Sync> = Box::new(error);
        let error = match error.downcast::<Failure>() {
            Ok(failure) => return Self(*failure),
            Err(error) => error,
        };
        match error.downcast::<Error>() {
            Ok(own) => Self((*own).into()),
            Err(other) => {
                let mut failed = Error::new(Code::ToolFailed, other.to_string());
                if let Some(cause) = other.source() {
                    failed = failed.caused_by(cause);
                }
                Self(Failure::Model(failed))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_code_says_who_hears_it() {
        let hears = |code| Failure::from(Error::new(code, "x"));
        assert!(matches!(hears(Code::ToolFailed), Failure::Model(_)));
        assert!(matches!(hears(Code::StoreFull), Failure::Run(_)));
        assert!(matches!(hears(Code::ToolOutcomeUnknown), Failure::Unknown(_)));
    }

    #[test]
    fn any_error_becomes_one_for_the_model() {
        let parse = || -> Result<i32, ToolError> { Ok("x".parse::<i32>()?) };
        let Failure::Model(error) = parse().unwrap_err().into() else { panic!("another audience") };
        assert_eq!((error.code(), error.message()), (Code::ToolFailed, "invalid digit found in string"));

        let store = || -> Result<(), ToolError> { Err(Error::new(Code::StoreFull, "no room"))? };
        assert!(matches!(store().unwrap_err().into(), Failure::Run(_)));
        assert_eq!(Failure::from(ToolError::unknown("lost")), Failure::Unknown("lost".into()));
    }
}
