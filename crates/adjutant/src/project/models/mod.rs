//! The models of a project: what is written, what the environment says, and which model that makes.

mod known;
mod registry;
mod settings;

pub use adjutant_model::provider::Provider;
pub use registry::{Choice, Key, Models, Origin};
pub use settings::{Endpoint, Header, ModelSettings};

pub(super) use settings::read;
