//! What every tool that asks servers shares: which addresses may be asked, and how much of an answer is read.

mod address;
mod body;
mod client;
mod fault;

pub(crate) use address::{Reach, check, is_allowed, is_loopback};
pub(crate) use body::{Body, Kind, read};
pub(crate) use client::{Unreachable, addresses, builder, guarded, guarded_once};
pub(crate) use fault::{explained, refusal};
