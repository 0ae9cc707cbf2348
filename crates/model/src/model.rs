//! The contract of every model.

use adjutant_core::Result;
use adjutant_core::json::Json;
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

    /// Sends one request.
    ///
    /// The future resolves when the provider accepted the request, or with the reason why it did not; the stream then
    /// yields deltas and ends after [`Delta::End`](crate::Delta::End) or after the first error. It never retries: who
    /// asked knows whether anybody has seen a part of the answer.
    fn stream(&self, request: Request, call: Call) -> BoxFuture<'static, Result<Deltas>>;

    /// The provider's request body exactly as [`stream`](Model::stream) would send it, for people to look at. It
    /// holds no key. Fails where `stream` would refuse the request.
    fn preview(&self, request: &Request) -> Result<Json>;
}

/// What belongs to one call of a model and is not part of what the model reads.
#[derive(Clone, Debug, Default)]
pub struct Call {
    /// Ends the call early: the future or the stream then fails with `run-cancelled`.
    pub cancel: CancellationToken,
    /// The same over every attempt of one step; given to providers that know such keys.
    pub idempotency_key: Option<String>,
}
