//! The body of an answer, piece by piece.

use std::fmt;

use adjutant_core::{Code, Error, Result};
use bytes::Bytes;
use futures::StreamExt;
use futures::stream::BoxStream;
use tokio::time::Instant;
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

    /// The first bytes of the body as text, for a complaint; what cannot be read is left out.
    pub async fn complaint(mut self) -> String {
        const MOST: usize = 64 << 10;
        let mut bytes = Vec::new();
        while bytes.len() < MOST
            && let Ok(Some(chunk)) = self.chunk().await
        {
            bytes.extend_from_slice(&chunk);
        }
        bytes.truncate(MOST);
        String::from_utf8_lossy(&bytes).into_owned()
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
        Body::new(Box::pin(futures::stream::try_unfold(self, |mut reading| async move {
            Ok(reading.chunk().await?.map(|chunk| (chunk, reading)))
        })))
    }

    async fn chunk(&mut self) -> Result<Option<Bytes>> {
        let (limit, what) = match self.begun {
            false => (self.timeouts.first_byte, "did not begin to answer"),
            true => (self.timeouts.idle, "stopped answering"),
        };
        let wake = self.deadline.min(Instant::now() + limit);
        let read = tokio::select! {
            biased;
            () = self.cancel.cancelled() => return Err(cancelled()),
            read = tokio::time::timeout_at(wake, self.response.chunk()) => read,
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
