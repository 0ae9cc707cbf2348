//! The secrets in use with a provider, and texts without them.

use std::borrow::Cow;
use std::fmt;
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard};

use adjutant_core::secret::Secret;
use memchr::memmem;

/// What stands for a secret.
const MARK: &str = "[secret]";

/// Shorter texts are no keys, and blanking them out would make a message unreadable.
const SHORTEST: usize = 8;

/// Shorter texts, and those without a digit, may be words: `not-needed` is the key of many a local server. They stay where
/// a model says them.
const SHORTEST_UNMISTAKABLE: usize = 16;

/// How many forms of secrets are known at the same time. Keys that live for an hour come and go; each call tells anew which
/// one it uses, so that only those are forgotten that nobody has used for long.
const MOST: usize = 64;

/// Every secret that is in use with one provider: the one place that knows them. Clones know the same, also what is learnt
/// later, so whoever holds one hides a key that was read after it was made.
#[derive(Clone, Default)]
pub(crate) struct Hidden(Arc<RwLock<Vec<Form>>>);

/// One way in which a secret may stand in a text.
struct Form {
    secret: Secret,
    /// Made once: every piece of every answer is searched.
    finder: memmem::Finder<'static>,
    is_unmistakable: bool,
}

impl Form {
    fn new(text: &str) -> Self {
        Self {
            secret: Secret::new(text),
            finder: memmem::Finder::new(text).into_owned(),
            is_unmistakable: text.len() >= SHORTEST_UNMISTAKABLE && text.bytes().any(|b| b.is_ascii_digit()),
        }
    }

    fn bytes(&self) -> &[u8] {
        self.secret.expose().as_bytes()
    }

    /// Where it stands in a text.
    fn places(&self, text: &[u8]) -> Vec<usize> {
        self.finder.find_iter(text).collect()
    }
}

impl Hidden {
    /// Hides one more secret from now on.
    pub(crate) fn hide(&self, secret: &Secret) {
        let text = secret.expose().trim();
        if self.known().last().is_some_and(|form| form.secret.expose() == text) {
            return;
        }
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        for text in forms(text) {
            known.retain(|form| form.secret.expose() != text);
            known.push(Form::new(&text));
        }
        let excess = known.len().saturating_sub(MOST);
        known.drain(..excess);
    }

    /// A text without the secrets.
    pub(crate) fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        let mut text = Cow::Borrowed(text);
        for form in self.known().iter() {
            if form.finder.find(text.as_bytes()).is_some() {
                text = Cow::Owned(text.replace(form.secret.expose(), MARK));
            }
        }
        text
    }

    /// Bytes in which nothing may change its place, with other bytes where a secret stood.
    pub(crate) fn mask<'a>(&self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let mut masked = Cow::Borrowed(bytes);
        for form in self.known().iter() {
            for at in form.places(&masked) {
                let end = at + form.bytes().len();
                masked.to_mut().splice(at..end, std::iter::repeat_n(b'*', end - at));
            }
        }
        masked
    }

    /// What a model says without the secrets; none where there are none in it. What could be a word of the model is left.
    pub(crate) fn blank(&self, said: &[u8]) -> Option<Vec<u8>> {
        let mut blanked: Option<Vec<u8>> = None;
        for form in self.known().iter().filter(|form| form.is_unmistakable) {
            // From the last one on, so that those before it stay where they are.
            for at in form.places(blanked.as_deref().unwrap_or(said)).into_iter().rev() {
                let bytes = blanked.get_or_insert_with(|| said.to_vec());
                bytes.splice(at..at + form.bytes().len(), MARK.bytes());
            }
        }
        blanked
    }

    /// How many bytes at the end may be the beginning of a secret, of which the rest is still to come.
    pub(crate) fn begun(&self, said: &[u8]) -> usize {
        let Some(last) = said.last() else { return 0 };
        let known = self.known();
        let lengths = known.iter().filter(|form| form.is_unmistakable).filter_map(|form| {
            let secret = form.bytes();
            let could_end = |length: &usize| secret.get(length - 1) == Some(last);
            let longest = (secret.len() - 1).min(said.len());
            let begins = |length: &usize| secret.get(..*length).is_some_and(|begin| said.ends_with(begin));
            (1..=longest).rev().filter(could_end).find(begins)
        });
        lengths.max().unwrap_or(0)
    }

    fn known(&self) -> RwLockReadGuard<'_, Vec<Form>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Debug for Hidden {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hidden({})", self.known().len())
    }
}

