//! The flow of information: where the arguments of a call came from, and where a tool takes them.
//!
//! A [`Row`] says of a tool what it brings in and what it carries out. [`Known`] is what an agent knows: the words of those
//! it works for, and what it has read. [`origins`] holds the arguments of a call against it. What cannot be told is
//! taken for the worst: made by a model of all that it has read.

mod closed;
mod endorsement;
mod exposure;
mod known;
mod name;
mod origins;
mod role;
mod row;
mod seen;
mod spoken;
mod text;
mod value;

pub use closed::{Closed, closed};
pub use endorsement::{Endorsement, Endorser};
pub use exposure::Exposure;
pub use known::Known;
pub use origins::origins;
pub use role::role;
pub use row::{Row, Said};
pub use seen::Read;
