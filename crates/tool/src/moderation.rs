//! A service that judges texts: one request over HTTP, and what is read of its answer.

use std::sync::LazyLock;
use std::time::Duration;

use adjutant_core::secret::Secrets;
use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use url::Url;

use crate::command::Redactor;
use crate::http::{self, Reach};

/// How long the service may take.
const PATIENCE: Duration = Duration::from_secs(20);
/// How much of its answer is read, in bytes.
const LONGEST: usize = 1 << 20;

/// Where texts are judged, and how it is asked there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Endpoint {
    /// The address.
    pub url: String,
    /// The name of the secret that is sent as the bearer's; nothing is sent where none is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
    /// The field of the body, a JSON object, that has the text.
    pub field: String,
    /// Where in the answer the scores are, as a JSON pointer.
    pub scores: String,
    /// Whether it may stand in a private network.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub local: bool,
}

/// What a service says of a text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Score {
    /// Of what kind it is.
    pub category: String,
    /// How sure that is, from 0 to 1.
    pub score: f64,
}

impl Endpoint {
    /// Has a text judged.
    ///
    /// Fails with [`Code::ToolFailed`] when the service cannot be asked or its answer has no scores, and with
    /// [`Code::ToolBusy`] when it may be asked again later.
    pub async fn judge(&self, text: &str, secrets: Option<&dyn Secrets>) -> Result<Vec<Score>> {
        self.judge_within(PATIENCE, text, secrets).await
    }

    async fn judge_within(
        &self,
        patience: Duration,
        text: &str,
        secrets: Option<&dyn Secrets>,
    ) -> Result<Vec<Score>> {
        static PUBLIC: LazyLock<Option<reqwest::Client>> =
            LazyLock::new(|| http::guarded(Reach::Public).ok());
        static ANY: LazyLock<Option<reqwest::Client>> = LazyLock::new(|| http::guarded(Reach::Anything).ok());
        let failed = |why: String| Error::new(Code::ToolFailed, format!("the moderation service {why}"));
        let (reach, client) = if self.local { (Reach::Anything, &*ANY) } else { (Reach::Public, &*PUBLIC) };
        let client = client.as_ref().ok_or_else(|| failed("has no client".to_owned()))?;
        let url = Url::parse(&self.url).map_err(|error| failed(format!("has no address: {error}")))?;
        http::check(&url, reach).map_err(|why| {
            failed(format!("may not be asked: {why}"))
                .with_help("write `local = true` if it stands in your own network")
        })?;
        let body = Value::Object(Map::from_iter([(self.field.clone(), Value::from(text))]));
        let mut request = client.post(url).timeout(patience).json(&body);
        let mut redactor = Redactor::default();
        if let Some(name) = &self.secret {
            let secrets =
                secrets.ok_or_else(|| failed(format!("needs the secret `{name}`, and there are none")))?;
            let secret = secrets.get(name)?;
            request = request.bearer_auth(secret.expose());
            redactor = redactor.and(std::iter::once(secret));
        }
        let response = request.send().await.map_err(|error| {
            let error = error.without_url();
            failed(http::refusal(&error).unwrap_or_else(|| http::explained(&error)))
        })?;
        let status = response.status();
        if status.as_u16() == 429 || status.is_server_error() {
            return Err(Error::new(Code::ToolBusy, format!("the moderation service answers {status}")));
        }
        if !status.is_success() {
            return Err(failed(format!("answers {status}")));
        }
        let body = http::read(response, LONGEST).await.map_err(|error| failed(http::explained(&error)))?;
        let answer: Value = serde_json::from_slice(&body.bytes)
            .map_err(|error| failed(format!("answers no JSON: {error}")))?;
        let scores = scores(&answer, &self.scores).ok_or_else(|| {
            failed(format!("has no scores at `{}` of its answer", self.scores))
                .with_help("`scores` is a JSON pointer to a number, to `true` or `false`, to an object of these, or to a list of objects with `label` and `score`")
        })?;
        // The names are the service's, and go into the records.
        let kept = |score: Score| Score { category: redactor.text(score.category), ..score };
        Ok(scores.into_iter().map(kept).collect())
    }
}

/// The scores in an answer: a number or a truth value, an object of these, or a list of objects that name each.
fn scores(answer: &Value, pointer: &str) -> Option<Vec<Score>> {
    let found = answer.pointer(pointer)?;
    if let Some(score) = number(found) {
        return Some(vec![Score { category: "flagged".to_owned(), score }]);
    }
    match found {
        // A service that scores by category has some; a list of what was found may be empty.
        Value::Object(fields) if !fields.is_empty() => fields
            .iter()
            .map(|(category, value)| Some(Score { category: category.clone(), score: number(value)? }))
            .collect(),
        Value::Array(items) => items
            .iter()
            .map(|item| {
                let category =
                    ["label", "category", "name"].iter().find_map(|name| item.get(name)?.as_str())?;
                let score =
                    ["score", "confidence", "severity"].iter().find_map(|name| number(item.get(name)?))?;
                Some(Score { category: category.to_owned(), score })
            })
            .collect(),
        _ => None,
    }
}

fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Bool(flagged) => Some(f64::from(u8::from(*flagged))),
        other => other.as_f64().map(|score| score.clamp(0.0, 1.0)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn scores_are_found_in_the_forms_that_services_have() {
        let one = |category: &str, score| Score { category: category.into(), score };
        for (answer, pointer, expected) in [
            (
                json!({ "results": [{ "category_scores": { "hate": 0.9, "violence": 0 } }] }),
                "/results/0/category_scores",
                Some(vec![one("hate", 0.9), one("violence", 0.0)]),
            ),
            (json!({ "flagged": true }), "/flagged", Some(vec![one("flagged", 1.0)])),
            (json!([[{ "label": "INJECTION", "score": 0.97 }]]), "/0", Some(vec![one("INJECTION", 0.97)])),
            (json!({ "flagged": "yes" }), "/flagged", None),
            (json!({ "found": [] }), "/found", Some(Vec::new())),
            (json!({ "found": [{ "label": "hate" }] }), "/found", None),
            (json!({ "category_scores": {} }), "/category_scores", None),
            (json!({ "category_scores": { "hate": null } }), "/category_scores", None),
            (json!({}), "/scores", None),
        ] {
            assert_eq!(scores(&answer, pointer), expected, "{answer}");
        }
    }

    #[tokio::test]
    async fn a_service_that_is_slow_has_failed() {
        // It takes the connection, and says nothing.
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = Endpoint {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            secret: None,
            field: "input".into(),
            scores: "/flagged".into(),
            local: true,
        };
        let error = endpoint.judge_within(Duration::from_millis(200), "hello", None).await.unwrap_err();
        assert_eq!(error.code(), Code::ToolFailed);
        assert!(error.message().contains("timed out"), "{error}");
    }
}