/// How a secret may stand in a text: as it is, as JSON writes it, as an address does, and, of a header that says first what
/// follows (`Bearer KEY`), what follows alone. The secret itself is the last one.
fn forms(text: &str) -> Vec<String> {
    let mut forms = Vec::new();
    for text in text.rsplit_once(' ').map(|(_, last)| last).into_iter().chain([text]) {
        let json = serde_json::Value::from(text).to_string();
        forms.push(json.trim_matches('"').to_owned());
        forms.push(text.replace('/', "\\/"));
        forms.push(url::form_urlencoded::byte_serialize(text.as_bytes()).collect());
        forms.push(text.to_owned());
    }
    forms.retain(|form| form.len() >= SHORTEST);
    forms
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hiding(secrets: &[&str]) -> Hidden {
        let hidden = Hidden::default();
        secrets.iter().for_each(|secret| hidden.hide(&Secret::new(*secret)));
        hidden
    }

    #[test]
    fn a_secret_is_found_however_it_is_written() {
        let hidden = hiding(&["Bearer ab/c\"def+12", "short"]);
        let cases = [
            ("key ab/c\"def+12.", "key [secret]."),
            (r#"{"k":"ab/c\"def+12"}"#, r#"{"k":"[secret]"}"#),
            (r#"{"k":"ab\/c"}"#, r#"{"k":"ab\/c"}"#),
            ("?key=ab%2Fc%22def%2B12&x", "?key=[secret]&x"),
            ("Bearer ab/c\"def+12", "Bearer [secret]"),
            ("short", "short"),
        ];
        for (text, expected) in cases {
            assert_eq!(hidden.redact(text), expected, "{text}");
        }
        assert!(!format!("{hidden:?}").contains("def"));
    }

    #[test]
    fn clones_know_what_is_learnt_later_and_what_is_used_is_not_forgotten() {
        let hidden = hiding(&["the-first-key-000"]);
        let clone = hidden.clone();
        for number in 0..1_000 {
            hidden.hide(&Secret::new("the-key-in-use-77"));
            hidden.hide(&Secret::new(format!("hourly-token-{number}")));
        }
        assert_eq!(clone.redact("the-key-in-use-77 hourly-token-999"), "[secret] [secret]");
        assert!(clone.known().len() <= MOST);
    }

    #[test]
    fn what_may_be_a_word_stays_where_a_model_says_it() {
        let hidden = hiding(&["not-needed-at-all", "sk-1234567890abcdef"]);
        assert_eq!(hidden.blank(b"a key is not-needed-at-all"), None);
        assert_eq!(hidden.blank(b"it is sk-1234567890abcdef").unwrap(), b"it is [secret]");
        assert_eq!(hidden.redact("not-needed-at-all"), "[secret]");
        assert_eq!(*hidden.mask(b"\xff sk-1234567890abcdef"), *b"\xff *******************");
    }

    #[test]
    fn the_beginning_of_a_secret_is_seen_at_the_end() {
        let hidden = hiding(&["sk-1234567890abcdef", "sk-1sk-1sk-1sk-12"]);
        let cases: [(&str, usize); 6] = [
            ("", 0),
            ("x", 0),
            ("as", 1),
            ("a sk-1234567890", 13),
            ("sk-1sk-1", 8),
            ("sk-1234567890abcdef", 0),
        ];
        for (said, expected) in cases {
            assert_eq!(hidden.begun(said.as_bytes()), expected, "{said}");
        }
    }
}
