//! One module for each command: what can be typed after it, and what it does.

pub(crate) mod approvals;
pub(crate) mod audit;
pub(crate) mod chat;
pub(crate) mod check;
pub(crate) mod config;
pub(crate) mod doctor;
mod exchanges;
pub(crate) mod keys;
mod library;
mod login;
pub(crate) mod models;
pub(crate) mod new;
pub(crate) mod policy;
mod program;
pub(crate) mod run;
pub(crate) mod runs;
pub(crate) mod scan;
pub(crate) mod secrets;
pub(crate) mod serve;
pub(crate) mod skills;
mod terms;
pub(crate) mod tools;
pub(crate) mod triggers;
mod trust;
mod vectors;
pub(crate) mod versions;
pub(crate) mod workflows;
