//! [`Spoken`]: the words of somebody who is trusted, and whether they name a value.

use std::collections::BTreeSet;

use adjutant_core::label::Label;
use adjutant_core::tool::Role;

use super::name;
use super::text::{Edge, Text, places, stands, tokens};
use super::value::{self, Kind, Leaf};

/// How many words before a number its kind may stand: `orders 1042, 1043 and 1044`.
const REACH: usize = 12;

/// How many blocks of signs an account is written in at most.
const BLOCKS: usize = 9;

const MONTHS: [&str; 12] =
    ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];

/// Words that a sentence begins with, which are nobody's name.
const BEGINNINGS: &[&str] = &[
    "please",
    "can",
    "could",
    "would",
    "will",
    "should",
    "shall",
    "may",
    "the",
    "this",
    "that",
    "these",
    "those",
    "they",
    "she",
    "her",
    "his",
    "you",
    "your",
    "our",
    "its",
    "there",
    "here",
    "what",
    "when",
    "where",
    "which",
    "who",
    "whom",
    "whose",
    "why",
    "how",
    "and",
    "but",
    "then",
    "also",
    "after",
    "before",
    "now",
    "today",
    "tomorrow",
    "yesterday",
    "with",
    "for",
    "from",
    "does",
    "did",
    "have",
    "has",
    "are",
    "was",
    "were",
    "let",
    "send",
    "mail",
    "email",
    "write",
    "read",
    "check",
    "find",
    "get",
    "give",
    "show",
    "tell",
    "ask",
    "make",
    "create",
    "add",
    "delete",
    "remove",
    "update",
    "change",
    "set",
    "pay",
    "transfer",
    "share",
    "invite",
    "book",
    "call",
    "use",
    "look",
    "search",
    "open",
    "close",
    "move",
    "copy",
    "everyone",
    "everybody",
    "all",
    "any",
    "some",
    "somebody",
    "someone",
    "nobody",
    "support",
    "security",
    "admin",
];

/// The words of somebody who is trusted.
#[derive(Clone, Debug)]
pub(super) struct Spoken {
    text: Text,
    numbers: BTreeSet<String>,
    accounts: BTreeSet<String>,
    dates: BTreeSet<(u16, u8, u8)>,
    pub(super) label: Label,
}

/// What an argument is, as far as it says how its value is to be recognised.
#[derive(Clone, Copy, Debug)]
pub(super) struct Wanted<'a> {
    pub(super) role: Role,
    /// Whether its value tells one thing from others.
    pub(super) is_id: bool,
    /// Which kind of thing it speaks of.
    pub(super) kinds: &'a [String],
}

impl Spoken {
    pub(super) fn new(text: &str, label: Label) -> Self {
        let text = Text::new(text);
        let (numbers, accounts, dates) = (numbers(&text.exact), accounts(&text.exact), dates(&text.folded));
        Self { numbers, accounts, dates, text, label }
    }

    /// Whether the words name the value, as what the argument is.
    pub(super) fn names(&self, leaf: &Leaf, wanted: &Wanted<'_>) -> bool {
        let who_or_what = matches!(wanted.role, Role::Recipient | Role::Target);
        match leaf.kind {
            Kind::Email => stands(&self.text.folded, &leaf.folded, Edge::Token),
            Kind::Url => self.has_url(&leaf.exact),
            Kind::Iban => self.accounts.contains(&leaf.exact),
            Kind::Date => self.has_date(&leaf.exact),
            Kind::Number if wanted.is_id || who_or_what => {
                (leaf.is_telling() && stands(&self.text.exact, &leaf.exact, Edge::Token))
                    || self.is_numbered(&leaf.exact, wanted.kinds)
            }
            Kind::Number => self.numbers.contains(&leaf.exact),
            Kind::Path => {
                let path = leaf.exact.strip_prefix("./").unwrap_or(&leaf.exact);
                stands(&self.text.exact, &leaf.exact, Edge::Token)
                    || stands(&self.text.exact, path, Edge::Token)
            }
            Kind::Code => stands(&self.text.exact, &leaf.exact, Edge::Token),
            Kind::Name if who_or_what => {
                self.calls(leaf, wanted.kinds) || self.begins_with(leaf, wanted.role)
            }
            Kind::Text if who_or_what && !leaf.is_telling() => false,
            Kind::Name | Kind::Text => stands(&self.text.folded, &leaf.folded, Edge::Word),
            Kind::Flag => false,
        }
    }

