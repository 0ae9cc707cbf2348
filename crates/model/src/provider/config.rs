//! How to reach a model of a provider.

use std::collections::BTreeMap;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use http::header::{ACCEPT, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::profile::Profile;
use crate::request::Effort;
use crate::transport::{KeyHeader, Peer, Renewal, Timeouts, secret_header};

/// How to reach a model of a provider, what the model can do, and how it is asked.
#[derive(Clone, Debug)]
pub struct Config {
    /// What the model is called here, such as `openai/gpt-4.1-mini`.
    pub id: String,
    /// The address of the interface, such as `https://api.openai.com/v1` or `http://localhost:11434/v1`.
    pub base_url: String,
    /// What the provider calls the model.
    pub model: String,
    /// The key; none for servers that want none.
    pub key: Option<Secret>,
    /// Gets another key after this one was refused; none where there is only this one.
    pub renew: Option<Renewal>,
    /// What a provider needs of secrets beside or instead of a key, by [`Setting::key`](super::Setting::key).
    pub credentials: BTreeMap<String, Secret>,
    /// What a provider needs to be told, by [`Setting::key`](super::Setting::key): a region, a project.
    pub options: BTreeMap<String, String>,
    /// More headers that anybody may see.
    pub plain_headers: BTreeMap<String, String>,
    /// More headers. None of their values is ever shown.
    pub headers: BTreeMap<String, Secret>,
    /// How long the provider may take.
    pub timeouts: Timeouts,
    /// What the model can do.
    pub profile: Profile,
    /// How much the model thinks where a request says nothing.
    pub effort: Option<Effort>,
    /// How long the provider shall keep the beginning of a conversation, where it wants to be told.
    pub prompt_cache: PromptCache,
    /// Tools of the provider's own, in its own form: they run on its side, and no policy sees them.
    pub provider_tools: Vec<Value>,
    /// Parameters that every request sends as they are; those of a request come before them.
    pub extra: Map<String, Value>,
    /// The field in which a server of chat completions wants a model's earlier reasoning back, such as
    /// `reasoning_content`. The format itself has no place for it, so where this is not set it is sent only to servers
    /// that are known to want it.
    pub reasoning_field: Option<String>,
}

/// How long a provider shall keep the beginning of a conversation, so that the next request reads it for less.
///
/// Some providers (Anthropic, Bedrock) want marks in the request; others do it by themselves and are told nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PromptCache {
    /// No marks.
    Off,
    /// The provider's usual time, some minutes. A loop that calls tools sends the same beginning at every step.
    #[default]
    Short,
    /// The provider's longest time, usually an hour, which costs more to write.
    Long,
}

impl Config {
    /// A provider's address and a model, without a key and with everything else at its default.
    pub fn new(id: impl Into<String>, base_url: impl Into<String>, model: impl Into<String>) -> Self {
        Self {
            id: id.into(),
            base_url: base_url.into(),
            model: model.into(),
            key: None,
            renew: None,
            credentials: BTreeMap::new(),
            options: BTreeMap::new(),
            plain_headers: BTreeMap::new(),
            headers: BTreeMap::new(),
            timeouts: Timeouts::default(),
            profile: Profile::default(),
            effort: None,
            prompt_cache: PromptCache::default(),
            provider_tools: Vec::new(),
            extra: Map::new(),
            reasoning_field: None,
        }
    }

    /// The address of the interface. Fails with `input-invalid` where `base_url` is no HTTP address.
    pub fn address(&self) -> Result<Url> {
        let base = self.base_url.trim();
        let invalid = |why: String| {
            Error::new(Code::InputInvalid, format!("the `base_url` of the model `{}` {why}", self.id))
                .with_help("write it as `https://api.openai.com/v1` or `http://localhost:11434/v1`")
        };
        let url = Url::parse(base).map_err(|error| invalid(format!("is no address: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
            return Err(invalid(format!("must begin with `https://` or `http://`, not `{}:`", url.scheme())));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid("must not hold a user name or a password".to_owned()));
        }
        Ok(url)
    }

    /// The address of one function of the interface, `path` beginning with `/`; an address that ends with it already
    /// stays as it is, and so does a query. Fails like [`address`](Config::address).
    pub fn endpoint(&self, path: &str) -> Result<Url> {
        let mut url = self.address()?;
        let base = url.path().trim_end_matches('/');
        if !base.ends_with(path) {
            let path = format!("{base}{path}");
            url.set_path(&path);
        }
        Ok(url)
    }

    /// The key as `Authorization: Bearer`. Fails with `input-invalid` where it cannot stand in a header.
    pub fn bearer(&self) -> Result<KeyHeader> {
        Ok(KeyHeader::bearer(self.key.as_ref())?.renewed_by(self.renew.clone()))
    }

    /// The key alone in a header of that name. Fails like [`bearer`](Self::bearer).
    pub fn key_in(&self, header: &'static str) -> Result<KeyHeader> {
        Ok(KeyHeader::named(header, self.key.as_ref())?.renewed_by(self.renew.clone()))
    }

    /// The other side, which hides every secret of the configuration; those that are read later are told to it.
    pub(crate) fn peer(&self, url: &Url) -> Peer {
        let peer = Peer::new(url, &[]);
        let secrets = self.key.iter().chain(self.credentials.values()).chain(self.headers.values());
        secrets.for_each(|secret| peer.hide(secret));
        peer
    }

    /// The headers of every request. Fails with `input-invalid` where a header has line breaks and such.
    pub(crate) fn header_map(&self) -> Result<HeaderMap> {
        let mut map = HeaderMap::new();
        map.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        map.insert(ACCEPT, HeaderValue::from_static("text/event-stream, application/json"));
        for (name, value) in &self.plain_headers {
            let (name, mut value) = secret_header(name, value)?;
            value.set_sensitive(false);
            map.insert(name, value);
        }
        for (name, value) in &self.headers {
            let (name, value) = secret_header(name, value.expose())?;
            map.insert(name, value);
        }
        Ok(map)
    }
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
            match (Config::new("m", base, "m").endpoint("/chat/completions"), expected) {
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
    fn a_key_with_a_line_break_is_refused_and_not_shown() {
        let mut config = Config::new("m", "http://h/v1", "m");
        config.key = Some(Secret::new("sk-\u{1}abc"));
        let error = config.bearer().unwrap_err();
        assert!(!format!("{error:?}").contains("abc"), "{error:?}");
        assert!(!format!("{config:?}").contains("abc"));
    }
}
