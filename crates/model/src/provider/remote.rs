//! A model behind a provider's interface.

use std::sync::Arc;

use adjutant_core::Result;
use adjutant_core::json::Json;
use futures::future::BoxFuture;
use http::{HeaderMap, Method};

use super::config::Config;
use super::exchange::exchange;
use super::form;
use super::reader;
use super::wire::{Encoded, Wire};
use crate::delta::Deltas;
use crate::model::{Call, Model};
use crate::profile::Profile;
use crate::request::Request;
use crate::transport::{Authorize, Outgoing, Peer, Transport, secret_header};

/// One vendor's interface for one model: how it is written, and who asks.
#[derive(Clone, Debug)]
pub struct Interface {
    /// How it is written.
    pub wire: Arc<dyn Wire>,
    /// Who asks.
    pub authorize: Arc<dyn Authorize>,
}

/// A model behind a provider's interface.
#[derive(Clone, Debug)]
pub struct Remote {
    inner: Arc<Inner>,
}

#[derive(Debug)]
struct Inner {
    id: String,
    profile: Profile,
    interface: Interface,
    peer: Peer,
    headers: HeaderMap,
    transport: Arc<dyn Transport>,
}

impl Remote {
    /// Makes the model; nothing is sent. Fails with `input-invalid` where the address or a header cannot be one.
    pub fn new(config: &Config, interface: Interface, transport: Arc<dyn Transport>) -> Result<Self> {
        let peer = config.peer(&config.address()?);
        Ok(Self {
            inner: Arc::new(Inner {
                id: config.id.clone(),
                profile: config.profile.clone(),
                headers: config.header_map()?,
                interface,
                peer,
                transport,
            }),
        })
    }
}

impl Model for Remote {
    fn id(&self) -> &str {
        &self.inner.id
    }

    fn profile(&self) -> &Profile {
        &self.inner.profile
    }

    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>> {
        let inner = Arc::clone(&self.inner);
        Box::pin(async move { inner.send(request, call).await })
    }

    fn preview(&self, request: &Request) -> Result<Json> {
        self.inner.encode(request.clone()).map(|(_, encoded)| Json::from(encoded.body))
    }
}

impl Inner {
    /// The request as the model can take it, and as the wire has it.
    fn encode(&self, request: Request) -> Result<(Request, Encoded)> {
        self.profile.check(&self.id, &request)?;
        let request = if self.asks_by_tool(&request) { form::asked_by_tool(request) } else { request };
        let encoded = self.interface.wire.encode(&request)?;
        Ok((request, encoded))
    }

    /// Whether the form of the answer is asked for by a tool: the model knows no other way.
    fn asks_by_tool(&self, request: &Request) -> bool {
        let knows_schemas = self.profile.abilities.structured_output;
        request.output.is_some() && (!knows_schemas || self.interface.wire.asks_by_tool(request))
    }

    async fn send(&self, request: Request, call: Call) -> Result<Deltas> {
        let by_tool = self.asks_by_tool(&request).then(|| form::Answer::to(&request));
        let (request, mut encoded) = self.encode(request)?;
        if call.whole {
            encoded = self.interface.wire.at_once(encoded);
        }
        let mut headers = self.headers.clone();
        headers.extend(encoded.headers);
        if let (Some(name), Some(key)) = (self.interface.wire.idempotency_header(), &call.idempotency_key) {
            let (_, mut value) = secret_header(name.as_str(), key)?;
            value.set_sensitive(false);
            headers.insert(name, value);
        }
        let body = encoded.body.to_string();
        let outgoing = || Outgoing {
            method: Method::POST,
            url: encoded.url.clone(),
            peer: self.peer.clone(),
            headers: headers.clone(),
            body: body.clone(),
            whole: call.whole,
            cancel: call.cancel.clone(),
        };
        let incoming = exchange(self.interface.authorize.as_ref(), self.transport.as_ref(), outgoing).await?;
        let decoder = self.interface.wire.decoder(&request, &self.peer);
        let deltas = reader::read(incoming, decoder, &self.peer);
        Ok(match by_tool {
            Some(answer) => answer.read(deltas),
            None => deltas,
        })
    }
}
