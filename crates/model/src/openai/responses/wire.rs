//! Responses as a [`Wire`].

use adjutant_core::Result;
use http::HeaderMap;
use url::Url;

use super::decode::Decoder;
use super::encode::{self, Dialect};
use super::origin;
use crate::openai::generation::Generation;
use crate::provider::{Config, Decode, Encoded, Wire};
use crate::request::Request;
use crate::transport::Peer;

/// Responses of one model.
#[derive(Clone, Debug)]
pub(super) struct Responses {
    url: Url,
    dialect: Dialect,
}

impl Responses {
    pub(super) fn new(config: &Config) -> Result<Self> {
        let generation = Generation::of(&config.model);
        let abilities = &config.profile.abilities;
        let url = config.endpoint("/responses")?;
        Ok(Self {
            dialect: Dialect {
                origin: origin(&url),
                generation,
                // Of a deployment with a name of its own only its owner knows it.
                reasons: if generation.known { generation.reasons() } else { abilities.reasoning },
                model: config.model.clone(),
                parallel_tools: abilities.parallel_tools,
                effort: config.effort,
                prompt_cache: config.prompt_cache,
                provider_tools: config.provider_tools.clone(),
                extra: config.extra.clone(),
            },
            url,
        })
    }
}

impl Wire for Responses {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        let body = encode::body(&self.dialect, request)?;
        Ok(Encoded { url: self.url.clone(), headers: HeaderMap::new(), body })
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
