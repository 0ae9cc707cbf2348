//! Embeddings at Amazon Bedrock: Titan's, Cohere's and Nova's.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::received::{Received, at, list};
use super::{Embed, as_number, faults_of_dimensions, faults_of_text, tokens, unit, unknown_fields};

/// Embeddings at Amazon Bedrock.
pub(super) struct Bedrock;

impl Embed for Bedrock {
    fn paths(&self) -> &'static [&'static str] {
        &["/model/{model}/invoke"]
    }

    fn serves(&self, path: &str) -> bool {
        path.starts_with("/model/") && path.ends_with("/invoke")
    }

    fn model(&self, request: &Received) -> String {
        model(request)
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        let (model, body) = (model(request), &request.body);
        match model.as_str() {
            _ if is_of(&model, "amazon.titan-embed-text-v1") => faults_of_titan(body, &["inputText"], &[]),
            _ if is_of(&model, "amazon.titan-embed-text-v2:0") => {
                let fields = ["inputText", "dimensions", "normalize", "embeddingTypes"];
                faults_of_titan(body, &fields, &[1_024, 512, 256])
            }
            _ if is_of(&model, "cohere.embed-v4:0") => faults_of_cohere(body, &[1_536, 1_024, 512, 256]),
            _ if is_of(&model, "cohere.embed-multilingual-v3") => faults_of_cohere(body, &[]),
            _ if is_of(&model, "amazon.nova-2-multimodal-embeddings-v1:0") => faults_of_nova(body),
            other => vec![format!("there is no embedding model `{other}`")],
        }
    }

    fn vectors(&self, answer: &Answer, request: &Received) -> Value {
        let body = &request.body;
        let unit = |text: &Value, asked: &Value, usual: usize| {
            unit(text.as_str().unwrap_or_default(), as_number(asked).unwrap_or(usual))
        };
        if body.get("inputText").is_some() {
            let usual = if model(request).ends_with("v1") { 1_536 } else { 1_024 };
            let vector = unit(&body["inputText"], &body["dimensions"], usual);
            return json!({"embedding": vector, "inputTextTokenCount": tokens(answer)});
        }
        if body.get("texts").is_some() {
            let usual = if model(request).contains("v4") { 1_536 } else { 1_024 };
            let texts = list(&body["texts"]).iter();
            let vectors: Vec<_> = texts.map(|text| unit(text, &body["output_dimension"], usual)).collect();
            return json!({
                "id": "mock", "texts": body["texts"], "response_type": "embeddings_by_type",
                "embeddings": {"float": vectors},
            });
        }
        let single = &body["singleEmbeddingParams"];
        let vector = unit(at(single, "/text/value"), &single["embeddingDimension"], 3_072);
        json!({"embeddings": [{"embeddingType": "TEXT", "embedding": vector}]})
    }
}

/// The model's id out of the path, where its colon is encoded.
fn model(request: &Received) -> String {
    let model = request.path.strip_prefix("/model/").and_then(|path| path.strip_suffix("/invoke"));
    model.unwrap_or_default().replace("%3A", ":")
}

/// Whether that is the model, with or without a region before it.
fn is_of(model: &str, id: &str) -> bool {
    model.strip_suffix(id).is_some_and(|region| region.is_empty() || region.ends_with('.'))
}

fn faults_of_titan(body: &Value, fields: &[&str], dimensions: &[u64]) -> Vec<String> {
    let mut faults = unknown_fields("the body", body, fields);
    faults.extend(faults_of_text("`inputText`", &body["inputText"]));
    faults.extend(faults_of_dimensions(&body["dimensions"], |number| dimensions.contains(&number)));
    faults
}

fn faults_of_cohere(body: &Value, dimensions: &[u64]) -> Vec<String> {
    let fields = ["texts", "input_type", "truncate", "embedding_types", "output_dimension", "max_tokens"];
    let texts = list(&body["texts"]);
    let mut faults = unknown_fields("the body", body, &fields);
    if texts.is_empty() || texts.len() > 96 {
        faults.push(format!("there are {} texts, and not 1 to 96", texts.len()));
    }
    faults.extend(texts.iter().filter_map(|text| faults_of_text("a text", text)));
    let types = ["search_document", "search_query", "classification", "clustering"];
    if !body["input_type"].as_str().is_some_and(|kind| types.contains(&kind)) {
        faults.push(format!("{} is no `input_type`", body["input_type"]));
    }
    if body["embedding_types"] != json!(["float"]) {
        faults.push("the mock has only vectors of the type `float`".to_owned());
    }
    faults.extend(faults_of_dimensions(&body["output_dimension"], |number| dimensions.contains(&number)));
    faults
}

fn faults_of_nova(body: &Value) -> Vec<String> {
    let (single, text) = (&body["singleEmbeddingParams"], at(body, "/singleEmbeddingParams/text"));
    let mut faults =
        unknown_fields("the body", body, &["schemaVersion", "taskType", "singleEmbeddingParams"]);
    let fields = ["embeddingPurpose", "embeddingDimension", "text"];
    faults.extend(unknown_fields("`singleEmbeddingParams`", single, &fields));
    faults.extend(unknown_fields("`text`", text, &["truncationMode", "value"]));
    faults.extend(faults_of_text("`text.value`", &text["value"]));
    if body["taskType"] != "SINGLE_EMBEDDING" {
        faults.push(format!("{} is no `taskType`", body["taskType"]));
    }
    let purposes = ["GENERIC_INDEX", "GENERIC_RETRIEVAL", "TEXT_RETRIEVAL", "CLASSIFICATION", "CLUSTERING"];
    if !single["embeddingPurpose"].as_str().is_some_and(|purpose| purposes.contains(&purpose)) {
        faults.push(format!("{} is no `embeddingPurpose`", single["embeddingPurpose"]));
    }
    faults.extend(faults_of_dimensions(&single["embeddingDimension"], |number| {
        [3_072, 1_024, 384, 256].contains(&number)
    }));
    faults
}
