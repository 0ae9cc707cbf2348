//! The program from outside: what a person types, and what they see.

// Says to clippy that all of it, not only what is marked `#[test]`, may panic.
#![cfg(test)]

mod agents;
mod approvals;
mod audit;
mod backup;
mod basics;
mod chat;
mod code;
mod config;
mod conformance;
mod crashes;
mod decisions;
mod exchanges;
mod files;
mod flow;
mod guard;
mod https;
mod keys;
mod login;
mod mcp;
mod models;
mod openapi;
mod pending;
mod policy;
mod policy_analysis;
mod projects;
mod roles;
mod runs;
mod sample;
mod sandbox;
mod secrets;
mod skills;
mod store;
mod terminal;
mod tools;
mod triggers;
mod usage;
mod versions;
mod workflows;
