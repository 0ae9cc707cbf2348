//! Azure OpenAI, in both of its interfaces, by key or by a token of Microsoft Entra.
//!
//! Sources: OpenAI's client for Python 3.54.0, `lib/azure.py`, and learn.microsoft.com, "Azure OpenAI API version lifecycle".
//! The newer interface, `/openai/v1`, is OpenAI's own, where the model is the name of a deployment. The older one names the
//! deployment in the address and wants its version, a date, with each request.

use std::sync::Arc;

use adjutant_core::secret::Secret;
use adjutant_core::{Code, Error, Result};
use url::Url;

use super::chat::{self, Quirks};
use super::embeddings;
use crate::embed;
use crate::provider::{Config, Interface, Provider, Setting};
use crate::transport::KeyHeader;

/// Azure OpenAI. With an `api_version` it is asked by the older interface.
///
/// The variables are those of OpenAI's client, and for the resource that of Vercel's AI SDK.
pub const AZURE: Provider = Provider {
    name: "azure",
    base_url: "https://{resource}.openai.azure.com/openai/v1",
    elsewhere: &[],
    base_url_variable: Some("AZURE_OPENAI_ENDPOINT"),
    key_variables: &["AZURE_OPENAI_API_KEY", "AZURE_OPENAI_AD_TOKEN"],
    credentials: &[],
    options: &[
        Setting { key: "resource", variables: &["AZURE_RESOURCE_NAME"], default: None },
        Setting { key: "api_version", variables: &["OPENAI_API_VERSION"], default: None },
    ],
    open,
    embed: Some(open_embeddings),
};

fn open(config: &Config) -> Result<Interface> {
    let quirks = Quirks::azure(&config.model, dated_version(config));
    Ok(Interface {
        authorize: Arc::new(who_asks(config)?),
        ..chat::interface(&at_deployment(config)?, quirks)?
    })
}

fn open_embeddings(config: &Config, dimensions: Option<usize>) -> Result<embed::Interface> {
    let interface = embeddings::interface(&at_deployment(config)?, dimensions)?;
    Ok(embed::Interface { authorize: Arc::new(who_asks(config)?), ..interface })
}

/// A key stands alone in a header of Azure's own: the older interface takes it nowhere else. A token is a bearer's.
fn who_asks(config: &Config) -> Result<KeyHeader> {
    match config.key.as_ref().is_some_and(is_token) {
        true => config.bearer(),
        false => config.key_in("api-key"),
    }
}

/// Whether a key is a token: Entra's are JSON Web Tokens (RFC 7519), which begin with a JSON object in base 64.
fn is_token(key: &Secret) -> bool {
    key.expose().trim().starts_with("eyJ")
}

/// The version of the older interface; none for the newer one, whose only versions are words.
fn dated_version(config: &Config) -> Option<&str> {
    let version = config.options.get("api_version").map(|version| version.trim());
    version.filter(|version| version.starts_with(|c: char| c.is_ascii_digit()))
}

/// The configuration with the address completed: a person may have named the resource alone, as Azure's pages do.
fn at_deployment(config: &Config) -> Result<Config> {
    let mut url = config.address()?;
    let path = url.path().trim_end_matches('/').to_owned();
    let root = path.strip_suffix("/openai/v1").or_else(|| path.strip_suffix("/openai")).unwrap_or(&path);
    if path.contains("/openai/deployments/") {
        // It is complete but for the version, perhaps.
    } else if dated_version(config).is_some() {
        url.set_path(root);
        let mut segments = url.path_segments_mut().map_err(|()| no_address(config))?;
        segments.pop_if_empty().extend(["openai", "deployments", &config.model]);
    } else if root.is_empty() {
        url.set_path("/openai/v1");
    }
    if let Some(version) = config.options.get("api_version")
        && !url.query_pairs().any(|(key, _)| key == "api-version")
    {
        url.query_pairs_mut().append_pair("api-version", version.trim());
    }
    Ok(Config { base_url: Url::into(url), key: None, ..config.clone() })
}

fn no_address(config: &Config) -> Error {
    Error::new(Code::InputInvalid, format!("the `base_url` of the model `{}` has no path", config.id))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(base_url: &str, version: Option<&str>) -> Config {
        let mut config = Config::new("azure/gpt 5", base_url, "gpt 5");
        let version = version.map(|version| ("api_version".to_owned(), version.to_owned()));
        config.options.extend(version);
        config
    }

    #[test]
    fn an_address_is_completed() {
        let home = "https://r.openai.azure.com";
        let old =
            "https://r.openai.azure.com/openai/deployments/gpt%205/chat/completions?api-version=2024-10-21";
        let new = "https://r.openai.azure.com/openai/v1/chat/completions";
        let cases = [
            ("", None, new),
            ("/", None, new),
            ("/openai", None, new),
            ("/openai/v1", None, new),
            (
                "/openai/v1/",
                Some("preview"),
                "https://r.openai.azure.com/openai/v1/chat/completions?api-version=preview",
            ),
            ("", Some("2024-10-21"), old),
            ("/openai/v1", Some("2024-10-21"), old),
            ("/openai/v1/", Some(" 2024-10-21 "), old),
            ("/openai/deployments/gpt%205", Some("2024-10-21"), old),
            ("/openai/deployments/gpt%205?api-version=2024-10-21", None, old),
            ("/gateway/llm", None, "https://r.openai.azure.com/gateway/llm/chat/completions"),
            (
                "/gateway",
                Some("2024-10-21"),
                "https://r.openai.azure.com/gateway/openai/deployments/gpt%205/chat/completions?api-version=2024-10-21",
            ),
        ];
        for (path, version, expected) in cases {
            let config = at_deployment(&config(&format!("{home}{path}"), version)).unwrap();
            assert_eq!(
                config.endpoint("/chat/completions").unwrap().as_str(),
                expected,
                "{path} {version:?}"
            );
        }
    }

    #[test]
    fn a_key_and_a_token_have_their_headers() {
        let cases = [("0123456789abcdef", "api-key"), ("eyJ0eXAi.eyJhdWQi.c2ln", "authorization")];
        for (key, header) in cases {
            let mut config = config("https://r.openai.azure.com", None);
            config.key = Some(Secret::new(key));
            let shown = format!("{:?}", who_asks(&config).unwrap());
            assert!(shown.contains(header) && !shown.contains(key), "{shown}");
        }
    }
}
