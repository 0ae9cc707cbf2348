//! Where a setting comes from: the file, then the environment, then what was typed; the later wins.

mod effective;
mod keys;
mod overlay;

pub use effective::Effective;
pub(super) use keys::default_of;
pub(super) use overlay::Overlay;
