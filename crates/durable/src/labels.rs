//! [`Labels`]: what the labels of a name mean, by all the changes that were made. Nothing here asks a store.

use std::collections::BTreeMap;

use adjutant_core::hash::Digest;
use adjutant_core::{Code, Error, Result};
use serde::Serialize;

use crate::version::{Change, Changed, Chosen, Share};

/// What the labels of one name mean, and how new runs are shared among them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Labels {
    /// The version of each label.
    pub versions: BTreeMap<String, Digest>,
    /// How new runs are shared; not at all where it is empty.
    pub split: Vec<Share>,
}

impl Labels {
    /// The label of the version that new runs get where nothing else is said.
    pub const STABLE: &str = "stable";

    /// What the labels mean after these changes, the oldest first. Each was checked when it was made.
    pub fn after<'a>(changes: impl IntoIterator<Item = &'a Changed>) -> Self {
        let mut labels = Self::default();
        changes.into_iter().for_each(|changed| labels.take(&changed.change));
        labels
    }

    /// Makes a change, if the labels are as it found them and make sense with it.
    ///
    /// Fails with [`Code::Conflict`] where they are otherwise, and where the split would name a label that is not there; and
    /// with [`Code::InputInvalid`] for shares that are no hundred together.
    pub fn change(&mut self, change: &Change) -> Result<()> {
        match change {
            Change::Label { label, from, to, .. } => {
                if self.versions.get(label) != from.as_ref() {
                    return Err(meanwhile(&format!("`{label}`")));
                }
                if to.is_none() && self.split.iter().any(|share| share.label == *label) {
                    return Err(Error::new(Code::Conflict, format!("the split names the label `{label}`"))
                        .with_help("share new runs otherwise, or end the split: `adjutant versions split NAME --end`"));
                }
            }
            Change::Split { from, to } => {
                if self.split != *from {
                    return Err(meanwhile("the split"));
                }
                self.check(to)?;
            }
        }
        self.take(change);
        Ok(())
    }

    fn take(&mut self, change: &Change) {
        match change {
            Change::Label { label, to: Some(version), .. } => {
                self.versions.insert(label.clone(), *version);
            }
            Change::Label { label, to: None, .. } => {
                self.versions.remove(label);
            }
            Change::Split { to, .. } => self.split.clone_from(to),
        }
    }

    fn check(&self, shares: &[Share]) -> Result<()> {
        for (index, share) in shares.iter().enumerate() {
            if !self.versions.contains_key(&share.label) {
                return Err(Error::new(
                    Code::Conflict,
                    format!("no version has the label `{}`", share.label),
                )
                .with_help("`adjutant versions label NAME VERSION LABEL` gives it to one"));
            }
            if shares.iter().take(index).any(|other| other.label == share.label) {
                return Err(Error::new(
                    Code::InputInvalid,
                    format!("the label `{}` stands twice in the split", share.label),
                ));
            }
        }
        let sum: u32 = shares.iter().map(|share| u32::from(share.percent)).sum();
        match sum == 100 || shares.is_empty() {
            true => Ok(()),
            false => {
                Err(Error::new(Code::InputInvalid, format!("the shares are {sum} together, and must be 100"))
                    .with_help("write them as `stable=90 canary=10`"))
            }
        }
    }

    /// The version for a run or a session of this name: by the split, otherwise the one that is stable. None where
    /// there is neither. The same for the same `of` as long as the shares stay, and for most also when one of them grows.
    pub fn choose(&self, name: &str, of: &str) -> Option<Chosen> {
        let label = match self.split.is_empty() {
            true => Self::STABLE,
            false => self.drawn(bucket(name, of))?,
        };
        let definition = *self.versions.get(label)?;
        Some(Chosen { definition, label: Some(label.to_owned()) })
    }

    /// The label of a bucket. What is stable comes last: a canary that grows keeps those that it has.
    fn drawn(&self, bucket: u8) -> Option<&str> {
        let (stable, others): (Vec<_>, Vec<_>) =
            self.split.iter().partition(|share| share.label == Self::STABLE);
        let mut end = 0;
        let found = others.into_iter().chain(stable).find(|share| {
            end += share.percent;
            bucket < end
        });
        found.map(|share| share.label.as_str())
    }
}

/// Where a run or a session falls, from 0 to 99.
fn bucket(name: &str, of: &str) -> u8 {
    let digest = Digest::of_parts(&[b"split", name.as_bytes(), of.as_bytes()]);
    let mut first = [0; 8];
    first.iter_mut().zip(digest.as_bytes()).for_each(|(to, from)| *to = *from);
    u8::try_from(u64::from_be_bytes(first) % 100).unwrap_or_default()
}

