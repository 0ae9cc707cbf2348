//! Images, sounds and files.

use adjutant_core::message::{Media, MediaSource, Part};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

/// What Google refuses of the types that many others take; the rest it judges itself.
const REFUSED: [&str; 2] = ["image/gif", "image/svg+xml"];

/// Types that may stand in the result of a call; others stand beside it.
/// (ai.google.dev/gemini-api/docs/function-calling, "Multimodal function responses")
const IN_RESULTS: [&str; 5] = ["image/png", "image/jpeg", "image/webp", "application/pdf", "text/plain"];

/// The media of a part, if it is some.
pub(super) fn of(part: &Part) -> Option<&Media> {
    match part {
        Part::Image(media) | Part::Audio(media) | Part::File(media) => Some(media),
        _ => None,
    }
}

/// Media as a part of the wire. Fails with `model-unsupported` where the type is one that Google refuses.
pub(super) fn encode(media: &Media) -> Result<Value> {
    let media_type = essence(media);
    if REFUSED.contains(&media_type.as_str()) {
        let message = format!("gemini takes no media of the type `{media_type}`");
        return Err(Error::new(Code::ModelUnsupported, message).with_help("send it as `image/png`"));
    }
    Ok(match &media.source {
        MediaSource::Base64(data) => json!({"inlineData": {"mimeType": media_type, "data": data}}),
        MediaSource::Url(url) => json!({"fileData": {"mimeType": media_type, "fileUri": url}}),
    })
}

/// Whether media may stand within a result.
pub(super) fn fits_result(media: &Media) -> bool {
    IN_RESULTS.contains(&essence(media).as_str())
}

/// The type without its parameters, by the name that Google knows it by.
fn essence(media: &Media) -> String {
    let kind = media.media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match kind.as_str() {
        "image/jpg" => "image/jpeg".to_owned(),
        "audio/x-wav" | "audio/wave" | "audio/vnd.wave" => "audio/wav".to_owned(),
        "audio/x-flac" => "audio/flac".to_owned(),
        "audio/x-aiff" => "audio/aiff".to_owned(),
        _ => kind,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn media_go_by_their_bytes_or_their_address() {
        let media = |media_type: &str, source| Media { media_type: media_type.into(), name: None, source };
        let bytes = |media_type: &str| media(media_type, MediaSource::Base64("AA==".into()));
        let cases = [
            (bytes("image/png"), Ok(json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}}))),
            (bytes("audio/x-wav"), Ok(json!({"inlineData": {"mimeType": "audio/wav", "data": "AA=="}}))),
            (
                bytes("Text/Plain; charset=utf-8"),
                Ok(json!({"inlineData": {"mimeType": "text/plain", "data": "AA=="}})),
            ),
            (
                media("video/mp4", MediaSource::Url("gs://b/v.mp4".into())),
                Ok(json!({"fileData": {"mimeType": "video/mp4", "fileUri": "gs://b/v.mp4"}})),
            ),
            (bytes("image/gif"), Err("gemini takes no media of the type `image/gif`")),
        ];
        for (media, expected) in cases {
            let got = encode(&media);
            assert_eq!(
                got.as_ref().map_err(Error::message),
                expected.as_ref().map_err(|why| *why),
                "{media:?}"
            );
        }
    }
}
