//! The body of an answer, as much of it as is wanted.

use reqwest::Response;
use reqwest::header::{CONTENT_TYPE, HeaderMap};

/// What a server says its body is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Kind {
    /// The media type in lower case, without parameters; empty where the server said nothing.
    pub(crate) media_type: String,
    /// The character set in lower case, if the server named one.
    pub(crate) charset: Option<String>,
}

impl Kind {
    /// Reads the header that says it.
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let header = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let header = header.to_ascii_lowercase();
        let mut parts = header.split(';').map(str::trim);
        let media_type = parts.next().unwrap_or_default().to_owned();
        let charset = parts.find_map(|part| part.strip_prefix("charset="));
        Self { media_type, charset: charset.map(|name| name.trim_matches('"').to_owned()) }
    }

    /// The bytes as text: UTF-8, or Latin 1 where the server says so.
    pub(crate) fn text(&self, bytes: &[u8]) -> String {
        match self.charset.as_deref() {
            Some("iso-8859-1" | "latin1" | "windows-1252") => bytes.iter().copied().map(char::from).collect(),
            _ => String::from_utf8_lossy(bytes).into_owned(),
        }
    }

    /// Whether it is something that can be read as text.
    pub(crate) fn is_text(&self) -> bool {
        let media_type = self.media_type.as_str();
        media_type.is_empty()
            || media_type.starts_with("text/")
            || media_type.ends_with("+json")
            || media_type.ends_with("+xml")
            || ["application/json", "application/xml", "application/yaml", "application/javascript"]
                .contains(&media_type)
    }
}

/// The bytes of a body.
#[derive(Debug)]
pub(crate) struct Body {
    pub(crate) bytes: Vec<u8>,
    /// Whether there was more than was wanted.
    pub(crate) cut: bool,
}

/// Reads at most `most` bytes of a body, as they are after decompression.
pub(crate) async fn read(mut response: Response, most: usize) -> Result<Body, reqwest::Error> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(reqwest::Error::without_url)? {
        let room = most.saturating_sub(bytes.len());
        bytes.extend(chunk.iter().take(room));
        if chunk.len() > room {
            return Ok(Body { bytes, cut: true });
        }
    }
    Ok(Body { bytes, cut: false })
}