    /// Whether one of these values of a thing is named, so that the thing was meant.
    pub(super) fn means(&self, leaf: &Leaf) -> bool {
        match leaf.kind {
            Kind::Number | Kind::Flag | Kind::Date => false,
            Kind::Text => leaf.is_telling() && stands(&self.text.folded, &leaf.folded, Edge::Word),
            _ => self.names(leaf, &Wanted { role: Role::Target, is_id: false, kinds: &[] }),
        }
    }

    fn has_url(&self, url: &str) -> bool {
        let bare = url.strip_suffix('/').unwrap_or(url);
        let has = |url: &str| stands(&self.text.exact, url, Edge::Token);
        // A host that was named without a scheme is what its first page is asked for by.
        let host = bare
            .split_once("://")
            .map(|(_, host)| host)
            .filter(|host| !host.contains(['/', '?', '#', '@', ':']));
        has(url) || has(bare) || host.is_some_and(has)
    }

    fn has_date(&self, date: &str) -> bool {
        let Some((day, time)) = value::date(date) else { return false };
        let has_time = |time: &str| time == "00:00" || stands(&self.text.exact, time, Edge::Token);
        self.dates.contains(&day) && time.as_deref().is_none_or(has_time)
    }

    /// Whether the number stands behind the kind of thing that is asked for: `order 1042`, `the invoices 7 and 8`.
    fn is_numbered(&self, number: &str, kinds: &[String]) -> bool {
        let between = |word: &str| {
            word.chars().all(|c| c.is_ascii_digit())
                || ["and", "or", "to", "number", "numbers", "no", "nr", "id", "ids", "with", "the"]
                    .contains(&word)
        };
        let is_kind = |place: usize| {
            // A new sentence speaks of something else.
            let before = self.text.folded.get(..place).unwrap_or_default();
            let sentence = before
                .rfind(['?', '!', '\n'])
                .max(before.rfind(". "))
                .map_or(before, |end| before.get(end..).unwrap_or_default());
            let words: Vec<_> = tokens(sentence).map(|(_, word)| word).collect();
            let word = words.iter().rev().take(REACH).find(|word| !between(word));
            word.is_some_and(|word| kinds.contains(&name::singular(word)))
        };
        places(&self.text.folded, number, Edge::Token).any(|(start, _)| is_kind(start))
    }

    /// Whether a name is called as one: in quotes, with a sign before it, with capitals, beside the kind of thing that it
    /// is, or so that it is no common word.
    fn calls(&self, leaf: &Leaf, kinds: &[String]) -> bool {
        let value = &leaf.exact;
        if value.chars().count() < 3 {
            return false;
        }
        let bare = value.strip_prefix(['@', '#']).unwrap_or(value);
        let has_sign = value.contains(['-', '_']) || value.bytes().any(|byte| byte.is_ascii_digit());
        let is_long = value.contains(' ') && value.len() >= 8;
        let has_capital = bare.split(' ').all(|word| word.chars().next().is_some_and(char::is_uppercase));
        let exact = places(&self.text.exact, bare, Edge::Word).any(|(start, end)| {
            let text = &self.text.exact;
            let before = text.get(..start).unwrap_or_default();
            let after = text.get(end..).unwrap_or_default();
            let sign = before.chars().next_back();
            let is_quoted = sign.is_some_and(is_quote) && after.starts_with(is_quote);
            let begins = before.trim_end().chars().next_back().is_none_or(|c| ".!?:\n".contains(c));
            is_quoted
                || sign.is_some_and(|c| "@#".contains(c))
                || (has_capital && (!begins || value.contains(' ')))
        });
        let any_case = || {
            places(&self.text.folded, &leaf.folded, Edge::Word).any(|(start, end)| {
                let text = &self.text.folded;
                let before = tokens(text.get(..start).unwrap_or_default()).last().map(|(_, word)| word);
                let after = tokens(text.get(end..).unwrap_or_default()).next().map(|(_, word)| word);
                let beside =
                    |word: Option<&str>| word.is_some_and(|word| kinds.contains(&name::singular(word)));
                has_sign || is_long || beside(before) || beside(after)
            })
        };
        exact || any_case()
    }

