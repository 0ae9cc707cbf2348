//! What a transcript says about the turn at hand.

use std::collections::HashMap;

use adjutant_core::id::CallId;
use adjutant_core::message::{Message, Role, ToolCall, ToolResult};
use adjutant_core::tool::SEARCH_TOOLS;
use serde_json::Value;

use crate::request::Request;

/// What every first answer of a conversation says of this model.
pub(super) const ANNOUNCEMENT: &str = "I am the built-in offline model: rules, no LLM.";

/// How much of a question is read.
const MOST_BYTES: usize = 64 << 10;

/// The turn at hand: what is asked, and what was done about it so far.
#[derive(Debug)]
pub(super) struct Turn<'a> {
    /// What the person says, with what they added while the turn ran.
    pub(super) question: String,
    /// What they said before, the latest first.
    pub(super) earlier: String,
    /// Calls with their results, in order.
    pub(super) done: Vec<Done<'a>>,
    /// How often tools were called, without searches for tools.
    pub(super) rounds: usize,
    /// Whether tools were searched for.
    pub(super) searched: bool,
    /// Whether the conversation was told already what this model is.
    pub(super) announced: bool,
}

/// A call and what came of it.
#[derive(Debug)]
pub(super) struct Done<'a> {
    pub(super) call: &'a ToolCall,
    pub(super) arguments: Value,
    pub(super) result: &'a ToolResult,
    /// Its text, or its data as text.
    pub(super) text: String,
}

impl<'a> Turn<'a> {
    /// Reads the transcript. A turn begins after the last answer that called no tool.
    pub(super) fn of(request: &'a Request) -> Self {
        let messages: Vec<&Message> = request.messages.iter().map(|message| &**message).collect();
        let is_answer =
            |message: &&Message| message.role == Role::Assistant && message.calls().next().is_none();
        let start = messages.iter().rposition(is_answer).map_or(0, |place| place + 1);
        let (before, now) = messages.split_at(start);
        let asked = before.last().is_some_and(|message| {
            message.text().replace(&format!("_{ANNOUNCEMENT}_"), "").trim_end().ends_with('?')
        });
        let mut question = texts(now).join("\n");
        let earlier: Vec<String> = texts(before).into_iter().rev().take(4).collect();
        if let (true, Some(previous)) = (asked || question.is_empty(), earlier.first()) {
            // We asked for something: this is what was missing from the question before.
            question = format!("{previous}\n{question}");
        }
        question.truncate(question.floor_char_boundary(MOST_BYTES));
        let calls_tools = |message: &&&Message| message.calls().any(|call| call.name != SEARCH_TOOLS);
        let searches = |message: &&Message| message.calls().any(|call| call.name == SEARCH_TOOLS);
        Self {
            question,
            earlier: earlier.join("\n"),
            done: done(now),
            rounds: now.iter().filter(calls_tools).count(),
            searched: now.iter().any(searches),
            announced: messages.iter().any(|m| m.role == Role::Assistant && m.text().contains(ANNOUNCEMENT)),
        }
    }

    /// Whether this very call was made in this turn.
    pub(super) fn has_called(&self, name: &str, arguments: &Value) -> bool {
        self.done.iter().any(|done| done.call.name == name && done.arguments == *arguments)
    }

    /// Whether the tool was called in this turn.
    pub(super) fn has_used(&self, name: &str) -> bool {
        self.done.iter().any(|done| done.call.name == name)
    }

    /// Names and values in the results so far.
    pub(super) fn known(&self) -> Vec<(String, Value)> {
        let mut known = Vec::new();
        for done in self.done.iter().filter(|done| !done.result.is_error) {
            match done.result.data.clone().or_else(|| serde_json::from_str(&done.text).ok()) {
                Some(value) => flatten("", &value, &mut known, 0),
                None => known.extend(done.text.lines().take(200).filter_map(pair)),
            }
        }
        known
    }
}

fn texts(messages: &[&Message]) -> Vec<String> {
    // The loop's own notes come in the role of the user, too, and ask for nothing.
    let is_note = |message: &Message| message.step.as_ref().is_some_and(|step| step.name() == "note");
    let users = messages.iter().filter(|message| message.role == Role::User && !is_note(message));
    users.map(|message| message.text()).filter(|text| !text.trim().is_empty()).collect()
}

fn done<'a>(messages: &[&'a Message]) -> Vec<Done<'a>> {
    let results: HashMap<&CallId, &ToolResult> =
        messages.iter().flat_map(|message| message.results()).map(|result| (&result.call, result)).collect();
    // What was found are tools, and says nothing of what was asked.
    let calls = messages.iter().flat_map(|message| message.calls()).filter(|call| call.name != SEARCH_TOOLS);
    calls
        .filter_map(|call| {
            let result = *results.get(&call.id)?;
            let mut text = result.as_text();
            if let (true, Some(data)) = (text.is_empty(), &result.data) {
                text = data.to_string();
            }
            let arguments = serde_json::from_str(&call.arguments).unwrap_or_default();
            Some(Done { call, arguments, result, text })
        })
        .collect()
}

/// The leaves of a value with their names. Of a list the first few count.
pub(super) fn flatten(name: &str, value: &Value, into: &mut Vec<(String, Value)>, depth: usize) {
    const DEEPEST: usize = 8;
    const MOST: usize = 500;
    if depth > DEEPEST || into.len() > MOST {
        return;
    }
    match value {
        Value::Object(map) => map.iter().for_each(|(key, value)| flatten(key, value, into, depth + 1)),
        Value::Array(list) => list.iter().take(20).for_each(|value| flatten(name, value, into, depth + 1)),
        Value::Null => {}
        leaf if !name.is_empty() => into.push((name.to_owned(), leaf.clone())),
        _ => {}
    }
}

/// A line such as `Status: shipped`.
fn pair(line: &str) -> Option<(String, Value)> {
    let (name, value) = line.split_once(": ")?;
    let name = name.trim().trim_start_matches(['-', '*', ' ']);
    let value = value.trim();
    let plain = !value.is_empty()
        && name.len() <= 40
        && name.chars().all(|c| c.is_alphanumeric() || "_- ".contains(c));
    plain.then(|| (name.replace(' ', "_").to_lowercase(), value.into()))
}
