//! What a provider answers, without the secrets that it was asked with.

use bytes::Bytes;
use futures::StreamExt;
use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};

use super::body::Body;
use super::exchange::Incoming;
use super::peer::Peer;
use crate::event_stream;

/// An answer in which no secret stands: a provider that repeats a key repeats it to nobody but this.
///
/// Frames of an event stream count their bytes, so nothing is changed in them here: their events are blanked when they are
/// cut out.
pub(super) fn blanked(incoming: Incoming, peer: &Peer) -> Incoming {
    let Incoming { status, mut headers, body } = incoming;
    let is_framed = headers.get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(FRAMED));
    blank_headers(&mut headers, peer);
    let body = if is_framed { body } else { blank_body(body, peer.clone()) };
    Incoming { status, headers, body }
}

const FRAMED: &[u8] = event_stream::CONTENT_TYPE.as_bytes();

fn blank_headers(headers: &mut HeaderMap, peer: &Peer) {
    for value in headers.values_mut() {
        if let Some(blank) = peer.hidden().blank(value.as_bytes()) {
            // What stands for a secret can stand in a header, as the rest could before.
            *value = HeaderValue::from_bytes(&blank).unwrap_or(HeaderValue::from_static(""));
        }
    }
}

fn blank_body(body: Body, peer: Peer) -> Body {
    let blanking = Blanking { peer, held: Vec::new() };
    let pieces = futures::stream::unfold((body, Some(blanking)), |(mut body, mut blanking)| async move {
        let open = blanking.as_mut()?;
        match body.chunk().await {
            Ok(Some(piece)) => Some((Ok(open.piece(piece)), (body, blanking))),
            Ok(None) => {
                let rest = open.rest()?;
                Some((Ok(rest), (body, None)))
            }
            Err(error) => Some((Err(error), (body, None))),
        }
    });
    Body::new(pieces.boxed())
}

/// Takes secrets out of pieces, also those that are cut in two.
struct Blanking {
    peer: Peer,
    /// What may be the beginning of a secret.
    held: Vec<u8>,
}

impl Blanking {
    /// The next piece, which may be empty: as with any other, somebody is there.
    fn piece(&mut self, piece: Bytes) -> Bytes {
        let piece = match self.held.is_empty() {
            true => piece,
            false => {
                self.held.extend_from_slice(&piece);
                std::mem::take(&mut self.held).into()
            }
        };
        let hidden = self.peer.hidden();
        let mut piece = hidden.blank(&piece).map_or(piece, Bytes::from);
        let begun = hidden.begun(&piece);
        self.held = piece.split_off(piece.len() - begun).into();
        piece
    }

    fn rest(&mut self) -> Option<Bytes> {
        let rest = std::mem::take(&mut self.held);
        (!rest.is_empty()).then(|| rest.into())
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::secret::Secret;
    use proptest::prelude::*;
    use url::Url;

    use super::*;

    const KEY: &str = "sk-s1-sk-s1-1234567";

    fn peer() -> Peer {
        Peer::new(&Url::parse("https://example.com").unwrap(), &[Secret::new(KEY)])
    }

    fn blank(text: &str, cuts: &[usize]) -> String {
        let mut blanking = Blanking { peer: peer(), held: Vec::new() };
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut % (text.len() + 1)).collect();
        cuts.extend([0, text.len()]);
        cuts.sort_unstable();
        let mut out = Vec::new();
        for ends in cuts.windows(2) {
            out.extend(blanking.piece(Bytes::copy_from_slice(&text.as_bytes()[ends[0]..ends[1]])));
        }
        out.extend(blanking.rest().unwrap_or_default());
        String::from_utf8(out).unwrap()
    }

    proptest! {
        #[test]
        fn no_cut_lets_a_secret_through(
            words in prop::collection::vec(prop_oneof!["[a-z -]{0,5}", Just("sk-s1-".to_owned()), Just(KEY.to_owned())], 0..8),
            cuts in prop::collection::vec(any::<usize>(), 0..20),
        ) {
            let text = words.concat();
            prop_assert_eq!(blank(&text, &cuts), text.replace(KEY, "[secret]"));
        }
    }

    #[tokio::test]
    async fn headers_and_bodies_are_blanked_and_frames_are_left() {
        let answer = |kind: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(kind));
            headers.insert("x-request-id", HeaderValue::from_str(&format!("of {KEY}")).unwrap());
            let pieces = futures::stream::iter([Ok(Bytes::from_static(KEY.as_bytes()))]);
            Incoming { status: 200, headers, body: Body::new(pieces.boxed()) }
        };
        for (kind, expected) in [("text/event-stream", "[secret]"), (event_stream::CONTENT_TYPE, KEY)] {
            let mut blanked = blanked(answer(kind), &peer());
            assert_eq!(blanked.headers["x-request-id"], "of [secret]");
            assert_eq!(blanked.body.chunk().await.unwrap().unwrap(), expected.as_bytes());
        }
    }
}
