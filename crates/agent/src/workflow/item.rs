//! [`Item`]: a value in a workflow, with what is known of where it came from.

use std::sync::Arc;

use adjutant_core::label::Label;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::flow::Given;

/// How many results a value may be known by that is [condensed](Item::condensed).
const MOST_GIVEN: usize = 64;

/// A value in a workflow, with what is known of where it came from: its label, and the results that it was made of.
///
/// The argument of a call that is one of these results as it was is known to come from there; of anything that was made of
/// them it is known that it is no better than all of them together.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Item {
    /// The value.
    pub value: Value,
    /// What is known of it: the join of all that it was made of.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub label: Label,
    /// The results that it was made of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) given: Vec<Arc<Given>>,
}

impl Item {
    /// A value of the author of the workflow, who is trusted.
    pub fn new(value: impl Into<Value>) -> Self {
        Self { value: value.into(), ..Self::default() }
    }

    /// A value that was made of others: it is as little trusted as all of these together, and as confidential.
    #[must_use]
    pub fn made_of<'a>(value: impl Into<Value>, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let mut made = Self::new(value);
        for other in others {
            made.label = made.label.join(&other.label);
            for given in &other.given {
                if !made.given.iter().any(|known| Arc::ptr_eq(known, given)) {
                    made.given.push(Arc::clone(given));
                }
            }
        }
        made
    }

    /// The same value, known to be no better than others that had a say in it.
    #[must_use]
    pub fn influenced_by<'a>(self, others: impl IntoIterator<Item = &'a Self>) -> Self {
        let others = Self::made_of(Value::Null, others);
        Self::made_of(self.value.clone(), [&others, &self])
    }

    /// A value that somebody unknown may have had a say in.
    pub fn untrusted(value: impl Into<Value>) -> Self {
        Self { label: Label::untrusted(), ..Self::new(value) }
    }

    /// A part of this value, or another form of it.
    #[must_use]
    pub fn part(&self, value: impl Into<Value>) -> Self {
        Self::made_of(value, [self])
    }

    /// A value that came from outside, by the name of what brought it. It is not trusted.
    pub fn from_outside(name: &str, value: impl Into<Value>) -> Self {
        let label = Label::untrusted_from(name);
        Self::given(Given { tool: name.to_owned(), asked: Value::Null, value: value.into(), label })
    }

    /// The same value; where it was made of very many results, it is known by what all of them come to together, under that
    /// name. What goes round in a loop would otherwise be known by more results each time.
    #[must_use]
    pub fn condensed(self, name: &str) -> Self {
        if self.given.len() <= MOST_GIVEN {
            return self;
        }
        let label = self.given.iter().fold(self.label.clone(), |label, given| label.join(&given.label));
        let all = Given { tool: name.to_owned(), asked: Value::Null, value: self.value.clone(), label };
        Self { given: vec![Arc::new(all)], ..self }
    }

    /// What a call has given.
    pub(crate) fn given(given: Given) -> Self {
        Self { value: given.value.clone(), label: given.label.clone(), given: vec![Arc::new(given)] }
    }

    /// The value as a model or a person reads it: a text as it is, anything else as JSON.
    pub fn text(&self) -> String {
        match &self.value {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => serde_json::to_string_pretty(other).unwrap_or_default(),
        }
    }
}

impl From<&str> for Item {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for Item {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

impl From<Value> for Item {
    fn from(value: Value) -> Self {
        Self::new(value)
    }
}

impl From<&Self> for Item {
    fn from(item: &Self) -> Self {
        item.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(tool: &str, label: Label) -> Item {
        let (asked, value) = (Value::Null, Value::from(tool));
        Item::given(Given { tool: tool.to_owned(), asked, value, label })
    }

    #[test]
    fn what_is_made_of_something_is_no_better_than_that() {
        let (page, order) = (given("page", Label::untrusted_from("web")), given("order", Label::default()));
        let both = Item::made_of("x", [&page, &order, &page]);
        assert!(!both.label.is_trusted());
        assert_eq!(both.given.len(), 2);
        assert!(Item::made_of("x", [&order]).label.is_trusted());
        assert!(!order.influenced_by([&page]).label.is_trusted());
    }

    #[test]
    fn what_was_made_of_very_much_is_known_by_what_that_comes_to() {
        let mut all: Vec<_> = (0..MOST_GIVEN).map(|_| given("order", Label::default())).collect();
        assert_eq!(Item::made_of("x", &all).condensed("sum").given.len(), MOST_GIVEN);
        all.push(given("page", Label::untrusted_from("web")));
        let sum = Item::made_of("x", &all).condensed("sum");
        assert_eq!(sum.given.len(), 1);
        assert!(sum.given.iter().all(|given| !given.label.is_trusted()), "{sum:?}");
    }
}
