//! [`Problem`]: what is wrong with a policy, and where.

use std::fmt;

use adjutant_core::{Code, Error};
use miette::Diagnostic;

/// What is wrong with a file of policies, and where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file.
    pub file: String,
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub help: Option<String>,
}

impl Problem {
    /// A problem that Cedar reports, of a file with this text.
    pub(super) fn reported(file: &str, text: &str, error: &dyn Diagnostic) -> Self {
        let label = error.labels().and_then(|mut labels| labels.next());
        let (line, column) = place(text, label.as_ref().map_or(0, miette::LabeledSpan::offset));
        // What Cedar expected stands in the label; what it says of the error itself may be in several sentences.
        let expected = label.as_ref().and_then(|label| label.label()).map(str::to_owned);
        let message = bare(&error.to_string()).to_owned();
        let help = error.help().map(|help| bare(&help.to_string()).to_owned()).or(expected);
        let help = of_numbers(&message).or(help.filter(|help| !message.contains(help.as_str())));
        Self { file: file.to_owned(), line, column, message: message.trim_end_matches('.').to_owned(), help }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        let error = Self::new(Code::ProjectInvalid, problem.message);
        let error = match problem.help {
            Some(help) => error.with_help(help),
            None => error,
        };
        error.at(problem.file, Some(problem.line), Some(problem.column))
    }
}

/// What to do where a `number`, which is a decimal, is compared with a whole one.
fn of_numbers(message: &str) -> Option<String> {
    let help = "an argument that is a `number` is a decimal: write `.lessThan(decimal(\"100.0\"))`, \
                `.greaterThanOrEqual(decimal(\"0.5\"))` or `== decimal(\"100.0\")`";
    (message.contains("decimal") && message.contains("Long")).then(|| help.to_owned())
}

/// What Cedar says, without the name of the policy: the place tells it.
fn bare(said: &str) -> &str {
    let named = said.strip_prefix("for policy `").and_then(|rest| rest.split_once('`'));
    named.map_or(said, |(_, rest)| rest.trim_start_matches([',', ':', ' ']))
}

/// The line and the column, in characters and from 1, of a byte of a text.
pub(super) fn place(text: &str, offset: usize) -> (usize, usize) {
    let mut end = offset.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    let before = text.get(..end).unwrap_or_default();
    let start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let column = before.get(start..).unwrap_or_default().chars().count() + 1;
    (before.matches('\n').count() + 1, column)
}
