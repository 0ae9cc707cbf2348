//! How the program ends: what a script can tell from its exit code.

use adjutant_core::error::{Code, Kind};
use adjutant_core::{Error, Result};

use crate::turn::Interrupt;

/// How a command ended. The numbers are documented in `docs/cli.md` and do not change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It did what it was asked.
    Success = 0,
    /// It failed, or the run did.
    Failure = 1,
    /// What was typed, or a file of the project, is wrong.
    Usage = 2,
    /// The run waits for a person: an approval, an answer, or an effect whose outcome is not known.
    Waiting = 3,
    /// The run answered, but a limit ended it.
    Limited = 4,
    /// Somebody pressed Ctrl-C, or the run was cancelled.
    Interrupted = 130,
    /// Something asked the process to end (SIGTERM).
    Terminated = 143,
}

impl Exit {
    /// The exit code of the process.
    pub(crate) fn code(self) -> u8 {
        self as u8
    }

    /// How a command ends that failed with this error.
    pub(crate) fn of(error: &Error) -> Self {
        match error.code() {
            Code::ModelUnknown | Code::ToolInvalid | Code::ToolUnknown | Code::ToolArguments => Self::Usage,
            Code::RunCancelled => Self::Interrupted,
            Code::Conflict | Code::FileUnreadable => Self::Failure,
            code if code.kind() == Kind::Input => Self::Usage,
            _ => Self::Failure,
        }
    }
}

impl From<Interrupt> for Exit {
    fn from(interrupt: Interrupt) -> Self {
        match interrupt {
            Interrupt::Key => Self::Interrupted,
            Interrupt::Termination => Self::Terminated,
        }
    }
}

/// Why a command came to no result: at least one error, all of which the person is told.
#[derive(Debug)]
pub(crate) enum Failure {
    /// What is wrong.
    Errors(Vec<Error>),
    /// What a run ended or halted with. Whatever it is, what was typed was right.
    Run(Error),
    /// Whoever reads the output has gone away; there is nobody to tell.
    ReaderGone,
}

impl Failure {
    /// How the process ends.
    pub(crate) fn exit(&self) -> Exit {
        match self {
            Self::Errors(errors) => errors.first().map_or(Exit::Failure, Exit::of),
            Self::Run(error) if error.code() == Code::RunCancelled => Exit::Interrupted,
            Self::Run(_) => Exit::Failure,
            Self::ReaderGone => Exit::Success,
        }
    }

    /// What a run ended or halted with.
    pub(crate) fn of_run(error: Error) -> Self {
        Self::Run(error)
    }

    /// Whether the store failed, so that nothing is known of the run but what is recorded.
    pub(crate) fn is_of_store(&self) -> bool {
        self.errors().iter().any(|error| error.code().kind() == Kind::Store)
    }

    /// What the person is told.
    pub(crate) fn errors(&self) -> &[Error] {
        match self {
            Self::Errors(errors) => errors,
            Self::Run(error) => std::slice::from_ref(error),
            Self::ReaderGone => &[],
        }
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Self::Errors(vec![error])
    }
}

impl From<Vec<Error>> for Failure {
    fn from(errors: Vec<Error>) -> Self {
        Self::Errors(errors)
    }
}

/// What a command comes to.
pub(crate) type Ended<T = Exit> = Result<T, Failure>;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_wrong_is_told_from_what_went_wrong() {
        let cases = [
            (Code::ProjectInvalid, Exit::Usage),
            (Code::NotFound, Exit::Usage),
            (Code::ModelUnknown, Exit::Usage),
            (Code::ToolUnknown, Exit::Usage),
            (Code::ToolArguments, Exit::Usage),
            (Code::ToolFailed, Exit::Failure),
            (Code::ModelKeyMissing, Exit::Failure),
            (Code::StoreFull, Exit::Failure),
            (Code::Conflict, Exit::Failure),
            (Code::RunCancelled, Exit::Interrupted),
        ];
        for (code, exit) in cases {
            assert_eq!(Exit::of(&Error::new(code, "x")), exit, "{code}");
        }
    }
}
