//! Tool search on public sets of queries.
#![cfg(test)]

mod baseline;
mod quality;
mod set;
