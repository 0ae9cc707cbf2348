//! The models of a project: what is written, what the environment says, and which model that makes.

mod absent;
mod carriage;
mod embedding;
mod endpoint;
mod kept;
mod known;
mod registry;
mod settings;

pub use adjutant_model::provider::Provider;
pub use carriage::Carriage;
pub use endpoint::{Endpoint, Header, Written};
pub use registry::{Choice, Details, Key, Models, Origin};
pub use settings::{LocalModel, ModelSettings};

pub(super) use settings::read;
