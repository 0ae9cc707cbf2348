//! [`Lesson`]: what was learned from an attempt that failed.

use adjutant_core::label::Label;
use serde::{Deserialize, Serialize};

use crate::workflow::Item;

/// How many lessons a session keeps: the latest.
const MOST: usize = 5;
/// How long one of them may be, in characters.
const LONGEST: usize = 2_000;

/// What was learned from an attempt that failed. It is kept for the session.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Lesson {
    /// What.
    pub text: String,
    /// What is known of it: the join of all that it was made of.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub label: Label,
}

impl Lesson {
    /// What a session keeps of these.
    pub(crate) fn kept(items: &[Item]) -> Vec<Self> {
        let latest = items.iter().skip(items.len().saturating_sub(MOST));
        let lesson = |item: &Item| Self {
            text: item.text().chars().take(LONGEST).collect(),
            label: item.label.clone(),
        };
        latest.map(lesson).collect()
    }

    /// The lesson for a workflow.
    pub(crate) fn item(&self) -> Item {
        Item { label: self.label.clone(), ..Item::new(self.text.clone()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_latest_are_kept_with_their_labels_and_in_bounds() {
        let mut items = vec![Item::new("old"); 4];
        items.push(Item::untrusted("x".repeat(LONGEST + 1)));
        items.push(Item::new("new"));
        let kept = Lesson::kept(&items);
        assert_eq!((kept.len(), kept[3].text.len()), (MOST, LONGEST));
        assert!(!kept[3].item().label.is_trusted() && kept[4].item().label.is_trusted());
    }
}
