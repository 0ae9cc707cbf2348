//! Why a request of a client is refused.

use std::fmt;

use adjutant_core::{Code, Error};

use crate::problem::Refusal;

/// Why a request is refused, and where in it the reason stands.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Fault {
    /// What is wrong.
    pub(crate) error: Error,
    /// The place in the body, such as `messages[2].content[0].type`; none where it is no place.
    pub(crate) param: Option<String>,
    /// The vendors' word for it.
    pub(crate) word: &'static str,
}

impl Fault {
    /// A value at a place that cannot be taken.
    pub(crate) fn at(param: impl Into<String>, word: &'static str, message: impl Into<String>) -> Self {
        Self { error: Error::new(Code::InputInvalid, message), param: Some(param.into()), word }
    }

    /// Says what to do about it.
    pub(crate) fn with_help(mut self, help: impl Into<String>) -> Self {
        self.error = self.error.with_help(help);
        self
    }

    /// The message with what to do about it, as a client shows it.
    pub(crate) fn told(&self) -> String {
        told(&self.error)
    }
}

/// An error with what to do about it.
fn told(error: &Error) -> String {
    match error.help() {
        Some(help) => format!("{error}; {help}"),
        None => error.to_string(),
    }
}

impl From<Error> for Fault {
    fn from(error: Error) -> Self {
        Self { word: error.code().as_str(), error, param: None }
    }
}

impl From<Refusal> for Fault {
    fn from(refusal: Refusal) -> Self {
        Error::from(refusal).into()
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.told())
    }
}
