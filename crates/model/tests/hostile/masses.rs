//! Masses of small things: what takes time or memory out of proportion would not end here.

use adjutant_core::Code;
use adjutant_model::sse::Event;
use adjutant_model::{Collector, Delta};
use serde_json::{Value, json};

use crate::change::wire;
use crate::read::Subject;

const MANY: u32 = 20_000;

fn event(name: &str, data: &Value) -> Event {
    Event { name: name.to_owned(), data: data.to_string() }
}

/// Calls without number, all with the same id, in one event or in one each.
fn calls(subject: usize) -> Vec<Event> {
    let all = |call: fn(u32) -> Value| (0..MANY).map(call).collect::<Value>();
    match subject {
        0 => {
            let calls = all(|index| json!({"index": index, "id": "a", "function": {"name": "look"}}));
            vec![event(
                "",
                &json!({"choices": [{"delta": {"tool_calls": calls}, "finish_reason": "tool_calls"}]}),
            )]
        }
        1 => {
            let item = |index: u32| json!({"type": "function_call", "id": format!("i{index}"), "call_id": "a", "name": "look"});
            let added = (0..MANY)
                .map(|index| event("", &json!({"type": "response.output_item.added", "item": item(index)})));
            let output: Value = (0..MANY).map(item).collect();
            let end =
                json!({"type": "response.completed", "response": {"status": "completed", "output": output}});
            added.chain([event("", &end)]).collect()
        }
        2 => (0..MANY)
            .map(|index| {
                let block = json!({"type": "tool_use", "id": "a", "name": "look"});
                event("", &json!({"type": "content_block_start", "index": index, "content_block": block}))
            })
            .chain([event("", &json!({"type": "message_stop"}))])
            .collect(),
        3 => {
            let parts = all(|_| json!({"functionCall": {"id": "a", "name": "look"}}));
            vec![event("", &json!({"candidates": [{"content": {"parts": parts}, "finishReason": "STOP"}]}))]
        }
        _ => (0..MANY)
            .map(|index| {
                let start = json!({"toolUse": {"toolUseId": "a", "name": "look"}});
                event("contentBlockStart", &json!({"contentBlockIndex": index, "start": start}))
            })
            .chain([event("messageStop", &json!({"stopReason": "tool_use"})), event("metadata", &json!({}))])
            .collect(),
    }
}

#[test]
fn calls_without_number_are_refused() {
    for (index, subject) in Subject::ALL.into_iter().enumerate() {
        let bytes = wire(subject, &calls(index));
        let read = subject.read(subject.content_type(), bytes.chunks(16 << 10));
        let begun = |delta: &&_| matches!(delta, Ok(Delta::ToolCall { name: Some(_), .. }));
        assert_eq!(read.iter().filter(begun).count(), MANY as usize, "{subject:?}");
        let mut collector = Collector::new();
        read.into_iter().for_each(|delta| collector.push(delta.unwrap()));
        let error = collector.finish().unwrap_err();
        assert_eq!(error.code(), Code::ModelAnswerInvalid, "{subject:?}");
        assert_eq!(error.message(), "the answer calls more than 1024 tools at once", "{subject:?}");
    }
}

#[test]
fn blanks_without_end_are_read_once() {
    for (blank, name) in [(&b" \n"[..], "space"), ("\u{feff}".as_bytes(), "marks")] {
        let bytes = blank.repeat((24 << 20) / blank.len());
        let read = Subject::ALL[0].read("", bytes.chunks(512));
        let error = read.into_iter().next().unwrap().unwrap_err();
        assert!(error.message().ends_with("is empty"), "{name}: {error}");
    }
}

#[test]
fn an_event_that_never_ends_is_refused_when_it_is_too_large() {
    for subject in Subject::ALL {
        for line in ["data: xxxxxxxx\n", "data: xxxxxxxx"] {
            let bytes = line.repeat((17 << 20) / 8);
            let read = subject.read("text/event-stream", bytes.as_bytes().chunks(16 << 10));
            let error = read.into_iter().next().unwrap().unwrap_err();
            assert!(error.message().contains("larger than 16777216 bytes"), "{subject:?}: {error}");
        }
    }
}
