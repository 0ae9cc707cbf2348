//! What every tool that asks servers shares: which addresses may be asked, and how much of an answer is read.

mod address;
mod body;
mod client;

pub(crate) use address::{Reach, is_allowed};
pub(crate) use body::{Body, Kind, read};
pub(crate) use client::{Unreachable, addresses, builder, guarded};
