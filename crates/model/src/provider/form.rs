//! The form of an answer, for models that know no schemas: a tool whose arguments are the answer.

use std::collections::HashSet;

use adjutant_core::tool::{Effect, ToolSpec};
use futures::StreamExt;
use serde_json::{Value, json};

use crate::delta::{Delta, Deltas, StopReason};
use crate::request::{OutputSchema, Request, ToolChoice};

/// The key of the answer in the tool's arguments, where the form is not that of an object.
const ANSWER: &str = "answer";

/// The request with a tool in the place of the form. The model must call one of its tools now; where it must call none,
/// it must give the answer.
pub(super) fn asked_by_tool(mut request: Request) -> Request {
    let Some(output) = request.output.take() else { return request };
    let name = tool_name(&output, &request.tools);
    let parameters = match is_object(&output.schema) {
        true => output.schema,
        false => json!({"type": "object", "properties": {ANSWER: output.schema}, "required": [ANSWER]}),
    };
    let tool = ToolSpec {
        name: name.clone(),
        description:
            "Gives the final answer. Call it once, when everything is known, instead of writing the answer."
                .to_owned(),
        parameters,
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
    };
    let alone = request.tools.is_empty() || request.tool_choice == ToolChoice::None;
    request.tool_choice = match request.tool_choice {
        ToolChoice::Named(tool) => ToolChoice::Named(tool),
        _ if alone => ToolChoice::Named(name),
        _ => ToolChoice::Required,
    };
    request.tools = request.tools.iter().cloned().chain([tool]).collect();
    request
}

fn is_object(schema: &Value) -> bool {
    schema.get("type").and_then(Value::as_str) == Some("object")
}

/// A name that no tool of the request has.
fn tool_name(output: &OutputSchema, tools: &[ToolSpec]) -> String {
    let taken: HashSet<&str> = tools.iter().map(|tool| tool.name.as_str()).collect();
    let mut name: String =
        output.name.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(48).collect();
    if name.is_empty() {
        ANSWER.clone_into(&mut name);
    }
    while taken.contains(name.as_str()) {
        name.push('_');
    }
    name
}

/// Reads the arguments of the tool back as the text of the answer.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The name of the tool.
    name: String,
    /// Whether the answer is one of the arguments and not all of them.
    wrapped: bool,
    /// The index of the call that gives the answer.
    index: Option<u32>,
    /// Its arguments so far, where the answer is one of them.
    held: String,
    /// Whether another tool was called as well.
    others: bool,
}

impl Answer {
    /// Reads the answer to a request that [`asked_by_tool`] is about to change.
    pub(super) fn to(request: &Request) -> Self {
        let Some(output) = &request.output else { return Self::default() };
        let name = tool_name(output, &request.tools);
        Self { name, wrapped: !is_object(&output.schema), ..Self::default() }
    }

    /// The answer with the tool's arguments as its text.
    pub(super) fn read(mut self, deltas: Deltas) -> Deltas {
        deltas
            .flat_map(move |delta| {
                futures::stream::iter(match delta {
                    Ok(delta) => self.take(delta).into_iter().map(Ok).collect(),
                    Err(error) => vec![Err(error)],
                })
            })
            .boxed()
    }

    fn take(&mut self, delta: Delta) -> Vec<Delta> {
        match delta {
            Delta::ToolCall { index, name, arguments, .. } if self.is_answer(index, name.as_deref()) => {
                self.index = Some(index);
                if self.wrapped {
                    self.held.push_str(&arguments);
                    return Vec::new();
                }
                vec![Delta::Text(arguments)]
            }
            Delta::ToolCall { .. } => {
                self.others = true;
                vec![delta]
            }
            Delta::End(stop) => {
                let is_over = self.index.is_some() && !self.others && stop == StopReason::ToolCalls;
                let stop = if is_over { StopReason::EndTurn } else { stop };
                self.unwrapped().into_iter().chain([Delta::End(stop)]).collect()
            }
            other => vec![other],
        }
    }

    fn is_answer(&self, index: u32, name: Option<&str>) -> bool {
        self.index == Some(index) || (self.index.is_none() && name == Some(self.name.as_str()))
    }

    /// The answer out of the arguments; the arguments as they are where it is not in them.
    fn unwrapped(&mut self) -> Option<Delta> {
        let held = std::mem::take(&mut self.held);
        let inner = serde_json::from_str::<Value>(&held)
            .ok()
            .and_then(|value| value.get(ANSWER).map(Value::to_string));
        (!held.is_empty()).then(|| Delta::Text(inner.unwrap_or(held)))
    }
}