    /// Whether a sentence begins with the value as the name of somebody: `Ann wrote`. Only words that sentences begin with
    /// anyway are no names there.
    fn begins_with(&self, leaf: &Leaf, role: Role) -> bool {
        let value = &leaf.exact;
        let is_word = value.chars().all(char::is_alphanumeric) && value.chars().count() >= 3;
        let is_name = value.starts_with(char::is_uppercase) && !BEGINNINGS.contains(&leaf.folded.as_str());
        role == Role::Recipient
            && is_word
            && is_name
            && places(&self.text.exact, value, Edge::Token).any(|(_, end)| {
                let after = self.text.exact.get(end..).unwrap_or_default();
                // `Ann, please`: then the name is that of the one who is spoken to.
                after.starts_with(' ')
            })
    }
}

fn is_quote(c: char) -> bool {
    "\"'`\u{201c}\u{201d}\u{201e}\u{2018}\u{2019}\u{ab}\u{bb}".contains(c)
}

/// The numbers that stand for themselves: no part of a date, an id, a time or a path.
fn numbers(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut rest = 0;
    while let Some(start) =
        text.get(rest..).and_then(|tail| tail.find(|c: char| c.is_ascii_digit())).map(|at| rest + at)
    {
        let tail = text.get(start..).unwrap_or_default();
        let end = tail.find(|c: char| !c.is_ascii_digit() && c != '.' && c != ',').unwrap_or(tail.len());
        rest = start + end.max(1);
        let digits = tail.get(..end).unwrap_or_default().trim_end_matches(['.', ',']);
        let mut before = text.get(..start).unwrap_or_default().chars().rev();
        let (last, earlier) = (before.next(), before.next());
        let is_negative = last == Some('-') && earlier.is_none_or(char::is_whitespace);
        let apart = last.is_none_or(|c| !c.is_alphanumeric() && !"-_/:@#.\\".contains(c)) || is_negative;
        let mut after = tail.get(end..).unwrap_or_default().chars();
        let (next, later) = (after.next(), after.next());
        let goes_on = next.is_some_and(|c| {
            c.is_alphanumeric() || (":-_/\\@".contains(c) && later.is_some_and(char::is_alphanumeric))
        });
        if apart
            && !goes_on
            && let Some(number) = value::number(digits)
        {
            found.insert(if is_negative { format!("-{number}") } else { number });
        }
    }
    found
}

/// The accounts, however their signs are grouped.
fn accounts(text: &str) -> BTreeSet<String> {
    let words: Vec<_> =
        text.split(' ').map(|word| word.trim_matches(|c: char| !c.is_alphanumeric())).collect();
    let mut found = BTreeSet::new();
    for start in 0..words.len() {
        let mut account = String::new();
        for word in words.iter().skip(start).take(BLOCKS) {
            if word.is_empty() || !word.bytes().all(|byte| byte.is_ascii_alphanumeric()) || account.len() > 34
            {
                break;
            }
            account.push_str(word);
            if value::is_iban(&account) {
                found.insert(account.to_uppercase());
            }
        }
    }
    found
}

