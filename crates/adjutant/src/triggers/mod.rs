//! What begins runs without a person: schedules, folders and messages from outside.

mod decide;
mod inbox;
mod message;
mod schedule;
mod watch;

pub use decide::Missed;
pub use message::{Message, Received};
pub use schedule::Schedule;
pub use watch::{Triggers, Watch};
