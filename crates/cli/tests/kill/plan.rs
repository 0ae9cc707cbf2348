//! What every run does: twenty calls of tools in thirteen turns, some of them in parallel, and then an answer that names
//! the receipt of each.

use adjutant_testkit::provider::Answer;
use serde_json::{Value, json};

/// A tool of the project.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tool {
    /// It is `pure`.
    Look,
    /// It is `idempotent`.
    Note,
    /// It is `at_most_once`.
    Pay,
}

use Tool::{Look, Note, Pay};

/// The calls of each turn.
const TURNS: [&[Tool]; 12] = [
    &[Look],
    &[Note],
    &[Pay],
    &[Look, Note, Pay],
    &[Note],
    &[Pay, Pay],
    &[Look],
    &[Note, Note, Pay],
    &[Pay],
    &[Look, Pay],
    &[Note, Look, Pay],
    &[Pay],
];

impl Tool {
    pub(crate) const ALL: [Self; 3] = [Look, Note, Pay];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Look => "look",
            Note => "note",
            Pay => "pay",
        }
    }

    pub(crate) fn effect(self) -> &'static str {
        match self {
            Look => "pure",
            Note => "idempotent",
            Pay => "at_most_once",
        }
    }

    pub(crate) fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }
}

/// The tools of all calls; a call's number is its place.
pub(crate) fn calls() -> Vec<Tool> {
    TURNS.concat()
}

/// What the provider says next, given what it was sent.
pub(crate) fn answer(request: &Value) -> Answer {
    let messages = request["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let turn = messages.iter().filter(|message| message["role"] == "assistant").count();
    let Some(tools) = TURNS.get(turn) else { return Answer::text(text_of(messages)) };
    let first = TURNS[..turn].concat().len();
    let calls: Vec<_> = (first..)
        .zip(*tools)
        .map(|(number, tool)| (id(number), tool.name(), json!({ "number": number })))
        .collect();
    Answer::calls(calls.iter().map(|(id, name, arguments)| (id.as_str(), *name, arguments.clone())))
}

/// The final answer over a transcript.
fn text_of(messages: &[Value]) -> String {
    let results = messages.iter().filter(|message| message["role"] == "tool");
    let receipts = results.map(|message| {
        let content = message["content"].as_str().unwrap_or_default();
        let receipt =
            serde_json::from_str(content).map_or(Value::Null, |result: Value| result["receipt"].clone());
        let receipt = receipt.as_str().unwrap_or(content).to_owned();
        format!("{}={receipt}", message["tool_call_id"].as_str().unwrap_or_default())
    });
    receipts.collect::<Vec<_>>().join(" ")
}

/// What the final answer must be where the calls have these idempotency keys.
pub(crate) fn expected<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let receipts = keys.into_iter().enumerate().map(|(number, key)| format!("{}={key}", id(number)));
    receipts.collect::<Vec<_>>().join(" ")
}

fn id(number: usize) -> String {
    format!("call_{number}")
}

#[test]
fn a_run_has_twenty_calls_and_then_an_answer() {
    assert_eq!(calls().len(), 20);
    assert!(Tool::ALL.iter().all(|tool| calls().iter().filter(|call| *call == tool).count() >= 5));
    let asked = json!({"role": "user", "content": "go"});
    let before = std::iter::repeat_n(json!({"role": "assistant"}), TURNS.len());
    let result = |number| json!({"role": "tool", "tool_call_id": id(number), "content": format!("{{\"receipt\":\"{number}\"}}")});
    let messages: Vec<Value> = std::iter::once(asked).chain(before).chain((0..2).map(result)).collect();
    assert_eq!(text_of(&messages), expected(["0", "1"]));
}
