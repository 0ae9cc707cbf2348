//! Our formats for clients, held against our formats for providers: what the one writes the other reads.

mod answers;
mod documents;
mod requests;
mod said;
mod vendor;
