//! What is told of a call without the secrets that it was made with. Pure.

use adjutant_core::Error;
use adjutant_core::message::Part;

use crate::command::Redactor;
use crate::failure::Failure;
use crate::output::Output;

/// An output without the secrets that the call was made with: a careless service repeats them.
pub(super) fn output(mut output: Output, redactor: &Redactor) -> Output {
    for part in &mut output.content {
        if let Part::Text { text } = part {
            let plain = redactor.text(text.clone());
            if plain != *text {
                *text = plain;
                output.data = None;
            }
        }
    }
    output
}

/// The same of a failure.
pub(super) fn failure(failure: Failure, redactor: &Redactor) -> Failure {
    let plain = |error: Error| {
        let mut plain = Error::new(error.code(), redactor.text(error.message().to_owned()));
        if let Some(help) = error.help() {
            plain = plain.with_help(help);
        }
        if let Some(wait) = error.retry_after() {
            plain = plain.with_retry_after(wait);
        }
        match error.attempts() {
            Some(attempts) => plain.after_attempts(attempts),
            None => plain,
        }
    };
    match failure {
        Failure::Model(error) => Failure::Model(plain(error)),
        Failure::Run(error) => Failure::Run(plain(error)),
        Failure::Unknown(why) => Failure::Unknown(redactor.text(why)),
        pending @ Failure::Pending(_) => pending,
    }
}
