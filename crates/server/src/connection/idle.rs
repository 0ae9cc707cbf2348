//! [`Idle`]: whether anything is asked over a connection.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Request, Response};
use hyper::body::{Body, Frame, SizeHint};
use hyper::service::Service;
use tokio::time::{Instant, sleep_until};

/// What is asked over one connection at a time, and since when nothing is.
#[derive(Debug)]
pub(super) struct Idle {
    began: Instant,
    open: AtomicUsize,
    /// When the last answer ended, in milliseconds since it began.
    since: AtomicU64,
}

impl Idle {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { began: Instant::now(), open: AtomicUsize::new(0), since: AtomicU64::new(0) })
    }

    /// Waits until nothing was asked for so long.
    pub(super) async fn over(&self, patience: Duration) {
        loop {
            let since = self.began + Duration::from_millis(self.since.load(Ordering::Acquire));
            let (now, is_open) = (Instant::now(), self.open.load(Ordering::Acquire) > 0);
            match is_open {
                false if now >= since + patience => return,
                false => sleep_until(since + patience).await,
                true => sleep_until(now + patience).await,
            }
        }
    }

    fn begins(self: &Arc<Self>) -> Busy {
        self.open.fetch_add(1, Ordering::AcqRel);
        Busy(Arc::clone(self))
    }
}

/// Something that is asked, until its answer has ended or nobody wants it any more.
struct Busy(Arc<Idle>);

impl Drop for Busy {
    fn drop(&mut self) {
        let since = u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        self.0.since.store(since, Ordering::Release);
        self.0.open.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A service that counts what is asked of it.
pub(super) struct Counted<S> {
    inner: S,
    idle: Arc<Idle>,
}

impl<S> Counted<S> {
    pub(super) fn new(inner: S, idle: &Arc<Idle>) -> Self {
        Self { inner, idle: Arc::clone(idle) }
    }
}

impl<S, A, B> Service<Request<A>> for Counted<S>
where
    S: Service<Request<A>, Response = Response<B>>,
    S::Future: Send + 'static,
{
    type Response = Response<Held<B>>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, S::Error>> + Send>>;

    fn call(&self, request: Request<A>) -> Self::Future {
        let (busy, answered) = (self.idle.begins(), self.inner.call(request));
        Box::pin(async move { Ok(answered.await?.map(|body| Held { body, _busy: busy })) })
    }
}

/// The body of an answer.
pub(super) struct Held<B> {
    body: B,
    _busy: Busy,
}

impl<B: Body + Unpin> Body for Held<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<B::Data>, B::Error>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
