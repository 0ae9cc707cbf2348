//! OpenAI's formats: chat completions and Responses, as its clients of November 2026 speak them (Python 3.54).

pub(crate) mod chat;
mod content;

mod effort;
mod fault;
pub(crate) mod responses;
mod tool;

pub(crate) use content::no_uploads;
pub(crate) use fault::{body as fault_body, status as fault_status};
