//! Images, sounds and files as the wire has them.

use adjutant_core::message::{Media, MediaSource};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

use super::quirks::Media as Form;

/// An image, which every server takes alike.
pub(super) fn image(media: &Media) -> Value {
    json!({"type": "image_url", "image_url": {"url": address(media)}})
}

/// A sound. Fails with `model-unsupported` where the server cannot take it so.
pub(super) fn audio(media: &Media, form: Form) -> Result<Value> {
    match (form, &media.source) {
        (Form::Mistral, MediaSource::Url(data) | MediaSource::Base64(data)) => {
            Ok(json!({"type": "input_audio", "input_audio": data}))
        }
        (_, MediaSource::Base64(data)) => {
            let format = sound_format(&media.media_type, form)?;
            Ok(json!({"type": "input_audio", "input_audio": {"data": data, "format": format}}))
        }
        (_, MediaSource::Url(_)) => Err(unsupported("audio by its address", "send the bytes")),
    }
}

/// OpenAI's kinds, and those that OpenRouter's client 1.3.19 lists.
fn sound_format(media_type: &str, form: Form) -> Result<&'static str> {
    let kind = media_type.split(';').next().unwrap_or_default().trim();
    match (kind, form) {
        ("audio/wav" | "audio/x-wav" | "audio/wave", _) => Ok("wav"),
        ("audio/mpeg" | "audio/mp3", _) => Ok("mp3"),
        ("audio/flac" | "audio/x-flac", Form::OpenRouter) => Ok("flac"),
        ("audio/mp4" | "audio/x-m4a" | "audio/m4a", Form::OpenRouter) => Ok("m4a"),
        ("audio/ogg", Form::OpenRouter) => Ok("ogg"),
        ("audio/aiff" | "audio/x-aiff", Form::OpenRouter) => Ok("aiff"),
        ("audio/aac", Form::OpenRouter) => Ok("aac"),
        _ => Err(unsupported(&format!("audio of the type `{media_type}`"), "send it as WAV or MP3")),
    }
}

/// A file. Fails with `model-unsupported` where the server cannot take it so.
pub(super) fn file(media: &Media, form: Form) -> Result<Value> {
    let name = media.name.as_deref().unwrap_or("file");
    match (form, &media.source) {
        (Form::Mistral, _) => {
            Ok(json!({"type": "document_url", "document_url": address(media), "document_name": name}))
        }
        (Form::DeepSeek, MediaSource::Base64(_)) => {
            Ok(json!({"type": "file", "filename": name, "file_data": address(media)}))
        }
        (Form::OpenRouter, _) | (_, MediaSource::Base64(_)) => {
            Ok(json!({"type": "file", "file": {"filename": name, "file_data": address(media)}}))
        }
        (_, MediaSource::Url(_)) => Err(unsupported("a file by its address", "send the bytes")),
    }
}

fn address(media: &Media) -> String {
    match &media.source {
        MediaSource::Url(url) => url.clone(),
        MediaSource::Base64(data) => format!("data:{};base64,{data}", media.media_type),
    }
}

/// What this interface has no form for.
pub(super) fn unsupported(what: &str, help: &str) -> Error {
    Error::new(Code::ModelUnsupported, format!("chat completions cannot carry {what}")).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(media_type: &str, source: MediaSource) -> Media {
        Media { media_type: media_type.into(), name: Some("a.x".into()), source }
    }

    #[test]
    fn each_server_has_its_form() {
        let bytes = |kind| media(kind, MediaSource::Base64("AA==".into()));
        let url = |kind| media(kind, MediaSource::Url("https://h/a".into()));
        let pdf = "application/pdf";
        let inline = "data:application/pdf;base64,AA==";
        let sound = |format: &str| {
            Ok(json!({"type": "input_audio", "input_audio": {"data": "AA==", "format": format}}))
        };
        let cases = [
            (audio(&bytes("audio/mpeg"), Form::OpenAi), sound("mp3")),
            (audio(&bytes("audio/x-wav"), Form::DeepSeek), sound("wav")),
            (audio(&bytes("audio/ogg; codecs=opus"), Form::OpenRouter), sound("ogg")),
            (audio(&bytes("audio/ogg"), Form::OpenAi), Err("audio of the type `audio/ogg`")),
            (audio(&url("audio/wav"), Form::OpenRouter), Err("audio by its address")),
            (
                audio(&bytes("audio/ogg"), Form::Mistral),
                Ok(json!({"type": "input_audio", "input_audio": "AA=="})),
            ),
            (
                audio(&url("audio/wav"), Form::Mistral),
                Ok(json!({"type": "input_audio", "input_audio": "https://h/a"})),
            ),
            (
                file(&bytes(pdf), Form::OpenAi),
                Ok(json!({"type": "file", "file": {"filename": "a.x", "file_data": inline}})),
            ),
            (file(&url(pdf), Form::OpenAi), Err("a file by its address")),
            (
                file(&url(pdf), Form::OpenRouter),
                Ok(json!({"type": "file", "file": {"filename": "a.x", "file_data": "https://h/a"}})),
            ),
            (
                file(&bytes(pdf), Form::DeepSeek),
                Ok(json!({"type": "file", "filename": "a.x", "file_data": inline})),
            ),
            (file(&url(pdf), Form::DeepSeek), Err("a file by its address")),
            (
                file(&url(pdf), Form::Mistral),
                Ok(json!({"type": "document_url", "document_url": "https://h/a", "document_name": "a.x"})),
            ),
            (
                file(&bytes(pdf), Form::Mistral),
                Ok(json!({"type": "document_url", "document_url": inline, "document_name": "a.x"})),
            ),
        ];
        for (made, expected) in cases {
            let made = made.map_err(|error| error.message().to_owned());
            assert_eq!(made, expected.map_err(|what| format!("chat completions cannot carry {what}")));
        }
    }
}
