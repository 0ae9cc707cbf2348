//! A user's project: `adjutant.toml`, `agents/*.md`, and what they make together.
//!
//! [`Project::load`] reads all of it and reports everything that is wrong at once. Then a project answers which agents
//! there are ([`Project::definition`]), with which tools ([`Project::tools`]) and models ([`Project::models`]).

mod agents;
mod approvals;
mod around;
mod cases;
mod colleagues;
mod environment;
mod file;
mod forbids;
mod kept;
mod layers;
mod layout;
mod load;
mod loader;
mod lock;
mod models;
mod policies;
mod secrets;
mod server;
mod settings;
mod skills;
mod substitution;
mod tenant;
mod toml;
mod tools;
mod triggers;
mod unread;
mod vault;
mod workflows;

pub use approvals::ApprovalSettings;
pub use cases::Case;
pub use environment::Environment;
pub use kept::Rotated;
pub use layers::Effective;
pub use load::Project;
pub use loader::Loader;
pub use models::{
    Carriage, Choice, Details, Endpoint, Header, Key, LocalModel, ModelSettings, Models, Origin, Provider,
    Written,
};
pub use policies::{KILL_SWITCH, PolicySettings};
pub use secrets::{ProjectSecrets, SecretSource};
pub use server::{LogFormat, Oidc, OutgoingWebhook, ServerSettings, Tls};
pub use settings::{Budget, Settings};
pub use skills::{read_skill, read_skills};
pub use tools::{ToolKind, ToolSettings};
pub use triggers::{MessageKey, Overlap, TriggerSettings, TriggerSource};
pub use workflows::Drawing;
