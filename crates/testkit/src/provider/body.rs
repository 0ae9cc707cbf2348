//! The bodies of answers, with what is wrong with them.

use std::convert::Infallible;
use std::io;
use std::iter;
use std::time::Duration;

use axum::body::Body;
use bytes::Bytes;
use futures::{StreamExt, stream};
use serde_json::Value;

use super::answer::Answer;
use super::embeddings;
use super::fault::Fault;
use super::received::Received;

/// How many bytes of an answer that is not streamed count as one event.
const PIECE: usize = 32;

/// What stands where JSON should.
const GARBAGE: &str = "<html>oops</html>";

/// What an answer says that never ends.
const ENDLESS: &str = "and on ";

/// The body of a streamed answer.
pub(super) fn streamed(answer: &Answer, request: &Received) -> Body {
    let format = request.interface.format();
    let framing = format.framing();
    let write = |event: &Value| framing.write(format.frame(event));
    let mut events: Vec<Bytes> = match &answer.chunks {
        Some(chunks) => chunks.iter().map(write).collect(),
        None => format.events(answer, request).iter().map(write).collect(),
    };
    events.extend(format.end().map(|end| framing.write(end)));
    let ending = |after: usize, last: &Value| {
        let begun = events.iter().take(after).cloned();
        whole(&begun.chain(iter::once(write(last))).collect::<Vec<_>>())
    };
    match &answer.fault {
        Some(Fault::Garbage) => {
            let (_, text) = format.endless(ENDLESS, request);
            let mut frame = format.frame(&text);
            GARBAGE.clone_into(&mut frame.data);
            Body::from(framing.write(frame))
        }
        Some(Fault::Endless) => {
            let (opening, again) = format.endless(&ENDLESS.repeat(10_000), request);
            endless(opening.iter().map(write).collect(), write(&again))
        }
        Some(Fault::ErrorEvent(after, error)) => ending(*after, error),
        Some(Fault::Fail(after, status, message)) => ending(*after, &format.error_event(*status, message)),
        fault => broken(events, fault.as_ref()),
    }
}

/// The body of an answer that is not streamed.
pub(super) fn unstreamed(answer: &Answer, request: &Received) -> Body {
    let format = request.interface.format();
    let written = match embeddings::serving(&request.path) {
        Some((_, embed)) => embed.vectors(answer, request),
        None => format.whole(answer, request),
    };
    let text = Bytes::from(written.to_string());
    let pieces = || (0..text.len()).step_by(PIECE).map(|at| text.slice(at..text.len().min(at + PIECE)));
    match &answer.fault {
        Some(Fault::Garbage) => Body::from(GARBAGE),
        Some(Fault::Endless) => endless(pieces().take(1).collect(), ENDLESS.repeat(10_000).into()),
        Some(Fault::ErrorEvent(_, error)) => Body::from(error.to_string()),
        Some(Fault::Fail(_, status, message)) => Body::from(format.error(*status, message).to_string()),
        None => Body::from(text),
        fault => broken(pieces().collect(), fault.as_ref()),
    }
}

/// A body in pieces, with a fault that is the same in every interface and for every answer.
fn broken(mut pieces: Vec<Bytes>, fault: Option<&Fault>) -> Body {
    match fault {
        Some(Fault::SlowFirstByte(delay)) => {
            let delay = *delay;
            Body::from_stream(stream::once(async move {
                tokio::time::sleep(delay).await;
                Ok::<_, Infallible>(Bytes::from(pieces.concat()))
            }))
        }
        Some(Fault::Trickle) => {
            let bytes = Bytes::from(pieces.concat());
            let each = (0..bytes.len()).map(move |at| Ok::<_, Infallible>(bytes.slice(at..=at)));
            Body::from_stream(stream::iter(each))
        }
        Some(Fault::LateEnd(delay)) => {
            let delay = *delay;
            let end =
                stream::once(async move { tokio::time::sleep(delay).await }).filter_map(|()| async { None });
            Body::from_stream(stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)).chain(end))
        }
        Some(Fault::Stall(after)) => {
            pieces.truncate(*after);
            Body::from_stream(
                stream::iter(pieces.into_iter().map(Ok::<_, Infallible>)).chain(stream::pending()),
            )
        }
        Some(Fault::Cut(after)) => {
            pieces.truncate(*after);
            // A moment later, so that what was sent is not lost with the connection.
            let cut = stream::once(async {
                tokio::time::sleep(Duration::from_millis(20)).await;
                Err(io::Error::other("cut"))
            });
            Body::from_stream(stream::iter(pieces.into_iter().map(Ok)).chain(cut))
        }
        Some(Fault::Unfinished(after)) => {
            pieces.truncate(*after);
            whole(&pieces)
        }
        Some(Fault::HalfJson) => {
            let half = pieces.get(1).map(|piece| piece.slice(..piece.len() / 2));
            pieces.truncate(1);
            pieces.extend(half);
            whole(&pieces)
        }
        Some(Fault::ByteOrderMark) => {
            pieces.insert(0, Bytes::from_static(b"\xef\xbb\xbf"));
            whole(&pieces)
        }
        _ => whole(&pieces),
    }
}

fn whole(pieces: &[Bytes]) -> Body {
    Body::from(pieces.concat())
}

fn endless(opening: Vec<Bytes>, again: Bytes) -> Body {
    let forever = iter::repeat_with(move || again.clone());
    Body::from_stream(stream::iter(opening.into_iter().chain(forever).map(Ok::<_, Infallible>)))
}
