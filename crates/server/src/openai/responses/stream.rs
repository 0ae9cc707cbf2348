//! An answer in events: `ResponseStreamEvent` in OpenAI's API description.

use std::collections::BTreeMap;

use adjutant::model::{Delta, StopReason};
use adjutant_core::message::{Reasoning, ToolCall};
use adjutant_core::usage::Usage;
use serde_json::{Map, Value, json};

use super::answer::{self, Frame};
use crate::wire::{Calls, Fault, Step};

/// Makes the events of one response, and in the end the response.
#[derive(Debug)]
pub(crate) struct Events {
    frame: Frame,
    number: u64,
    begun: bool,
    /// The items that are whole, by their places.
    done: BTreeMap<usize, Value>,
    /// The next place.
    next: usize,
    open: Option<Open>,
    calls: Calls,
    /// The calls that are not whole, by their number, each with its place.
    called: BTreeMap<usize, (usize, ToolCall)>,
    used: Option<Usage>,
    response: Option<Value>,
}

/// What is being said or thought.
#[derive(Debug)]
enum Open {
    Text(usize, String),
    Thought(usize, String),
}

/// An event with its number and its data.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Event {
    /// Its number, from 0.
    pub(crate) number: u64,
    /// What is sent.
    pub(crate) data: Value,
}

impl Event {
    /// The event on the wire.
    pub(crate) fn write(&self, out: &mut String) {
        let kind = self.data.get("type").and_then(Value::as_str).unwrap_or_default();
        out.push_str(&format!("event: {kind}\ndata: {}\n\n", self.data));
    }
}

impl Events {
    /// No event yet.
    pub(crate) fn new(frame: Frame) -> Self {
        Self {
            frame,
            number: 0,
            begun: false,
            done: BTreeMap::new(),
            next: 0,
            open: None,
            calls: Calls::default(),
            called: BTreeMap::new(),
            used: None,
            response: None,
        }
    }

    /// The response, once it is over.
    pub(crate) fn response(&self) -> Option<&Value> {
        self.response.as_ref()
    }

    /// The response as it is while it is under way.
    pub(crate) fn so_far(&self) -> Value {
        self.frame.response("in_progress", self.done.values().cloned().collect(), self.used)
    }

    /// What a piece of the answer is to the client.
    pub(crate) fn push(&mut self, delta: &Delta, out: &mut Vec<Event>) {
        self.begin(out);
        match delta {
            Delta::Text(text) => self.text(text, out),
            Delta::Reasoning(text) => self.thought(text, out),
            Delta::ReasoningDone(reasoning) => self.thought_done(reasoning, out),
            Delta::Native(native) => match answer::phase(native) {
                Some(phase) => self.close(Some(phase), out),
                None => {
                    self.close(None, out);
                    if let Some(item) = answer::native_item(&self.frame, self.next, native) {
                        let place = self.place(out);
                        self.whole(place, item, out);
                    }
                }
            },
            Delta::ToolCall { .. } => {
                for step in self.calls.take(delta) {
                    self.call(step, out);
                }
            }
            Delta::Usage(used) => self.used = Some(*used),
            Delta::End(stop) => self.end(stop, out),
            _ => {}
        }
    }

    /// Says that the answer breaks off, and why.
    pub(crate) fn fail(&mut self, why: &Fault, out: &mut Vec<Event>) {
        self.begin(out);
        let output = self.done.values().cloned().collect();
        let response = answer::failed(&self.frame, why, output);
        self.over("response.failed", response, out);
    }

    /// Says that it was cancelled.
    pub(crate) fn cancel(&mut self, out: &mut Vec<Event>) {
        self.begin(out);
        let output = self.done.values().cloned().collect();
        let response = self.frame.response("cancelled", output, self.used);
        self.over("response.cancelled", response, out);
    }

    fn over(&mut self, kind: &str, response: Value, out: &mut Vec<Event>) {
        self.event(kind, json!({"response": response}), out);
        self.response = Some(response);
    }

    fn begin(&mut self, out: &mut Vec<Event>) {
        if !std::mem::replace(&mut self.begun, true) {
            let response = self.frame.response("in_progress", Vec::new(), None);
            self.event("response.created", json!({"response": response}), out);
            self.event("response.in_progress", json!({"response": response}), out);
        }
    }

    fn end(&mut self, stop: &StopReason, out: &mut Vec<Event>) {
        self.close(None, out);
        for step in self.calls.finish() {
            self.call(step, out);
        }
        let output = std::mem::take(&mut self.done).into_values().collect();
        let response = self.frame.ended(stop, output, self.used);
        let kind = match response.get("status").and_then(Value::as_str) {
            Some("incomplete") => "response.incomplete",
            _ => "response.completed",
        };
        self.over(kind, response, out);
    }

    /// The place of an item that is no call: one that is being told ends before it, where it is whole.
    fn place(&mut self, out: &mut Vec<Event>) -> usize {
        for step in self.calls.pause() {
            self.call(step, out);
        }
        self.start_item()
    }

    fn start_item(&mut self) -> usize {
        self.next += 1;
        self.next - 1
    }

    fn text(&mut self, text: &str, out: &mut Vec<Event>) {
        if !matches!(self.open, Some(Open::Text(..))) {
            self.close(None, out);
            let place = self.place(out);
            let id = self.frame.item_id("msg", place);
            let item = json!({"id": id, "type": "message", "status": "in_progress", "role": "assistant", "content": []});
            self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
            let part = json!({"item_id": id, "output_index": place, "content_index": 0, "part": answer::text_part("")});
            self.event("response.content_part.added", part, out);
            self.open = Some(Open::Text(place, String::new()));
        }
        if let Some(Open::Text(place, said)) = &mut self.open {
            said.push_str(text);
            let place = *place;
            let id = self.frame.item_id("msg", place);
            let fields = json!({"item_id": id, "output_index": place, "content_index": 0, "delta": text, "logprobs": []});
            self.event("response.output_text.delta", fields, out);
        }
    }

