//! Providers: who they are, how they are reached, and how their interfaces are written.
//!
//! A provider is a folder with a [`Wire`] of its own and a line in [`Provider::ALL`]; `docs/adding-a-provider.md` walks
//! through it. [`Remote`] is the model behind any of them: it makes the request, sends it by a
//! [`Transport`](crate::transport::Transport), cuts the answer into events, and has them decoded.

mod config;
mod exchange;
mod form;
mod noise;
mod probe;
mod reader;
mod registry;
mod remote;
mod wire;

pub use config::{Config, PromptCache};
pub(crate) use exchange::exchange;
pub use probe::Probed;
pub use registry::{Provider, Setting};
pub use remote::{Interface, Remote};
pub use wire::{Decode, Encoded, Wire};
