//! A workflow as data: what people write in YAML, and what a run is pinned to.

mod argument;
pub(crate) mod chat;
mod check;
pub(crate) mod crew;
mod events;
pub(crate) mod form;
pub(crate) mod helper;
mod read;
mod step;

/// How many calls a workflow may make where its author says nothing: it is finite by its form, and may be wide.
pub(crate) const MOST_CALLS: u32 = 10_000;

pub use argument::{Argument, Text};
pub use chat::{Chatting, Next};
pub use crew::{Assignment, Crewed, Manager, Member, Process};
pub use events::{Awaited, Does, Emission, Eventful, Reaction};
pub use read::{LONGEST, Parsed, parse, parse_in_part};
pub use step::{
    Branches, Caching, Edge, Field, Function, Gate, Graphed, Helper, HelperFrom, Judge, Kind, Mapped,
    Merging, Node, Orchestrating, Otherwise, Path, Plan, Refining, Routing, Shut, Step,
};
