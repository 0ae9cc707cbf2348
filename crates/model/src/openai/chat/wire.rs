//! Chat completions as a [`Wire`].

use adjutant_core::Result;
use http::HeaderMap;
use url::Url;

use super::decode::Decoder;
use super::encode::{self, Dialect};
use super::quirks::Quirks;
use crate::provider::{Config, Decode, Encoded, Wire};
use crate::request::Request;
use crate::transport::Peer;

/// Chat completions of one model.
#[derive(Clone, Debug)]
pub(super) struct Chat {
    url: Url,
    dialect: Dialect,
}

impl Chat {
    pub(super) fn new(config: &Config, quirks: Quirks) -> Result<Self> {
        let reasoning_field = config.reasoning_field.clone();
        Ok(Self {
            url: config.endpoint("/chat/completions")?,
            dialect: Dialect {
                model: config.model.clone(),
                max_tokens: quirks.max_tokens,
                stream_options: quirks.stream_options,
                parallel_tools: config.profile.abilities.parallel_tools,
                reasoning_field: reasoning_field.or_else(|| quirks.reasoning_field.map(str::to_owned)),
                effort: config.effort,
                provider_tools: config.provider_tools.clone(),
                extra: config.extra.clone(),
            },
        })
    }
}

impl Wire for Chat {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        let body = encode::body(&self.dialect, request)?;
        Ok(Encoded { url: self.url.clone(), headers: HeaderMap::new(), body })
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer.clone(), request))
    }
}
