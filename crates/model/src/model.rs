//! The contract of every model.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use adjutant_core::json::Json;
use adjutant_core::money::Prices;
use adjutant_core::time::format_duration;
use adjutant_core::{Error, Result};
use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;

use crate::delta::Deltas;
use crate::profile::Profile;
use crate::request::Request;

/// A language model, or something that answers like one.
pub trait Model: Send + Sync + 'static {
    /// What the model is called in configuration, journals and on screens: `openai/gpt-4.1-mini`, `offline`.
    fn id(&self) -> &str;

    /// What the model can do, and what it costs.
    fn profile(&self) -> &Profile;

    /// The most that any of the models costs that may answer; none where the price of one is not known.
    fn most_prices(&self) -> Option<Prices> {
        self.profile().prices
    }

    /// Sends one request.
    ///
    /// The future resolves when the provider accepted the request, or with the reason why it did not; the stream then
    /// yields deltas and ends after [`Delta::End`](crate::Delta::End) or after the first error. After a part of the
    /// answer was delivered nobody tries again: only who asked knows who has seen it.
    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>>;

    /// The provider's request body exactly as [`stream`](Model::stream) would send it, for people to look at. It
    /// holds no key. Fails where `stream` would refuse the request.
    fn preview(&self, request: &Request) -> Result<Json>;
}

/// What belongs to one call of a model and is not part of what the model reads.
#[derive(Clone, Default)]
pub struct Call {
    /// Ends the call early: the future or the stream then fails with `run-cancelled`.
    pub cancel: CancellationToken,
    /// The same over every attempt of one step; given to providers that know such keys.
    pub idempotency_key: Option<String>,
    /// Whether nobody sees the answer before it is whole. A provider is then asked for it at once, where it can, which is less work
    /// for both; the deltas come together.
    pub whole: bool,
    /// Hears what the layers around a model do while the call is under way.
    pub listener: Option<Arc<dyn Fn(Note) + Send + Sync>>,
}

impl Call {
    /// Tells the listener, if there is one.
    pub(crate) fn note(&self, note: impl FnOnce() -> Note) {
        if let Some(listener) = &self.listener {
            listener(note());
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("idempotency_key", &self.idempotency_key).finish_non_exhaustive()
    }
}

/// What a layer around a model does while somebody waits for an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Note {
    /// The model failed and is asked again after a while.
    Again {
        /// The model's id.
        model: String,
        /// Why it failed.
        error: Error,
        /// How long until it is asked again.
        wait: Duration,
    },
    /// The model failed and another is asked.
    Next {
        /// The id of the model that failed.
        model: String,
        /// Why it failed.
        error: Error,
        /// The id of the model that is asked now.
        next: String,
    },
    /// Something came from the model that is no content yet.
    Alive,
    /// The call waits because of the limits that are set for the model.
    Waits {
        /// The model's id.
        model: String,
    },
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Again { error, wait, .. } => {
                write!(f, "{error}; it is asked again in {}", format_duration(*wait))
            }
            Self::Next { error, next, .. } => write!(f, "{error}; `{next}` is asked now"),
            Self::Alive => f.write_str("it is alive"),
            Self::Waits { model } => write!(f, "the limits of the model `{model}` are reached; waiting"),
        }
    }
}
