//! The words of Adjutant, shared by every other crate.
//!
//! A [`Message`](message::Message) is a list of typed parts; a [`ToolSpec`](tool::ToolSpec) tells a model what it may
//! call; [`Usage`](usage::Usage) and [`Money`](money::Money) say what a call cost; a [`Label`](label::Label) says
//! where a value came from; [`Limits`](limit::Limits) say when a run must stop; an [`Event`](event::Event) is what a
//! watcher sees; and every failure is one [`Error`] with a [`Code`] that has a page.
//!
//! Nothing here talks to the outside world: no I/O, no clock, no randomness. So nothing here can fail for a reason
//! that is not in its arguments.

pub mod error;
pub mod event;
pub mod hash;
pub mod id;
pub mod json;
pub mod label;
pub mod limit;
pub mod message;
pub mod money;
pub mod network;
pub mod role;
pub mod secret;
mod suggestion;
pub mod time;
pub mod tls;
pub mod tool;
pub mod usage;

pub use error::{Code, Error, Result};
pub use suggestion::nearest;
