//! The patterns as functions over a [`Stage`](adjutant_agent::workflow::Stage): plain loops over futures, which a reader
//! can follow and an author can put together as they like.

mod attempt;
mod chat;
mod due;
mod events;
mod orchestrate;
mod parallel;
mod refine;
mod route;

pub use attempt::{Attempts, attempt};
pub use chat::{Conversation, Said, chat, in_turn};
pub(crate) use due::{Piece, due, round};
pub use events::{Event, Events};
pub use orchestrate::{Failed, Finished, Ledger, Orchestrated, Orders, Proposal, Task, orchestrate};
pub use parallel::{Fan, Join, majority, parallel};
pub use refine::{Ended, Opinion, Refined, Reviewed, Rounds, refine};
pub use route::{Choice, by_examples, route};
