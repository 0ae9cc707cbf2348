//! The form of an answer, for models that know no schemas: a tool whose arguments are the answer.

use std::collections::{BTreeMap, HashSet};

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
        flow: adjutant_core::tool::Flow::default(),
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
///
/// Many models say a word or two beside the call ("Here it is:"). Whether words are the answer is known at its end, so
/// they are held back until then, and given up where the tool was called.
#[derive(Debug, Default)]
pub(super) struct Answer {
    /// The name of the tool.
    name: String,
    /// Whether the answer is one of the arguments and not all of them.
    wrapped: bool,
    /// The index of the call that gives the answer.
    index: Option<u32>,
    /// Its arguments so far, where the answer is one of them.
    arguments: String,
    /// What came since the first words, while nobody knows whether they are the answer.
    held: Vec<Delta>,
    /// The words beside the answer.
    beside: String,
    /// More answers to the same request, by the index of their call.
    more: BTreeMap<u32, String>,
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
                    Err(error) => self.release().into_iter().map(Ok).chain([Err(error)]).collect::<Vec<_>>(),
                })
            })
            .boxed()
    }

    fn take(&mut self, delta: Delta) -> Vec<Delta> {
        match delta {
            Delta::ToolCall { index, name, arguments, .. } if self.is_answer(index, name.as_deref()) => {
                self.index = Some(index);
                let mut before = self.release();
                match self.wrapped {
                    true => self.arguments.push_str(&arguments),
                    false => before.push(Delta::Text(arguments)),
                }
                before
            }
            Delta::ToolCall { index, name, arguments, .. } if self.is_one_more(index, name.as_deref()) => {
                self.more.entry(index).or_default().push_str(&arguments);
                Vec::new()
            }
            Delta::Text(words) if self.index.is_some() => {
                self.beside.push_str(&words);
                vec![alive()]
            }
            Delta::Text(words) if words.is_empty() => vec![alive()],
            Delta::End(stop) => self.end(stop),
            other => {
                self.others |= matches!(other, Delta::ToolCall { .. });
                self.hold(other)
            }
        }
    }

    /// Words and what follows them wait, so that all stays in its order; the rest goes on at once.
    fn hold(&mut self, delta: Delta) -> Vec<Delta> {
        match (self.held.last_mut(), delta) {
            (Some(Delta::Text(held)), Delta::Text(words)) => held.push_str(&words),
            (None, delta) if !matches!(delta, Delta::Text(_)) => return vec![delta],
            (_, delta) => self.held.push(delta),
        }
        vec![alive()]
    }

    /// What was held: as it came, or without the words where the answer is known to be another.
    fn release(&mut self) -> Vec<Delta> {
        let mut held = std::mem::take(&mut self.held);
        if self.index.is_some() {
            held.retain(|delta| match delta {
                Delta::Text(words) => {
                    self.beside.push_str(words);
                    false
                }
                _ => true,
            });
        }
        held
    }

    fn end(&mut self, stop: StopReason) -> Vec<Delta> {
        let mut deltas = self.release();
        deltas.extend(self.unwrapped());
        let beside = std::mem::take(&mut self.beside);
        if !beside.trim().is_empty() {
            deltas.push(Delta::Unknown(json!({"beside_the_answer": beside})));
        }
        let more = std::mem::take(&mut self.more);
        deltas.extend(more.into_values().map(|answer| Delta::Unknown(json!({"another_answer": answer}))));
        let is_over = self.index.is_some() && !self.others && stop == StopReason::ToolCalls;
        deltas.push(Delta::End(if is_over { StopReason::EndTurn } else { stop }));
        deltas
    }

    fn is_answer(&self, index: u32, name: Option<&str>) -> bool {
        self.index == Some(index) || (self.index.is_none() && name == Some(self.name.as_str()))
    }

    fn is_one_more(&self, index: u32, name: Option<&str>) -> bool {
        self.more.contains_key(&index) || (self.index.is_some() && name == Some(self.name.as_str()))
    }

    /// The answer out of the arguments; the arguments as they are where it is not in them.
    fn unwrapped(&mut self) -> Option<Delta> {
        let arguments = std::mem::take(&mut self.arguments);
        let inner = serde_json::from_str::<Value>(&arguments)
            .ok()
            .and_then(|value| value.get(ANSWER).map(Value::to_string));
        (!arguments.is_empty()).then(|| Delta::Text(inner.unwrap_or(arguments)))
    }
}

/// A sign of life in the place of what is held back.
fn alive() -> Delta {
    Delta::Text(String::new())
}

