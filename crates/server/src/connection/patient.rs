//! [`Patient`]: a connection whose other end must take what is sent to it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep};

/// What a client says first: as much as it takes to know which HTTP it speaks. Until then nobody else has an eye on the time.
const FIRST: usize = 24;

/// A connection that fails once nothing of what is sent has been taken for a while, and where the client does not begin to speak. So
/// one that has stopped reading, has gone without a word, or never meant to say one does not keep its place.
pub(super) struct Patient<S> {
    stream: S,
    patience: Duration,
    /// How much is still to come of what is said first.
    first: usize,
    begins_by: Pin<Box<Sleep>>,
    /// Until when something must be taken; made when it is first needed.
    limit: Option<Pin<Box<Sleep>>>,
    is_waiting: bool,
}

impl<S> Patient<S> {
    /// Waits so long for the client to take something, and so long for it to begin.
    pub(super) fn new(stream: S, patience: Duration, begins_within: Duration) -> Self {
        let begins_by = Box::pin(sleep(begins_within));
        Self { stream, patience, first: FIRST, begins_by, limit: None, is_waiting: false }
    }

    /// What came of an attempt to send; an error once it has waited for too long.
    fn judge<T>(&mut self, context: &mut Context<'_>, sent: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if sent.is_ready() {
            self.is_waiting = false;
            return sent;
        }
        let limit = self.limit.get_or_insert_with(|| Box::pin(sleep(Duration::ZERO)));
        if !self.is_waiting {
            self.is_waiting = true;
            limit.as_mut().reset(Instant::now() + self.patience);
        }
        ready!(limit.as_mut().poll(context));
        Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client takes nothing")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Patient<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.first = self.first.saturating_sub(buffer.filled().len().saturating_sub(before));
        if read.is_pending() && self.first > 0 {
            ready!(self.begins_by.as_mut().poll(context));
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::TimedOut, "the client says nothing")));
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Patient<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, sent)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let sent = Pin::new(&mut self.stream).poll_write_vectored(context, bytes);
        self.judge(context, sent)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_flush(context);
        self.judge(context, sent)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let sent = Pin::new(&mut self.stream).poll_shutdown(context);
        self.judge(context, sent)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn a_client_that_takes_nothing_is_given_up_and_a_slow_one_is_not() {
        let (near, mut far) = tokio::io::duplex(8);
        let mut near = Patient::new(near, Duration::from_millis(400), Duration::from_secs(60));
        let sending = tokio::spawn(async move { near.write_all(&[0; 64]).await });
        let mut taken = [0; 8];
        for _ in 0..6 {
            tokio::time::sleep(Duration::from_millis(200)).await;
            far.read_exact(&mut taken).await.unwrap();
        }
        assert!(!sending.is_finished());
        let failed = sending.await.unwrap().unwrap_err();
        assert_eq!(failed.kind(), io::ErrorKind::TimedOut);
    }
}
