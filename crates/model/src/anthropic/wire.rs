//! Messages as a [`Wire`].

use adjutant_core::Result;
use adjutant_core::secret::Secret;
use http::{HeaderMap, HeaderName, HeaderValue};
use serde_json::Value;
use url::Url;

use super::decode::Decoder;
use super::encode::{self, Dialect};
use super::generation::Generation;
use super::{NAME, kind_of};
use crate::provider::{Config, Decode, Encoded, Wire};
use crate::request::Request;
use crate::transport::{Peer, secret_header};

const VERSION: HeaderName = HeaderName::from_static("anthropic-version");
const BETA: HeaderName = HeaderName::from_static("anthropic-beta");

/// The version of the interface that models of 4.7 and later know everywhere. It takes no sampling parameters.
const CURRENT: HeaderValue = HeaderValue::from_static("2026-10-21");
/// The version before, which takes them.
const EARLIER: HeaderValue = HeaderValue::from_static("2023-06-01");

/// Messages of one model.
#[derive(Clone, Debug)]
pub(super) struct Messages {
    url: Url,
    dialect: Dialect,
    /// Headers of the configuration that this interface would set itself.
    version: Option<Secret>,
    betas: Option<Secret>,
}

impl Messages {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let told = config.options.get("base_model").filter(|name| !name.is_empty());
        let generation = Generation::of(told.unwrap_or(&config.model));
        let most_output = config.profile.max_output_tokens.and_then(|most| u32::try_from(most).ok());
        let header = |name: &HeaderName| {
            let mut all = config.headers.iter();
            all.find(|(key, _)| key.eq_ignore_ascii_case(name.as_str())).map(|(_, value)| value.clone())
        };
        let url = endpoint(config)?;
        Ok(Self {
            dialect: Dialect {
                model: config.model.clone(),
                origin: origin(&generation, &url),
                generation,
                most_output: most_output.unwrap_or(generation.most_output),
                window: config.profile.context_window,
                parallel_tools: config.profile.abilities.parallel_tools,
                effort: config.effort,
                prompt_cache: config.prompt_cache,
                provider_tools: config.provider_tools.clone(),
                extra: config.extra.clone(),
            },
            url,
            version: header(&VERSION),
            betas: header(&BETA),
        })
    }

    fn headers(&self, body: &Value) -> Result<HeaderMap> {
        let mut headers = HeaderMap::new();
        if self.version.is_none() {
            headers.insert(VERSION, version(&self.dialect.generation, body));
        }
        let ours = betas(&self.dialect.generation, body);
        if !ours.is_empty() {
            let theirs = self.betas.iter().map(|betas| betas.expose().trim());
            let all: Vec<&str> = theirs.chain(ours).collect();
            let (name, value) = secret_header(BETA.as_str(), &all.join(","))?;
            headers.insert(name, value);
        }
        Ok(headers)
    }
}

impl Wire for Messages {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        let body = encode::body(&self.dialect, request)?;
        Ok(Encoded { url: self.url.clone(), headers: self.headers(&body)?, body })
    }

    fn at_once(&self, mut encoded: Encoded) -> Encoded {
        if let Some(streams) = encoded.body.get_mut("stream") {
            *streams = false.into();
        }
        encoded
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer.clone(), request, &self.dialect.origin))
    }
}

/// Who signs a model's thinking. Claude's signatures hold wherever it is served; those of other vendors, only there.
fn origin(generation: &Generation, url: &Url) -> String {
    match *generation == Generation::OTHER {
        true => format!("{NAME}@{}", url.authority()),
        false => NAME.to_owned(),
    }
}

/// Where messages go. Anthropic's own clients write the address without its `/v1`, so both are understood.
fn endpoint(config: &Config) -> Result<Url> {
    let base = config.address()?;
    let path = base.path().trim_end_matches('/');
    match path.ends_with("/v1") || path.ends_with("/messages") {
        true => config.endpoint("/messages"),
        false => config.endpoint("/v1/messages"),
    }
}

