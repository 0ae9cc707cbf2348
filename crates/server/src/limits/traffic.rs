//! [`Traffic`]: how much is asked of a service, by whom.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use adjutant_core::hash::Digest;
use adjutant_core::network::Network;
use adjutant_core::{Code, Error, Result};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::bucket::Standing;
use super::meter::Meter;
use crate::settings::Settings;

/// The most credentials that are remembered to be good.
const MOST_KNOWN: usize = 10_000;

/// How much is asked of a service, by whom.
pub(crate) struct Traffic {
    requests: Arc<Semaphore>,
    bodies: Arc<Semaphore>,
    keys: Option<Meter<String>>,
    strangers: Meter<Network>,
    /// Credentials that were good. Where somebody at the same address tries many, these are still looked at.
    known: Mutex<[HashSet<Digest>; 2]>,
}

impl Traffic {
    pub(crate) fn new(settings: &Settings) -> Self {
        let places = |most: usize| Arc::new(Semaphore::new(most.min(Semaphore::MAX_PERMITS)));
        Self {
            requests: places(settings.most_requests),
            bodies: places(settings.largest_bodies),
            keys: settings.rate.map(Meter::new),
            strangers: Meter::new(settings.strangers),
            known: Mutex::default(),
        }
    }

    /// A place for a request, for as long as it is held. Fails with [`Code::Overloaded`] where there is none.
    pub(crate) fn begin(&self) -> Result<OwnedSemaphorePermit> {
        Arc::clone(&self.requests).try_acquire_owned().map_err(|_| {
            Error::new(Code::Overloaded, "as many requests are being answered as the service has places for")
        })
    }

    /// Room for so many bytes of a body, for as long as it is held. Fails with [`Code::Overloaded`] where there is none.
    pub(crate) fn room(&self, bytes: usize) -> Result<OwnedSemaphorePermit> {
        let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
        Arc::clone(&self.bodies).try_acquire_many_owned(bytes).map_err(|_| {
            Error::new(Code::Overloaded, "as much is being sent to the service as it has room for")
        })
    }

    /// Counts a request of somebody who is known. None where nobody is counted.
    pub(crate) fn count(&self, counted_as: &str) -> Option<Standing> {
        self.keys.as_ref().map(|keys| keys.count(counted_as))
    }

    /// Counts a request of somebody who did not say who they are, or lied.
    pub(crate) fn count_stranger(&self, network: Network) -> Standing {
        self.strangers.count(&network)
    }

    /// How somebody would stand who did not say who they are.
    pub(crate) fn stranger(&self, network: Network) -> Standing {
        self.strangers.stands(&network)
    }

    /// Whether a credential is looked at: from where many bad ones came, only those are that were good before.
    pub(crate) fn is_looked_at(&self, network: Network, credential: Digest) -> Result<()> {
        match self.strangers.stands(&network).wait {
            Some(wait) if !self.known().iter().any(|known| known.contains(&credential)) => Err(Error::new(
                Code::TooManyRequests,
                "too much was asked from this address without a good key",
            )
            .with_retry_after(wait)),
            _ => Ok(()),
        }
    }

    /// Remembers that a credential is good.
    pub(crate) fn is_good(&self, credential: Digest) {
        let mut known = self.known();
        let [newer, older] = &mut *known;
        if newer.contains(&credential) {
            return;
        }
        if newer.len() >= MOST_KNOWN {
            // Tokens change every hour: those that were good longest ago make room.
            *older = std::mem::take(newer);
        }
        newer.insert(credential);
    }

    fn known(&self) -> std::sync::MutexGuard<'_, [HashSet<Digest>; 2]> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
