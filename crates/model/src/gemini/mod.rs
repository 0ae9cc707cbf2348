//! Google's Gemini, by `generateContent`: from Google AI Studio with a key, and from Vertex AI with a token.
//!
//! What is sent is made by pure functions from the request, and what arrives is decoded by a pure state machine. The
//! format is the one of Google's client for Python, `google-genai` 3.4.0 (`types.py` and the converters in `models.py`),
//! and of the pages at ai.google.dev/gemini-api/docs.

mod body;
mod candidate;
mod content;
mod decode;
mod embeddings;
mod generation;
mod media;
mod place;
mod schema;
mod stop;
mod tools;
mod usage;
mod wire;

use std::sync::Arc;

use adjutant_core::Result;

use crate::provider::{Config, Interface, Provider, Setting};
use place::Place;

/// Google AI Studio, with a key.
///
/// Both variables are those of Google's client for Python, `_api_client.py`, 2026.
pub const GEMINI: Provider = Provider {
    name: "gemini",
    base_url: "https://generativelanguage.googleapis.com/v1beta",
    elsewhere: &[],
    base_url_variable: None,
    key_variables: &["GEMINI_API_KEY", "GOOGLE_API_KEY"],
    credentials: &[],
    options: &[],
    open: open_gemini,
    embed: Some(|config, dimensions| embeddings::interface(config, dimensions, Place::Studio)),
};

/// Vertex AI, which Google calls the Gemini Enterprise Agent Platform by now, with an OAuth token of the scope
/// `https://www.googleapis.com/auth/cloud-platform`.
///
/// Addresses, project and location are those of Google's client for Python, `_api_client.py`, 2026; the variables of the
/// token those of Google's provider for Terraform and of `gcloud`.
pub const VERTEX: Provider = Provider {
    name: "vertex",
    base_url: "https://{location}-aiplatform.googleapis.com/v1beta1/projects/{project}/locations/{location}",
    elsewhere: &[
        (
            "location",
            "global",
            "https://aiplatform.googleapis.com/v1beta1/projects/{project}/locations/global",
        ),
        (
            "location",
            "us",
            "https://aiplatform.us.rep.googleapis.com/v1beta1/projects/{project}/locations/us",
        ),
        (
            "location",
            "eu",
            "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/{project}/locations/eu",
        ),
    ],
    base_url_variable: None,
    key_variables: &["GOOGLE_OAUTH_ACCESS_TOKEN", "CLOUDSDK_AUTH_ACCESS_TOKEN"],
    credentials: &[],
    options: &[
        Setting { key: "project", variables: &["GOOGLE_CLOUD_PROJECT"], default: None },
        Setting { key: "location", variables: &["GOOGLE_CLOUD_LOCATION"], default: Some("global") },
    ],
    open: open_vertex,
    embed: Some(|config, dimensions| embeddings::interface(config, dimensions, Place::Vertex)),
};

fn open_gemini(config: &Config) -> Result<Interface> {
    Ok(Interface {
        wire: Arc::new(wire::Gemini::new(config, Place::Studio)?),
        authorize: Arc::new(config.key_in("x-goog-api-key")?),
    })
}

fn open_vertex(config: &Config) -> Result<Interface> {
    Ok(Interface {
        wire: Arc::new(wire::Gemini::new(config, Place::Vertex)?),
        authorize: Arc::new(config.bearer()?),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn vertex_is_where_its_location_is() {
        let at = |location: Option<&str>| {
            let location = location.map(|location| ("location", location));
            let options = [("project", "p1")].into_iter().chain(location);
            let options: BTreeMap<String, String> =
                options.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            VERTEX.address(&options).unwrap()
        };
        let cases = [
            (None, "https://aiplatform.googleapis.com/v1beta1/projects/p1/locations/global"),
            (Some("global"), "https://aiplatform.googleapis.com/v1beta1/projects/p1/locations/global"),
            (
                Some("europe-west1"),
                "https://europe-west1-aiplatform.googleapis.com/v1beta1/projects/p1/locations/europe-west1",
            ),
            (Some("eu"), "https://aiplatform.eu.rep.googleapis.com/v1beta1/projects/p1/locations/eu"),
            (Some("us"), "https://aiplatform.us.rep.googleapis.com/v1beta1/projects/p1/locations/us"),
        ];
        for (location, address) in cases {
            assert_eq!(at(location), address);
        }
        let error = VERTEX.address(&BTreeMap::new()).unwrap_err();
        assert_eq!(error.message(), "the provider `vertex` needs a `project`");
        assert!(error.help().unwrap().contains("GOOGLE_CLOUD_PROJECT"), "{error:?}");
    }
}
