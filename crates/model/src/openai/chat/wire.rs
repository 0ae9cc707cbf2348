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
        Ok(Self {
            url: config.endpoint("/chat/completions")?,
            dialect: Dialect {
                model: config.model.clone(),
                quirks,
                parallel_tools: config.profile.abilities.parallel_tools,
                reasoning_field: config.reasoning_field.clone(),
                effort: config.effort,
                prompt_cache: config.prompt_cache,
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

    fn at_once(&self, mut encoded: Encoded) -> Encoded {
        if let Some(fields) = encoded.body.as_object_mut() {
            fields.insert("stream".to_owned(), false.into());
            fields.remove("stream_options");
        }
        encoded
    }

    fn asks_by_tool(&self, request: &Request) -> bool {
        encode::asks_by_tool(&self.dialect, request)
    }

    fn decoder(&self, request: &Request, peer: &Peer) -> Box<dyn Decode> {
        Box::new(Decoder::new(peer.clone(), request))
    }
}
