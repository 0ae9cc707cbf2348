//! What can be found in a text without asking anybody.
//!
//! Every detector takes a text and gives [`Hit`]s: what, how sure, and where. None of them reads a network, a clock or a
//! file; each takes time that is linear in the text. They are signals: whoever knows one writes around it. What an agent
//! may do is decided by the policies, which look at where a value came from and not at its words.

mod address;
pub mod canary;
mod card;
pub mod decode;
mod email;
mod folded;
pub mod grounding;
mod hit;
mod iban;
pub mod injection;
mod ip;
mod kind;
pub mod language;
pub mod length;
mod link;
pub mod markup;
pub mod mask;
mod pattern;
mod phone;
mod pseudonym;
mod scan;
mod secret;
pub mod unseen;
pub mod words;

pub use folded::Folded;
pub use hit::Hit;
pub use kind::{Kind, sensitive};
pub use pseudonym::Pseudonyms;
pub use scan::scan;