#[cfg(test)]
mod tests {
    use adjutant_core::{Code, Error, Result};
    use futures::FutureExt;

    use super::*;
    use crate::collect::Collector;

    fn call(index: u32, name: Option<&str>, arguments: &str) -> Delta {
        Delta::ToolCall { index, id: None, name: name.map(str::to_owned), arguments: arguments.to_owned() }
    }

    fn text(words: &str) -> Delta {
        Delta::Text(words.to_owned())
    }

    fn read(schema: &Value, deltas: Vec<Result<Delta>>) -> Vec<Result<Delta>> {
        let output = OutputSchema { name: "place".into(), schema: schema.clone(), strict: true };
        let request = Request { output: Some(output), ..Request::default() };
        let deltas = Answer::to(&request).read(futures::stream::iter(deltas).boxed());
        deltas.collect().now_or_never().unwrap()
    }

    /// The parts of the answer with what was not understood, and why it ended.
    fn answer(schema: &Value, deltas: Vec<Delta>) -> String {
        let mut collector = Collector::new();
        for delta in read(schema, deltas.into_iter().map(Ok).collect()) {
            collector.push(delta.unwrap());
        }
        let response = collector.finish().unwrap();
        let calls = response.message.calls().map(|call| call.name.as_str()).collect::<Vec<_>>().join(" ");
        format!("{}|{calls}|{}|{:?}", response.message.text(), json!(response.unknown), response.stop)
    }

    #[test]
    fn words_beside_the_answer_are_no_part_of_it() {
        let end = || Delta::End(StopReason::ToolCalls);
        let object = json!({"type": "object"});
        let place = || [call(0, Some("place"), "{\"a\""), call(0, None, ":1}")];
        let cases = [
            (
                &object,
                [vec![text("Here it is:")], place().to_vec(), vec![end()]].concat(),
                r#"{"a":1}||[{"beside_the_answer":"Here it is:"}]|EndTurn"#,
            ),
            (
                &object,
                [place().to_vec(), vec![text("Any"), text("thing else?"), end()]].concat(),
                r#"{"a":1}||[{"beside_the_answer":"Anything else?"}]|EndTurn"#,
            ),
            (&object, [vec![text(" \n")], place().to_vec(), vec![end()]].concat(), r#"{"a":1}||[]|EndTurn"#),
            // Only the first answer counts, wherever the pieces of the second one come.
            (
                &object,
                vec![
                    call(0, Some("place"), "{"),
                    call(1, Some("place"), "{\"b\""),
                    call(0, None, "}"),
                    call(1, None, ":2}"),
                    end(),
                ],
                r#"{}||[{"another_answer":"{\"b\":2}"}]|EndTurn"#,
            ),
            (
                &json!({"type": "integer"}),
                vec![text("So:"), call(0, Some("place"), "{\"answer\":"), call(0, None, "7}"), end()],
                r#"7||[{"beside_the_answer":"So:"}]|EndTurn"#,
            ),
            // Words are the answer where the tool is not called, and stay before another tool's call.
            (
                &object,
                vec![text("It is "), text("unclear."), Delta::End(StopReason::EndTurn)],
                "It is unclear.||[]|EndTurn",
            ),
            (
                &object,
                vec![text("Let me look."), call(0, Some("look"), "{}"), end()],
                "Let me look.|look|[]|ToolCalls",
            ),
            (
                &object,
                [vec![call(1, Some("look"), "{}")], place().to_vec(), vec![end()]].concat(),
                r#"{"a":1}|look|[]|ToolCalls"#,
            ),
        ];
        for (schema, deltas, expected) in cases {
            assert_eq!(answer(schema, deltas.clone()), expected, "{deltas:?}");
        }
    }

    #[test]
    fn what_is_held_keeps_its_order_gives_signs_of_life_and_is_not_lost_with_an_error() {
        let object = json!({"type": "object"});
        let look = call(0, Some("look"), "{}");
        let error = || Error::new(Code::ModelUnreachable, "broken");
        let deltas = vec![
            Ok(Delta::Reasoning("hm".into())),
            Ok(text("a")),
            Ok(text("b")),
            Ok(look.clone()),
            Err(error()),
        ];
        let expected = vec![
            Ok(Delta::Reasoning("hm".into())),
            Ok(text("")),
            Ok(text("")),
            Ok(text("")),
            Ok(text("ab")),
            Ok(look),
            Err(error()),
        ];
        assert_eq!(read(&object, deltas), expected);
    }
}
