//! [`Desk`]: the host's side of approvals.

use std::sync::Arc;
use std::time::Duration;

use adjutant_durable::Engine;

use super::notice::Notifier;

/// How requests are treated that do not say otherwise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// How long a person has to answer; the call is refused then.
    pub expires: Duration,
}

impl Terms {
    /// How long a person has where nobody says otherwise: a day.
    pub const EXPIRES: Duration = Duration::from_secs(24 * 60 * 60);
}

impl Default for Terms {
    fn default() -> Self {
        Self { expires: Self::EXPIRES }
    }
}

/// Where grants are kept, how long requests wait, and who is told of them.
pub struct Desk {
    pub(super) engine: Arc<dyn Engine>,
    pub(super) terms: Terms,
    pub(super) notifier: Option<Arc<dyn Notifier>>,
}

impl Desk {
    /// A desk that tells nobody.
    pub fn new(engine: Arc<dyn Engine>, terms: Terms) -> Self {
        Self { engine, terms, notifier: None }
    }

    /// Sets who is told of requests.
    #[must_use]
    pub fn with_notifier(mut self, notifier: Arc<dyn Notifier>) -> Self {
        self.notifier = Some(notifier);
        self
    }
}
