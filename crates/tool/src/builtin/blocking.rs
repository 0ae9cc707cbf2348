//! Work that blocks a thread, and that ends soon after nobody waits for it any more.

use adjutant_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

/// Runs `work` on a thread where blocking is allowed. The token it gets is cancelled when this future is dropped, and
/// when `wanted` is cancelled; work that can take long looks at it.
pub(super) async fn blocking<T, F>(wanted: &CancellationToken, work: F) -> Result<T>
where
    T: Send + 'static,
    F: FnOnce(CancellationToken) -> Result<T> + Send + 'static,
{
    let stop = wanted.child_token();
    let guard = stop.clone().drop_guard();
    let done = tokio::task::spawn_blocking(move || work(stop)).await;
    drop(guard);
    done.unwrap_or_else(|error| Err(Error::new(Code::ToolBroken, "the tool panicked").caused_by(&error)))
}

/// The error of work that was stopped.
pub(super) fn stopped() -> Error {
    Error::new(Code::RunCancelled, "the call was cancelled")
}
