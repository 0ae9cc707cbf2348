//! Has an answer told piece by piece, for as long as somebody listens.

use adjutant::model::Delta;
use tokio::sync::OwnedSemaphorePermit;
use tokio::sync::mpsc::{Receiver, channel};

use super::talk::Talk;
use crate::wire::Fault;

/// How many pieces wait for a client that reads slowly.
const MOST_WAITING: usize = 32;

/// Tells an answer in a vendor's form.
pub(crate) trait Tell: Send + 'static {
    /// What a piece of the answer is to the client.
    fn push(&mut self, delta: &Delta, out: &mut String);

    /// Says that the answer breaks off, and why.
    fn fail(&mut self, why: &Fault, out: &mut String);
}

/// Begins to tell an answer. The place for the stream is held as long as somebody listens; once nobody does, whoever answers is let
/// go of.
pub(crate) fn pump(mut talk: Talk, mut tell: impl Tell, place: OwnedSemaphorePermit) -> Receiver<String> {
    let (sender, receiver) = channel(MOST_WAITING);
    tokio::spawn(async move {
        let _place = place;
        loop {
            let delta = tokio::select! {
                biased;
                () = sender.closed() => return,
                delta = talk.next() => delta,
            };
            let mut out = String::new();
            let ends = match delta {
                None => return,
                Some(Ok(delta)) => {
                    tell.push(&delta, &mut out);
                    matches!(delta, Delta::End(_))
                }
                Some(Err(error)) => {
                    tell.fail(&Fault::from(error), &mut out);
                    true
                }
            };
            if (!out.is_empty() && sender.send(out).await.is_err()) || ends {
                return;
            }
        }
    });
    receiver
}