/// The version of the interface for a body. Some clouds have the current one only for models that take no sampling
/// parameters (platform.claude.com/docs, "Versions").
fn version(generation: &Generation, body: &Value) -> HeaderValue {
    let samples = ["temperature", "top_p", "top_k"].iter().any(|key| body.get(key).is_some());
    if generation.sampling || samples { EARLIER } else { CURRENT }
}

/// What of a body has to be switched on by name.
fn betas(generation: &Generation, body: &Value) -> Vec<&'static str> {
    let mut betas = Vec::new();
    let thinking = body.get("thinking");
    if thinking.is_some_and(|thinking| thinking.get("block_binding").is_some()) {
        betas.push("thinking-binding-controls-2026-08-01");
    }
    let by_budget = thinking.is_some_and(|thinking| kind_of(thinking) == "enabled");
    if by_budget && generation.interleaves_by_header && body.get("tools").is_some() {
        betas.push("interleaved-thinking-2025-05-14");
    }
    betas
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_address_may_leave_out_the_version() {
        let cases = [
            ("https://api.anthropic.com/v1", "https://api.anthropic.com/v1/messages"),
            ("https://api.anthropic.com", "https://api.anthropic.com/v1/messages"),
            ("http://localhost:4000/v1/", "http://localhost:4000/v1/messages"),
            ("https://h/anthropic", "https://h/anthropic/v1/messages"),
            ("https://h/anthropic/v1/messages?a=1", "https://h/anthropic/v1/messages?a=1"),
        ];
        for (base, expected) in cases {
            assert_eq!(endpoint(&Config::new("m", base, "m")).unwrap().as_str(), expected);
        }
    }

    #[test]
    fn headers_follow_the_model_and_the_body() {
        let budget = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}});
        let with_tools = json!({"thinking": {"type": "enabled", "budget_tokens": 2000}, "tools": []});
        let bound = json!({"thinking": {"type": "adaptive", "block_binding": {}}});
        let (current, earlier) = ("2026-10-21", "2023-06-01");
        let interleaved = "interleaved-thinking-2025-05-14";
        let binding = "thinking-binding-controls-2026-08-01";
        let cases = [
            ("claude-opus-4-6", json!({}), earlier, ""),
            ("claude-opus-4-7", json!({}), current, ""),
            ("claude-opus-4-7", json!({"top_k": 1}), earlier, ""),
            ("claude-sonnet-4-5", budget, earlier, ""),
            ("claude-sonnet-4-5", with_tools.clone(), earlier, interleaved),
            ("claude-3-7-sonnet-latest", with_tools, earlier, ""),
            ("claude-opus-5-5", bound, current, binding),
        ];
        for (model, body, version, betas) in cases {
            let mut config = Config::new("m", "http://h", "my-deployment");
            config.options.insert("base_model".into(), model.into());
            let messages = Messages::new(&config).unwrap();
            let headers = messages.headers(&body).unwrap();
            let shown = |name| headers.get(name).map_or("", |value: &HeaderValue| value.to_str().unwrap());
            assert_eq!((shown(VERSION), shown(BETA)), (version, betas), "{model} {body}");
        }
    }

    #[test]
    fn configured_headers_stay() {
        let mut config = Config::new("m", "http://h", "claude-opus-5-5");
        config.headers.insert("Anthropic-Version".into(), Secret::new("2030-01-01"));
        config.headers.insert("Anthropic-Beta".into(), Secret::new("files-api-2025-04-14"));
        let messages = Messages::new(&config).unwrap();
        assert_eq!(messages.headers(&json!({})).unwrap(), HeaderMap::new());
        let bound = json!({"thinking": {"type": "adaptive", "block_binding": {}}});
        let headers = messages.headers(&bound).unwrap();
        assert_eq!(headers.len(), 1);
        assert_eq!(headers[BETA], "files-api-2025-04-14,thinking-binding-controls-2026-08-01");
    }
}