    fn thought(&mut self, text: &str, out: &mut Vec<Event>) {
        if !matches!(self.open, Some(Open::Thought(..))) {
            self.close(None, out);
            let place = self.place(out);
            let id = self.frame.item_id("rs", place);
            let item = answer::reasoning(&id, "", None);
            self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
            let part = json!({"item_id": id, "output_index": place, "summary_index": 0, "part": answer::summary_part("")});
            self.event("response.reasoning_summary_part.added", part, out);
            self.open = Some(Open::Thought(place, String::new()));
        }
        if let Some(Open::Thought(place, said)) = &mut self.open {
            said.push_str(text);
            let place = *place;
            let id = self.frame.item_id("rs", place);
            let fields = json!({"item_id": id, "output_index": place, "summary_index": 0, "delta": text});
            self.event("response.reasoning_summary_text.delta", fields, out);
        }
    }

    fn thought_done(&mut self, reasoning: &Reasoning, out: &mut Vec<Event>) {
        let (place, shown) = match self.open.take() {
            Some(Open::Thought(place, said)) => (place, said),
            other => {
                self.open = other;
                self.close(None, out);
                let place = self.place(out);
                let item = answer::reasoning(&self.frame.item_id("rs", place), "", None);
                self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
                let item = answer::thought(&self.frame, place, reasoning, &reasoning.text);
                return self.item_done(place, item, out);
            }
        };
        let mut whole = reasoning.clone();
        if whole.text.is_empty() {
            whole.text.clone_from(&shown);
        }
        self.end_thought(place, &shown, out);
        let item = answer::thought(&self.frame, place, &whole, &shown);
        self.item_done(place, item, out);
    }

    fn end_thought(&mut self, place: usize, shown: &str, out: &mut Vec<Event>) {
        let id = self.frame.item_id("rs", place);
        let fields = json!({"item_id": id, "output_index": place, "summary_index": 0, "text": shown});
        self.event("response.reasoning_summary_text.done", fields, out);
        let part = answer::summary_part(shown);
        let fields = json!({"item_id": id, "output_index": place, "summary_index": 0, "part": part});
        self.event("response.reasoning_summary_part.done", fields, out);
    }

    /// Ends what is being said or thought.
    fn close(&mut self, phase: Option<&str>, out: &mut Vec<Event>) {
        match self.open.take() {
            None => {}
            Some(Open::Thought(place, shown)) => {
                self.end_thought(place, &shown, out);
                let item = answer::reasoning(&self.frame.item_id("rs", place), &shown, None);
                self.item_done(place, item, out);
            }
            Some(Open::Text(place, said)) => {
                let id = self.frame.item_id("msg", place);
                let at = json!({"item_id": id, "output_index": place, "content_index": 0});
                let fields = joined(&at, json!({"text": said, "logprobs": []}));
                self.event("response.output_text.done", fields, out);
                let fields = joined(&at, json!({"part": answer::text_part(&said)}));
                self.event("response.content_part.done", fields, out);
                self.item_done(place, answer::message(&id, &said, phase, false), out);
            }
        }
    }

    fn call(&mut self, step: Step, out: &mut Vec<Event>) {
        match step {
            Step::Begin(number, id, name) => {
                self.close(None, out);
                let place = self.start_item();
                let call = ToolCall { id, name, arguments: String::new() };
                let item = answer::call(&self.frame.item_id("fc", place), &call, "in_progress");
                self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
                self.called.insert(number, (place, call));
            }
            Step::Piece(number, arguments) => {
                let Some((place, call)) = self.called.get_mut(&number) else { return };
                call.arguments.push_str(&arguments);
                let place = *place;
                let id = self.frame.item_id("fc", place);
                let fields = json!({"item_id": id, "output_index": place, "delta": arguments});
                self.event("response.function_call_arguments.delta", fields, out);
            }
            Step::End(number) => {
                let Some((place, call)) = self.called.remove(&number) else { return };
                let id = self.frame.item_id("fc", place);
                let item = answer::call(&id, &call, "completed");
                let fields = json!({"item_id": id, "output_index": place, "name": call.name, "arguments": call.arguments});
                self.event("response.function_call_arguments.done", fields, out);
                self.item_done(place, item, out);
            }
        }
    }

    fn whole(&mut self, place: usize, item: Value, out: &mut Vec<Event>) {
        self.event("response.output_item.added", json!({"output_index": place, "item": item}), out);
        self.item_done(place, item, out);
    }

    fn item_done(&mut self, place: usize, item: Value, out: &mut Vec<Event>) {
        self.event("response.output_item.done", json!({"output_index": place, "item": item}), out);
        self.done.insert(place, item);
    }

    fn event(&mut self, kind: &str, fields: Value, out: &mut Vec<Event>) {
        let mut data = Map::from_iter([
            ("type".to_owned(), Value::from(kind)),
            ("sequence_number".to_owned(), Value::from(self.number)),
        ]);
        if let Value::Object(fields) = fields {
            data.extend(fields);
        }
        out.push(Event { number: self.number, data: data.into() });
        self.number += 1;
    }
}

fn joined(one: &Value, other: Value) -> Value {
    let mut fields = one.as_object().cloned().unwrap_or_default();
    if let Value::Object(other) = other {
        fields.extend(other);
    }
    fields.into()
}
