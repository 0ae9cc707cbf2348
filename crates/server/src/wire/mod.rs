//! What the vendors' formats have in common: bodies are read with the place of each mistake, every parameter is on a table, and
//! what only one provider understands is carried through the hands of clients that do not.

mod calls;
mod carried;
mod fault;
mod media;
mod node;
mod parameter;
#[cfg(test)]
mod tests;
mod transcript;

pub(crate) use calls::{Calls, Step};
pub(crate) use carried::{Carried, open, seal, seal_native};
pub(crate) use fault::Fault;
pub(crate) use media::{by_address, file_type, of_bytes, of_text};
pub(crate) use node::Node;
#[cfg(test)]
pub(crate) use parameter::table;
pub(crate) use parameter::{How, Parameter, check};
pub(crate) use transcript::checked;
