//! Finds tools by what they do.
//!
//! An [`Index`] is made of the specifications of tools and answers a query in words. `words` cuts texts into terms,
//! `synonyms` says which terms stand for each other, `document` weighs what a tool says of itself, `spelling` finds the
//! term that was meant by one that no tool has. [`Vectors`] finds by meaning, where somebody has a model that makes vectors;
//! [`fuse`] joins both orders. All of it is pure: no model, no disk, no clock.

mod document;
mod fuse;
mod index;
mod spelling;
mod synonyms;
mod vectors;
mod words;

pub use document::text;
pub use fuse::fuse;
pub use index::{Found, Index};
pub use synonyms::synonyms;
pub use vectors::Vectors;
pub use words::terms;
