//! The other side of a connection, as errors speak of it.

use adjutant_core::secret::Secret;
use url::Url;

/// Shorter texts are no keys, and blanking them out would make a message unreadable.
const SHORTEST_SECRET: usize = 8;

/// A provider as errors speak of it: its address, and the secrets that no message may repeat.
#[derive(Clone, Debug)]
pub struct Peer {
    name: String,
    local: bool,
    secrets: Vec<Secret>,
}

impl Peer {
    /// The peer at an address.
    pub fn new(url: &Url, secrets: Vec<Secret>) -> Self {
        let host = url.host_str().unwrap_or_default();
        let name = match url.port() {
            Some(port) => format!("{host}:{port}"),
            None => host.to_owned(),
        };
        let local = matches!(host, "localhost" | "127.0.0.1" | "[::1]" | "0.0.0.0");
        Self { name, local, secrets }
    }

    /// The same peer with more secrets that no message may repeat.
    #[must_use]
    pub fn hiding(mut self, secrets: Vec<Secret>) -> Self {
        for secret in secrets {
            if !self.secrets.contains(&secret) {
                self.secrets.push(secret);
            }
        }
        self
    }

    /// An address without the secrets in its query. Its other parts say where a request goes, and hold none.
    pub fn redact_url(&self, url: &Url) -> String {
        let mut url = url.clone();
        if let Some(query) = url.query().map(|query| self.redact(query)) {
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
    pub fn redact(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for secret in &self.secrets {
            let secret = secret.expose().trim();
            if secret.len() >= SHORTEST_SECRET && text.contains(secret) {
                text = text.replace(secret, "[secret]");
            }
        }
        text
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
        let peer = Peer::new(&url, vec![Secret::new("sk-12345678"), Secret::new("a")]);
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
