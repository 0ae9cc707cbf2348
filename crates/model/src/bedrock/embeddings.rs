//! Embeddings at Amazon Bedrock, by `InvokeModel`: each maker has a format of its own.
//!
//! docs.aws.amazon.com/bedrock/latest/userguide: `model-parameters-titan-embed-text`, `model-parameters-titan-embed-mm`,
//! `model-parameters-embed-v3`, `model-parameters-embed-v4`; docs.aws.amazon.com/nova, "Complete embeddings request and
//! response schema".

use std::sync::Arc;

use adjutant_core::{Code, Error, Result};
use http::HeaderMap;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, json};
use url::Url;

use super::{credentials, wire};
use crate::embed::{Answer, Bounds, Interface, Purpose, Vector, Wire, cannot_be_asked};
use crate::provider::{Config, Encoded};

/// The header in which every answer has the tokens of the texts.
const TOKENS: &str = "x-amzn-bedrock-input-token-count";

/// A format of one maker's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Format {
    /// Titan's first, which has no parameters.
    Titan,
    Titan2,
    TitanImage,
    Cohere3,
    Cohere4,
    Nova,
}

impl Format {
    /// The format of the model of that name: an id, with or without a region before it, or an ARN that ends with one.
    fn of(model: &str) -> Option<Self> {
        let name = model.to_ascii_lowercase();
        let known = [
            ("amazon.titan-embed-text-v2", Self::Titan2),
            ("amazon.titan-embed-image", Self::TitanImage),
            ("amazon.titan-embed", Self::Titan),
            ("amazon.nova-2-multimodal-embeddings", Self::Nova),
            ("cohere.embed-v4", Self::Cohere4),
            ("cohere.embed-english-v3", Self::Cohere3),
            ("cohere.embed-multilingual-v3", Self::Cohere3),
        ];
        known.into_iter().find(|(begin, _)| name.contains(begin)).map(|(_, format)| format)
    }

    fn takes_dimensions(self) -> bool {
        !matches!(self, Self::Titan | Self::Cohere3)
    }

    fn bounds(self) -> Bounds {
        let texts = if matches!(self, Self::Cohere3 | Self::Cohere4) { 96 } else { 1 };
        Bounds { texts, tokens: None }
    }

    /// What is asked for so many dimensions.
    fn body(self, texts: &[String], purpose: Purpose, dimensions: Option<usize>) -> Map<String, Value> {
        let text = texts.first().map_or("", String::as_str);
        let number = json!(dimensions);
        let body = match self {
            Self::Titan => json!({"inputText": text}),
            Self::Titan2 => json!({"inputText": text, "dimensions": number, "normalize": true}),
            Self::TitanImage => {
                let config = dimensions.map(|number| json!({"outputEmbeddingLength": number}));
                json!({"inputText": text, "embeddingConfig": config})
            }
            Self::Cohere3 | Self::Cohere4 => json!({
                "texts": texts,
                "input_type": match purpose {
                    Purpose::Document => "search_document",
                    Purpose::Query => "search_query",
                },
                "truncate": "NONE",
                "embedding_types": ["float"],
                "output_dimension": number,
            }),
            Self::Nova => json!({
                "schemaVersion": "nova-multimodal-embed-v1",
                "taskType": "SINGLE_EMBEDDING",
                "singleEmbeddingParams": without_nulls(json!({
                    "embeddingPurpose": match purpose {
                        Purpose::Document => "GENERIC_INDEX",
                        Purpose::Query => "TEXT_RETRIEVAL",
                    },
                    "embeddingDimension": number,
                    "text": {"truncationMode": "NONE", "value": text},
                })),
            }),
        };
        without_nulls(body)
    }
}

/// An object without the parameters that are left to the model.
fn without_nulls(body: Value) -> Map<String, Value> {
    match body {
        Value::Object(body) => body.into_iter().filter(|(_, value)| !value.is_null()).collect(),
        _ => Map::new(),
    }
}

