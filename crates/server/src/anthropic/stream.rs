//! An answer in events (platform.claude.com/docs, "Streaming messages").

use std::collections::BTreeMap;

use adjutant::model::Delta;
use adjutant_core::message::Reasoning;
use adjutant_core::usage::Usage;
use serde_json::{Value, json};

use super::answer::{citations, native, stop, usage};
use super::fault;
use crate::gateway::Tell;
use crate::openai::chat::Head;
use crate::wire::{Calls, Fault, Step, seal};

/// Makes the events of one answer.
#[derive(Debug)]
pub(crate) struct Events {
    head: Head,
    shows_thinking: bool,
    /// What is used, as far as it is known; before that, what was sent by an estimate.
    used: Usage,
    begun: bool,
    next: usize,
    open: Option<Open>,
    calls: Calls,
    /// The blocks of the calls that are not whole, by their number.
    called: BTreeMap<usize, usize>,
}

/// What is being said or thought, in which block.
#[derive(Debug)]
enum Open {
    Text(usize),
    Thought(usize, String),
}

impl Events {
    /// No event yet; the tokens that were sent are told at once, so by an estimate.
    pub(crate) fn new(head: Head, sent: u64, shows_thinking: bool) -> Self {
        Self {
            head,
            shows_thinking,
            used: Usage { input: sent, ..Usage::default() },
            begun: false,
            next: 0,
            open: None,
            calls: Calls::default(),
            called: BTreeMap::new(),
        }
    }

    fn begin(&mut self, out: &mut String) {
        if std::mem::replace(&mut self.begun, true) {
            return;
        }
        let message = json!({
            "id": self.head.id,
            "type": "message",
            "role": "assistant",
            "model": self.head.model,
            "content": [],
            "stop_reason": null,
            "stop_sequence": null,
            "usage": usage(self.used),
        });
        event(&json!({"type": "message_start", "message": message}), out);
        event(&json!({"type": "ping"}), out);
    }

    /// Begins a block that is no call: one that is being told ends before it, where it is whole.
    fn begin_block(&mut self, block: &Value, out: &mut String) -> usize {
        for step in self.calls.pause() {
            self.call(step, out);
        }
        self.start_block(block, out)
    }

    fn start_block(&mut self, block: &Value, out: &mut String) -> usize {
        let place = self.next;
        self.next += 1;
        event(&json!({"type": "content_block_start", "index": place, "content_block": block}), out);
        place
    }

    /// The block of the text that is being said.
    fn text(&mut self, out: &mut String) -> usize {
        if let Some(Open::Text(place)) = self.open {
            return place;
        }
        self.close(out);
        let place = self.begin_block(&json!({"type": "text", "text": ""}), out);
        self.open = Some(Open::Text(place));
        place
    }

    fn thought(&mut self, text: &str, out: &mut String) {
        if !matches!(self.open, Some(Open::Thought(..))) {
            self.close(out);
            let place = self.begin_block(&json!({"type": "thinking", "thinking": "", "signature": ""}), out);
            self.open = Some(Open::Thought(place, String::new()));
        }
        if let Some(Open::Thought(place, thought)) = &mut self.open {
            thought.push_str(text);
            if self.shows_thinking {
                piece(*place, &json!({"type": "thinking_delta", "thinking": text}), out);
            }
        }
    }

    fn thought_done(&mut self, reasoning: &Reasoning, out: &mut String) {
        let mut whole = reasoning.clone();
        let Some(Open::Thought(place, thought)) = self.open.take_if(|open| matches!(open, Open::Thought(..)))
        else {
            self.close(out);
            if !whole.text.is_empty() {
                self.thought(&reasoning.text, out);
                return self.thought_done(reasoning, out);
            }
            if let Some(data) = seal(&whole, "") {
                self.whole(&json!({"type": "redacted_thinking", "data": data}), out);
            }
            return;
        };
        if whole.text.is_empty() {
            whole.text.clone_from(&thought);
        }
        if let Some(sealed) = seal(&whole, if self.shows_thinking { &thought } else { "" }) {
            piece(place, &json!({"type": "signature_delta", "signature": sealed}), out);
        }
        end(place, out);
    }

    fn cite(&mut self, cited: &Value, out: &mut String) {
        if let Some(Open::Text(place)) = self.open {
            for citation in cited.as_array().into_iter().flatten() {
                piece(place, &json!({"type": "citations_delta", "citation": citation}), out);
            }
            self.close(out);
        }
    }

    fn call(&mut self, step: Step, out: &mut String) {
        match step {
            Step::Begin(number, id, name) => {
                self.close(out);
                let block = json!({"type": "tool_use", "id": id, "name": name, "input": {}});
                let place = self.start_block(&block, out);
                self.called.insert(number, place);
            }
            Step::Piece(number, arguments) => {
                if let Some(place) = self.called.get(&number) {
                    piece(*place, &json!({"type": "input_json_delta", "partial_json": arguments}), out);
                }
            }
            Step::End(number) => {
                if let Some(place) = self.called.remove(&number) {
                    end(place, out);
                }
            }
        }
    }

    fn whole(&mut self, block: &Value, out: &mut String) {
        let place = self.begin_block(block, out);
        end(place, out);
    }

    /// Ends what is being said or thought.
    fn close(&mut self, out: &mut String) {
        match self.open.take() {
            Some(Open::Text(place) | Open::Thought(place, _)) => end(place, out),
            None => {}
        }
    }
}

impl Tell for Events {
    fn push(&mut self, delta: &Delta, out: &mut String) {
        match delta {
            Delta::Usage(used) => return self.used = *used,
            Delta::Tried(_) | Delta::Instead(_) | Delta::Unknown(_) => return,
            _ => self.begin(out),
        }
        match delta {
            Delta::Text(text) => {
                let place = self.text(out);
                piece(place, &json!({"type": "text_delta", "text": text}), out);
            }
            Delta::Reasoning(text) => self.thought(text, out),
            Delta::ReasoningDone(reasoning) => self.thought_done(reasoning, out),
            Delta::Native(own) => match citations(own) {
                Some(cited) => self.cite(cited, out),
                None => {
                    self.close(out);
                    if let Some(block) = native(own) {
                        self.whole(&block, out);
                    }
                }
            },
            Delta::ToolCall { .. } => {
                for step in self.calls.take(delta) {
                    self.call(step, out);
                }
            }
            Delta::End(reason) => {
                self.close(out);
                for step in self.calls.finish() {
                    self.call(step, out);
                }
                let delta = json!({"stop_reason": stop(reason), "stop_sequence": null});
                event(&json!({"type": "message_delta", "delta": delta, "usage": usage(self.used)}), out);
                event(&json!({"type": "message_stop"}), out);
            }
            _ => {}
        }
    }

    fn fail(&mut self, why: &Fault, out: &mut String) {
        event(&fault::body(why), out);
    }
}

fn piece(place: usize, delta: &Value, out: &mut String) {
    event(&json!({"type": "content_block_delta", "index": place, "delta": delta}), out);
}

fn end(place: usize, out: &mut String) {
    event(&json!({"type": "content_block_stop", "index": place}), out);
}

fn event(data: &Value, out: &mut String) {
    let kind = data.get("type").and_then(Value::as_str).unwrap_or_default();
    out.push_str(&format!("event: {kind}\ndata: {data}\n\n"));
}
