#![cfg(test)]
//! What a provider may send that no provider should: answers that were changed, damaged and cut anywhere, through the
//! reader and the decoder of every interface.
//!
//! The seeds are what the mock provider writes, so that a change of it reaches behind the first check. Thousands of cases:
//! `PROPTEST_CASES=10000 cargo test -p adjutant-model --test hostile`.

mod between;
mod change;
mod masses;
mod properties;
mod read;
mod seed;
