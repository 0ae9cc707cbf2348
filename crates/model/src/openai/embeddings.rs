//! Embeddings, as OpenAI and many others speak them.
//!
//! `CreateEmbeddingRequest` and `CreateEmbeddingResponse` of OpenAI's API description, as its client for Python 3.54.0
//! carries them; Mistral's deviations by its client 3.7.0, Together's by its client 3.1.1.

use std::sync::Arc;

use adjutant_core::Result;
use http::HeaderMap;
use serde::Deserialize;
use serde_json::{Map, Value, json};
use url::Url;

use crate::embed::{Answer, Bounds, Interface, Purpose, Vector, Wire, cannot_be_asked};
use crate::provider::{Config, Encoded};

/// In what a server differs from others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Dialect {
    /// The parameter for the number of dimensions; none where there is none.
    dimensions: Option<&'static str>,
    /// Whether vectors are asked for in base64: whoever does not know the parameter may refuse it.
    base64: bool,
    bounds: Bounds,
}

impl Dialect {
    /// What most servers take. The largest answers they write, 256 lists of 4,096 numbers, stay below 32 MiB.
    const COMMON: Self =
        Self { dimensions: Some("dimensions"), base64: false, bounds: Bounds { texts: 256, tokens: None } };

    /// OpenAI takes 2,048 texts and 300,000 tokens a call.
    const OPENAI: Self =
        Self { base64: true, bounds: Bounds { texts: 2_048, tokens: Some(300_000) }, ..Self::COMMON };

    /// Mistral takes 256 texts; its users report "too many tokens overall" above 16,384.
    const MISTRAL: Self = Self {
        dimensions: Some("output_dimension"),
        bounds: Bounds { texts: 256, tokens: Some(16_384) },
        ..Self::COMMON
    };

    /// Together has no parameters but the model and the texts.
    const TOGETHER: Self = Self { dimensions: None, ..Self::COMMON };

    /// Servers that are known to differ, by the end of their names.
    const HOSTS: [(&'static str, Self); 6] = [
        ("openai.com", Self::OPENAI),
        ("openai.azure.com", Self::OPENAI),
        ("services.ai.azure.com", Self::OPENAI),
        ("mistral.ai", Self::MISTRAL),
        ("together.ai", Self::TOGETHER),
        ("together.xyz", Self::TOGETHER),
    ];

    /// What is known of the server at an address.
    fn at(url: &Url) -> Self {
        let host = url.host_str().unwrap_or_default();
        let is_of = |name: &str| {
            host.strip_suffix(name).is_some_and(|front| front.is_empty() || front.ends_with('.'))
        };
        let known = Self::HOSTS.into_iter().find(|(name, _)| is_of(name));
        known.map_or(Self::COMMON, |(_, dialect)| dialect)
    }
}

/// The interface of a server that speaks embeddings and wants its key as `Authorization: Bearer`.
///
/// Fails with `input-invalid` where the address or the key cannot be one, and with `model-unsupported` where the server
/// cannot be asked for so many dimensions.
pub(super) fn interface(config: &Config, dimensions: Option<usize>) -> Result<Interface> {
    let url = config.endpoint("/embeddings")?;
    let dialect = Dialect::at(&url);
    Ok(Interface {
        wire: Arc::new(Embeddings { parameters: parameters(config, dialect, dimensions)?, url, dialect }),
        authorize: Arc::new(config.bearer()?),
    })
}

/// What every request holds beside the texts.
fn parameters(config: &Config, dialect: Dialect, dimensions: Option<usize>) -> Result<Map<String, Value>> {
    let mut parameters = config.extra.clone();
    parameters.insert("model".to_owned(), json!(config.model));
    if dialect.base64 {
        parameters.entry("encoding_format").or_insert_with(|| json!("base64"));
    }
    match (dimensions, dialect.dimensions) {
        (Some(number), Some(parameter)) => {
            parameters.insert(parameter.to_owned(), json!(number));
        }
        (Some(number), None) => return Err(cannot_be_asked(&config.id, number)),
        (None, _) => {}
    }
    Ok(parameters)
}

/// Embeddings of one model.
#[derive(Clone, Debug)]
struct Embeddings {
    url: Url,
    dialect: Dialect,
    parameters: Map<String, Value>,
}

#[derive(Deserialize)]
struct Body {
    data: Vec<Datum>,
    #[serde(default)]
    usage: Option<Used>,
}

#[derive(Deserialize)]
struct Datum {
    #[serde(default)]
    index: Option<usize>,
    embedding: Vector,
}

#[derive(Deserialize)]
struct Used {
    #[serde(default)]
    prompt_tokens: Option<u64>,
}

impl Wire for Embeddings {
    fn bounds(&self) -> Bounds {
        self.dialect.bounds
    }

