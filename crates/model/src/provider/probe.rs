//! Whether a provider takes a key and knows a model, without asking the model anything.

use adjutant_core::{Code, Result};
use http::Method;
use serde_json::Value;
use tokio_util::sync::CancellationToken;

use super::config::Config;
use super::registry::Provider;
use crate::transport::{Incoming, Outgoing, Transport};

/// What a provider's list of models says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Probed {
    /// The model is in it.
    Listed,
    /// The provider answers, and its list does not have the model. It may know it all the same: names of deployments and
    /// aliases are in no list.
    Unlisted,
    /// The provider answers, and has no list.
    NoList,
}

impl Provider {
    /// Asks for the list of models, which costs nothing.
    ///
    /// Fails with `model-unreachable`, `model-timeout`, with `model-key-missing` or `model-key-refused`, and with whatever
    /// else the provider answers.
    pub async fn probe(&self, config: &Config, transport: &dyn Transport) -> Result<Probed> {
        let interface = (self.open)(config)?;
        let url = config.endpoint("/models")?;
        let peer = config.peer(&url);
        let mut outgoing = Outgoing {
            method: Method::GET,
            url,
            peer: peer.clone(),
            headers: config.header_map()?,
            body: String::new(),
            whole: false,
            cancel: CancellationToken::new(),
        };
        let used = interface.authorize.authorize(&mut outgoing).await?;
        used.iter().for_each(|secret| peer.hide(secret));
        let incoming = transport.send(outgoing).await?;
        // A server without a list is one all the same.
        if matches!(incoming.status, 404 | 405 | 501) {
            return Ok(Probed::NoList);
        }
        let names = match incoming.accepted(&peer).await {
            Ok(incoming) => names(&read(incoming).await?),
            Err(error) if error.code() == Code::ModelRequestRefused => return Ok(Probed::NoList),
            Err(error) => return Err(error),
        };
        Ok(match names.contains(&config.model) {
            _ if names.is_empty() => Probed::NoList,
            true => Probed::Listed,
            false => Probed::Unlisted,
        })
    }
}

async fn read(mut incoming: Incoming) -> Result<Vec<u8>> {
    let mut body = Vec::new();
    while let Some(chunk) = incoming.body.chunk().await? {
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

/// The names in a list: `{"data": [{"id"}]}` as OpenAI and Anthropic have it, the list alone as Together has it, or
/// `{"models": [{"name": "models/..."}]}` as Google has it.
fn names(body: &[u8]) -> Vec<String> {
    let Ok(value) = serde_json::from_slice::<Value>(body) else { return Vec::new() };
    let list = value.get("data").or_else(|| value.get("models")).unwrap_or(&value);
    let rows = list.as_array().map(Vec::as_slice).unwrap_or_default();
    let name = |row: &Value| {
        let name = row.get("id").or_else(|| row.get("name"))?.as_str()?;
        Some(name.strip_prefix("models/").unwrap_or(name).to_owned())
    };
    rows.iter().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_found_in_every_form_of_list() {
        let cases = [
            (r#"{"object":"list","data":[{"id":"a"},{"id":"b"}]}"#, vec!["a", "b"]),
            (r#"[{"id":"a"}]"#, vec!["a"]),
            (r#"{"models":[{"name":"models/gemini-x"}]}"#, vec!["gemini-x"]),
            ("{}", vec![]),
            ("<html>", vec![]),
        ];
        for (body, expected) in cases {
            assert_eq!(names(body.as_bytes()), expected, "{body}");
        }
    }
}
