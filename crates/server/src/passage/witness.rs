//! [`Witness`]: what comes to be known of a request while it is answered.

use std::sync::{Arc, OnceLock};

use adjutant_core::network::Network;
use http::HeaderValue;

use super::peer::Peer;
use crate::access::Who;
use crate::limits::Standing;

/// What comes to be known of a request while it is answered. It goes along with the request, and what the answer passes on its way
/// out reads it.
#[derive(Debug)]
pub(crate) struct Witness {
    pub(super) id: HeaderValue,
    pub(super) peer: Peer,
    who: OnceLock<Arc<Who>>,
    standing: OnceLock<Standing>,
}

impl Witness {
    pub(super) fn new(id: HeaderValue, peer: Peer) -> Self {
        Self { id, peer, who: OnceLock::new(), standing: OnceLock::new() }
    }

    /// Where it comes from.
    pub(crate) fn network(&self) -> Network {
        Network::of_client(self.peer.address)
    }

    /// Notes who asks.
    pub(crate) fn is_of(&self, who: &Arc<Who>) {
        // Whoever says it first was asked first; nobody asks twice.
        let _ = self.who.set(Arc::clone(who));
    }

    /// Notes how they stand who ask.
    pub(crate) fn stands(&self, standing: Standing) {
        let _ = self.standing.set(standing);
    }

    pub(super) fn who(&self) -> Option<&Who> {
        self.who.get().map(Arc::as_ref)
    }

    pub(super) fn standing(&self) -> Option<&Standing> {
        self.standing.get()
    }
}
