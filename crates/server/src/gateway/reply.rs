//! What goes back: bodies and streams with the headers that say what an answer cost and who gave it.

use std::convert::Infallible;
use std::future::ready;
use std::task::Poll;
use std::time::Duration;

use crate::passage::RUN;
use adjutant_core::error::Retry;
use adjutant_core::money::Money;
use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{Stream, unfold};
use futures::{StreamExt, poll};
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use serde_json::Value;

use super::intake::Vendor;
use crate::wire::Fault;

/// How long to wait where nobody said how long, in seconds.
const WAIT: u64 = 1;

/// How much of a stream goes out together, in bytes.
const MOST_AT_ONCE: usize = 16 << 10;

/// How many turns whoever reads from a provider needs to hand over the next piece, where it has one: one to see that it is wanted,
/// and one to bring it.
const TURNS: usize = 2;

/// What the headers of an answer tell beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tells {
    /// The model that answered.
    pub(crate) model: Option<String>,
    /// The run, where an agent answered.
    pub(crate) run: Option<String>,
    /// What it cost, where that is known.
    pub(crate) cost: Option<Money>,
}

impl Tells {
    fn put(&self, headers: &mut HeaderMap) {
        let cost = self.cost.map(|cost| cost.amount().to_string());
        let told = [
            ("x-adjutant-model", self.model.as_ref()),
            (RUN, self.run.as_ref()),
            ("x-adjutant-cost-usd", cost.as_ref()),
        ];
        for (name, value) in told {
            if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(value)) {
                headers.insert(HeaderName::from_static(name), value);
            }
        }
    }
}

/// A body.
pub(crate) fn json(body: &Value, tells: &Tells) -> Response {
    let mut response = axum::Json(body).into_response();
    tells.put(response.headers_mut());
    response
}

/// Adds to a piece those that come with it. Whoever reads from a provider hands over one at a time, so it is let go on as long as it
/// has more: what is written at once costs a fraction of what it costs one by one, and nothing is waited for.
async fn gather(mut out: String, mut pieces: impl Stream<Item = String> + Unpin) -> String {
    let mut turns = 0;
    while turns < TURNS && out.len() < MOST_AT_ONCE {
        tokio::task::yield_now().await;
        turns += 1;
        match poll!(pieces.next()) {
            Poll::Ready(Some(piece)) => {
                out.push_str(&piece);
                turns = 0;
            }
            Poll::Ready(None) => break,
            Poll::Pending => {}
        }
    }
    out
}

/// Why there is no answer, as the vendor says it.
pub(crate) fn failed(vendor: Vendor, fault: &Fault) -> Response {
    let code = fault.error.code();
    let status = StatusCode::from_u16(vendor.status(code)).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = (status, axum::Json(vendor.fault(fault))).into_response();
    let headers = response.headers_mut();
    let wait = fault.error.retry_after();
    if wait.is_some() || code.retry() == Retry::Later {
        let seconds =
            wait.map_or(WAIT, |wait| u64::try_from(wait.as_millis().div_ceil(1000)).unwrap_or(WAIT));
        headers.insert(RETRY_AFTER, HeaderValue::from(seconds.max(1)));
    }
    if status == StatusCode::UNAUTHORIZED {
        headers.insert(WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
    }
    response
}

/// A stream of server-sent events, with a sign of life where nothing happens for a while. What comes at the same time goes out
/// together.
pub(crate) fn streamed(
    pieces: impl Stream<Item = String> + Send + 'static,
    heartbeat: Duration,
    tells: &Tells,
) -> Response {
    let pieces = pieces.filter(|piece| ready(!piece.is_empty())).fuse();
    let stream = unfold(Box::pin(pieces), move |mut pieces| async move {
        let out = match tokio::time::timeout(heartbeat, pieces.next()).await {
            Ok(first) => gather(first?, &mut pieces).await,
            Err(_) => ": alive\n\n".to_owned(),
        };
        Some((Ok::<_, Infallible>(Bytes::from(out)), pieces))
    });
    let mut response = Response::new(Body::from_stream(stream));
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/event-stream; charset=utf-8"));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    // A proxy that gathers what it passes on would hold every piece back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    tells.put(headers);
    response
}
