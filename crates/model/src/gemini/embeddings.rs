//! Google's embeddings: `batchEmbedContents` of AI Studio, `predict` and `embedContent` of Vertex AI.
//!
//! The formats are those of ai.google.dev/api/embeddings and of Google's client for Python, `google-genai` 3.4.0, with
//! which its `models.py` also tells which models Vertex asks by `predict`.

use std::sync::Arc;

use adjutant_core::Result;
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use super::place::Place;
use crate::embed::{Answer, Bounds, Interface, Purpose, Vector, Wire};
use crate::provider::{Config, Encoded};

/// Which function of the interface is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Function {
    /// AI Studio: up to 100 texts, and longer ones are cut without a word.
    Batch,
    /// Vertex: models that came before the second generation.
    Predict,
    /// Vertex: one text.
    Content,
}

impl Function {
    fn of(place: Place, model: &str) -> Self {
        match place {
            Place::Studio => Self::Batch,
            Place::Vertex if is_told_in_words(model) => Self::Content,
            Place::Vertex => Self::Predict,
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Batch => "batchEmbedContents",
            Self::Predict => "predict",
            Self::Content => "embedContent",
        }
    }

    fn bounds(self, model: &str) -> Bounds {
        match self {
            Self::Batch => Bounds { texts: 100, tokens: None },
            Self::Predict if !name_of(model).starts_with("gemini-") => {
                Bounds { texts: 250, tokens: Some(20_000) }
            }
            Self::Predict | Self::Content => Bounds { texts: 1, tokens: None },
        }
    }
}

/// The name without the path of its resource.
fn name_of(model: &str) -> &str {
    model.rsplit('/').next().unwrap_or(model)
}

/// Whether a model is told in the text itself what its vector is for: since its second generation it takes no notice of
/// `taskType`.
fn is_told_in_words(model: &str) -> bool {
    let generation = name_of(model).strip_prefix("gemini-embedding-");
    generation.is_some_and(|generation| !generation.starts_with("001") && !generation.starts_with("exp"))
}

/// The interface of one model at one of Google's doors.
///
/// Fails with `input-invalid` where the address, the model's name or the key cannot be one.
pub(super) fn interface(config: &Config, dimensions: Option<usize>, place: Place) -> Result<Interface> {
    let wire = Embeddings::new(config, dimensions, place)?;
    let authorize = match place {
        Place::Studio => config.key_in("x-goog-api-key")?,
        Place::Vertex => config.bearer()?,
    };
    Ok(Interface { wire: Arc::new(wire), authorize: Arc::new(authorize) })
}

/// Embeddings of one model.
#[derive(Clone, Debug)]
struct Embeddings {
    url: Url,
    resource: String,
    function: Function,
    bounds: Bounds,
    in_words: bool,
    dimensions: Option<usize>,
    extra: Map<String, Value>,
}

impl Embeddings {
    fn new(config: &Config, dimensions: Option<usize>, place: Place) -> Result<Self> {
        let resource = place.resource(&config.model)?;
        let function = Function::of(place, &resource);
        Ok(Self {
            url: config.endpoint(&format!("/{resource}:{}", function.name()))?,
            bounds: function.bounds(&resource),
            in_words: is_told_in_words(&resource),
            resource,
            function,
            dimensions,
            extra: config.extra.clone(),
        })
    }

    /// The text as the model shall read it. The words are those of Google's page on embeddings.
    fn text(&self, text: &str, purpose: Purpose) -> String {
        match (self.in_words, purpose) {
            (false, _) => text.to_owned(),
            (true, Purpose::Query) => format!("task: search result | query: {text}"),
            (true, Purpose::Document) => format!("title: none | text: {text}"),
        }
    }

    /// The parameters of one text, under the names of the function.
    fn parameters(&self, pairs: &[(&str, Option<Value>)]) -> Map<String, Value> {
        let set = pairs.iter().filter_map(|(key, value)| Some(((*key).to_owned(), value.clone()?)));
        self.extra.clone().into_iter().chain(set).collect()
    }

