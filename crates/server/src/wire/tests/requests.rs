//! What we send to a vendor we understand when a client sends it.

use proptest::prelude::*;
use proptest::sample::select;
use serde_json::Value;

use super::said::{request, vendors};
use crate::anthropic;
use crate::openai::{chat, responses};

proptest! {
    #[test]
    fn a_request_to_a_vendor_is_read_as_it_was_meant(
        (vendor, request) in vendors().prop_flat_map(|vendor| (Just(vendor), request(vendor))),
    ) {
        let mut body = vendor.wire().encode(&request).unwrap().body;
        // What clients of that vendor do not write.
        body.as_object_mut().unwrap().remove("stream");
        body.as_object_mut().unwrap().remove("stream_options");
        prop_assert_eq!(vendor.read(&body), request, "{:?} {}", vendor, body);
    }
}

/// Bodies that are nearly right: the names that the formats know, in wrong places, with wrong values.
fn odd() -> impl Strategy<Value = Value> {
    const NAMES: &[&str] = &[
        "messages",
        "input",
        "model",
        "role",
        "content",
        "type",
        "text",
        "tools",
        "function",
        "name",
        "tool_calls",
        "id",
        "arguments",
        "tool_call_id",
        "call_id",
        "output",
        "image_url",
        "url",
        "source",
        "data",
        "media_type",
        "max_tokens",
        "thinking",
        "signature",
        "reasoning_details",
        "encrypted_content",
        "summary",
        "system",
        "tool_choice",
        "response_format",
        "format",
        "json_schema",
        "schema",
    ];
    const WORDS: &[&str] = &[
        "user",
        "assistant",
        "tool",
        "system",
        "text",
        "input_text",
        "output_text",
        "function",
        "function_call",
        "function_call_output",
        "reasoning",
        "message",
        "tool_use",
        "tool_result",
        "thinking",
        "redacted_thinking",
        "image",
        "image_url",
        "file",
        "document",
        "base64",
        "url",
        "json_schema",
        "adj1.e30",
        "data:image/png;base64,AA==",
        "data:,",
        "m",
        "",
    ];
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        select(WORDS).prop_map(Value::from),
        "\\PC{0,6}".prop_map(Value::from),
    ];
    leaf.prop_recursive(6, 64, 6, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::vec((select(NAMES), inner), 0..6).prop_map(|fields| {
                let fields = fields.into_iter().map(|(name, value)| (name.to_owned(), value));
                Value::Object(fields.collect())
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_body_that_cannot_be_read_is_refused_with_a_reason(body in odd()) {
        let refused = [
            chat::read(&body).err(),
            responses::read(&body).err(),
            anthropic::read(&body).err(),
        ];
        for fault in refused.into_iter().flatten() {
            prop_assert!(!fault.told().is_empty());
        }
    }
}
