//! Google's embeddings, of AI Studio and of Vertex.

use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::received::{Received, at, list};
use super::{Embed, as_number, faults_of_dimensions, faults_of_text, tokens, unknown_fields, vector_of};

const TASKS: &[&str] = &[
    "RETRIEVAL_QUERY",
    "RETRIEVAL_DOCUMENT",
    "SEMANTIC_SIMILARITY",
    "CLASSIFICATION",
    "CLUSTERING",
    "QUESTION_ANSWERING",
    "FACT_VERIFICATION",
    "CODE_RETRIEVAL_QUERY",
];
const USUAL_DIMENSIONS: usize = 3_072;

/// Google's embeddings.
pub(super) struct Gemini;

impl Embed for Gemini {
    fn paths(&self) -> &'static [&'static str] {
        &[
            "/v1beta/models/{model}:batchEmbedContents",
            "/v1beta1/projects/{project}/locations/{location}/publishers/google/models/{model}:predict",
            "/v1beta1/projects/{project}/locations/{location}/publishers/google/models/{model}:embedContent",
        ]
    }

    fn serves(&self, path: &str) -> bool {
        match path.rsplit_once(':') {
            Some((resource, "batchEmbedContents")) => resource.starts_with("/v1beta/models/"),
            Some((resource, "predict" | "embedContent")) => {
                resource.starts_with("/v1beta1/projects/") && resource.contains("/publishers/google/models/")
            }
            _ => false,
        }
    }

    fn model(&self, request: &Received) -> String {
        model(request).to_owned()
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        match function(request) {
            "predict" => faults_of_instances(request),
            "embedContent" => faults_of_content(request),
            _ => faults_of_batch(request),
        }
    }

    /// Shortened vectors have not the length 1, and a batch does not say what it used unless it is told to.
    fn vectors(&self, answer: &Answer, request: &Received) -> Value {
        let body = &request.body;
        let values = |text: &Value, dimensions: &Value| {
            vector_of(text.as_str().unwrap_or_default(), as_number(dimensions).unwrap_or(USUAL_DIMENSIONS))
        };
        match function(request) {
            "predict" => {
                let dimensions = at(body, "/parameters/outputDimensionality");
                let statistics = json!({"truncated": false, "token_count": tokens(answer)});
                let predictions = list(&body["instances"]).iter().map(|instance| {
                    let values = values(&instance["content"], dimensions);
                    json!({"embeddings": {"values": values, "statistics": statistics}})
                });
                json!({"predictions": predictions.collect::<Vec<_>>()})
            }
            "embedContent" => {
                let dimensions = at(body, "/embedContentConfig/outputDimensionality");
                let values = values(at(body, "/content/parts/0/text"), dimensions);
                let usage = json!({"promptTokenCount": tokens(answer)});
                json!({"embedding": {"values": values}, "usageMetadata": usage, "truncated": false})
            }
            _ => {
                let embeddings = list(&body["requests"]).iter().map(|one| {
                    json!({"values": values(at(one, "/content/parts/0/text"), &one["outputDimensionality"])})
                });
                let embeddings: Vec<Value> = embeddings.collect();
                let usage = json!({"promptTokenCount": tokens(answer)});
                json!({"embeddings": embeddings, "usageMetadata": usage})
            }
        }
    }
}

fn function(request: &Received) -> &str {
    request.path.rsplit(':').next().unwrap_or_default()
}

fn model(request: &Received) -> &str {
    let resource = request.path.rsplit_once(':').map_or("", |(resource, _)| resource);
    resource.rsplit('/').next().unwrap_or_default()
}

/// Whether the model takes no notice of a task, so that whoever sends one is mistaken.
fn knows_no_task(request: &Received) -> bool {
    model(request).starts_with("gemini-embedding-2")
}

fn faults_of_task(request: &Received, task: &Value) -> Option<String> {
    match task.as_str() {
        Some(_) if knows_no_task(request) => Some("this model takes no notice of a task".to_owned()),
        Some(task) if !TASKS.contains(&task) => Some(format!("there is no task `{task}`")),
        _ => None,
    }
}

fn faults_of_size(asked: &Value) -> Option<String> {
    faults_of_dimensions(asked, |number| (128..=3_072).contains(&number))
}

/// Several parts would become one vector.
fn faults_of_parts(place: &str, content: &Value) -> Option<String> {
    match list(&content["parts"]) {
        [part] => faults_of_text(place, &part["text"]),
        parts => Some(format!("{place} has {} parts and not one", parts.len())),
    }
}

fn faults_of_batch(request: &Received) -> Vec<String> {
    let body = &request.body;
    let requests = list(&body["requests"]);
    let mut faults = unknown_fields("the body", body, &["requests"]);
    if requests.is_empty() || requests.len() > 100 {
        faults.push(format!("at most 100 requests can be in one batch, and not {}", requests.len()));
    }
    let resource = format!("models/{}", model(request));
    for one in requests {
        let fields = ["model", "content", "taskType", "title", "outputDimensionality"];
        faults.extend(unknown_fields("a request", one, &fields));
        if one["model"] != resource.as_str() {
            faults.push(format!("a request is for {} and not for {resource}", one["model"]));
        }
        faults.extend(faults_of_parts("a content", &one["content"]));
        faults.extend(faults_of_task(request, &one["taskType"]));
        faults.extend(faults_of_size(&one["outputDimensionality"]));
    }
    faults
}

/// Instances are taken as they were sent: their fields are no fields of the interface, and have one spelling.
fn faults_of_instances(request: &Received) -> Vec<String> {
    let body = &serde_json::from_slice::<Value>(&request.bytes).unwrap_or_default();
    let (instances, parameters) = (list(&body["instances"]), &body["parameters"]);
    let most = if model(request).starts_with("gemini-") { 1 } else { 250 };
    let mut faults = unknown_fields("the body", body, &["instances", "parameters"]);
    if instances.is_empty() || instances.len() > most {
        faults.push(format!("there are {} instances, and not 1 to {most}", instances.len()));
    }
    for instance in instances {
        faults.extend(unknown_fields("an instance", instance, &["content", "task_type", "title"]));
        faults.extend(faults_of_text("an instance", &instance["content"]));
        faults.extend(faults_of_task(request, &instance["task_type"]));
    }
    faults.extend(unknown_fields("`parameters`", parameters, &["outputDimensionality", "autoTruncate"]));
    faults.extend(faults_of_size(&parameters["outputDimensionality"]));
    faults
}

fn faults_of_content(request: &Received) -> Vec<String> {
    let body = &request.body;
    let config = &body["embedContentConfig"];
    let mut faults = unknown_fields("the body", body, &["content", "embedContentConfig"]);
    faults.extend(faults_of_parts("`content`", &body["content"]));
    let fields = ["outputDimensionality", "autoTruncate", "taskType", "title"];
    faults.extend(unknown_fields("`embedContentConfig`", config, &fields));
    faults.extend(faults_of_task(request, &config["taskType"]));
    faults.extend(faults_of_size(&config["outputDimensionality"]));
    faults
}
