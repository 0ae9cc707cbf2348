//! [`Endorsement`]: the one way in which content becomes more believable than what it was made of.

use adjutant_core::label::{Integrity, Label, Readers, Sources};
use serde::{Deserialize, Serialize};

use crate::facts::{Evidence, Origin};

/// Somebody vouches for content. It is recorded where it is given; without such a record a label never shrinks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endorsement {
    /// Who vouches for it.
    pub by: Endorser,
    /// The label of the content before.
    pub before: Label,
    /// Who may see it from now on, where a person has said that, too. An extraction never says it: what it returns may
    /// still tell what it was made of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub readers: Option<Readers>,
}

/// Who vouches for content.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Endorser {
    /// A person, by name where it is known.
    Person(Option<String>),
    /// An extraction that returns nothing but values of closed types, for this reason: the policy or the agent that names it.
    Extraction(String),
}

impl Endorsement {
    /// Somebody vouches for content of this label.
    pub fn new(by: Endorser, before: Label) -> Self {
        Self { by, before, readers: None }
    }

    /// The label of the content from now on.
    pub fn label(&self) -> Label {
        let readers = match (&self.by, &self.readers) {
            (Endorser::Person(_), Some(readers)) => readers.clone(),
            _ => self.before.readers.clone(),
        };
        Label { integrity: Integrity::Trusted, readers, sources: Sources::none() }
    }

    /// Where the content comes from, from now on.
    pub fn origin(&self) -> Origin {
        Origin { evidence: Evidence::Endorsed, label: self.label() }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn only_a_person_says_who_may_see_it() {
        let staff = Readers::Only(BTreeSet::from(["staff".to_owned()]));
        let before = Label { readers: staff.clone(), ..Label::untrusted_from("web:a") };
        let of = |by| Endorsement { readers: Some(Readers::Anyone), ..Endorsement::new(by, before.clone()) };
        let label = of(Endorser::Extraction("desk".into())).label();
        assert_eq!((label.is_trusted(), label.sources.is_none(), label.readers), (true, true, staff));
        assert!(of(Endorser::Person(None)).label().is_default());
        assert_eq!(of(Endorser::Person(None)).origin().evidence, Evidence::Endorsed);
    }
}
