//! Command tools: any executable as a tool.
//!
//! The contract with the executable:
//! - It is started directly, without a shell, in a process group of its own. Its environment holds `PATH`, what the
//!   configuration lists, and `ADJUTANT_RUN`, `ADJUTANT_STEP`, `ADJUTANT_IDEMPOTENCY_KEY` and `ADJUTANT_ATTEMPT`.
//! - Standard input is the arguments: one JSON object and a line break, then the end.
//! - Standard output is the result: JSON or plain text. What is beyond the limit is read and thrown away, so that a
//!   talkative command still ends by itself, and the model is told that something is missing.
//! - Each line of standard error is progress. The last lines are the reason when the command fails.
//! - Secrets that it was given are taken out of what it prints and says, where they stand there as they were given.
//! - It exits with 0 when it did its work. Any other code means that it failed and knows so, unless
//!   [`Config::exit_codes`] says otherwise.
//! - At the timeout, when the call is cancelled, and also after the command has ended, everything that is left in its
//!   process group is killed. A descendant that makes a session of its own (`setsid`) is not found.
//! - A command that was killed, by us or by a signal, may have done its work. For an effect that is not repeatable the
//!   outcome is then unknown; otherwise the model hears an error.

mod config;
mod interpret;
mod process;
mod redact;
mod tool;

pub use config::{Config, Exit, Format, Variable};
pub(crate) use interpret::outcome;
pub(crate) use process::{End, Job};
pub(crate) use redact::Redactor;
pub use tool::CommandTool;
pub(crate) use tool::run;
