//! [`InFlight`]: a request on its way, which may be held while a person answers a question of the server.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use futures::future::BoxFuture;
use rmcp::RoleClient;
use rmcp::model::{
    CancelledNotification, CancelledNotificationParam, ClientNotification, ElicitRequestParams, ElicitResult,
    RequestId, ServerResult,
};
use rmcp::service::{Peer, RequestHandle, ServiceError};

use super::connection::Unanswered;
use super::progress::{Asking, Floor, Listening};
use crate::context::Context;

/// How long telling a server that a call is not wanted any more may take.
const FAREWELL: Duration = Duration::from_secs(1);

/// What is heard of a request.
pub(super) enum Heard {
    /// Its answer.
    Answer(Box<ServerResult>),
    /// A question of the server. The request is held until that is answered.
    Question(Box<Held>),
}

/// A request on its way. When it is dropped, the server is told that no answer is wanted.
pub(super) struct InFlight {
    answer: BoxFuture<'static, Result<ServerResult, ServiceError>>,
    open: Open,
    floor: Floor,
    listening: Listening,
    /// How many requests in a row had no answer in time.
    unheard: Arc<AtomicU32>,
}

/// A request that is held: the server asks something before it goes on.
pub(super) struct Held {
    flight: InFlight,
    asking: Asking,
}

impl InFlight {
    pub(super) fn new(
        handle: RequestHandle<RoleClient>,
        floor: Floor,
        listening: Listening,
        unheard: Arc<AtomicU32>,
    ) -> Self {
        let open = Open { peer: handle.peer.clone(), id: Some(handle.id.clone()) };
        Self { answer: Box::pin(handle.await_response()), open, floor, listening, unheard }
    }

    /// Waits until something is heard, the time is over, or nobody wants the answer any more; the server is then told so.
    pub(super) async fn wait(mut self, context: &Context, deadline: Instant) -> Result<Heard, Unanswered> {
        let cancelled = context.cancelled();
        let unanswered = tokio::select! {
            biased;
            answer = &mut self.answer => {
                self.open.id = None;
                self.unheard.store(0, Ordering::Relaxed);
                return answer.map(|answer| Heard::Answer(Box::new(answer))).map_err(Unanswered::from);
            }
            asking = self.floor.next() => {
                self.unheard.store(0, Ordering::Relaxed);
                return Ok(Heard::Question(Box::new(Held { flight: self, asking })));
            }
            () = cancelled.cancelled() => Unanswered::Cancelled,
            () = tokio::time::sleep_until(deadline.into()) => {
                self.unheard.fetch_add(1, Ordering::Relaxed);
                Unanswered::Deadline
            }
        };
        self.open.give_up().await;
        Err(unanswered)
    }
}

impl Held {
    /// What the server asks.
    pub(super) fn asked(&self) -> &ElicitRequestParams {
        &self.asking.asked
    }

    /// Whether the server still waits for the answer.
    pub(super) fn is_wanted(&self) -> bool {
        !self.asking.reply.is_closed() && !self.flight.open.peer.is_transport_closed()
    }

    /// Answers, and waits on.
    pub(super) async fn answer(
        self,
        answer: ElicitResult,
        context: &Context,
        deadline: Instant,
    ) -> Result<Heard, Unanswered> {
        let Self { flight, asking } = self;
        flight.listening.show_in(context);
        if asking.reply.send(answer).is_err() {
            return Err(Unanswered::Lost("the server did not wait for the answer".to_owned()));
        }
        flight.wait(context, deadline).await
    }
}

/// A request without an answer. When it is dropped, the server is told that none is wanted.
struct Open {
    peer: Peer<RoleClient>,
    id: Option<RequestId>,
}

impl Open {
    /// Tells the server, and sees to it that it was sent.
    async fn give_up(mut self) {
        if let Some(id) = self.id.take() {
            let _ = tokio::time::timeout(FAREWELL, tell(self.peer.clone(), id)).await;
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let (Some(id), Ok(runtime)) = (self.id.take(), tokio::runtime::Handle::try_current()) {
            runtime.spawn(tell(self.peer.clone(), id));
        }
    }
}

async fn tell(peer: Peer<RoleClient>, id: RequestId) {
    let reason = "the call is not wanted any more".to_owned();
    let params = CancelledNotificationParam::new(Some(id), Some(reason));
    let notification = ClientNotification::CancelledNotification(CancelledNotification::new(params));
    // Where the connection is gone, there is nobody to be told.
    let _ = peer.send_notification(notification).await;
}
