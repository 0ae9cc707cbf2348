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
}

impl Label {
    /// Content that nobody vouches for.
    pub fn untrusted() -> Self {
        Self { integrity: Integrity::Untrusted, readers: Readers::Anyone }
    }

    /// The label of content made from both.
    #[must_use]
    pub fn join(&self, other: &Self) -> Self {
        let readers = match (&self.readers, &other.readers) {
            (Readers::Anyone, readers) | (readers, Readers::Anyone) => readers.clone(),
            (Readers::Only(a), Readers::Only(b)) => Readers::Only(a.intersection(b).cloned().collect()),
        };
        Self { integrity: self.integrity.max(other.integrity), readers }
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
        (prop::bool::ANY, readers).prop_map(|(trusted, readers)| Label {
            integrity: if trusted { Integrity::Trusted } else { Integrity::Untrusted },
            readers,
        })
    }

    proptest! {
        #[test]
        fn join_is_a_lattice(a in label(), b in label(), c in label()) {
            prop_assert_eq!(a.join(&a), a.clone());
            prop_assert_eq!(a.join(&b), b.join(&a));
            prop_assert_eq!(a.join(&b).join(&c), a.join(&b.join(&c)));
            prop_assert_eq!(a.join(&Label::default()), a);
        }
    }
}
