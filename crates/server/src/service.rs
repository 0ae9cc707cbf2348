//! [`Service`]: what every request finds.

use std::sync::Arc;

use adjutant::Adjutant;
use adjutant_core::{Code, Error, Result};
use http::request::Parts;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access::{Caller, Keys, credential};
use crate::openai::responses::Background;
use crate::settings::Settings;
use crate::tenants::Tenants;

/// What every request finds. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Service(Arc<Inner>);

struct Inner {
    tenants: Tenants,
    keys: Keys,
    settings: Settings,
    streams: Arc<Semaphore>,
    background: Background,
    /// Cancelled when nothing new is begun any more.
    draining: CancellationToken,
}

impl Service {
    pub(crate) fn new(adjutant: Adjutant, settings: Settings) -> Self {
        let streams = Arc::new(Semaphore::new(settings.most_streams.min(Semaphore::MAX_PERMITS)));
        let keys = Keys::new(&adjutant);
        let (tenants, draining) = (Tenants::new(adjutant), CancellationToken::new());
        let background = Background::default();
        Self(Arc::new(Inner { tenants, keys, settings, streams, background, draining }))
    }

    /// Opens the part of every tenant that has something to drive.
    pub(crate) async fn open(&self) -> Result<()> {
        let first = self.tenants().first();
        for tenant in first.keys().tenants().await? {
            self.tenants().of(&tenant)?;
        }
        self.tenants().of(&first.scope().tenant)?;
        Ok(())
    }

    /// Who makes a request. Fails with [`Code::Unauthenticated`] where nobody says who it is.
    pub(crate) async fn identify(&self, parts: &Parts) -> Result<Caller> {
        let Some(shown) = credential(&parts.headers)? else {
            return Err(Error::new(Code::Unauthenticated, "the request does not say who asks")
                .with_help("send a key of `adjutant keys create`: `Authorization: Bearer KEY`"));
        };
        let who = self.0.keys.verify(shown).await?;
        let adjutant = self.0.tenants.of(&who.tenant)?;
        Ok(Caller::new(who, adjutant))
    }

    /// Writes down what is otherwise written down now and then.
    pub(crate) async fn settle(&self) -> Result<()> {
        for adjutant in self.tenants().all() {
            adjutant.gateway().close().await?;
        }
        self.0.keys.settle().await
    }

    /// A place for a stream, for as long as it is held. Fails with [`Code::Overloaded`] where there is none.
    pub(crate) fn stream(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.0.streams).try_acquire_owned().map_err(|_| {
            Error::new(Code::Overloaded, "as many streams are open as the service has places for")
        })
    }

    /// The responses that go on without their clients.
    pub(crate) fn background(&self) -> &Background {
        &self.0.background
    }

    pub(crate) fn settings(&self) -> &Settings {
        &self.0.settings
    }

    /// The largest body that is taken where an operation says nothing, in bytes.
    pub(crate) fn largest_body(&self) -> usize {
        self.0.settings.largest_body
    }

    /// Cancelled when nothing new is begun any more.
    pub(crate) fn draining(&self) -> &CancellationToken {
        &self.0.draining
    }

    pub(crate) fn tenants(&self) -> &Tenants {
        &self.0.tenants
    }
}
