//! What begins runs without a person: schedules and folders.

mod decide;
mod inbox;
mod schedule;
mod watch;

pub use decide::Missed;
pub use schedule::Schedule;
pub use watch::{Triggers, Watch};
