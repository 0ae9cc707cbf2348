//! What the model reads of an answer.

use adjutant_core::{Code, Error, Result};

use super::config::{Config, shown};
use super::request::Answer;
use super::text;
use crate::output::Output;

/// The text of an answer from a character on, as much as fits.
pub(super) fn present(config: &Config, answer: &Answer, from: u64) -> Result<Output> {
    if !answer.kind.is_text() || answer.bytes.iter().take(4_096).any(|byte| *byte == 0) {
        let kind = if answer.kind.media_type.is_empty() { "binary data" } else { &answer.kind.media_type };
        return Err(Error::new(Code::ToolFailed, format!("`{}` is {kind}, no text", shown(&answer.url))));
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
