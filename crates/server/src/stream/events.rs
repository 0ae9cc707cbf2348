//! [`Events`]: a run as server-sent events.

use std::convert::Infallible;
use std::time::Duration;

use adjutant::Run;
use adjutant_core::Result;
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures::future::select;
use futures::stream::BoxStream;
use futures::{FutureExt, StreamExt};
use http::StatusCode;
use schemars::{Schema, SchemaGenerator};

use super::frame::{Frame, frames};
use super::position::Position;
use crate::access::Caller;
use crate::endpoint::{Answer, Shape, Shapes};
use crate::service::Service;

/// After how long a client that was cut off connects again.
const AGAIN: Duration = Duration::from_secs(1);

/// A run as server-sent events.
pub(crate) struct Events {
    events: BoxStream<'static, Result<sse::Event, Infallible>>,
    heartbeat: Duration,
}

impl Events {
    /// What happens in a run after a position, until it is over, the service stops, or whoever asks may not any more. Fails with
    /// [`adjutant_core::Code::Overloaded`] where there is no place for another stream.
    pub(crate) fn of(
        service: &Service,
        caller: &Caller,
        run: &Run,
        after: Position,
        with_children: bool,
    ) -> Result<Self> {
        let place = service.stream()?;
        let refused = (service.clone(), caller.clone());
        let refused = async move { refused.0.refuses(&refused.1).await }.boxed();
        let stopped = service.draining().clone().cancelled_owned().boxed();
        let frames = frames(caller, run, after, with_children).map(move |frame| {
            // The place is held for as long as the stream is.
            let _ = &place;
            Ok(event(&frame.unwrap_or_else(|error| Frame::failed(&error))))
        });
        let begin = futures::stream::iter([Ok(sse::Event::default().retry(AGAIN))]);
        let events = begin.chain(frames).take_until(select(stopped, refused)).boxed();
        Ok(Self { events, heartbeat: service.settings().heartbeat })
    }
}

fn event(frame: &Frame) -> sse::Event {
    let event = sse::Event::default().event(&frame.event).data(frame.data.to_string());
    match &frame.id {
        Some(id) => event.id(id),
        None => event,
    }
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        let alive = KeepAlive::new().interval(self.heartbeat).text("alive");
        let mut response = Sse::new(self.events).keep_alive(alive).into_response();
        // A proxy that gathers what it passes on would hold every event back.
        response.headers_mut().insert("x-accel-buffering", http::HeaderValue::from_static("no"));
        response
    }
}

impl Answer for Events {
    fn shapes(_: &mut SchemaGenerator) -> Shapes {
        let body = Some((
            "text/event-stream",
            Schema::from(serde_json::Map::from_iter([("type".to_owned(), "string".into())])),
        ));
        vec![Shape { status: StatusCode::OK, about: "What happens in the run", body }]
    }
}
