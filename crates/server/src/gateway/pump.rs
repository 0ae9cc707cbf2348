//! Has an answer told piece by piece, as fast as somebody reads it.

use adjutant::model::Delta;
use futures::stream::{Stream, unfold};
use tokio::sync::OwnedSemaphorePermit;

use super::talk::Talk;
use crate::wire::Fault;

/// Tells an answer in a vendor's form.
pub(crate) trait Tell: Send + 'static {
    /// What a piece of the answer is to the client.
    fn push(&mut self, delta: &Delta, out: &mut String);

    /// Says that the answer breaks off, and why.
    fn fail(&mut self, why: &Fault, out: &mut String);
}

/// An answer as it is told. Whoever reads it makes it go on, so a slow reader slows only whom it asked; once it is dropped, whoever
/// answers is let go of, and so is the place for the stream.
pub(crate) fn pump(
    talk: Talk,
    tell: impl Tell,
    place: OwnedSemaphorePermit,
) -> impl Stream<Item = String> + Send + 'static {
    unfold(Some((talk, tell, place)), |telling| async move {
        let (mut talk, mut tell, place) = telling?;
        let mut out = String::new();
        let ends = match talk.next().await? {
            Ok(delta) => {
                tell.push(&delta, &mut out);
                matches!(delta, Delta::End(_))
            }
            Err(error) => {
                tell.fail(&Fault::from(error), &mut out);
                true
            }
        };
        Some((out, (!ends).then_some((talk, tell, place))))
    })
}
