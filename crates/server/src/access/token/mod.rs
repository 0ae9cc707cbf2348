//! Tokens of an identity provider: whether they are what it signed, and for whom they speak.

mod claims;
mod keys;
mod signature;
mod tokens;

pub(super) use tokens::Tokens;
