//! Embeddings: texts as vectors, so that what is alike in meaning lies close together.
//!
//! An [`Embedder`] takes any number of texts. [`Remote`] is the one behind a provider: it cuts the texts into calls that
//! the provider takes, makes several at a time, makes each again where its failure passes by itself, and looks at every
//! vector before anybody sees it. How an interface is written is a [`Wire`] in the provider's own folder.
//!
//! Every vector has the length 1, whoever made it, so the product of two is the cosine of the angle between them.

mod batch;
mod embedder;
#[cfg(feature = "local-embeddings")]
mod local;
mod profile;
mod remote;
mod vector;
mod wire;

pub use embedder::{Embedder, Embeddings, Purpose};
#[cfg(feature = "local-embeddings")]
pub use local::Local;
pub(crate) use profile::cannot_be_asked;
pub use profile::{Dimensions, Known, Profile};
pub use remote::{Options, Remote};
pub use vector::Vector;
pub use wire::{Answer, Bounds, Interface, Open, Wire};
