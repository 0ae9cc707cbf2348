//! The moment from which nobody may try again: a part of the answer was delivered.

use adjutant_core::Result;
use futures::StreamExt;

use crate::delta::{Delta, Deltas};
use crate::model::{Call, Note};

/// Reads an answer up to its first content, and gives the whole of it. Fails with the error that came before any content:
/// whoever hears it may ask again, as nobody has seen a part of the answer.
///
/// What is held back meanwhile is a sign of life all the same, and told as one: a model that thinks in silence keeps its
/// connection alive.
pub(super) async fn begun(mut deltas: Deltas, call: &Call) -> Result<Deltas> {
    let mut before = Vec::new();
    while let Some(delta) = deltas.next().await {
        let delta = delta?;
        let is_content = is_content(&delta);
        if !is_content {
            call.note(|| Note::Alive);
        }
        before.push(Ok(delta));
        if is_content {
            break;
        }
    }
    Ok(futures::stream::iter(before).chain(deltas).boxed())
}

fn is_content(delta: &Delta) -> bool {
    match delta {
        Delta::Text(text) | Delta::Reasoning(text) => !text.is_empty(),
        Delta::ReasoningDone(_) | Delta::ToolCall { .. } | Delta::Native(_) | Delta::End(_) => true,
        Delta::Start(_) | Delta::Tried(_) | Delta::Instead(_) | Delta::Usage(_) | Delta::Unknown(_) => false,
    }
}