    fn batch(&self, texts: &[String], purpose: Purpose) -> Value {
        let requests = texts.iter().map(|text| {
            self.parameters(&[
                ("model", Some(json!(self.resource))),
                ("content", Some(content(&self.text(text, purpose)))),
                ("taskType", (!self.in_words).then(|| json!(task(purpose)))),
                ("outputDimensionality", self.dimensions.map(Into::into)),
            ])
        });
        json!({"requests": requests.collect::<Vec<_>>()})
    }

    fn predict(&self, texts: &[String], purpose: Purpose) -> Value {
        let instances = texts.iter().map(|text| json!({"content": text, "task_type": task(purpose)}));
        let parameters = self.parameters(&[
            ("outputDimensionality", self.dimensions.map(Into::into)),
            ("autoTruncate", Some(json!(false))),
        ]);
        json!({"instances": instances.collect::<Vec<_>>(), "parameters": parameters})
    }

    fn content(&self, texts: &[String], purpose: Purpose) -> Value {
        let text = texts.first().map_or_else(String::new, |text| self.text(text, purpose));
        let parameters = self.parameters(&[
            ("outputDimensionality", self.dimensions.map(Into::into)),
            ("autoTruncate", Some(json!(false))),
        ]);
        json!({"content": content(&text), "embedContentConfig": parameters})
    }
}

fn content(text: &str) -> Value {
    json!({"parts": [{"text": text}]})
}

fn task(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Document => "RETRIEVAL_DOCUMENT",
        Purpose::Query => "RETRIEVAL_QUERY",
    }
}

#[derive(Deserialize)]
struct Values {
    values: Vector,
    #[serde(default)]
    statistics: Option<Statistics>,
}

#[derive(Deserialize)]
struct Statistics {
    #[serde(default)]
    truncated: bool,
    /// Vertex writes a number with a point here.
    #[serde(default)]
    token_count: Option<f64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Used {
    #[serde(default)]
    prompt_token_count: Option<u64>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch {
    embeddings: Vec<Values>,
    #[serde(default)]
    usage_metadata: Option<Used>,
}

#[derive(Deserialize)]
struct Predictions {
    predictions: Vec<Prediction>,
}

#[derive(Deserialize)]
struct Prediction {
    embeddings: Values,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Content {
    embedding: Values,
    #[serde(default)]
    truncated: bool,
    #[serde(default)]
    usage_metadata: Option<Used>,
}

impl Wire for Embeddings {
    fn bounds(&self) -> Bounds {
        self.bounds
    }

    fn encode(&self, texts: &[String], purpose: Purpose) -> Encoded {
        let body = match self.function {
            Function::Batch => self.batch(texts, purpose),
            Function::Predict => self.predict(texts, purpose),
            Function::Content => self.content(texts, purpose),
        };
        Encoded { url: self.url.clone(), headers: HeaderMap::new(), body }
    }

    fn decode(&self, body: &str, _headers: &HeaderMap, _texts: usize) -> Result<Answer, String> {
        let (values, tokens, cut) = match self.function {
            Function::Batch => {
                let Batch { embeddings, usage_metadata } = read(body)?;
                (embeddings, tokens(usage_metadata), false)
            }
            Function::Predict => {
                let Predictions { predictions } = read(body)?;
                let values: Vec<Values> = predictions.into_iter().map(|one| one.embeddings).collect();
                let tokens = values.iter().map(counted).sum();
                (values, tokens, false)
            }
            Function::Content => {
                let Content { embedding, truncated, usage_metadata } = read(body)?;
                (vec![embedding], tokens(usage_metadata), truncated)
            }
        };
        let is_cut = |values: &Values| values.statistics.as_ref().is_some_and(|found| found.truncated);
        if cut || values.iter().any(is_cut) {
            return Err("says that a text was cut, which it was told not to do".to_owned());
        }
        Ok(Answer { vectors: values.into_iter().map(|values| values.values).collect(), tokens })
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("has no vectors: {error}"))
}

fn tokens(usage: Option<Used>) -> Option<u64> {
    usage.and_then(|usage| usage.prompt_token_count)
}

/// The tokens of one text, as Vertex counts them.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a count is small, whole and positive"
)]
fn counted(values: &Values) -> Option<u64> {
    let count = values.statistics.as_ref()?.token_count?;
    (0.0..1e9).contains(&count).then_some(count as u64)
}

#[cfg(test)]
#[path = "embeddings/tests.rs"]
mod tests;
