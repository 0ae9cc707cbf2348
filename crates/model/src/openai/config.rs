//! How to reach a server that speaks chat completions.

use std::collections::BTreeMap;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use serde_json::{Map, Value};
use url::Url;

use crate::profile::Profile;
use crate::transport::{Peer, Timeouts, secret_header};

/// How to reach a server that speaks chat completions, and what its model can do.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the model is called here, such as `openai/gpt-4.1-mini`.
    pub id: String,
    /// The address without `/chat/completions`, such as `https://api.openai.com/v1` or `http://localhost:11434/v1`.
    pub base_url: String,
    /// What the server calls the model.
    pub model: String,
    /// The key, sent as `Authorization: Bearer`; none for servers that want none.
    pub key: Option<Secret>,
    /// More headers. None of their values is ever shown.
    pub headers: BTreeMap<String, Secret>,
    /// How long the server may take.
    pub timeouts: Timeouts,
    /// What the model can do.
    pub profile: Profile,
    /// Parameters that every request sends as they are; those of a request come before them.
    pub extra: Map<String, Value>,
    /// The field in which the server wants a model's earlier reasoning back, such as `reasoning_content`. The format
    /// itself has no place for it, so where this is not set it is not sent.
    pub reasoning_field: Option<String>,
}

impl Config {
    /// A server and a model, without a key and with everything else at its default.
    pub fn new(id: impl Into<String>, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            base_url: base_url.into(),
            model: model.into(),
            key: None,
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            profile: Profile::default(),
            extra: Map::new(),
            reasoning_field: None,
        }
    }

    /// The address that requests go to. Fails with `input-invalid` where `base_url` is no HTTP address.
    pub(super) fn endpoint(&self) -> Result<Url> {
        let base = self.base_url.trim();
        let invalid = |why: String| {
            Error::new(Code::InputInvalid, format!("the `base_url` of the model `{}` {why}", self.id))
                .with_help("write it as `https://api.openai.com/v1` or `http://localhost:11434/v1`")
        };
        let mut url = Url::parse(base).map_err(|error| invalid(format!("is no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid(format!("must begin with `https://` or `http://`, not `{}:`", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not hold a user name or a password".to_owned()));
        }
        let path = url.path().trim_end_matches('/');
        if !path.ends_with("/chat/completions") {
            let path = format!("{path}/chat/completions");
            url.set_path(&path);
        }
        Ok(url)
    }

    /// The other side for errors, which then repeat none of the secrets.
    pub(super) fn peer(&self, url: &Url) -> Peer {
        Peer::new(url, self.key.iter().chain(self.headers.values()).cloned().collect())
    }

    /// The headers of every request. Fails with `input-invalid` where a key or a header has line breaks and such.
    pub(super) fn header_map(&self) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, http::HeaderValue::from_static("application/json"));
        map.insert(ACCEPT, http::HeaderValue::from_static("text/event-stream, application/json"));
        if let Some(key) = &self.key {
            let bearer = format!("Bearer {}", key.expose().trim());
            map.insert(AUTHORIZATION, secret_header("authorization", &bearer)?.1);
        }
        for (name, value) in &self.headers {
            let (name, value) = secret_header(name, value.expose())?;
            map.insert(name, value);
        }
        Ok(map)
    }
}

/// Whether the server is OpenAI's own, or Azure's copy of it: these take `max_completion_tokens` where others know
/// `max_tokens`, which OpenAI calls deprecated and its reasoning models refuse.
pub(super) fn is_openai(url: &Url) -> bool {
    is_of(url, &["openai.com", "openai.azure.com", "services.ai.azure.com"])
}

/// Whether the server takes `stream_options`. Mistral's answers with status 422, "extra inputs are not permitted", as
/// users of several clients report, and sends its count without being asked.
pub(super) fn takes_stream_options(url: &Url) -> bool {
    !is_of(url, &["mistral.ai"])
}

/// Whether the host is one of these or below one.
fn is_of(url: &Url, names: &[&str]) -> bool {
    let host = url.host_str().unwrap_or_default();
    names
        .iter()
        .any(|name| host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_with_care() {
        let cases = [
            ("https://api.openai.com/v1", Ok("https://api.openai.com/v1/chat/completions")),
            ("http://localhost:11434/v1/", Ok("http://localhost:11434/v1/chat/completions")),
            ("http://h/v1/chat/completions", Ok("http://h/v1/chat/completions")),
            ("https://api.deepseek.com", Ok("https://api.deepseek.com/chat/completions")),
            (
                "https://x.openai.azure.com/openai/v1?api-version=1",
                Ok("https://x.openai.azure.com/openai/v1/chat/completions?api-version=1"),
            ),
            ("localhost:11434", Err("must begin with")),
            ("ftp://h/", Err("must begin with")),
            ("/v1", Err("is no address")),
            ("https://me:secret@h/v1", Err("must not hold a user name")),
        ];
        for (base, expected) in cases {
            match (Config::new("m", base, "m").endpoint(), expected) {
                (Ok(url), Ok(expected)) => assert_eq!(url.as_str(), expected),
                (Err(error), Err(why)) => {
                    assert!(error.message().contains(why), "{error}");
                    assert!(!error.to_string().contains("secret"), "{error}");
                }
                (got, _) => panic!("{base}: {got:?}"),
            }
        }
    }

    #[test]
    fn a_dialect_goes_by_the_host() {
        let cases = [
            ("https://api.openai.com/v1", true, true),
            ("https://eu.api.openai.com/v1", true, true),
            ("https://x.openai.azure.com/openai/v1", true, true),
            ("https://notopenai.com/v1", false, true),
            ("https://openai.com.example.org/v1", false, true),
            ("https://api.mistral.ai/v1", false, false),
            ("http://localhost:11434/v1", false, true),
        ];
        for (url, openai, options) in cases {
            let url = Url::parse(url).unwrap();
            assert_eq!((is_openai(&url), takes_stream_options(&url)), (openai, options), "{url}");
        }
    }

    #[test]
    fn a_key_with_a_line_break_is_refused_and_not_shown() {
        let mut config = Config::new("m", "http://h/v1", "m");
        config.key = Some(Secret::new("sk-\u{1}abc"));
        let error = config.header_map().unwrap_err();
        assert!(!format!("{error:?}").contains("abc"), "{error:?}");
        assert!(!format!("{config:?}").contains("abc"));
    }
}