/// What a label meant before what it means now; none where it meant nothing else. Who goes back twice comes to the one before
/// that, and not forth again.
pub fn before(changes: &[Changed], name: &str) -> Option<Digest> {
    let mut meant: Vec<Digest> = Vec::new();
    for changed in changes {
        match &changed.change {
            Change::Label { label, back: true, .. } if label == name => {
                meant.pop();
            }
            Change::Label { label, to: Some(version), .. }
                if label == name && meant.last() != Some(version) =>
            {
                meant.push(*version);
            }
            _ => {}
        }
    }
    meant.pop();
    meant.pop()
}

fn meanwhile(what: &str) -> Error {
    Error::new(Code::Conflict, format!("somebody else has changed {what} meanwhile"))
        .with_help("look at it again: `adjutant versions log NAME` says who, and what it means now")
}

#[cfg(test)]
mod tests {
    use adjutant_core::time::Timestamp;

    use super::*;

    fn version(text: &str) -> Digest {
        Digest::of(text.as_bytes())
    }

    fn labelled(label: &str, from: Option<&str>, to: Option<&str>, back: bool) -> Changed {
        let change =
            Change::Label { label: label.into(), from: from.map(version), to: to.map(version), back };
        Changed { name: "desk".into(), change, by: "ann".into(), at: Timestamp(1) }
    }

    fn share(label: &str, percent: u8) -> Share {
        Share { label: label.into(), percent }
    }

    fn two(stable: u8, canary: u8) -> Labels {
        let changes =
            [labelled("stable", None, Some("a"), false), labelled("canary", None, Some("b"), false)];
        let mut labels = Labels::after(&changes);
        let to = vec![share("stable", stable), share("canary", canary)];
        labels.change(&Change::Split { from: Vec::new(), to }).unwrap();
        labels
    }

    fn canaries(labels: &Labels) -> Vec<usize> {
        let is_canary = |number: &usize| {
            let chosen = labels.choose("desk", &format!("run-{number}")).unwrap();
            chosen.definition == version("b") && chosen.label.as_deref() == Some("canary")
        };
        (0..10_000).filter(is_canary).collect()
    }

    #[test]
    fn the_split_holds_over_many_runs() {
        let few = canaries(&two(90, 10));
        assert!((900..1_100).contains(&few.len()), "{}", few.len());
        let more = canaries(&two(70, 30));
        assert!((2_800..3_200).contains(&more.len()), "{}", more.len());
        assert!(few.iter().all(|number| more.contains(number)), "who was a canary stays one");
        assert!(canaries(&two(100, 0)).is_empty());
        assert_eq!(canaries(&two(0, 100)).len(), 10_000);
    }

    #[test]
    fn without_labels_nothing_is_chosen() {
        assert_eq!(Labels::default().choose("desk", "run"), None);
        let only = Labels::after(&[labelled("canary", None, Some("b"), false)]);
        assert_eq!(only.choose("desk", "run"), None);
        let stable = Labels::after(&[labelled("stable", None, Some("a"), false)]);
        assert_eq!(stable.choose("desk", "run").unwrap().definition, version("a"));
    }

    #[test]
    fn a_change_counts_where_the_labels_are_as_it_found_them() {
        let mut labels = Labels::default();
        let change = |from, to| labelled("stable", from, to, false).change;
        labels.change(&change(None, Some("a"))).unwrap();
        assert_eq!(labels.change(&change(None, Some("b"))).unwrap_err().code(), Code::Conflict);
        labels.change(&change(Some("a"), Some("b"))).unwrap();
        let split = |to| Change::Split { from: Vec::new(), to };
        let unknown = labels.change(&split(vec![share("canary", 100)])).unwrap_err();
        assert_eq!(unknown.code(), Code::Conflict);
        for wrong in [vec![share("stable", 90)], vec![share("stable", 50), share("stable", 50)]] {
            assert_eq!(labels.change(&split(wrong)).unwrap_err().code(), Code::InputInvalid);
        }
        labels.change(&split(vec![share("stable", 100)])).unwrap();
        let gone = labels.change(&change(Some("b"), None)).unwrap_err();
        assert_eq!(gone.code(), Code::Conflict, "the split names it");
        assert_eq!(labels.versions.get("stable"), Some(&version("b")));
    }

    #[test]
    fn going_back_goes_on_going_back() {
        let mut changes = vec![
            labelled("stable", None, Some("a"), false),
            labelled("canary", None, Some("x"), false),
            labelled("stable", Some("a"), Some("b"), false),
            labelled("stable", Some("b"), Some("c"), false),
        ];
        assert_eq!(before(&changes, "stable"), Some(version("b")));
        changes.push(labelled("stable", Some("c"), Some("b"), true));
        assert_eq!(before(&changes, "stable"), Some(version("a")));
        changes.push(labelled("stable", Some("b"), Some("a"), true));
        assert_eq!(before(&changes, "stable"), None);
        changes.push(labelled("stable", Some("a"), Some("d"), false));
        assert_eq!(before(&changes, "stable"), Some(version("a")));
    }
}
