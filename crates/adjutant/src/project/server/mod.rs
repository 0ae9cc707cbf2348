//! `[server]`: how the project is served.

mod oidc;
mod read;
mod settings;
mod webhook;

pub use oidc::Oidc;
pub(super) use read::secret;
pub use settings::{LogFormat, ServerSettings, Tls};
pub use webhook::OutgoingWebhook;
