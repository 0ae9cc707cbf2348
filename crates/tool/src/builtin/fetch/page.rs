//! What the model reads of an answer.

use adjutant_core::message::{Media, MediaSource, Part};
use adjutant_core::{Code, Error, Result};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::config::{Config, shown};
use super::request::Answer;
use super::text;
use crate::artifact;
use crate::output::Output;

/// The text of an answer from a character on, as much as fits.
pub(super) fn present(config: &Config, answer: &Answer, from: u64) -> Result<Output> {
    if !answer.kind.is_text() || answer.bytes.iter().take(4_096).any(|byte| *byte == 0) {
        return file(config, answer);
    }
    let decoded = answer.kind.text(&answer.bytes);
    let text = match answer.kind.media_type.as_str() {
        "text/html" | "application/xhtml+xml" => text::of_html(&decoded),
        _ => decoded,
    };
    let total = text.chars().count();
    let from = usize::try_from(from).unwrap_or(usize::MAX);
    if from > 0 && from >= total {
        return Err(Error::new(
            Code::ToolFailed,
            format!("the page has {total} characters, fewer than {from}"),
        ));
    }
    let mut shown: String = text.chars().skip(from).take(config.characters).collect();
    let end = from.saturating_add(config.characters);
    if end < total {
        shown.push_str(&format!("\n[cut off: read on from character {end} of {total}]"));
    } else if answer.cut {
        shown.push_str(&format!(
            "\n[cut off: the page is larger than the {} bytes that are read]",
            config.bytes
        ));
    }
    Ok(Output::text(if shown.is_empty() { "the page is empty".to_owned() } else { shown }))
}

/// An answer that is no text, as a file.
fn file(config: &Config, answer: &Answer) -> Result<Output> {
    let media_type = match answer.kind.media_type.as_str() {
        "" => "application/octet-stream",
        named => named,
    };
    let what = format!("`{}` is {media_type}", shown(&answer.url));
    if answer.cut {
        let message = format!("{what}, larger than the {} bytes that are read", config.bytes);
        return Err(Error::new(Code::ToolFailed, message));
    }
    let name =
        answer.url.path_segments().and_then(|mut path| path.next_back()).filter(|name| !name.is_empty());
    let media = Media {
        media_type: media_type.to_owned(),
        name: name.map(str::to_owned),
        source: MediaSource::Base64(STANDARD.encode(&answer.bytes)),
    };
    let said = format!("{what}, {} bytes", answer.bytes.len());
    Ok(Output { content: vec![Part::text(said), artifact::part(media)], ..Output::default() })
}