/// The interface of one model.
///
/// Fails with `model-unsupported` where it is not known how the model makes vectors, or where it makes none of so many
/// dimensions, with `model-key-missing` where nobody says who asks, and with `input-invalid` where the address, the model
/// or a key cannot be one.
pub(super) fn interface(config: &Config, dimensions: Option<usize>) -> Result<Interface> {
    let wire = Embeddings::new(config, dimensions)?;
    Ok(Interface { wire: Arc::new(wire), authorize: credentials::authorize(config)? })
}

/// Embeddings of one model.
#[derive(Clone, Debug)]
struct Embeddings {
    url: Url,
    format: Format,
    dimensions: Option<usize>,
    extra: Map<String, Value>,
}

impl Embeddings {
    fn new(config: &Config, dimensions: Option<usize>) -> Result<Self> {
        let told = config.options.get("base_model").filter(|name| !name.is_empty());
        let format = Format::of(told.unwrap_or(&config.model)).ok_or_else(|| unknown(config))?;
        if let Some(number) = dimensions.filter(|_| !format.takes_dimensions()) {
            return Err(cannot_be_asked(&config.id, number));
        }
        Ok(Self { url: wire::endpoint(config, "invoke")?, format, dimensions, extra: config.extra.clone() })
    }
}

fn unknown(config: &Config) -> Error {
    let message = format!("it is not known how the model `{}` is asked for vectors", config.id);
    let help = "known are the embedding models of Titan, Nova and Cohere; for an ARN, set `base_model` to the model's id";
    Error::new(Code::ModelUnsupported, message).with_help(help)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct OfTitan {
    embedding: Vector,
    #[serde(default)]
    input_text_token_count: Option<u64>,
}

#[derive(Deserialize)]
struct OfCohere {
    embeddings: ByType,
}

#[derive(Deserialize)]
struct ByType {
    float: Vec<Vector>,
}

#[derive(Deserialize)]
struct OfNova {
    embeddings: Vec<Single>,
}

#[derive(Deserialize)]
struct Single {
    embedding: Vector,
}

impl Wire for Embeddings {
    fn bounds(&self) -> Bounds {
        self.format.bounds()
    }

    fn encode(&self, texts: &[String], purpose: Purpose) -> Encoded {
        let mut body = self.extra.clone();
        body.extend(self.format.body(texts, purpose, self.dimensions));
        Encoded { url: self.url.clone(), headers: HeaderMap::new(), body: Value::Object(body) }
    }

    fn decode(&self, body: &str, headers: &HeaderMap, _texts: usize) -> Result<Answer, String> {
        let (vectors, counted) = match self.format {
            Format::Titan | Format::Titan2 | Format::TitanImage => {
                let OfTitan { embedding, input_text_token_count } = read(body)?;
                (vec![embedding], input_text_token_count)
            }
            Format::Cohere3 | Format::Cohere4 => (read::<OfCohere>(body)?.embeddings.float, None),
            Format::Nova => {
                let singles = read::<OfNova>(body)?.embeddings;
                (singles.into_iter().map(|single| single.embedding).collect(), None)
            }
        };
        let header = || headers.get(TOKENS)?.to_str().ok()?.trim().parse().ok();
        Ok(Answer { vectors, tokens: counted.or_else(header) })
    }
}

fn read<T: DeserializeOwned>(body: &str) -> Result<T, String> {
    serde_json::from_str(body).map_err(|error| format!("has no vectors: {error}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wire(model: &str, dimensions: Option<usize>) -> Result<Embeddings> {
        Embeddings::new(&Config::new("mine", "https://h", model), dimensions)
    }

    #[test]
    fn every_maker_is_asked_in_its_format() {
        let cohere = json!({
            "texts": ["a"], "input_type": "search_query", "truncate": "NONE", "embedding_types": ["float"],
        });
        let cohere_4 = json!({
            "texts": ["a"], "input_type": "search_query", "truncate": "NONE", "embedding_types": ["float"],
            "output_dimension": 256,
        });
        let nova = json!({
            "schemaVersion": "nova-multimodal-embed-v1",
            "taskType": "SINGLE_EMBEDDING",
            "singleEmbeddingParams": {
                "embeddingPurpose": "TEXT_RETRIEVAL",
                "embeddingDimension": 1_024,
                "text": {"truncationMode": "NONE", "value": "a"},
            },
        });
        let cases = [
            ("amazon.titan-embed-text-v1", None, 1, json!({"inputText": "a"})),
            ("amazon.titan-embed-text-v2:0", None, 1, json!({"inputText": "a", "normalize": true})),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/amazon.titan-embed-text-v2:0",
                Some(512),
                1,
                json!({"inputText": "a", "normalize": true, "dimensions": 512}),
            ),
            (
                "amazon.titan-embed-image-v1",
                Some(384),
                1,
                json!({"inputText": "a", "embeddingConfig": {"outputEmbeddingLength": 384}}),
            ),
            ("cohere.embed-multilingual-v3", None, 96, cohere),
            ("eu.cohere.embed-v4:0", Some(256), 96, cohere_4),
            ("amazon.nova-2-multimodal-embeddings-v1:0", Some(1_024), 1, nova),
        ];
        for (model, dimensions, texts, expected) in cases {
            let wire = wire(model, dimensions).unwrap();
            let encoded = wire.encode(&["a".to_owned()], Purpose::Query);
            assert_eq!((encoded.body, wire.bounds().texts), (expected, texts), "{model}");
            assert!(encoded.url.path().starts_with("/model/") && encoded.url.path().ends_with("/invoke"));
        }
    }

    #[test]
    fn what_cannot_be_asked_is_refused() {
        let cases = [
            ("amazon.titan-embed-text-v1", Some(512), "vectors of 512 dimensions cannot be asked"),
            ("cohere.embed-english-v3", Some(512), "vectors of 512 dimensions cannot be asked"),
            (
                "anthropic.claude-opus-4-6-v1",
                None,
                "it is not known how the model `mine` is asked for vectors",
            ),
        ];
        for (model, dimensions, why) in cases {
            let error = wire(model, dimensions).unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            assert!(error.message().starts_with(why), "{error}");
        }
    }

    #[test]
    fn every_answer_is_read() {
        let header = HeaderMap::from_iter([(
            http::HeaderName::from_static(TOKENS),
            http::HeaderValue::from_static("7"),
        )]);
        let cases = [
            (
                "amazon.titan-embed-text-v2:0",
                json!({"embedding": [1.5], "inputTextTokenCount": 3, "embeddingsByType": {"float": [1.5]}}),
                Ok(Some(3)),
            ),
            ("cohere.embed-v4:0", json!({"embeddings": {"float": [[1.5]]}, "id": "x"}), Ok(Some(7))),
            (
                "amazon.nova-2-multimodal-embeddings-v1:0",
                json!({"embeddings": [{"embeddingType": "TEXT", "embedding": [1.5]}]}),
                Ok(Some(7)),
            ),
            ("cohere.embed-v4:0", json!({"embeddings": [[1.5]]}), Err("has no vectors: invalid")),
            ("amazon.titan-embed-text-v1", json!({}), Err("missing field `embedding`")),
        ];
        for (model, body, expected) in cases {
            match (wire(model, None).unwrap().decode(&body.to_string(), &header, 1), expected) {
                (Ok(answer), Ok(tokens)) => {
                    assert_eq!((answer.vectors, answer.tokens), (vec![Vector(vec![1.5])], tokens));
                }
                (Err(got), Err(expected)) => assert!(got.contains(expected), "{body}: {got}"),
                (got, _) => panic!("{body}: {got:?}"),
            }
        }
    }
}
