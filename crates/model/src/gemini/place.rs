//! Where a model is.

use adjutant_core::{Code, Error, Result};
use url::Url;

use crate::provider::Config;

/// Which of Google's two doors a request goes through. What comes out of one means nothing at the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// Google AI Studio.
    Studio,
    /// Vertex AI.
    Vertex,
}

impl Place {
    /// The name of the interface, which is stamped on what only it understands.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Studio => super::GEMINI.name,
            Self::Vertex => super::VERTEX.name,
        }
    }

    /// Where requests for the model go. Fails with `input-invalid` where the address or the model's name cannot be one.
    pub(super) fn endpoint(self, config: &Config) -> Result<Url> {
        let resource = self.resource(&config.model)?;
        let mut url = config.endpoint(&format!("/{resource}:streamGenerateContent"))?;
        // Without it the stream is one JSON array, written piece by piece.
        url.query_pairs_mut().append_pair("alt", "sse");
        Ok(url)
    }

    /// Where requests for answers that come whole go. Fails like [`endpoint`](Self::endpoint).
    pub(super) fn endpoint_at_once(self, config: &Config) -> Result<Url> {
        config.endpoint(&format!("/{}:generateContent", self.resource(&config.model)?))
    }

    /// The resource that a name means. Names that are resources already stay as they are.
    pub(super) fn resource(self, model: &str) -> Result<String> {
        let model = model.trim();
        let fits = |c: char| c.is_ascii_alphanumeric() || "-_./@".contains(c);
        if model.is_empty() || model.contains("..") || !model.chars().all(fits) {
            let message =
                format!("`{model}` cannot be the name of a model of the provider `{}`", self.name());
            return Err(Error::new(Code::InputInvalid, message).with_help("write it as `gemini-3.8-flash`"));
        }
        let is_resource = |kinds: &[&str]| kinds.iter().any(|kind| model.starts_with(kind));
        Ok(match self {
            Self::Studio if is_resource(&["models/", "tunedModels/"]) => model.to_owned(),
            Self::Studio => format!("models/{model}"),
            Self::Vertex if is_resource(&["publishers/", "endpoints/"]) => model.to_owned(),
            Self::Vertex => match model.split_once('/') {
                Some((publisher, name)) => format!("publishers/{publisher}/models/{name}"),
                None => format!("publishers/google/models/{model}"),
            },
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_model_has_an_address() {
        let cases = [
            (
                Place::Studio,
                "https://h/v1beta",
                "g-1",
                Ok("https://h/v1beta/models/g-1:streamGenerateContent?alt=sse"),
            ),
            (
                Place::Studio,
                "https://h/v1beta/?a=b",
                "tunedModels/x",
                Ok("https://h/v1beta/tunedModels/x:streamGenerateContent?a=b&alt=sse"),
            ),
            (
                Place::Vertex,
                "https://h/v1/projects/p",
                "g-1",
                Ok("https://h/v1/projects/p/publishers/google/models/g-1:streamGenerateContent?alt=sse"),
            ),
            (
                Place::Vertex,
                "https://h/v1",
                "mistral/m@2",
                Ok("https://h/v1/publishers/mistral/models/m@2:streamGenerateContent?alt=sse"),
            ),
            (
                Place::Vertex,
                "https://h/v1",
                "endpoints/7",
                Ok("https://h/v1/endpoints/7:streamGenerateContent?alt=sse"),
            ),
            (
                Place::Studio,
                "https://h",
                "",
                Err("`` cannot be the name of a model of the provider `gemini`"),
            ),
            (
                Place::Vertex,
                "https://h",
                "../x",
                Err("`../x` cannot be the name of a model of the provider `vertex`"),
            ),
            (
                Place::Studio,
                "https://h",
                "a?b",
                Err("`a?b` cannot be the name of a model of the provider `gemini`"),
            ),
            (
                Place::Studio,
                "nowhere",
                "a",
                Err("the `base_url` of the model `m` is no address: relative URL without a base"),
            ),
        ];
        for (place, base, model, expected) in cases {
            let got = place.endpoint(&Config::new("m", base, model));
            let got = got.as_ref().map(Url::as_str).map_err(Error::message);
            assert_eq!(got, expected, "{base} {model}");
        }
    }
}
