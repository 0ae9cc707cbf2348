//! OpenAI's embeddings.

use aws_smithy_types::base64;
use serde_json::{Value, json};

use super::super::answer::Answer;
use super::super::received::{Received, list};
use super::{Embed, as_number, faults_of_dimensions, faults_of_text, tokens, unit, unknown_fields};

const FIELDS: &[&str] = &["model", "input", "dimensions", "encoding_format", "user"];
const MOST_TEXTS: usize = 2_048;

/// OpenAI's embeddings.
pub(super) struct OpenAi;

impl Embed for OpenAi {
    fn paths(&self) -> &'static [&'static str] {
        &["/v1/embeddings"]
    }

    fn serves(&self, path: &str) -> bool {
        self.paths().contains(&path)
    }

    fn model(&self, request: &Received) -> String {
        model(&request.body).to_owned()
    }

    fn faults(&self, request: &Received) -> Vec<String> {
        let body = &request.body;
        let mut faults = unknown_fields("the body", body, FIELDS);
        let texts = list(&body["input"]);
        if texts.is_empty() || texts.len() > MOST_TEXTS {
            faults.push(format!("`input` has {} texts, and not 1 to {MOST_TEXTS}", texts.len()));
        }
        let named = texts.iter().enumerate().map(|(index, text)| (format!("`input[{index}]`"), text));
        faults.extend(named.filter_map(|(name, text)| faults_of_text(&name, text)));
        if model(body).is_empty() {
            faults.push("the `model` is missing".to_owned());
        }
        if !["null", r#""float""#, r#""base64""#].contains(&body["encoding_format"].to_string().as_str()) {
            faults.push("`encoding_format` is neither `float` nor `base64`".to_owned());
        }
        let is_fixed = model(body) == "text-embedding-ada-002";
        faults.extend(faults_of_dimensions(&body["dimensions"], |number| {
            !is_fixed && (1..=3_072).contains(&number)
        }));
        faults
    }

    /// The vectors come in the opposite order: only their indices say whose they are.
    fn vectors(&self, answer: &Answer, request: &Received) -> Value {
        let body = &request.body;
        let dimensions = as_number(&body["dimensions"]).unwrap_or(1_536);
        let texts = list(&body["input"]).iter().enumerate().rev();
        let data = texts.map(|(index, text)| {
            let vector = unit(text.as_str().unwrap_or_default(), dimensions);
            let embedding = if body["encoding_format"] == "base64" { packed(&vector) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        });
        let data: Vec<Value> = data.collect();
        let usage = tokens(answer).map(|tokens| json!({"prompt_tokens": tokens, "total_tokens": tokens}));
        json!({"object": "list", "model": model(body), "data": data, "usage": usage})
    }
}

fn model(body: &Value) -> &str {
    body["model"].as_str().unwrap_or_default()
}

fn packed(vector: &[f32]) -> Value {
    let bytes: Vec<u8> = vector.iter().flat_map(|number| number.to_le_bytes()).collect();
    base64::encode(bytes).into()
}
