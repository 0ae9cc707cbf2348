//! [`Socket`]: a run over a WebSocket.

use adjutant::Run;
use adjutant_core::Result;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use futures::stream::BoxStream;
use futures::{StreamExt, pin_mut};
use http::StatusCode;
use schemars::SchemaGenerator;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, frames};
use super::position::Position;
use crate::access::Caller;
use crate::endpoint::{Answer, Shape, Shapes};
use crate::service::Service;

/// The largest message that a client may send, in bytes: it has nothing to say.
const LARGEST: usize = 4 << 10;

/// A run over a WebSocket.
pub(crate) struct Socket(Response);

impl Socket {
    /// What happens in a run after a position, until it is over, the service stops, or whoever asks may not any more. Fails with
    /// [`adjutant_core::Code::Overloaded`] where there is no place for another stream.
    pub(crate) fn of(
        upgrade: WebSocketUpgrade,
        service: &Service,
        caller: &Caller,
        run: &Run,
        after: Position,
        with_children: bool,
    ) -> Result<Self> {
        let place = service.stream()?;
        let frames = frames(caller, run, after, with_children).boxed();
        let (service, caller) = (service.clone(), caller.clone());
        let upgrade = upgrade.max_message_size(LARGEST).max_frame_size(LARGEST);
        Ok(Self(upgrade.on_upgrade(move |socket| send(socket, place, service, caller, frames))))
    }
}

async fn send(
    mut socket: WebSocket,
    place: OwnedSemaphorePermit,
    service: Service,
    caller: Caller,
    frames: BoxStream<'static, Result<Frame>>,
) {
    let close = match pass(&mut socket, &service, &caller, frames).await {
        Some(code) => CloseFrame { code, reason: "".into() },
        // The client is gone.
        None => return,
    };
    let _ = socket.send(Message::Close(Some(close))).await;
    drop(place);
}

/// Sends what happens. Returns why it is over; none where the client went away.
async fn pass(
    socket: &mut WebSocket,
    service: &Service,
    caller: &Caller,
    mut frames: BoxStream<'static, Result<Frame>>,
) -> Option<u16> {
    let stopped: &CancellationToken = service.draining();
    let refused = service.refuses(caller);
    pin_mut!(refused);
    loop {
        let message = tokio::select! {
            biased;
            () = stopped.cancelled() => return Some(close_code::RESTART),
            () = &mut refused => return Some(close_code::POLICY),
            // Pings are answered while the client is listened to.
            heard = socket.recv() => match heard {
                Some(Ok(Message::Close(_))) | Some(Err(_)) | None => return None,
                Some(Ok(_)) => continue,
            },
            frame = frames.next() => match frame {
                Some(frame) => text(&frame.unwrap_or_else(|error| Frame::failed(&error))),
                None => return Some(close_code::NORMAL),
            },
            () = tokio::time::sleep(service.settings().heartbeat) => Message::Ping(bytes::Bytes::new()),
        };
        socket.send(message).await.ok()?;
    }
}

fn text(frame: &Frame) -> Message {
    Message::Text(serde_json::to_string(frame).unwrap_or_default().into())
}

impl IntoResponse for Socket {
    fn into_response(self) -> Response {
        self.0
    }
}

impl Answer for Socket {
    fn shapes(_: &mut SchemaGenerator) -> Shapes {
        vec![Shape { status: StatusCode::SWITCHING_PROTOCOLS, about: "What happens in the run", body: None }]
    }
}
