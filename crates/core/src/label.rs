//! Labels: where content came from and who may see it.
//!
//! A label is a point of a lattice. Content made from several sources carries the join of their labels: trusted only
//! if all were, and readable only by those who could read each of them.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

/// Whether the content could have been written by somebody who wants to mislead the agent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Integrity {
    /// Written by the author of the agent, or by the person it works for.
    #[default]
    Trusted,
    /// Anything else: what a tool, a file or another agent returned.
    Untrusted,
}

/// Who wrote what is untrusted, as far as that is known: `web:example.org`, `mail:someone@example.org`, `file:notes.md`,
/// `mcp:github`, `tool:order`, `agent:helper`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sources {
    /// These.
    Known(BTreeSet<String>),
    /// More than are told apart.
    Many,
}

impl Sources {
    /// More sources than these are not told apart, so a label stays small however much was read.
    pub const MOST: usize = 32;

    /// No source at all.
    pub fn none() -> Self {
        Self::Known(BTreeSet::new())
    }

    /// Whether there is none.
    pub fn is_none(&self) -> bool {
        matches!(self, Self::Known(known) if known.is_empty())
    }

    fn join(&self, other: &Self) -> Self {
        let (Self::Known(a), Self::Known(b)) = (self, other) else { return Self::Many };
        let all: BTreeSet<String> = a.union(b).cloned().collect();
        if all.len() > Self::MOST { Self::Many } else { Self::Known(all) }
    }

    /// Whether every source of this is one of the other's.
    pub fn are_within(&self, other: &Self) -> bool {
        match (self, other) {
            (_, Self::Many) => true,
            (Self::Many, Self::Known(_)) => false,
            (Self::Known(a), Self::Known(b)) => a.is_subset(b),
        }
    }
}

impl Default for Sources {
    fn default() -> Self {
        Self::none()
    }
}

/// Who may see the content.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Readers {
    /// Everybody.
    #[default]
    Anyone,
    /// These principals only.
    Only(BTreeSet<String>),
}

/// Where content came from and who may see it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Label {
    /// Whether it can be believed.
    #[serde(default)]
    pub integrity: Integrity,
    /// Who may see it.
    #[serde(default)]
    pub readers: Readers,
    /// Who wrote what is untrusted in it.
    #[serde(default, skip_serializing_if = "Sources::is_none")]
    pub sources: Sources,
}

impl Label {
    /// Content that nobody vouches for.
    pub fn untrusted() -> Self {
        Self { integrity: Integrity::Untrusted, ..Self::default() }
    }

    /// Content that nobody vouches for, from there.
    pub fn untrusted_from(source: impl Into<String>) -> Self {
        Self { sources: Sources::Known(BTreeSet::from([source.into()])), ..Self::untrusted() }
    }

    /// Whether it can be believed.
    pub fn is_trusted(&self) -> bool {
        self.integrity == Integrity::Trusted
    }

    /// Whether content of this label may go where content of the other may: it is as believable, as many may read it, and
    /// it has no other sources.
    pub fn is_within(&self, other: &Self) -> bool {
        self.join(other) == *other
    }

    /// The label of content made from both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let readers = match (&self.readers, &other.readers) {
            (Readers::Anyone, readers) | (readers, Readers::Anyone) => readers.clone(),
            (Readers::Only(a), Readers::Only(b)) => Readers::Only(a.intersection(b).cloned().collect()),
        };
        Self {
            integrity: self.integrity.max(other.integrity),
            readers,
            sources: self.sources.join(&other.sources),
        }
    }

    /// Whether this is the label of content that nothing was said about.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn label() -> impl Strategy<Value = Label> {
        let readers = prop_oneof![
            Just(Readers::Anyone),
            prop::collection::btree_set("[abc]", 0..3).prop_map(Readers::Only),
        ];
        let sources = prop::collection::btree_set("[a-z]{1,2}", 0..40).prop_map(|known| {
            if known.len() > Sources::MOST { Sources::Many } else { Sources::Known(known) }
        });
        (prop::bool::ANY, readers, sources).prop_map(|(trusted, readers, sources)| Label {
            integrity: if trusted { Integrity::Trusted } else { Integrity::Untrusted },
            readers,
            sources,
        })
    }

    proptest! {
        #[test]
        fn join_is_a_lattice(a in label(), b in label(), c in label()) {
            prop_assert_eq!(a.join(&a), a.clone());
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&Label::default()), a.clone());
            prop_assert!(a.is_within(&a.join(&b)));
        }
    }
}
