//! What a request without a result means for the run. Pure.

use std::time::Duration;

use adjutant_core::time::format_duration;
use adjutant_core::{Code, Error};
use rmcp::model::ServerResult;

use super::clean;
use super::connection::Unanswered;
use super::flight::Heard;
use crate::command::Redactor;
use crate::failure::Failure;

/// What is known of the call.
pub(super) struct Made<'a> {
    /// The name of the tool.
    pub(super) name: &'a str,
    /// Whether it may be called again without asking.
    pub(super) is_repeatable: bool,
    /// How long it may take.
    pub(super) timeout: Duration,
    /// The last words of the server.
    pub(super) said: Option<String>,
    /// What must not be shown.
    pub(super) redactor: Redactor,
}

/// Why a request was not answered.
#[derive(Debug)]
pub(super) enum Missed {
    /// It was not made.
    Unmade(Error),
    /// It was made, and has no answer.
    Unanswered(Unanswered),
}

impl Made<'_> {
    /// What it means that a request was not answered.
    pub(super) fn missed(&self, missed: Missed) -> Failure {
        match missed {
            Missed::Unmade(error) => error.into(),
            Missed::Unanswered(unanswered) => self.unanswered(&unanswered),
        }
    }

    /// The answer to a request that asks nobody anything.
    pub(super) fn answer(&self, heard: Result<Heard, Missed>) -> Result<ServerResult, Failure> {
        match heard {
            Ok(Heard::Answer(answer)) => match *answer {
                ServerResult::InputRequiredResult(_) => Err(self.asks()),
                answer => Ok(answer),
            },
            Ok(Heard::Question(_)) => Err(self.asks()),
            Err(missed) => Err(self.missed(missed)),
        }
    }

    fn asks(&self) -> Failure {
        let why = format!(
            "`{}` asks a person something before it goes on, which only tools of a server may",
            self.name
        );
        self.failed(Code::ToolFailed, why)
    }

    /// What it means that there is no answer.
    pub(super) fn unanswered(&self, unanswered: &Unanswered) -> Failure {
        let name = self.name;
        match unanswered {
            Unanswered::Refused(refusal) => {
                let why = clean::words(&refusal.message, clean::LONGEST_REASON);
                self.failed(Code::ToolFailed, format!("`{name}` failed: {why} ({})", refusal.code.0))
            }
            Unanswered::Unsent(why) => self.failed(
                Code::ToolBusy,
                format!("`{name}` was not called, its server cannot be reached: {why}"),
            ),
            Unanswered::Unauthorized(error) => Failure::from(error.clone()),
            Unanswered::Lost(why) => {
                let said = self.said.as_ref().map(|said| format!("; the server's last words: {said}"));
                let why = format!("the answer of `{name}` was lost: {why}{}", said.unwrap_or_default());
                self.lost(Code::ToolBroken, why)
            }
            Unanswered::Deadline => {
                let why = format!("`{name}` gave no answer within {}", format_duration(self.timeout));
                self.lost(Code::ToolTimeout, why)
            }
            Unanswered::Cancelled => {
                self.lost(Code::RunCancelled, format!("the call of `{name}` was cancelled"))
            }
        }
    }

    /// A failure that the server tells of: it is an answer.
    pub(super) fn failed(&self, code: Code, why: String) -> Failure {
        Failure::from(Error::new(code, self.redactor.text(why)))
    }

    /// A failure after which the work may have been done.
    pub(super) fn lost(&self, code: Code, why: String) -> Failure {
        match self.is_repeatable {
            true => self.failed(code, why),
            false => Failure::Unknown(self.redactor.text(format!("{why}; it may have done its work"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(unanswered: &Unanswered, repeatable: &str, otherwise: &str) {
        for (is_repeatable, expected) in [(true, repeatable), (false, otherwise)] {
            let made = Made {
                name: "x__pay",
                is_repeatable,
                timeout: Duration::from_secs(3),
                said: None,
                redactor: Redactor::default(),
            };
            let found = match made.unanswered(unanswered) {
                Failure::Model(error) => error.code().as_str().to_owned(),
                Failure::Unknown(_) => "unknown".to_owned(),
                Failure::Pending(_) => "pending".to_owned(),
                Failure::Run(error) => format!("run {}", error.code().as_str()),
            };
            assert_eq!(found, expected, "{unanswered:?}");
        }
    }

    #[test]
    fn an_answer_that_is_lost_is_no_failure_of_a_payment() {
        check(&Unanswered::Deadline, "tool-timeout", "unknown");
        check(&Unanswered::Lost("gone".into()), "tool-broken", "unknown");
        check(&Unanswered::Unsent("refused".into()), "tool-busy", "tool-busy");
        check(&Unanswered::Cancelled, "run run-cancelled", "unknown");
        let out = Error::new(Code::ToolUnauthorized, "nobody is logged in");
        check(&Unanswered::Unauthorized(out), "run tool-unauthorized", "run tool-unauthorized");
        let refusal = rmcp::model::ErrorData::invalid_params("no such order", None);
        check(&Unanswered::Refused(refusal), "tool-failed", "tool-failed");
    }
}
