//! The other side of a connection, as errors speak of it.

use std::borrow::Cow;

use adjutant_core::secret::Secret;
use url::Url;

use super::hidden::Hidden;

/// A provider as errors speak of it: its address, and the secrets that no message may repeat. Clones share these, so that
/// whoever speaks of an exchange later knows the keys with which it was made.
#[derive(Clone, Debug)]
pub struct Peer {
    name: String,
    local: bool,
    hidden: Hidden,
}

impl Peer {
    /// The peer at an address.
    pub fn new(url: &Url, secrets: &[Secret]) -> Self {
        let host = url.host_str().unwrap_or_default();
        let name = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
        let hidden = Hidden::default();
        secrets.iter().for_each(|secret| hidden.hide(secret));
        Self { name, local, hidden }
    }

    /// Hides one more secret from now on, here and in every clone.
    pub fn hide(&self, secret: &Secret) {
        self.hidden.hide(secret);
    }

    /// Takes the secrets out of what a model says.
    pub(crate) fn blank(&self, said: &mut String) {
        if let Some(blank) = self.hidden.blank(said.as_bytes()) {
            *said = String::from_utf8_lossy(&blank).into_owned();
        }
    }

    pub(crate) fn hidden(&self) -> &Hidden {
        &self.hidden
    }

    /// An address without the secrets in its query. Its other parts say where a request goes, and hold none.
    pub fn redact_url(&self, url: &Url) -> String {
        let mut url = url.clone();
        if let Some(query) = url.query().map(|query| self.redact(query).into_owned()) {
            url.set_query(Some(&query));
        }
        url.into()
    }

    /// Host and port.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether it is on this machine.
    pub fn is_local(&self) -> bool {
        self.local
    }

    /// A text without the secrets.
    pub fn redact<'a>(&self, text: &'a str) -> Cow<'a, str> {
        self.hidden.redact(text)
    }

    /// A text without the secrets, without control characters, and cut to a length that a person reads.
    pub fn clean(&self, text: &str) -> String {
        const MOST: usize = 600;
        let text = self.redact(text);
        let mut clean = String::new();
        for word in text.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty())
        {
            if !clean.is_empty() {
                clean.push(' ');
            }
            clean.push_str(word);
            if clean.len() > MOST {
                let cut: String = clean.chars().take(MOST).collect();
                return format!("{}...", cut.trim_end());
            }
        }
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_provider_wrote_is_made_fit_to_show() {
        let url = Url::parse("http://localhost:8080/v1").unwrap();
        let peer = Peer::new(&url, &[Secret::new("sk-12345678"), Secret::new("a")]);
        assert_eq!((peer.name(), peer.is_local()), ("localhost:8080", true));
        let cases = [
            ("Incorrect key: sk-12345678.", "Incorrect key: [secret]."),
            ("a\r\n\tb\u{1b}[31mc", "a b [31mc"),
            ("", ""),
        ];
        for (text, expected) in cases {
            assert_eq!(peer.clean(text), expected);
        }
        assert!(peer.clean(&"ä".repeat(100_000)).len() < 1_300);
    }
}
