//! Plain BM25: what a search is worth that knows nothing of tools.

use std::collections::HashMap;

use adjutant_tool::ToolSpec;
use serde_json::Value;

/// Okapi BM25 with the usual constants over words in lower case: no stems, no stop words, names as they are.
pub(crate) struct Bm25 {
    postings: HashMap<String, HashMap<usize, f64>>,
    lengths: Vec<f64>,
}

const K1: f64 = 1.2;
const B: f64 = 0.75;

impl Bm25 {
    /// An index over the name, the description, and the names and descriptions of parameters.
    pub(crate) fn new(tools: &[ToolSpec]) -> Self {
        let mut index = Self { postings: HashMap::new(), lengths: Vec::new() };
        for (tool, spec) in tools.iter().enumerate() {
            let mut text = format!("{} {}", spec.name, spec.description);
            parameters(&spec.parameters, &mut text);
            let words = words(&text);
            index.lengths.push(words.len() as f64);
            for word in words {
                *index.postings.entry(word).or_default().entry(tool).or_default() += 1.0;
            }
        }
        index
    }

    pub(crate) fn search(&self, query: &str) -> Vec<usize> {
        let count = self.lengths.len() as f64;
        let mean = self.lengths.iter().sum::<f64>() / count;
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for postings in words(query).iter().filter_map(|word| self.postings.get(word)) {
            let with = postings.len() as f64;
            let rarity = (1.0 + (count - with + 0.5) / (with + 0.5)).ln();
            for (tool, said) in postings {
                let length = K1 * (1.0 - B + B * self.lengths[*tool] / mean);
                *scores.entry(*tool).or_default() += rarity * said * (K1 + 1.0) / (said + length);
            }
        }
        let mut found: Vec<(usize, f64)> = scores.into_iter().collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.into_iter().map(|(tool, _)| tool).collect()
    }
}

fn parameters(schema: &Value, text: &mut String) {
    for (name, parameter) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
        let description = parameter.get("description").and_then(Value::as_str).unwrap_or_default();
        text.push_str(&format!(" {name} {description}"));
        parameters(parameter, text);
        parameters(parameter.get("items").unwrap_or(&Value::Null), text);
    }
}

fn words(text: &str) -> Vec<String> {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '_');
    words.filter(|word| !word.is_empty()).map(str::to_lowercase).collect()
}
