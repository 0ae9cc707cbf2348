use adjutant_core::message::Message;

use super::*;
use crate::collect::Collector;
use crate::delta::StopReason;

/// What an answer's pieces become, as parts; the text follows the reasoning.
fn parts(pieces: &[Value]) -> Vec<Part> {
    let (mut decoder, mut deltas) = (Pieces::default(), Vec::new());
    for piece in pieces {
        match piece.get("type") {
            Some(_) => decoder.chunk(piece, &mut deltas),
            None => decoder.take(piece.as_object().unwrap(), &mut deltas),
        }
    }
    decoder.close(&mut deltas);
    deltas.extend([Delta::Text("4".into()), Delta::End(StopReason::EndTurn)]);
    let mut collector = Collector::new();
    deltas.into_iter().for_each(|delta| collector.push(delta));
    let Message { parts, .. } = collector.finish().unwrap().message;
    parts
}

/// The same as it goes back.
fn back(pieces: &[Value], how: Echo<'_>) -> Value {
    let mut wire = Map::new();
    wire.insert("content".into(), "4".into());
    echo(&mut wire, &parts(pieces), how);
    wire.into()
}

#[test]
fn each_form_goes_back_as_it_came() {
    let text = |text: &str| json!({"type": "reasoning.text", "text": text, "signature": null, "id": null, "format": "anthropic-claude-v1", "index": 0});
    let signed = json!({"type": "reasoning.text", "text": "", "signature": "sig", "format": "anthropic-claude-v1", "index": 0});
    let sealed = |index: Value, data: &str| json!({"type": "reasoning.encrypted", "data": data, "id": "e", "format": "openai-responses-v1", "index": index});
    let summary = |text: &str| json!({"type": "reasoning.summary", "summary": text, "format": "openai-responses-v1", "index": 0});
    let details =
        |list: Value, plain: Value| json!({"reasoning_details": list, "reasoning": plain, "content": ""});
    let block = |text: &str, signature: Value| json!({"reasoning_content": text, "thinking_blocks": [{"type": "thinking", "thinking": text, "signature": signature}]});
    let chunk = |text: &str| json!({"type": "thinking", "thinking": [{"type": "text", "text": text}]});
    let cases: Vec<(&str, Vec<Value>, Echo<'_>, Value)> = vec![
        (
            "a signed text in pieces",
            vec![
                details(json!([text("two ")]), json!("two ")),
                details(json!([text("and two")]), json!("and two")),
                details(json!([signed]), json!(null)),
            ],
            Echo::Details,
            json!({"content": "4", "reasoning_details": [{"type": "reasoning.text", "text": "two and two", "signature": "sig", "id": null, "format": "anthropic-claude-v1", "index": 0}]}),
        ),
        (
            "a summary, then two sealed pieces of one thought",
            vec![
                details(json!([summary("hm")]), json!("hm")),
                details(json!([sealed(json!(1), "AA"), sealed(json!(1), "BB")]), json!(null)),
            ],
            Echo::Details,
            json!({"content": "4", "reasoning_details": [summary("hm"), {"type": "reasoning.encrypted", "data": "AABB", "id": "e", "format": "openai-responses-v1", "index": 1}]}),
        ),
        (
            "two sealed thoughts without a number",
            vec![details(json!([sealed(json!(null), "AA"), sealed(json!(null), "BB")]), json!(null))],
            Echo::Details,
            json!({"content": "4", "reasoning_details": [sealed(json!(null), "AA"), sealed(json!(null), "BB")]}),
        ),
        (
            "nothing but plain text",
            vec![json!({"reasoning": "hm"})],
            Echo::Details,
            json!({"content": "4", "reasoning": "hm"}),
        ),
        (
            "blocks, one of them hidden",
            vec![
                block("two ", json!("")),
                block("and two", json!(null)),
                block("", json!("sig")),
                json!({"thinking_blocks": [{"type": "redacted_thinking", "data": "DD"}]}),
            ],
            Echo::Blocks,
            json!({"content": "4", "reasoning_content": "two and two", "thinking_blocks": [
                {"type": "thinking", "thinking": "two and two", "signature": "sig"}, {"type": "redacted_thinking", "data": "DD"}]}),
        ),
        (
            "chunks",
            vec![
                chunk("two "),
                json!({"type": "thinking", "thinking": [{"type": "text", "text": "and "}, {"type": "text", "text": "two"}], "signature": "sig"}),
            ],
            Echo::Chunks,
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "two and two"}], "closed": true, "signature": "sig"}, {"type": "text", "text": "4"}]}),
        ),
        (
            "a chunk as text",
            vec![json!({"type": "thinking", "thinking": "hm"})],
            Echo::Chunks,
            json!({"content": [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}], "closed": true}, {"type": "text", "text": "4"}]}),
        ),
        (
            "a field",
            vec![json!({"reasoning": "hm", "reasoning_content": "hm"})],
            Echo::Field("reasoning"),
            json!({"content": "4", "reasoning": "hm"}),
        ),
        (
            "no thought",
            vec![json!({})],
            Echo::EveryTime("reasoning_content"),
            json!({"content": "4", "reasoning_content": " "}),
        ),
        (
            "a thought",
            vec![json!({"reasoning_content": "hm"})],
            Echo::EveryTime("reasoning_content"),
            json!({"content": "4", "reasoning_content": "hm"}),
        ),
        // What belongs to another means nothing here.
        ("of another", vec![chunk("hm")], Echo::Details, json!({"content": "4"})),
        (
            "sealed by another",
            vec![block("hm", json!("sig"))],
            Echo::Field("reasoning"),
            json!({"content": "4"}),
        ),
        ("nowhere", vec![json!({"reasoning": "hm"})], Echo::Nowhere, json!({"content": "4"})),
    ];
    for (name, pieces, how, expected) in cases {
        assert_eq!(back(&pieces, how), expected, "{name}");
    }
}

#[test]
fn what_is_thought_is_told_once_and_in_order() {
    let pieces = [
        json!({"reasoning": "a", "reasoning_details": [{"type": "reasoning.text", "text": "a", "index": 0}]}),
        json!({"reasoning": "b"}),
    ];
    let told: String = parts(&pieces)
        .iter()
        .filter_map(|part| match part {
            Part::Reasoning(thought) => Some(thought.text.as_str()),
            _ => None,
        })
        .collect();
    assert_eq!(told, "ab");
}

#[test]
fn what_is_no_reasoning_is_kept_or_left_out_and_never_fatal() {
    for strange in [json!(1), json!("x"), json!([1, "x", null, {}]), json!({"a": 1}), json!(null)] {
        for name in ["reasoning_details", "thinking_blocks", "reasoning", "reasoning_content"] {
            let text: String = parts(&[json!({name: strange})]).iter().filter_map(Part::as_text).collect();
            assert_eq!(text, "4", "{name} {strange}");
        }
        assert_eq!(parts(&[json!({"type": "thinking", "thinking": strange})]).len(), 2);
    }
}
