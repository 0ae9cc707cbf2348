//! [`Kind`]: what may be masked.

use serde::{Deserialize, Serialize};

use super::folded::Folded;
use super::hit::{Hit, merged};
use super::{address, card, email, iban, ip, link, phone, secret};

/// A kind of thing that should not stand in a text that everybody may read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An address of e-mail.
    Email,
    /// A telephone number.
    Phone,
    /// The number of a bank account, with its checksum.
    Iban,
    /// The number of a payment card, with its checksum.
    Card,
    /// A postal address.
    Address,
    /// An address of the internet protocol.
    Ip,
    /// A key, a token, a password.
    Secret,
    /// A link, which brings whoever follows it somewhere.
    Link,
}

impl Kind {
    /// All that should be kept to oneself. A link should not: it is masked where somebody asks for that.
    pub const ALL: [Self; 7] =
        [Self::Email, Self::Phone, Self::Iban, Self::Card, Self::Address, Self::Ip, Self::Secret];

    /// Those that say something of a person.
    pub const PERSONAL: [Self; 6] =
        [Self::Email, Self::Phone, Self::Iban, Self::Card, Self::Address, Self::Ip];

    /// The words for them, as people write them.
    pub const WORDS: [(&str, Self); 8] = [
        ("email", Self::Email),
        ("phone", Self::Phone),
        ("iban", Self::Iban),
        ("card", Self::Card),
        ("address", Self::Address),
        ("ip", Self::Ip),
        ("secret", Self::Secret),
        ("link", Self::Link),
    ];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.iter().find(|(_, kind)| *kind == self).map_or("secret", |(word, _)| word)
    }

    /// The kind of a word; none where there is no such kind.
    pub fn named(word: &str) -> Option<Self> {
        Self::WORDS.iter().find(|(name, _)| *name == word).map(|(_, kind)| *kind)
    }

    fn find(self, text: &str) -> Vec<Hit> {
        match self {
            Self::Email => email::find(text),
            Self::Phone => phone::find(text),
            Self::Iban => iban::find(text),
            Self::Card => card::find(text),
            Self::Address => address::find(text),
            Self::Ip => ip::find(text),
            Self::Secret => secret::find(text),
            Self::Link => link::find(text),
        }
    }
}

/// Finds things of some kinds that are at least so sure, in the order of the text. Those that overlap are one.
pub fn sensitive(text: &str, kinds: &[Kind], threshold: f64) -> Vec<Hit> {
    let folded = Folded::seen(text);
    let found = kinds.iter().flat_map(|kind| kind.find(folded.text()));
    let found = found.filter(|hit| hit.score >= threshold);
    let hits = found.map(|hit| Hit { span: folded.origin(&hit.span), ..hit }).collect();
    merged(hits)
}
