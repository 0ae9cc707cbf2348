//! What a client says was said before.

use adjutant_core::message::{Message, transcript_fault};

use super::fault::Fault;

/// The messages, if a model can be asked with them: every call has its result, and somebody speaks.
pub(crate) fn checked(messages: Vec<Message>, param: &'static str) -> Result<Vec<Message>, Fault> {
    if messages.is_empty() {
        return Err(Fault::at(param, "invalid_value", format!("`{param}` is empty")));
    }
    match transcript_fault(&messages) {
        Some(fault) => {
            Err(Fault::at(param, "invalid_value", format!("`{param}` cannot be answered: {fault}"))
                .with_help("each call of a tool is followed by exactly one result"))
        }
        None => Ok(messages),
    }
}
