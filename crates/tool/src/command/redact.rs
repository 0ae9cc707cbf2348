//! Takes the secrets that a command was given out of what it says. A careless command prints its environment.

use adjutant_core::secret::Secret;

/// Shorter secrets are left in: they would be found in ordinary words.
const SHORTEST: usize = 6;

/// What stands in place of a secret.
const MARK: &str = "[secret]";

/// The secrets that one command was given.
#[derive(Clone, Default)]
pub(crate) struct Redactor(Vec<Secret>);

impl Redactor {
    /// Keeps the secrets that are long enough to be told from words.
    pub(crate) fn new(secrets: impl Iterator<Item = Secret>) -> Self {
        Self(secrets.filter(|secret| secret.expose().len() >= SHORTEST).collect())
    }

    /// The same with more secrets.
    pub(crate) fn and(mut self, more: impl Iterator<Item = Secret>) -> Self {
        self.0.extend(Self::new(more).0);
        self
    }

    /// The text without the secrets.
    pub(crate) fn text(&self, text: String) -> String {
        let found = self.0.iter().filter(|secret| text.contains(secret.expose())).collect::<Vec<_>>();
        found.into_iter().fold(text, |text, secret| text.replace(secret.expose(), MARK))
    }

    /// The bytes without the secrets. Bytes that are no UTF-8 are replaced where a secret was found, and only there.
    pub(super) fn bytes(&self, bytes: Vec<u8>) -> Vec<u8> {
        if self.0.is_empty() {
            return bytes;
        }
        let text = String::from_utf8_lossy(&bytes);
        match self.0.iter().any(|secret| text.contains(secret.expose())) {
            true => self.text(text.into_owned()).into_bytes(),
            false => bytes,
        }
    }
}
