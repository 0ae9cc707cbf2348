//! Somebody who looks on while requests are carried.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use adjutant_core::{Error, Result};
use bytes::Bytes;
use futures::future::BoxFuture;
use futures::{FutureExt, StreamExt};
use http::HeaderMap;

use super::body::Body;
use super::exchange::{Incoming, Outgoing, Transport};

/// Sees every request and every answer exactly as they are sent. Exchanges that run at the same time are told apart by
/// their number.
///
/// Headers that hold a secret are marked as sensitive, and whoever shows or keeps anything leaves them out.
pub trait Witness: Send + Sync + fmt::Debug + 'static {
    /// A request is about to be sent.
    fn request(&self, exchange: u64, outgoing: &Outgoing);

    /// The other side begins to answer.
    fn response(&self, exchange: u64, status: u16, headers: &HeaderMap);

    /// A piece of the answer's body.
    fn piece(&self, exchange: u64, piece: &Bytes);

    /// The answer is over, nobody reads on, or the exchange failed.
    fn end(&self, exchange: u64, error: Option<&Error>);
}

/// A transport with a witness.
#[derive(Debug)]
pub struct Witnessed {
    transport: Arc<dyn Transport>,
    witness: Arc<dyn Witness>,
    exchanges: Arc<AtomicU64>,
}

impl Witnessed {
    /// Shows the witness what this transport carries. `exchanges` counts them; transports that share a witness share it.
    pub fn new(transport: Arc<dyn Transport>, witness: Arc<dyn Witness>, exchanges: Arc<AtomicU64>) -> Self {
        Self { transport, witness, exchanges }
    }
}

impl Transport for Witnessed {
    fn send(&self, outgoing: Outgoing) -> BoxFuture<'_, Result<Incoming>> {
        async move {
            let exchange = self.exchanges.fetch_add(1, Ordering::Relaxed) + 1;
            self.witness.request(exchange, &outgoing);
            match self.transport.send(outgoing).await {
                Ok(incoming) => {
                    self.witness.response(exchange, incoming.status, &incoming.headers);
                    let body = shown(incoming.body, exchange, Arc::clone(&self.witness));
                    Ok(Incoming { body, ..incoming })
                }
                Err(error) => {
                    self.witness.end(exchange, Some(&error));
                    Err(error)
                }
            }
        }
        .boxed()
    }
}

fn shown(body: Body, exchange: u64, witness: Arc<dyn Witness>) -> Body {
    let watched = Watched { body, exchange, witness, over: false };
    let pieces = futures::stream::unfold(watched, |mut watched| async move {
        if watched.over {
            return None;
        }
        let piece = watched.body.chunk().await;
        match &piece {
            Ok(Some(piece)) => watched.witness.piece(watched.exchange, piece),
            Ok(None) => watched.end(None),
            Err(error) => watched.end(Some(error)),
        }
        Some((piece.transpose()?, watched))
    });
    Body::new(pieces.boxed())
}

/// A body with a witness, until it ends or nobody reads on: what comes after the last event of a stream is not read.
struct Watched {
    body: Body,
    exchange: u64,
    witness: Arc<dyn Witness>,
    over: bool,
}

impl Watched {
    fn end(&mut self, error: Option<&Error>) {
        if !std::mem::replace(&mut self.over, true) {
            self.witness.end(self.exchange, error);
        }
    }
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.end(None);
    }
}
