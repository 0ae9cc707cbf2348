//! A mock of the providers of models, on a port of this machine.
//!
//! One server speaks every interface; the path of a request tells which one is meant. Tests say in one vocabulary what
//! it answers ([`Answer`]) and how it misbehaves ([`Fault`]); what that looks like on the wire, and what is wrong with
//! a request, only the interface's own folder knows, behind the one trait `Format`.

mod answer;
mod body;
mod chat;
mod converse;
mod embeddings;
mod fault;
mod format;
mod frame;
mod gemini;
mod interface;
mod listing;
mod messages;
mod received;
mod respond;
mod responses;
mod server;

pub use answer::{Answer, Call, Finish};
pub use embeddings::vector_of;
pub use fault::Fault;
pub use interface::Interface;
pub use received::{Asked, Received};
pub use server::{Builder, MockProvider};
