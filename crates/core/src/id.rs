//! Names of things: newtypes, so that a session is never mistaken for a run.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::hash::Digest;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        #[serde(transparent)]
        pub struct $name(Arc<str>);

        impl $name {
            /// Takes the text as it is.
            pub fn new(text: impl Into<Arc<str>>) -> Self {
                Self(text.into())
            }

            /// The text of the id.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", &*self.0)
            }
        }

        impl From<&str> for $name {
            fn from(text: &str) -> Self {
                Self(text.into())
            }
        }
    };
}

text_id! {
    /// One durable execution: 16 characters of lower-case base 32.
    RunId
}
text_id! {
    /// One conversation; its turns are runs, one after the other.
    SessionId
}
text_id! {
    /// What a model calls one of its tool calls; unique within one transcript.
    CallId
}

/// The alphabet of ids: base 32 without the letters that are misread (after Crockford), in lower case.
pub const ALPHABET: &[u8; 32] = b"0123456789abcdefghjkmnpqrstvwxyz";

impl RunId {
    /// Makes an id of 80 bits from bytes that the caller took from a source of randomness or from a hash.
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(base32(&bytes).into())
    }

    /// The id of the run that `parent` starts at the step `key` of its segment: the same on every replay.
    pub fn child(parent: &RunId, segment: u32, key: &str) -> Self {
        let digest =
            Digest::of_parts(&[b"child", parent.as_str().as_bytes(), &segment.to_le_bytes(), key.as_bytes()]);
        let mut bytes = [0; 10];
        bytes.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
        Self::from_bytes(bytes)
    }
}

impl SessionId {
    /// Makes an id of 80 bits from random bytes.
    pub fn from_bytes(bytes: [u8; 10]) -> Self {
        Self(base32(&bytes).into())
    }
}

/// Writes bytes in the alphabet of ids, five bits a character; bits at the end that make no whole character are left out.
pub fn base32(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len() * 8 / 5 + 1);
    let (mut buffer, mut bits) = (0u32, 0u32);
    for byte in bytes {
        buffer = (buffer << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let index = ((buffer >> bits) & 31) as usize;
            text.push(ALPHABET.get(index).copied().map_or('0', char::from));
        }
    }
    text
}

/// Whose data something is: a tenant and a project within it. Part of every record, blob, cache key and query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Scope {
    /// The customer or organisation.
    pub tenant: Arc<str>,
    /// One body of agents within the tenant.
    pub project: Arc<str>,
}

impl Scope {
    /// Checks both names: 1 to 64 characters of `a-z`, `0-9`, `-` and `_`.
    pub fn new(tenant: &str, project: &str) -> Result<Self, Error> {
        for (what, name) in [("tenant", tenant), ("project", project)] {
            let valid = !name.is_empty()
                && name.len() <= 64
                && name
                    .bytes()
                    .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'_');
            if !valid {
                return Err(Error::new(Code::InputInvalid, format!("`{name}` is not a {what} name"))
                    .with_help("use 1 to 64 characters of a-z, 0-9, - and _"));
            }
        }
        Ok(Self { tenant: tenant.into(), project: project.into() })
    }
}

impl Default for Scope {
    /// `local` / `local`: what one person on one machine works in.
    fn default() -> Self {
        Self { tenant: "local".into(), project: "local".into() }
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.tenant, self.project)
    }
}

/// The address of one recorded step within a segment of a run: its scope path, such as `/plan#0/search#1/tool#2`.
///
/// Each component is a name and the count of that name within its scope, so concurrent branches keep their keys
/// whatever their timing, and a step added to one branch renumbers no other.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct StepKey(Arc<str>);

impl StepKey {
    /// The scope that holds every other: the empty path.
    pub fn root() -> Self {
        Self("".into())
    }

    /// The `count`-th step or scope called `name` within this one.
    pub fn join(&self, name: &str, count: u32) -> Self {
        Self(format!("{}/{name}#{count}", self.0).into())
    }

    /// Reads a key as a person types it: with or without the leading slash.
    pub fn parse(text: &str) -> Self {
        if text.is_empty() || text.starts_with('/') {
            Self(text.into())
        } else {
            Self(format!("/{text}").into())
        }
    }

    /// The path, `""` for the root.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The last component without its count: `tool` in `/plan#0/tool#2`.
    pub fn name(&self) -> &str {
        let last = self.0.rsplit('/').next().unwrap_or_default();
        last.rsplit_once('#').map_or(last, |(name, _)| name)
    }

    /// The scope that the step or scope stands in; the root's own is the root.
    #[must_use]
    pub fn scope(&self) -> Self {
        Self(self.0.rsplit_once('/').map_or("", |(scope, _)| scope).into())
    }

    /// How many scopes stand around this step; 0 for a step in the root scope.
    pub fn depth(&self) -> usize {
        self.0.matches('/').count().saturating_sub(1)
    }
}

impl fmt::Display for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StepKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", &*self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_has_one_id_for_ever() {
        let parent = RunId::from_bytes([7; 10]);
        assert_eq!(RunId::child(&parent, 0, "/child#0"), RunId::child(&parent, 0, "/child#0"));
        assert_ne!(RunId::child(&parent, 0, "/child#0"), RunId::child(&parent, 1, "/child#0"));
        assert_eq!(parent.as_str().len(), 16);
    }

    #[test]
    fn keys_are_paths_of_names_and_counts() {
        let key = StepKey::root().join("plan", 0).join("tool", 2);
        assert_eq!(key.as_str(), "/plan#0/tool#2");
        assert_eq!((key.name(), key.depth()), ("tool", 1));
        assert_eq!(StepKey::parse("plan#0/tool#2"), key);
    }

    #[test]
    fn a_scope_has_plain_names() {
        assert!(Scope::new("acme", "desk-2").is_ok());
        for bad in ["", "Acme", "a/b", &"x".repeat(65)] {
            assert!(Scope::new(bad, "p").is_err(), "{bad}");
        }
    }
}
