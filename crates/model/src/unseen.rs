//! What a tool returned and a model cannot take in.
//!
//! A person's image to a model without eyes is refused before anything is sent. A tool's image must not end a conversation in
//! its middle: the model is told that there is one.

use std::sync::Arc;

use adjutant_core::message::{Media, Message, Part, Role};
use serde::{Deserialize, Serialize};

use crate::profile::Abilities;

/// A kind of media that a model cannot take in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unseen {
    /// Pictures.
    Images,
    /// Sounds.
    Audio,
    /// Documents.
    Files,
}

/// The kinds of media in tool results that a model with these abilities cannot take in.
pub fn find(messages: &[Arc<Message>], abilities: &Abilities) -> Vec<Unseen> {
    let lacking = [
        (Unseen::Images, abilities.images),
        (Unseen::Audio, abilities.audio),
        (Unseen::Files, abilities.files),
    ];
    let occurs = |kind: Unseen| {
        let mut parts =
            messages.iter().flat_map(|message| message.results()).flat_map(|result| &result.content);
        parts.any(|part| media(part, kind).is_some())
    };
    lacking.into_iter().filter(|(kind, able)| !able && occurs(*kind)).map(|(kind, _)| kind).collect()
}

/// The messages with words in the place of media in tool results that are of these kinds.
pub fn hide(mut messages: Vec<Arc<Message>>, kinds: &[Unseen]) -> Vec<Arc<Message>> {
    if kinds.is_empty() {
        return messages;
    }
    for message in messages.iter_mut().filter(|message| message.role == Role::Tool) {
        let results = Arc::make_mut(message).parts.iter_mut().filter_map(|part| match part {
            Part::ToolResult(result) => Some(result),
            _ => None,
        });
        for part in results.flat_map(|result| &mut result.content) {
            if let Some(media) = kinds.iter().find_map(|kind| media(part, *kind)) {
                let name = media.name.as_deref().unwrap_or("no name");
                *part = Part::text(format!(
                    "[{}, {name}: not shown, as you cannot take it in]",
                    media.media_type
                ));
            }
        }
    }
    messages
}

fn media(part: &Part, kind: Unseen) -> Option<&Media> {
    match (part, kind) {
        (Part::Image(media), Unseen::Images)
        | (Part::Audio(media), Unseen::Audio)
        | (Part::File(media), Unseen::Files) => Some(media),
        _ => None,
    }
}
