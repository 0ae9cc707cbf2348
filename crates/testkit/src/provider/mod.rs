//! A mock of a model's provider: chat completions on a port of this machine.

mod answer;
mod check;
mod server;
mod wire;

pub use answer::{Answer, Call, Fault};
pub use check::faults_of;
pub use server::{Builder, MockProvider};
