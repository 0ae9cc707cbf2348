//! Cuts texts and names into terms that can be compared.

use std::collections::{HashMap, HashSet};
use std::sync::LazyLock;

use rust_stemmers::{Algorithm, Stemmer};

/// Words that say nothing of what a tool does.
const STOP: &str = "a about am an and any are as at be been being but by can could d did do does doing down for from had has have \
    having he her here him his how i if in into is it its just ll m may me might mine must my no nor not of off on or our \
    ours out over please re s shall she should so t than that the their them then there these they this those to too under \
    up us ve very was we were what when where which who whom whose why will with would you your yours";

/// Words that people say around what they want, and that name many tools all the same.
const WEAK: &str = "able based find get give given hello help hey hi information know let like look make need possible provide search \
    show specific specify sure tell thank thanks tool try use used using want";

/// How much a weak word counts beside another.
const WEAKNESS: f64 = 0.5;

/// The terms of texts. It remembers the stems that it has made: a set of tools says the same words again and again.
pub(super) struct Words {
    stemmer: Stemmer,
    known: HashMap<String, Option<String>>,
}

impl Words {
    pub(super) fn new() -> Self {
        Self { stemmer: Stemmer::create(Algorithm::English), known: HashMap::new() }
    }

    /// The terms of a text or a name, in their order: in lower case, without endings, without words that say nothing and
    /// without numbers.
    pub(super) fn terms(&mut self, text: &str) -> Vec<String> {
        let mut terms = Vec::new();
        pieces(text, |piece| terms.extend(self.term(piece)));
        terms
    }

    fn term(&mut self, piece: &str) -> Option<String> {
        if let Some(known) = self.known.get(piece) {
            return known.clone();
        }
        let says_nothing = STOP_WORDS.contains(piece) || piece.chars().all(char::is_numeric);
        let term = (!says_nothing).then(|| self.stemmer.stem(piece).into_owned());
        self.known.insert(piece.to_owned(), term.clone());
        term
    }
}

/// The terms of a text or a name, as an index compares them: in lower case, without endings, without words that say nothing
/// and without numbers.
pub fn terms(text: &str) -> Vec<String> {
    Words::new().terms(text)
}

/// How much a term of a query counts.
pub(super) fn weight(term: &str) -> f64 {
    if WEAK_TERMS.contains(term) { WEAKNESS } else { 1.0 }
}

static STOP_WORDS: LazyLock<HashSet<&str>> = LazyLock::new(|| STOP.split_whitespace().collect());

static WEAK_TERMS: LazyLock<HashSet<String>> =
    LazyLock::new(|| Words::new().terms(WEAK).into_iter().collect());

/// What a character is, as far as it decides where a piece ends.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    Lower,
    Upper,
    Digit,
    /// Of a writing that puts no spaces between words.
    Dense,
    Other,
}

fn kind(c: char) -> Kind {
    match c {
        '\u{2e80}'..='\u{9fff}'
        | '\u{ac00}'..='\u{d7af}'
        | '\u{f900}'..='\u{faff}'
        | '\u{20000}'..='\u{3ffff}' => Kind::Dense,
        _ if c.is_uppercase() => Kind::Upper,
        _ if c.is_alphabetic() => Kind::Lower,
        _ if c.is_numeric() => Kind::Digit,
        _ => Kind::Other,
    }
}

/// Cuts `getHTTPStatus2`, `get-http_status.2` and plain sentences alike: `get`, `http`, `status`, `2`. Of writings without
/// spaces each pair of neighbours is a piece.
fn pieces(text: &str, mut take: impl FnMut(&str)) {
    let mut piece = String::new();
    let mut before = Kind::Other;
    let mut characters = text.chars().peekable();
    while let Some(c) = characters.next() {
        let now = kind(c);
        let after = characters.peek().map_or(Kind::Other, |next| kind(*next));
        let begins = match (before, now) {
            (Kind::Lower, Kind::Upper) => true,
            // The last capital of `HTTPStatus` begins the next word.
            (Kind::Upper, Kind::Upper) => after == Kind::Lower,
            (Kind::Upper, Kind::Lower) => false,
            (before, now) => before != now || now == Kind::Dense,
        };
        if begins && !piece.is_empty() {
            take(&piece);
            piece.clear();
        }
        match now {
            Kind::Other => {}
            Kind::Dense => match characters.peek().filter(|_| after == Kind::Dense) {
                Some(next) => piece.extend([c, *next]),
                // The last one stands in the pair before; alone, it is a piece of its own.
                None if before != Kind::Dense => piece.push(c),
                None => {}
            },
            _ => piece.extend(c.to_lowercase()),
        }
        before = now;
    }
    if !piece.is_empty() {
        take(&piece);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_sentences_are_cut_alike() {
        for (text, expected) in [
            ("getHTTPStatus2", "get http status"),
            ("list-pull_requests.v3", "list pull request v"),
            ("Where is my order 1042?", "order"),
            ("Converts currencies", "convert currenc"),
            ("OpenWeatherMap", "open weather map"),
            ("Öffnet Türen", "öffnet türen"),
            ("天气预报", "天气 气预 预报"),
            ("查 weather", "查 weather"),
            ("", ""),
            ("🦀 ... --", ""),
        ] {
            assert_eq!(Words::new().terms(text).join(" "), expected, "{text}");
        }
    }
}
