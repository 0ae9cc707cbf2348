//! The body of an answer, piece by piece.

use std::fmt;
use std::time::Duration;

use adjutant_core::{Code, Error, Result};
use bytes::Bytes;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

use super::peer::Peer;
use super::timeouts::Timeouts;

/// The body of an answer as it arrives. It ends after its first error.
pub struct Body(BoxStream<'static, Result<Bytes>>);

impl Body {
    /// The most bytes of one answer, unpacked.
    pub const MOST_BYTES: usize = 64 << 20;

    /// The body that these pieces make.
    pub fn new(pieces: BoxStream<'static, Result<Bytes>>) -> Self {
        Self(pieces)
    }

    /// The next piece; none at the end.
    ///
    /// Fails with `model-timeout`, `model-unreachable` where the connection breaks, `model-answer-invalid` where the
    /// answer is too large, or `run-cancelled`.
    pub async fn chunk(&mut self) -> Result<Option<Bytes>> {
        self.0.next().await.transpose()
    }

    /// The first bytes of the body as text, for a complaint; what cannot be read, or does not come soon, is left out.
    pub async fn complaint(self) -> String {
        self.complaint_within(Duration::from_secs(5)).await
    }

    async fn complaint_within(mut self, longest: Duration) -> String {
        const MOST: usize = 64 << 10;
        let mut bytes = Vec::new();
        let read = async {
            while bytes.len() < MOST
                && let Ok(Some(chunk)) = self.chunk().await
            {
                bytes.extend_from_slice(&chunk);
            }
        };
        // Who refuses and then says nothing has refused all the same.
        let _ = timeout(longest, read).await;
        bytes.truncate(MOST);
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Lets go of a body of which nothing more is wanted. What is left is read behind the caller's back, where that is
    /// little and comes soon: the connection of a body that was read to its end carries the next request.
    pub fn let_go(mut self) {
        const MOST: usize = 64 << 10;
        const LONGEST: Duration = Duration::from_millis(100);
        let mut rest = Box::pin(async move {
            let mut left = MOST;
            while let Ok(Some(chunk)) = self.chunk().await
                && let Some(less) = left.checked_sub(chunk.len())
            {
                left = less;
            }
        });
        // Most often the end is here already.
        if rest.as_mut().now_or_never().is_none()
            && let Ok(runtime) = Handle::try_current()
        {
            drop(runtime.spawn(timeout(LONGEST, rest)));
        }
    }
}

impl Default for Body {
    /// A body with nothing in it.
    fn default() -> Self {
        Self::new(futures::stream::empty().boxed())
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Body")
    }
}

/// An answer from the network, read under limits of time and size.
pub(super) struct Reading {
    response: reqwest::Response,
    peer: Peer,
    timeouts: Timeouts,
    deadline: Instant,
    cancel: CancellationToken,
    begun: bool,
    left: usize,
}

impl Reading {
    pub(super) fn new(
        response: reqwest::Response,
        peer: Peer,
        timeouts: Timeouts,
        deadline: Instant,
        cancel: CancellationToken,
    ) -> Self {
        Self { response, peer, timeouts, deadline, cancel, begun: false, left: Body::MOST_BYTES }
    }

    pub(super) fn into_body(self) -> Body {
        Body::new(Box::pin(futures::stream::try_unfold(Box::new(self), |mut reading| async move {
            Ok(reading.chunk().await?.map(|chunk| (chunk, reading)))
        })))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let (limit, what) = match self.begun {
            false => (self.timeouts.first_byte, "did not begin to answer"),
            true => (self.timeouts.idle, "stopped answering"),
        };
        let wake = self.deadline.min(Instant::now() + limit);
        if self.cancel.is_cancelled() {
            return Err(cancelled());
        }
        // What is there already is read without a look at clocks and signals.
        let read = tokio::select! {
            biased;
            read = tokio::time::timeout_at(wake, self.response.chunk()) => read,
            () = self.cancel.cancelled() => return Err(cancelled()),
        };
        let chunk = match read {
            Ok(read) => read.map_err(|error| broken(&self.peer, error))?,
            Err(_) if wake == self.deadline => {
                return Err(late(&self.peer, "did not finish its answer", self.timeouts.whole));
            }
            Err(_) => return Err(late(&self.peer, what, limit)),
        };
        self.begun = true;
        if let Some(chunk) = &chunk {
            self.left = self.left.checked_sub(chunk.len()).ok_or_else(|| {
                let most = Body::MOST_BYTES >> 20;
                let name = self.peer.name();
                Error::new(
                    Code::ModelAnswerInvalid,
                    format!("the answer of the provider at `{name}` is larger than {most} MiB"),
                )
            })?;
        }
        Ok(chunk)
    }
}

pub(super) fn cancelled() -> Error {
    Error::new(Code::RunCancelled, "the call of the model was cancelled")
}

pub(super) fn late(peer: &Peer, what: &str, limit: std::time::Duration) -> Error {
    let limit = adjutant_core::time::format_duration(limit);
    Error::new(Code::ModelTimeout, format!("the provider at `{}` {what} within {limit}", peer.name()))
}

fn broken(peer: &Peer, error: reqwest::Error) -> Error {
    let message = format!("the connection to the provider at `{}` broke within the answer", peer.name());
    Error::new(Code::ModelUnreachable, message).caused_by(&error.without_url())
}

#[cfg(test)]
mod tests {
    use futures::stream;
    use tokio::sync::oneshot;

    use super::*;

    #[tokio::test]
    async fn a_refusal_is_heard_though_its_end_never_comes() {
        let said = stream::once(async { Ok(Bytes::from_static(b"slow down")) });
        let body = Body::new(said.chain(stream::pending()).boxed());
        assert_eq!(body.complaint_within(Duration::from_millis(20)).await, "slow down");
    }

    #[tokio::test]
    async fn what_is_let_go_is_read_to_its_end_unless_that_is_far() {
        let (small, large) = (10, 65 << 10);
        let cases = [(small, true, true), (small, false, false), (large, true, false)];
        for (size, comes, expected) in cases {
            let (begin, begun) = oneshot::channel::<()>();
            let (end, ended) = oneshot::channel();
            let waits = stream::once(begun).filter_map(|_| async { None });
            let piece = stream::iter([Ok(Bytes::from(vec![b'x'; size]))]);
            let end = stream::once(async move { end.send(()) }).filter_map(|_| async { None });
            Body::new(waits.chain(piece).chain(end).boxed()).let_go();
            let kept = match comes {
                true => begin.send(()).err().map(|()| oneshot::channel().0),
                false => Some(begin),
            };
            assert_eq!(ended.await.is_ok(), expected, "{size} bytes");
            drop(kept);
        }
    }

    #[test]
    fn what_is_let_go_outside_of_a_runtime_is_dropped() {
        let (end, mut ended) = oneshot::channel::<()>();
        let never = stream::once(async move {
            std::future::pending::<()>().await;
            drop(end);
            Ok(Bytes::new())
        });
        Body::new(never.boxed()).let_go();
        assert_eq!(ended.try_recv(), Err(oneshot::error::TryRecvError::Closed));
    }
}
