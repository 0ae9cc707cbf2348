//! The brain of Adjutant: one small trait for models, and the models that fill it.
//!
//! A [`Model`] takes a [`Request`] and streams [`Delta`]s; a [`Collector`] folds them into a [`Response`], which is
//! what a run records. A [`Profile`] says what a model can do, so that what it cannot do is refused before the call.
//!
//! - [`provider`] has the providers: who they are, how they are reached, how their interfaces are written.
//! - [`layer`] has what stands around a model: retries, fallbacks, limits, a breaker, a cache.
//! - [`cassette`] records exchanges with providers and plays them back.
//! - [`catalogue`] knows windows, abilities and prices.
//! - [`embed`] makes vectors of texts.
//! - [`react`] has a model that cannot call tools write its calls as text.
//! - [`offline`] is the built-in model that needs no key and no network. It works by rules and is no LLM.
//! - [`scripted`] plays a script, for tests.
//!
//! Only a provider's own folder knows its wire format; [`transport`], [`sse`] and [`event_stream`] are what the providers
//! share.

pub mod anthropic;
pub mod bedrock;
mod call_id;
pub mod cassette;
pub mod catalogue;
mod collect;
mod delta;
pub mod embed;
pub mod event_stream;
pub mod gemini;
pub mod layer;
mod model;
pub mod offline;
pub mod openai;
mod profile;
pub mod provider;
pub mod react;
mod request;
mod response;
mod sampling;
pub mod scripted;
pub mod sse;
pub mod token;
pub mod transport;
pub mod unseen;

pub use collect::{Collector, collect};
pub use delta::{Delta, Deltas, Instead, Start, StopReason, Tried};
pub use model::{Call, Model, Note};
pub use profile::{Abilities, Profile};
pub use request::{Effort, OutputSchema, Request, ToolChoice};
pub use response::Response;
pub use sampling::Sampling;