    fn encode(&self, texts: &[String], _purpose: Purpose) -> Encoded {
        let mut body = self.parameters.clone();
        body.insert("input".to_owned(), json!(texts));
        Encoded { url: self.url.clone(), headers: HeaderMap::new(), body: Value::Object(body) }
    }

    fn decode(&self, body: &str, _headers: &HeaderMap, _texts: usize) -> Result<Answer, String> {
        let Body { mut data, usage } =
            serde_json::from_str(body).map_err(|error| format!("is no list of vectors: {error}"))?;
        // They may come in any order. Who says nothing of it keeps the order of the texts.
        data.sort_by_key(|datum| datum.index);
        let is_counted = data.iter().zip(0..).all(|(datum, number)| datum.index == Some(number));
        if !is_counted && data.iter().any(|datum| datum.index.is_some()) {
            return Err(
                "does not say which vector is whose: an index is there twice, or is missing".to_owned()
            );
        }
        Ok(Answer {
            vectors: data.into_iter().map(|datum| datum.embedding).collect(),
            tokens: usage.and_then(|usage| usage.prompt_tokens),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(base_url: &str, dimensions: Option<usize>) -> Result<Embeddings> {
        let mut config = Config::new("mine", base_url, "m");
        config.extra = json!({"user": "u", "model": "other"}).as_object().cloned().unwrap();
        let url = config.endpoint("/embeddings")?;
        let dialect = Dialect::at(&url);
        Ok(Embeddings { parameters: parameters(&config, dialect, dimensions)?, url, dialect })
    }

    #[test]
    fn every_server_is_asked_as_it_wants() {
        let common = json!({"model": "m", "user": "u", "input": ["a", "b"]});
        let with = |more: Value| {
            let mut body = common.clone();
            body.as_object_mut().unwrap().extend(more.as_object().cloned().unwrap());
            body
        };
        let cases = [
            ("https://api.openai.com/v1", None, with(json!({"encoding_format": "base64"}))),
            (
                "https://x.openai.azure.com/openai/v1?api-version=1",
                Some(512),
                with(json!({"encoding_format": "base64", "dimensions": 512})),
            ),
            ("http://localhost:11434/v1", Some(512), with(json!({"dimensions": 512}))),
            ("https://api.mistral.ai/v1", Some(512), with(json!({"output_dimension": 512}))),
            ("https://api.together.ai/v1", None, common.clone()),
        ];
        for (base, dimensions, expected) in cases {
            let encoded =
                wire(base, dimensions).unwrap().encode(&["a".to_owned(), "b".to_owned()], Purpose::Query);
            assert_eq!(encoded.body, expected, "{base}");
            assert!(encoded.url.path().ends_with("/v1/embeddings"), "{}", encoded.url);
        }
        let error = wire("https://api.together.ai/v1", Some(512)).unwrap_err();
        assert_eq!(error.message(), "vectors of 512 dimensions cannot be asked of the model `mine`");
    }

    #[test]
    fn answers_are_put_into_the_order_of_the_texts() {
        let wire = wire("https://api.openai.com/v1", None).unwrap();
        let first = |body: Value| {
            let answer = wire.decode(&body.to_string(), &HeaderMap::new(), 2)?;
            Ok::<_, String>((
                answer.vectors.iter().map(|vector| vector.0[0]).collect::<Vec<_>>(),
                answer.tokens,
            ))
        };
        let datum = |index: Value, number: f32| json!({"index": index, "embedding": [number]});
        let data = |data: [Value; 2]| json!({"data": data, "usage": {"prompt_tokens": 4, "total_tokens": 4}});
        let none = Value::Null;
        let cases = [
            (data([datum(json!(0), 1.0), datum(json!(1), 2.0)]), Ok((vec![1.0, 2.0], Some(4)))),
            (data([datum(json!(1), 1.0), datum(json!(0), 2.0)]), Ok((vec![2.0, 1.0], Some(4)))),
            (data([datum(none.clone(), 1.0), datum(none.clone(), 2.0)]), Ok((vec![1.0, 2.0], Some(4)))),
            (json!({"data": [{"embedding": "AACAPw=="}]}), Ok((vec![1.0], None))),
            (json!({"data": [], "usage": {}}), Ok((vec![], None))),
            (data([datum(json!(0), 1.0), datum(json!(0), 2.0)]), Err("which vector is whose")),
            (data([datum(json!(1), 1.0), datum(json!(2), 2.0)]), Err("which vector is whose")),
            (data([datum(none, 1.0), datum(json!(0), 2.0)]), Err("which vector is whose")),
            (json!({"data": [{"index": 0}]}), Err("missing field `embedding`")),
            (json!({}), Err("missing field `data`")),
            (json!("hello"), Err("is no list of vectors")),
        ];
        for (body, expected) in cases {
            match (first(body.clone()), expected) {
                (Ok(got), Ok(expected)) => assert_eq!(got, expected, "{body}"),
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{body}: {got}"),
                (got, _) => panic!("{body}: {got:?}"),
            }
        }
    }
}
