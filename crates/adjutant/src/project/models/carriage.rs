//! How requests reach providers.

use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use adjutant_model::cassette::Player;
use adjutant_model::transport::{Client, Timeouts, Transport, Witness, Witnessed};

/// How the requests of a project's models reach their providers: over the network, unless they are played back from a
/// cassette, and seen by whoever looks on.
#[derive(Clone, Debug, Default)]
pub struct Carriage {
    /// Answers in the place of the providers. No key is needed then.
    pub player: Option<Arc<Player>>,
    /// See every exchange.
    pub witnesses: Vec<Arc<dyn Witness>>,
    /// Whether providers are asked also for what was answered before.
    pub anew: bool,
}

impl Carriage {
    /// Whether providers are asked themselves.
    pub(super) fn is_live(&self) -> bool {
        self.player.is_none()
    }

    /// Whether answers are kept and given again. Whoever wants to see the exchanges wants them to happen.
    pub(super) fn keeps_answers(&self) -> bool {
        self.is_live() && self.witnesses.is_empty() && !self.anew
    }

    pub(super) fn transport(&self, timeouts: Timeouts, exchanges: &Arc<AtomicU64>) -> Arc<dyn Transport> {
        let carrier: Arc<dyn Transport> = match &self.player {
            Some(player) => Arc::clone(player) as Arc<dyn Transport>,
            None => Arc::new(Client::new(timeouts)),
        };
        self.witnesses.iter().fold(carrier, |carrier, witness| {
            Arc::new(Witnessed::new(carrier, Arc::clone(witness), Arc::clone(exchanges)))
        })
    }
}
