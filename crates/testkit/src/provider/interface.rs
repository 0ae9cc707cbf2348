//! The interfaces that the mock speaks.

use std::fmt;

use super::chat::Chat;
use super::converse::Converse;
use super::embeddings;
use super::format::Format;
use super::gemini::Gemini;
use super::messages::Messages;
use super::responses::Responses;

/// An interface that the mock speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Interface {
    /// OpenAI's chat completions.
    Chat,
    /// OpenAI's responses.
    Responses,
    /// Anthropic's messages.
    Messages,
    /// Google's Gemini, and Vertex.
    Gemini,
    /// Amazon Bedrock's Converse.
    Converse,
}

impl Interface {
    /// All of them.
    pub const ALL: [Self; 5] = [Self::Chat, Self::Responses, Self::Messages, Self::Gemini, Self::Converse];

    /// The path that ends the address to configure, such as `/v1`; empty where there is none.
    pub fn base(self) -> &'static str {
        self.format().base()
    }

    /// The paths that it serves, as a person reads them.
    pub fn paths(self) -> &'static [&'static str] {
        self.format().paths()
    }

    /// The paths at which it makes vectors of texts; none where it has no embeddings.
    pub fn embedding_paths(self) -> &'static [&'static str] {
        embeddings::paths(self)
    }

    /// How it is written.
    pub(super) fn format(self) -> &'static dyn Format {
        match self {
            Self::Chat => &Chat,
            Self::Responses => &Responses,
            Self::Messages => &Messages,
            Self::Gemini => &Gemini,
            Self::Converse => &Converse,
        }
    }

    /// The one that serves a path, as it was sent, without its query.
    pub(super) fn serving(path: &str) -> Option<Self> {
        let talks = Self::ALL.into_iter().find(|interface| interface.format().serves(path));
        talks.or_else(|| embeddings::serving(path).map(|(interface, _)| interface))
    }
}

impl fmt::Display for Interface {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Chat => "OpenAI chat completions",
            Self::Responses => "OpenAI responses",
            Self::Messages => "Anthropic messages",
            Self::Gemini => "Google Gemini",
            Self::Converse => "Amazon Bedrock Converse",
        })
    }
}
