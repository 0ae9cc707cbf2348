//! Images, documents, sounds and videos as blocks.
//!
//! `ImageBlock`, `DocumentBlock`, `AudioBlock` and `VideoBlock` in the service description: a format by its short name,
//! and the bytes in base 64 or a place in Amazon's own storage. No address is fetched.

use std::collections::HashSet;

use adjutant_core::message::{Media, MediaSource};
use adjutant_core::{Code, Error, Result};
use serde_json::{Value, json};

/// The names of the documents of one request: no two may be the same.
#[derive(Debug, Default)]
pub(super) struct Names(HashSet<String>);

pub(super) fn image(media: &Media) -> Result<Value> {
    let format = match subtype(media, "image") {
        Some("png") => "png",
        Some("jpeg" | "jpg") => "jpeg",
        Some("gif") => "gif",
        Some("webp") => "webp",
        _ => return Err(unsupported("an image", media, "send it as PNG, JPEG, GIF or WebP")),
    };
    Ok(json!({"image": {"format": format, "source": source("an image", media)?}}))
}

pub(super) fn audio(media: &Media) -> Result<Value> {
    let format = match subtype(media, "audio") {
        Some("mpeg" | "mp3") => "mp3",
        Some("wav" | "x-wav" | "wave" | "vnd.wave") => "wav",
        Some("mp4") => "mp4",
        Some("m4a" | "x-m4a") => "m4a",
        Some("aac") => "aac",
        Some("flac" | "x-flac") => "flac",
        Some("ogg") => "ogg",
        Some("opus") => "opus",
        Some("webm") => "webm",
        Some("matroska" | "x-matroska") => "mka",
        _ => return Err(unsupported("audio", media, "send it as MP3, WAV, FLAC, AAC or Ogg")),
    };
    Ok(json!({"audio": {"format": format, "source": source("audio", media)?}}))
}

/// A file: a video, or a document of one of the kinds that the interface reads.
pub(super) fn file(media: &Media, names: &mut Names) -> Result<Value> {
    if let Some(format) = video_format(media) {
        return Ok(json!({"video": {"format": format, "source": source("a video", media)?}}));
    }
    let Some(format) = document_format(media) else {
        let help = "send it as PDF, Word, Excel, CSV, HTML, Markdown or plain text";
        return Err(unsupported("a file", media, help));
    };
    let source = source("a file", media)?;
    Ok(json!({"document": {"format": format, "name": names.claim(media.name.as_deref()), "source": source}}))
}

impl Names {
    /// A name as the interface takes it: letters, digits, single spaces, hyphens, parentheses and brackets.
    fn claim(&mut self, name: Option<&str>) -> String {
        let name = name.unwrap_or_default();
        let stem = name.rsplit_once('.').map_or(name, |(stem, _)| stem);
        let legal = |c: char| if c.is_ascii_alphanumeric() || "-()[]".contains(c) { c } else { ' ' };
        let clean: String = stem.chars().map(legal).take(150).collect();
        let words: Vec<&str> = clean.split_whitespace().collect();
        let base = if words.is_empty() { "document".to_owned() } else { words.join(" ") };
        let mut name = base.clone();
        let mut turn = 2u32;
        while !self.0.insert(name.clone()) {
            name = format!("{base} {turn}");
            turn = turn.saturating_add(1);
        }
        name
    }
}

fn document_format(media: &Media) -> Option<&'static str> {
    let kind = media_type(media);
    Some(match kind {
        "application/pdf" => "pdf",
        "text/csv" => "csv",
        "application/msword" => "doc",
        "application/vnd.openxmlformats-officedocument.wordprocessingml.document" => "docx",
        "application/vnd.ms-excel" => "xls",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet" => "xlsx",
        "text/html" => "html",
        "text/markdown" | "text/x-markdown" => "md",
        "application/json" | "application/xml" | "application/yaml" | "application/toml" => "txt",
        _ if kind.starts_with("text/") => "txt",
        _ => return None,
    })
}

fn video_format(media: &Media) -> Option<&'static str> {
    Some(match subtype(media, "video")? {
        "mp4" => "mp4",
        "quicktime" => "mov",
        "webm" => "webm",
        "matroska" | "x-matroska" => "mkv",
        "x-flv" => "flv",
        "mpeg" => "mpeg",
        "x-ms-wmv" => "wmv",
        "3gpp" => "three_gp",
        _ => return None,
    })
}

