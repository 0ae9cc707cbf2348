//! Pseudonyms: names that stand in the place of what a model need not know, and are changed back where it goes out.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use adjutant_core::hash::Digest;
use regex::Regex;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hit::Hit;
use super::kind::{Kind, sensitive};
use super::mask::{each, replace};
use super::pattern::pattern;

/// How many characters tell one pseudonym from another.
const LENGTH: usize = 8;

static NAME: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"<(?:email|phone|iban|card|address|ip|secret):[0-9a-z]{8}>"));

/// What each pseudonym stands for.
///
/// A pseudonym is made of what it stands for and of a seed, so the same thing has the same one wherever it comes up, in
/// whatever order; and who does not have the seed cannot tell one from another.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Pseudonyms(BTreeMap<String, String>);

impl Pseudonyms {
    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Takes in those of another.
    pub fn extend(&mut self, other: Self) {
        self.0.extend(other.0);
    }

    /// A text with pseudonyms in the place of things of these kinds, which this then knows.
    pub fn put(&mut self, text: &str, seed: &str, kinds: &[Kind], threshold: f64) -> String {
        replace(text, &sensitive(text, kinds, threshold), |hit, found| self.name(hit, found, seed))
    }

    /// The same of all texts of a value.
    pub fn put_all(&mut self, value: &Value, seed: &str, kinds: &[Kind], threshold: f64) -> Value {
        each(value, &mut |text| self.put(text, seed, kinds, threshold))
    }

    fn name(&mut self, hit: &Hit, found: &str, seed: &str) -> String {
        let parts = [b"pseudonym", seed.as_bytes(), hit.category.as_bytes(), found.as_bytes()];
        let digest = Digest::of_parts(&parts).to_string();
        let letters: Vec<_> = digest.chars().filter(char::is_ascii_alphanumeric).rev().collect();
        let mut names = letters
            .chunks_exact(LENGTH)
            .map(|letters| format!("<{}:{}>", hit.category, letters.iter().collect::<String>()));
        // Two things of one name would be changed back to one: the next part of the hash tells them apart.
        let name = names.find(|name| self.0.get(name).is_none_or(|known| known == found));
        let name = name.unwrap_or_else(|| format!("[{}]", hit.category));
        self.0.insert(name.clone(), found.to_owned());
        name
    }

    /// A text in which what they stand for stands again. What looks like one and is none stays as it is.
    pub fn restore(&self, text: &str) -> String {
        if self.is_empty() {
            return text.to_owned();
        }
        NAME.replace_all(text, |found: &regex::Captures<'_>| {
            let name = found.get(0).map_or("", |found| found.as_str());
            self.0.get(name).map_or(name, String::as_str).to_owned()
        })
        .into_owned()
    }

    /// The same of all texts of a value.
    pub fn restore_all(&self, value: &Value) -> Value {
        each(value, &mut |text| self.restore(text))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    #[test]
    fn one_thing_has_one_name() {
        let mut names = Pseudonyms::default();
        let value = json!({ "to": "ann@example.org", "cc": ["ann@example.org", "bob@example.org"] });
        let put = names.put_all(&value, "run", &Kind::ALL, 0.5);
        assert_eq!(put["to"], put["cc"][0]);
        assert_ne!(put["to"], put["cc"][1]);
        assert!(!put.to_string().contains("example.org"));
        assert_eq!(names.restore_all(&put), value);
        assert_eq!(names.restore("<email:00000000>"), "<email:00000000>");
        let mut others = Pseudonyms::default();
        assert_ne!(others.put_all(&value, "other", &Kind::ALL, 0.5), put);
    }

    proptest! {
        #[test]
        fn what_is_put_away_comes_back(parts in prop::collection::vec(prop_oneof![
            Just("ann@example.org".to_owned()), Just("+49 30 901820".to_owned()), Just("10.0.0.1".to_owned()),
            "[a-z<>: ]{0,6}", "\\PC{0,6}",
        ], 0..10)) {
            let text = parts.concat();
            let mut names = Pseudonyms::default();
            let put = names.put(&text, "run", &Kind::ALL, 0.5);
            prop_assert_eq!(names.restore(&put), text);
        }
    }
}