/// The dates with a year, in numbers (`2024-05-15`) or with the name of the month (`May 15th, 2024`).
fn dates(text: &str) -> BTreeSet<(u16, u8, u8)> {
    let mut found = BTreeSet::new();
    let words: Vec<_> = tokens(text).map(|(_, word)| word).collect();
    for triple in words.windows(3) {
        let [a, b, c] = triple else { continue };
        if let Some((day, None)) = value::date(&format!("{a}-{b}-{}", c.get(..2).unwrap_or_default()))
            && c.chars().nth(2).is_none_or(|c| c == 't')
        {
            found.insert(day);
        }
        let month = |word: &str| {
            let place = MONTHS.iter().position(|name| word.starts_with(name))?;
            u8::try_from(place + 1).ok()
        };
        let day = |word: &str| {
            let digits =
                ["st", "nd", "rd", "th"].iter().find_map(|end| word.strip_suffix(end)).unwrap_or(word);
            digits.parse::<u8>().ok().filter(|day| (1..=31).contains(day))
        };
        let year = c.parse::<u16>().ok().filter(|_| c.len() == 4);
        let day_of = month(a).zip(day(b)).or_else(|| month(b).zip(day(a)));
        if let Some((year, (month, day))) = year.zip(day_of) {
            found.insert((year, month, day));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn check(words: &str, role: Role, name: &str, value: &Value) -> bool {
        let kinds = name::kinds(name, []);
        let wanted = Wanted { role, is_id: name::is_identifier(name), kinds: &kinds };
        Spoken::new(words, Label::default()).names(&Leaf::of(value).unwrap(), &wanted)
    }

    #[test]
    fn what_is_said_is_recognised_by_its_kind() {
        for (words, role, name, value, expected) in [
            ("mail Ann@Example.org.", Role::Recipient, "to", json!("ann@example.org"), true),
            ("Ann sent a bill, pay her", Role::Recipient, "to", json!("Ann"), true),
            ("Ann, pay the bill", Role::Recipient, "to", json!("Ann"), false),
            ("Send it to the support", Role::Recipient, "to", json!("Send"), false),
            ("Reports are old", Role::Target, "name", json!("Reports"), false),
            ("mail joann@example.org", Role::Recipient, "to", json!("ann@example.org"), false),
            ("read www.a.org please", Role::Recipient, "url", json!("https://www.a.org/"), true),
            ("read www.a.org please", Role::Recipient, "url", json!("https://www.a.org/?q=1"), false),
            (
                "pay DE89 3704 0044 0532 0130 00 now",
                Role::Recipient,
                "iban",
                json!("DE89370400440532013000"),
                true,
            ),
            (
                "pay DE89 3704 0044 0532 0130 01 now",
                Role::Recipient,
                "iban",
                json!("DE89370400440532013000"),
                false,
            ),
            ("pay 1,250.00 EUR", Role::Amount, "amount", json!(1250), true),
            ("pay 1,250.00 EUR", Role::Amount, "amount", json!(12500), false),
            ("on 2024-05-15", Role::Amount, "amount", json!(15), false),
            ("at 10:30", Role::Amount, "amount", json!(30), false),
            ("of 50% or -3", Role::Amount, "amount", json!(-3), true),
            ("on May 15th, 2024 at 10:30", Role::Option, "start", json!("2024-05-15 10:30"), true),
            ("on 15 May 2024", Role::Option, "start", json!("2024-05-15"), true),
            ("on May 15th", Role::Option, "start", json!("2024-05-15"), false),
            ("on 2024-05-15T10:30", Role::Option, "start", json!("2024-05-15"), true),
            ("read notes.md", Role::Target, "path", json!("./notes.md"), true),
            ("read notes.md", Role::Target, "path", json!("../notes.md"), false),
            ("read notes.md", Role::Target, "path", json!("notes.md/x.md"), false),
            ("cancel INV-2041", Role::Target, "invoice_id", json!("INV-2041"), true),
            ("say that it rains", Role::Content, "body", json!("It rains"), true),
            ("say that it rains", Role::Content, "body", json!("it rains hard"), false),
        ] {
            assert_eq!(check(words, role, name, &value), expected, "{name} = {value} in `{words}`");
        }
    }

    #[test]
    fn a_short_number_is_no_id_unless_it_stands_behind_its_kind() {
        for (words, name, value, expected) in [
            ("where is order 1042?", "order_id", json!(1042), true),
            ("where is order #1042?", "order_id", json!("1042"), true),
            ("the orders 1041, 1042 and 1043", "order_id", json!(1043), true),
            ("the order number 1042", "order", json!("1042"), true),
            ("pay 13 EUR for it", "file_id", json!("13"), false),
            ("I have an order. Take 13 of them", "order_id", json!(13), false),
            ("the 13 files", "file_id", json!(13), false),
            ("it is 40019283746", "id", json!("40019283746"), true),
        ] {
            assert_eq!(check(words, Role::Target, name, &value), expected, "{name} = {value} in `{words}`");
        }
    }

    #[test]
    fn a_name_is_called_and_no_common_word() {
        for (words, name, value, expected) in [
            ("write to Carol about it", "user", "Carol", true),
            ("Please write about it", "user", "Please", false),
            ("in general, tell them", "channel", "general", false),
            ("post it in the general channel", "channel", "general", true),
            ("post it in #general", "channel", "general", true),
            ("post it in 'random'", "channel", "random", true),
            ("the file quarterly report", "name", "quarterly report", true),
            ("tell Alice Smith", "user", "Alice Smith", true),
            ("Alice Smith is to know it", "user", "Alice Smith", true),
            ("tell Alice", "user", "Alic", false),
            ("I am me", "user", "me", false),
        ] {
            assert_eq!(check(words, Role::Recipient, name, &json!(value)), expected, "{value} in `{words}`");
        }
    }
}
