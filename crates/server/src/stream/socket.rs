//! [`Socket`]: a run over a WebSocket.

use adjutant::Run;
use adjutant_core::Result;
use axum::extract::ws::{CloseFrame, Message, WebSocket, WebSocketUpgrade, close_code};
use axum::response::{IntoResponse, Response};
use futures::{StreamExt, pin_mut};
use http::StatusCode;
use schemars::SchemaGenerator;
use tokio::sync::OwnedSemaphorePermit;
use tokio_util::sync::CancellationToken;

use super::frame::{Frame, frames};
use super::position::Position;
use crate::endpoint::{Answer, Shape, Shapes};
use crate::service::Service;

/// The largest message that a client may send, in bytes: it has nothing to say.
const LARGEST: usize = 4 << 10;

/// A run over a WebSocket.
pub(crate) struct Socket(Response);

impl Socket {
    /// What happens in a run after a position, until it is over or the service stops. Fails with
    /// [`adjutant_core::Code::Overloaded`] where there is no place for another stream.
    pub(crate) fn of(
        upgrade: WebSocketUpgrade,
        service: &Service,
        run: &Run,
        after: Position,
        with_children: bool,
    ) -> Result<Self> {
        let (place, run, service) = (service.stream()?, run.clone(), service.clone());
        let upgrade = upgrade.max_message_size(LARGEST).max_frame_size(LARGEST);
        Ok(Self(upgrade.on_upgrade(move |socket| send(socket, place, service, run, after, with_children))))
    }
}

async fn send(
    mut socket: WebSocket,
    place: OwnedSemaphorePermit,
    service: Service,
    run: Run,
    after: Position,
    with_children: bool,
) {
    let close = match pass(&mut socket, &service, &run, after, with_children).await {
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
    run: &Run,
    after: Position,
    with_children: bool,
) -> Option<u16> {
    let stopped: &CancellationToken = service.draining();
    let frames = frames(run, after, with_children);
    pin_mut!(frames);
    loop {
        let message = tokio::select! {
            biased;
            () = stopped.cancelled() => return Some(close_code::RESTART),
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