/// The media type without parameters.
fn media_type(media: &Media) -> &str {
    media.media_type.split(';').next().unwrap_or_default().trim()
}

fn subtype<'a>(media: &'a Media, kind: &str) -> Option<&'a str> {
    media_type(media).strip_prefix(kind)?.strip_prefix('/')
}

fn source(what: &str, media: &Media) -> Result<Value> {
    match &media.source {
        MediaSource::Base64(bytes) => Ok(json!({"bytes": bytes})),
        MediaSource::Url(address) if address.starts_with("s3://") => {
            Ok(json!({"s3Location": {"uri": address}}))
        }
        MediaSource::Url(_) => {
            let message = format!("Bedrock cannot carry {what} by its address");
            Err(Error::new(Code::ModelUnsupported, message)
                .with_help("send the bytes, or an `s3://` address"))
        }
    }
}

fn unsupported(what: &str, media: &Media, help: &str) -> Error {
    let message = format!("Bedrock cannot carry {what} of the type `{}`", media.media_type);
    Error::new(Code::ModelUnsupported, message).with_help(help)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn media(media_type: &str, name: Option<&str>) -> Media {
        let source = MediaSource::Base64("AA==".into());
        Media { media_type: media_type.into(), name: name.map(str::to_owned), source }
    }

    fn block(media: &Media) -> Result<Value> {
        match media.media_type.split('/').next() {
            Some("image") => image(media),
            Some("audio") => audio(media),
            _ => file(media, &mut Names::default()),
        }
    }

    #[test]
    fn formats_have_short_names() {
        let word = "application/vnd.openxmlformats-officedocument.wordprocessingml.document";
        let cases = [
            ("image/png", "image", "png"),
            ("image/jpg", "image", "jpeg"),
            ("audio/x-wav", "audio", "wav"),
            ("audio/mpeg", "audio", "mp3"),
            ("video/quicktime", "video", "mov"),
            ("application/pdf", "document", "pdf"),
            ("text/plain; charset=utf-8", "document", "txt"),
            ("text/x-rust", "document", "txt"),
            ("application/json", "document", "txt"),
            ("text/markdown", "document", "md"),
            (word, "document", "docx"),
        ];
        for (kind, block_name, format) in cases {
            let block = block(&media(kind, None)).unwrap();
            assert_eq!(block[block_name]["format"], format, "{kind}");
            assert_eq!(block[block_name]["source"], json!({"bytes": "AA=="}), "{kind}");
        }
    }

    #[test]
    fn what_cannot_be_carried_is_refused() {
        let by = |kind: &str, address: &str| Media {
            source: MediaSource::Url(address.into()),
            ..media(kind, None)
        };
        let cases = [
            (media("image/tiff", None), "an image of the type `image/tiff`"),
            (media("audio/midi", None), "audio of the type `audio/midi`"),
            (media("application/zip", None), "a file of the type `application/zip`"),
            (by("image/png", "https://h/a.png"), "an image by its address"),
            (by("application/pdf", "https://h/a.pdf"), "a file by its address"),
        ];
        for (media, what) in cases {
            let error = block(&media).unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert_eq!(error.message(), format!("Bedrock cannot carry {what}"));
        }
        let stored = block(&by("video/mp4", "s3://bucket/a.mp4")).unwrap();
        assert_eq!(stored["video"]["source"], json!({"s3Location": {"uri": "s3://bucket/a.mp4"}}));
    }

    #[test]
    fn names_of_documents_are_legal_and_unique() {
        let mut names = Names::default();
        let given = ["invoice_2026.04.pdf", "invoice 2026 04.txt", "Übersicht (neu).pdf", "....", "a", "a.b"];
        let claimed = given.map(|name| names.claim(Some(name)));
        assert_eq!(
            claimed,
            ["invoice 2026 04", "invoice 2026 04 2", "bersicht (neu)", "document", "a", "a 2"]
        );
        assert_eq!(names.claim(None), "document 2");
        assert!(names.claim(Some(&"x".repeat(500))).len() <= 200);
    }
}
