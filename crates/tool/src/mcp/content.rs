//! What a server answers, as parts of a tool's result. Pure.

use adjutant_core::message::{Media, MediaSource, Part};
use rmcp::model::{ContentBlock, ResourceContents};

use super::clean;
use crate::artifact;

/// The most media in one result, in bytes of base 64.
const MOST_MEDIA: usize = 12 << 20;

/// The parts of a result, as they are collected.
pub(super) struct Parts {
    parts: Vec<Part>,
    /// How much text is still taken, in bytes.
    room: usize,
    /// How much text was left out, in bytes.
    left_out: usize,
    media: usize,
}

impl Parts {
    /// None yet; `most` bytes of text are taken.
    pub(super) fn new(most: usize) -> Self {
        Self { parts: Vec::new(), room: most, left_out: 0, media: 0 }
    }

    /// Takes one piece of a tool's result.
    pub(super) fn take(&mut self, block: &ContentBlock) {
        match block {
            ContentBlock::Text(text) => self.text(&text.text),
            ContentBlock::Image(image) => self.media(&image.mime_type, None, &image.data),
            ContentBlock::Audio(audio) => self.media(&audio.mime_type, None, &audio.data),
            ContentBlock::Resource(resource) => self.resource(&resource.resource),
            ContentBlock::ResourceLink(link) => {
                let about = link.description.as_deref().or(link.title.as_deref()).unwrap_or(&link.name);
                self.text(&format!("[a resource: {} {}]", link.uri, clean::line(about, 500)));
            }
            _ => self.text("[something of a kind that is not known here]"),
        }
    }

    /// Takes what a resource holds.
    pub(super) fn resource(&mut self, contents: &ResourceContents) {
        match contents {
            ResourceContents::TextResourceContents { uri, text, .. } => {
                self.text(&format!("[{}]\n{text}", clean::line(uri, 500)));
            }
            ResourceContents::BlobResourceContents { uri, mime_type, blob, .. } => {
                self.media(mime_type.as_deref().unwrap_or("application/octet-stream"), Some(uri), blob);
            }
            _ => self.text("[a resource of a kind that is not known here]"),
        }
    }

    /// Takes text, as much as there is room for.
    pub(super) fn text(&mut self, text: &str) {
        let mut end = text.len().min(self.room);
        while !text.is_char_boundary(end) {
            end -= 1;
        }
        let (kept, rest) = text.split_at(end);
        self.room -= kept.len();
        self.left_out += rest.len();
        if !kept.is_empty() {
            self.parts.push(Part::text(kept));
        }
    }

    fn media(&mut self, media_type: &str, name: Option<&str>, base64: &str) {
        let media_type = clean::line(&media_type.to_ascii_lowercase(), 100);
        if !is_base64(base64) || self.media + base64.len() > MOST_MEDIA {
            let bytes = base64.len() / 4 * 3;
            return self.text(&format!("[{media_type}, {bytes} bytes: it cannot be shown]"));
        }
        self.media += base64.len();
        let name = name.map(|name| clean::line(name, 200));
        let source = MediaSource::Base64(base64.to_owned());
        self.parts.push(artifact::part(Media { media_type, name, source }));
    }

    /// Whether there is nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// The parts, and a note on what was left out.
    pub(super) fn finish(mut self) -> Vec<Part> {
        if self.left_out > 0 {
            self.parts.push(Part::text(format!("[cut off: {} more bytes of text]", self.left_out)));
        }
        if self.parts.is_empty() {
            self.parts.push(Part::text("done"));
        }
        self.parts
    }
}

/// Whether a text is base 64 with padding (RFC 4648). A provider would refuse the whole conversation for a wrong one.
fn is_base64(text: &str) -> bool {
    let padding = text.len() - text.trim_end_matches('=').len();
    let body = text.as_bytes().iter().take(text.len() - padding);
    let fits = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/');
    !text.is_empty() && text.len().is_multiple_of(4) && padding <= 2 && body.clone().all(fits)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_cut_at_a_character() {
        let mut parts = Parts::new(6);
        parts.text("größe");
        parts.text("more");
        let texts: Vec<_> = parts.finish().iter().map(|part| part.as_text().unwrap().to_owned()).collect();
        assert_eq!(texts, ["größ", "[cut off: 5 more bytes of text]"]);
    }

    #[test]
    fn only_media_that_are_whole_are_taken() {
        let shown = |block: ContentBlock| {
            let mut parts = Parts::new(1000);
            parts.take(&block);
            parts.finish().remove(0)
        };
        assert!(matches!(shown(ContentBlock::image("aGk=", "image/PNG")), Part::Image(_)));
        for (data, kind) in [("aGk", "image/png"), ("a\"k=", "image/png"), ("", "image/png")] {
            assert!(matches!(shown(ContentBlock::image(data, kind)), Part::Text { .. }), "{data} {kind}");
        }
        assert!(matches!(
            shown(ContentBlock::image("A".repeat(MOST_MEDIA + 4), "image/png")),
            Part::Text { .. }
        ));
    }

    #[test]
    fn nothing_reads_as_done() {
        assert_eq!(Parts::new(10).finish()[0].as_text(), Some("done"));
    }
}
