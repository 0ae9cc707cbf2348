//! The time that the work of a step takes, outside the code of the run.

use std::pin::pin;
use std::time::Duration;

use adjutant_core::time::format_duration;
use adjutant_durable::stream::Sink;
use futures::future::{Either, select};

/// Resolves after so long.
#[expect(
    clippy::disallowed_methods,
    reason = "this is inside the work of an effect, not in the code of a run"
)]
pub(crate) async fn after(duration: Duration) {
    tokio::time::sleep(duration).await;
}

/// Resolves when nothing was said on a sink for so long, with that in words.
pub(crate) async fn silence(sink: &Sink, longest: Duration) -> String {
    while let Some(rest) = longest.checked_sub(sink.idle()).filter(|rest| !rest.is_zero()) {
        after(rest).await;
    }
    format!("no sign of life for {}", format_duration(longest))
}

/// What comes first: the end of some work, or a reason to give it up.
pub(crate) async fn unless<T>(reason: impl Future<Output = T>, work: impl Future<Output = T>) -> T {
    match select(pin!(work), pin!(reason)).await {
        Either::Left((first, _)) | Either::Right((first, _)) => first,
    }
}
