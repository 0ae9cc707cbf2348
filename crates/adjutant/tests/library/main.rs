//! The library as a program uses it.

// Says to clippy that all of it, not only what is marked `#[test]`, may panic.
#![cfg(test)]

mod agents;
mod approvals;
mod artifacts;
mod audit;
mod backup;
mod bounds;
mod budgets;
mod busy;
mod calls_by_text;
mod chats;
mod conversations;
mod crews;
mod ends;
mod events;
mod graphs;
mod handoffs;
mod keys;
mod narrowing;
mod nesting;
mod nodes;
mod orchestrations;
mod people;
mod programs;
mod projects;
mod reloads;
mod resumes;
mod routes;
mod runs;
mod scripts;
mod shop;
mod strategies;
mod tenants;
mod trees;
mod triggers;
mod versions;
mod watching;
mod workflows;
