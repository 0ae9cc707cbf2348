//! What can be found in a text without asking anybody.
//!
//! Every detector takes a text and gives [`Hit`]s: what, how sure, and where. None of them reads a network, a clock or a
//! file; each takes time that is linear in the text. They are signals: whoever knows one writes around it. What an agent
//! may do is decided by the policies, which look at where a value came from and not at its words.

mod address;
mod card;
mod email;
mod folded;
mod hit;
mod iban;
mod ip;
mod kind;
pub mod mask;
mod pattern;
mod phone;
mod secret;
pub mod unseen;

pub use folded::Folded;
pub use hit::Hit;
pub use kind::{Kind, sensitive};
