//! `generateContent` as a [`Wire`].

use adjutant_core::Result;
use http::HeaderMap;
use url::Url;

use super::body;
use super::content::Speaker;
use super::decode::Decoder;
use super::generation::{Generation, Traits};
use super::place::Place;
use crate::provider::{Config, Decode, Encoded, Wire};
use crate::request::Request;
use crate::transport::Peer;

/// One model of Google's.
#[derive(Clone, Debug)]
pub(super) struct Gemini {
    url: Url,
    /// Where answers come whole.
    at_once: Url,
    dialect: body::Dialect,
}

impl Gemini {
    pub(super) fn new(config: &Config, place: Place) -> Result<Self> {
        Ok(Self {
            url: place.endpoint(config)?,
            at_once: place.endpoint_at_once(config)?,
            dialect: body::Dialect {
                place,
                speaker: Speaker {
                    provider: place.name(),
                    model: config.model.clone(),
                    generation: Traits::of(&config.model).generation,
                },
                traits: Traits::of(&config.model),
                effort: config.effort,
                provider_tools: config.provider_tools.clone(),
                extra: config.extra.clone(),
            },
        })
    }
}

impl Wire for Gemini {
    fn encode(&self, request: &Request) -> Result<Encoded> {
        let body = body::encode(&self.dialect, request)?;
        Ok(Encoded { url: self.url.clone(), headers: HeaderMap::new(), body })
    }

    fn at_once(&self, encoded: Encoded) -> Encoded {
        Encoded { url: self.at_once.clone(), ..encoded }
    }

    fn asks_by_tool(&self, request: &Request) -> bool {
        let has_tools = !request.tools.is_empty() || !self.dialect.provider_tools.is_empty();
        self.dialect.traits.generation == Generation::Second && has_tools
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        let Speaker { provider, model, .. } = &self.dialect.speaker;
        Box::new(Decoder::new(peer.clone(), request, provider, model))
    }
}
