//! What somebody names in a request: addresses, accounts, files, people.

use std::collections::BTreeSet;

/// What somebody names in a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Named {
    /// Whom: addresses, accounts, hosts, names.
    pub(super) who: BTreeSet<String>,
    /// Which files, folders and pages.
    pub(super) places: BTreeSet<String>,
    /// What is spoken of by naming one of its kind: an address of mail speaks of mail.
    pub(super) things: BTreeSet<&'static str>,
}

/// Reads what a text names.
pub(super) fn named(text: &str) -> Named {
    let mut named = Named::default();
    quoted(text, |quoted| {
        named.who.insert(quoted.to_owned());
        if is_place(quoted) {
            named.places.insert(quoted.to_owned());
        }
    });
    let mut name: Vec<&str> = Vec::new();
    for word in text.split_whitespace() {
        let bare = bare(word);
        let ends = word.ends_with([',', '.', ';', ':', '?', '!']) || word.ends_with("'s");
        let is_name = bare.chars().next().is_some_and(char::is_uppercase) && !is_account(bare);
        if is_name {
            let bare = bare.strip_suffix("'s").unwrap_or(bare);
            named.who.insert(bare.to_owned());
            name.push(bare);
        }
        if (!is_name || ends) && !name.is_empty() {
            if name.len() > 1 {
                named.who.insert(name.join(" "));
            }
            name.clear();
        }
        named.word(bare);
    }
    if name.len() > 1 {
        named.who.insert(name.join(" "));
    }
    named
}

impl Named {
    fn word(&mut self, word: &str) {
        if is_mail(word) {
            self.who.insert(word.to_owned());
            self.things.insert("email");
        } else if word.contains("://") || word.starts_with("www.") {
            self.who.insert(word.to_owned());
            let rest = word.split_once("://").map_or(word, |(_, rest)| rest);
            self.who.extend(rest.split(['/', '?', '#']).next().map(str::to_owned));
            self.places.insert(word.to_owned());
            self.things.insert("page");
        } else if is_account(word) {
            self.who.insert(word.to_owned());
            self.things.insert("money");
        } else if is_place(word) {
            self.places.insert(word.to_owned());
            self.things.insert("file");
        } else if let Some(handle) = word.strip_prefix(['#', '@']).filter(|handle| !handle.is_empty()) {
            self.who.extend([word.to_owned(), handle.to_owned()]);
        } else if word.chars().filter(char::is_ascii_digit).count() >= 7 {
            self.who.insert(word.to_owned());
        }
    }
}

/// The text without what stands in quotes: that is said to be written, found or sent, and is no wish.
pub(super) fn unquoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = 0;
    quotes(text, |from, to| {
        out.push_str(text.get(rest..from).unwrap_or_default());
        out.push_str(" it ");
        rest = to;
    });
    out.push_str(text.get(rest..).unwrap_or_default());
    out
}

fn quoted<'a>(text: &'a str, mut each: impl FnMut(&'a str)) {
    quotes(text, |from, to| {
        let inner = text.get(from..to).unwrap_or_default();
        each(inner.trim_matches(['"', '\'', '`', '“', '”', '„', '‘', '’', '«', '»']));
    });
}

/// The places of what stands in quotes. An apostrophe within a word is none.
fn quotes(text: &str, mut each: impl FnMut(usize, usize)) {
    const PAIRS: &[(char, &[char])] = &[
        ('"', &['"']),
        ('\'', &['\'']),
        ('`', &['`']),
        ('“', &['”']),
        ('„', &['“', '”']),
        ('‘', &['’']),
        ('«', &['»']),
    ];
    let mut open: Option<(usize, &[char])> = None;
    let mut before = ' ';
    let mut characters = text.char_indices().peekable();
    while let Some((at, c)) = characters.next() {
        let after = characters.peek().map_or(' ', |(_, c)| *c);
        match open {
            Some((from, closing))
                if closing.contains(&c) && !(before.is_alphanumeric() && after.is_alphanumeric()) =>
            {
                each(from, at + c.len_utf8());
                open = None;
            }
            None if !before.is_alphanumeric() => {
                open = PAIRS.iter().find(|(opening, _)| *opening == c).map(|(_, closing)| (at, *closing));
            }
            _ => {}
        }
        before = c;
    }
}

fn bare(word: &str) -> &str {
    let word = word.trim_matches(|c: char| "\"'`“”„‘’«»()[]{}<>,;:?!".contains(c));
    word.strip_suffix('.').unwrap_or(word).trim_end_matches(['"', '\'', '”', '’'])
}

fn is_mail(word: &str) -> bool {
    word.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
}

/// Two letters, two digits, and more: an account.
fn is_account(word: &str) -> bool {
    let bytes = word.as_bytes();
    let digits = bytes.iter().filter(|byte| byte.is_ascii_digit()).count();
    let (letters, rest) = bytes.split_at(bytes.len().min(2));
    bytes.len() >= 12
        && digits >= 8
        && letters.iter().all(u8::is_ascii_alphabetic)
        && rest.iter().all(u8::is_ascii_alphanumeric)
}

/// The name of a file, or a path.
fn is_place(word: &str) -> bool {
    if word.contains(char::is_whitespace) || is_mail(word) {
        return false;
    }
    let extension =
        word.rsplit_once('.').filter(|(stem, _)| !stem.is_empty()).map(|(_, extension)| extension);
    let is_extension = |text: &str| {
        (1..=5).contains(&text.len())
            && text.chars().all(|c| c.is_ascii_alphanumeric())
            && text.chars().any(|c| c.is_ascii_alphabetic())
    };
    extension.is_some_and(is_extension) || word.starts_with(['/', '~']) && word.len() > 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_named_is_told_by_its_form() {
        let cases = [
            ("Write to ann@example.org, please.", "Write ann@example.org", "", "email"),
            ("pay DE89370400440532013000", "DE89370400440532013000", "", "money"),
            ("read 'notes.md' and tell Eva Maria's team", "Eva Eva Maria Maria notes.md", "notes.md", "file"),
            ("open https://a.org/b?c=1.", "a.org https://a.org/b?c=1", "https://a.org/b?c=1", "page"),
            ("tell #general", "#general general", "", ""),
            ("it's 12.00 at 10:30", "", "", ""),
            ("call +4312345678", "+4312345678", "", ""),
        ];
        for (text, who, places, things) in cases {
            let found = named(text);
            let words = |set: &BTreeSet<String>| Vec::from_iter(set.clone()).join(" ");
            assert_eq!(words(&found.who), who, "{text}");
            assert_eq!(words(&found.places), places, "{text}");
            assert_eq!(Vec::from_iter(found.things).join(" "), things, "{text}");
        }
    }

    #[test]
    fn what_stands_in_quotes_is_no_wish() {
        for (text, expected) in [
            ("send 'delete all' to Ann's desk", "send  it  to Ann's desk"),
            ("say \"it's over\" now", "say  it  now"),
            ("„weg“ und «fort»", " it  und  it "),
            ("don't", "don't"),
            ("an 'open end", "an 'open end"),
        ] {
            assert_eq!(unquoted(text), expected);
        }
    }
}
