//! Embeddings: the vendors' interfaces for them, and the vectors that the mock makes.

mod bedrock;
mod gemini;
mod openai;

use serde_json::Value;

use super::answer::Answer;
use super::interface::Interface;
use super::received::Received;

/// The part of an interface that makes vectors of texts. Keys and refusals are those of the whole interface.
pub(super) trait Embed: Sync {
    /// The paths that it serves, as a person reads them.
    fn paths(&self) -> &'static [&'static str];

    /// Whether it serves a path, as it was sent: percent-encoded, without the query.
    fn serves(&self, path: &str) -> bool;

    /// The model that a request is for.
    fn model(&self, request: &Received) -> String;

    /// Everything that is wrong with the body of a request.
    fn faults(&self, request: &Received) -> Vec<String>;

    /// The vectors of what was sent. The text of an answer means nothing here.
    fn vectors(&self, answer: &Answer, request: &Received) -> Value;
}

/// Who makes vectors in which interface.
const ALL: [(Interface, &dyn Embed); 3] = [
    (Interface::Chat, &openai::OpenAi),
    (Interface::Gemini, &gemini::Gemini),
    (Interface::Converse, &bedrock::Bedrock),
];

/// Who makes the vectors that are asked for at a path, and in which interface; none where nobody does.
pub(super) fn serving(path: &str) -> Option<(Interface, &'static dyn Embed)> {
    ALL.into_iter().find(|(_, embed)| embed.serves(path))
}

/// The paths at which an interface makes vectors.
pub(super) fn paths(interface: Interface) -> &'static [&'static str] {
    ALL.iter().find(|(own, _)| *own == interface).map(|(_, embed)| embed.paths()).unwrap_or_default()
}

/// The vector that the mock makes of a text: always the same, another for each text, and of whatever length.
pub fn vector_of(text: &str, dimensions: usize) -> Vec<f32> {
    // FNV-1a, continued over the places of the vector.
    let step = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3);
    let mut hash = text.bytes().fold(0xcbf2_9ce4_8422_2325, step);
    let mut number = || {
        hash = step(hash, 7);
        let [_, _, _, _, _, byte, _, _] = hash.to_be_bytes();
        // Exact in single precision and in decimal.
        (f32::from(byte) - 127.5) / 128.0
    };
    (0..dimensions).map(|_| number()).collect()
}

/// The same vector with the length 1.
fn unit(text: &str, dimensions: usize) -> Vec<f32> {
    let vector = vector_of(text, dimensions);
    let length = vector.iter().map(|number| number * number).sum::<f32>().sqrt();
    vector.iter().map(|number| number / length).collect()
}

/// What an answer says that it used, if it says so.
fn tokens(answer: &Answer) -> Option<u64> {
    answer.usage.map(|usage| usage.input)
}

/// What is wrong with a text.
fn faults_of_text(place: &str, text: &Value) -> Option<String> {
    match text.as_str() {
        None => Some(format!("{place} is no text")),
        Some("") => Some(format!("{place} is empty")),
        Some(_) => None,
    }
}

/// What is wrong with a number of dimensions, where one is asked for.
fn faults_of_dimensions(asked: &Value, is_known: impl Fn(u64) -> bool) -> Option<String> {
    let known = asked.is_null() || asked.as_u64().is_some_and(is_known);
    (!known).then(|| format!("{asked} dimensions cannot be had"))
}

/// The fields of an object that it must not have.
fn unknown_fields(place: &str, object: &Value, known: &[&str]) -> Vec<String> {
    let Some(object) = object.as_object() else { return vec![format!("{place} is no object")] };
    let unknown = object.keys().filter(|key| !known.contains(&key.as_str()));
    unknown.map(|key| format!("{place} has an unknown field `{key}`")).collect()
}

fn as_number(asked: &Value) -> Option<usize> {
    asked.as_u64().and_then(|number| usize::try_from(number).ok())
}
