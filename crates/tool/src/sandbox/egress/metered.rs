//! [`Metered`]: a connection to the outside whose bytes are counted and whose silence ends it.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use super::log::Log;

/// How long a connection may be silent.
pub(super) const IDLE: Duration = Duration::from_secs(60);

/// A connection whose bytes are counted.
pub(super) struct Metered {
    stream: TcpStream,
    log: Arc<Log>,
    life: Life,
}

/// When a connection last moved anything. Clones share it.
#[derive(Clone)]
pub(super) struct Life(Arc<(Instant, AtomicU64)>);

impl Life {
    fn now(&self) -> u64 {
        u64::try_from(self.0.0.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn sign(&self) {
        self.0.1.store(self.now(), Ordering::Relaxed);
    }

    /// Waits until the connection has been silent for too long.
    pub(super) async fn silence(&self) {
        loop {
            let silent = Duration::from_millis(self.now().saturating_sub(self.0.1.load(Ordering::Relaxed)));
            match IDLE.checked_sub(silent) {
                Some(rest) if !rest.is_zero() => tokio::time::sleep(rest).await,
                _ => return,
            }
        }
    }
}

impl Metered {
    pub(super) fn new(stream: TcpStream, log: Arc<Log>) -> Self {
        Self { stream, log, life: Life(Arc::new((Instant::now(), AtomicU64::new(0)))) }
    }

    pub(super) fn life(&self) -> Life {
        self.life.clone()
    }

    /// Waits until there is something to read.
    pub(super) async fn readable(&self) -> io::Result<()> {
        self.stream.readable().await
    }

    fn count(&self, bytes: usize) -> io::Result<()> {
        self.life.sign();
        match self.log.moves(bytes) {
            true => Ok(()),
            false => Err(io::Error::new(io::ErrorKind::QuotaExceeded, "the sandbox has moved enough")),
        }
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        ready!(Pin::new(&mut self.stream).poll_read(cx, buffer))?;
        Poll::Ready(self.count(buffer.filled().len() - before))
    }
}

impl AsyncWrite for Metered {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.stream).poll_write(cx, bytes))?;
        Poll::Ready(self.count(written).map(|()| written))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
