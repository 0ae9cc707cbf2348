use adjutant_core::message::{Media, MediaSource};

use super::*;

fn speaker(generation: Generation) -> Speaker {
    Speaker { provider: "gemini", model: "g".into(), generation }
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "look".into(), arguments: r#"{"a":1}"#.into() }
}

fn signature(text: &str, provider: &str, model: &str) -> Part {
    Part::Reasoning(Reasoning {
        text: text.into(),
        provider: Some(provider.into()),
        id: Some(model.into()),
        signature: Some("S".into()),
        ..Reasoning::default()
    })
}

fn media(media_type: &str) -> Media {
    Media { media_type: media_type.into(), name: None, source: MediaSource::Base64("AA==".into()) }
}

fn encoded(generation: Generation, messages: impl IntoIterator<Item = Message>) -> Result<Vec<Value>> {
    let messages: Vec<Arc<Message>> = messages.into_iter().map(Arc::new).collect();
    turns(&speaker(generation), &messages)
}

/// The parts of one answer, between words of a user.
fn answer(generation: Generation, parts: Vec<Part>) -> Value {
    let ends = Message::user("and?");
    let turns = encoded(generation, [Message::user("hi"), Message::assistant(parts), ends]).unwrap();
    assert_eq!((turns.len(), &turns[1]["role"]), (3, &json!("model")), "{turns:?}");
    turns[1]["parts"].clone()
}

#[test]
fn a_signature_stands_on_its_part() {
    use Generation::{Latest, Second};
    let own = |text: &str| signature(text, "gemini", "g");
    let native = |provider: &str, value: Value| Part::Native(Native { provider: provider.into(), value });
    let wire_call = |signature: &str| json!({"functionCall": {"id": "1", "name": "look", "args": {"a": 1}}, "thoughtSignature": signature});
    let unsigned = json!({"functionCall": {"id": "2", "name": "look", "args": {"a": 1}}});
    let thought = Part::Reasoning(Reasoning { text: "hm".into(), ..Reasoning::default() });
    let cases = [
        (vec![Part::text("a")], json!([{"text": "a"}])),
        (vec![thought, Part::text("a")], json!([{"text": "a"}])),
        (
            vec![Part::text("a"), own(""), Part::text("b")],
            json!([{"text": "a"}, {"text": "b", "thoughtSignature": "S"}]),
        ),
        (vec![Part::text("a"), own("")], json!([{"text": "a"}, {"text": "", "thoughtSignature": "S"}])),
        (
            vec![own("hm"), own(""), Part::ToolCall(call("1")), Part::ToolCall(call("2"))],
            json!([{"text": "hm", "thought": true, "thoughtSignature": "S"}, wire_call("S"), unsigned]),
        ),
        // What another made, here or elsewhere, is no signature.
        (
            vec![signature("", "anthropic", "g"), Part::ToolCall(call("1")), Part::ToolCall(call("2"))],
            json!([wire_call(NO_SIGNATURE), unsigned]),
        ),
        (vec![signature("", "gemini", "h"), Part::ToolCall(call("1"))], json!([wire_call(NO_SIGNATURE)])),
        (
            vec![
                own(""),
                native("gemini", json!({"executableCode": {}})),
                native("gemini", json!({"groundingMetadata": {}})),
                native("x", json!({"a": 1})),
            ],
            json!([{"text": "", "thoughtSignature": "S"}, {"executableCode": {}}]),
        ),
    ];
    for (parts, expected) in cases {
        assert_eq!(answer(Latest, parts.clone()), expected, "{parts:?}");
    }
    // Older models know neither ids nor signatures that must be there.
    let old = json!([{"functionCall": {"name": "look", "args": {"a": 1}}}]);
    assert_eq!(answer(Second, vec![Part::ToolCall(call("1"))]), old);
    let broken = ToolCall { name: "a b".into(), arguments: "[1]".into(), ..call("1") };
    let repaired = json!([{"functionCall": {"name": "a_b", "args": {"invalid_arguments": "[1]"}}}]);
    assert_eq!(answer(Second, vec![Part::ToolCall(broken)]), repaired);
}

#[test]
fn results_stand_together_in_the_order_of_their_calls() {
    use Generation::{Latest, Second};
    let mut seen = ToolResult::text(&call("1"), "a cat");
    seen.content.extend([Part::Image(media("image/png")), Part::Audio(media("audio/wav"))]);
    let mut data = ToolResult::text(&call("3"), "");
    (data.content, data.data) = (Vec::new(), Some(json!({"n": 1})));
    let messages = || {
        [
            Message::system("be kind"),
            Message::user("look"),
            Message::user("thrice"),
            Message::assistant(vec![
                Part::ToolCall(call("1")),
                Part::ToolCall(call("2")),
                Part::ToolCall(call("3")),
            ]),
            Message::tool(data.clone()),
            Message::tool(ToolResult::error(&call("2"), "no")),
            Message::tool(seen.clone()),
            Message::user("and?"),
        ]
    };
    let image = json!({"inlineData": {"mimeType": "image/png", "data": "AA=="}});
    let audio = json!({"inlineData": {"mimeType": "audio/wav", "data": "AA=="}});
    let turns = encoded(Latest, messages()).unwrap();
    let roles: Vec<&str> = turns.iter().map(|turn| turn["role"].as_str().unwrap()).collect();
    assert_eq!(roles, ["user", "model", "user", "user"]);
    assert_eq!(turns[0]["parts"], json!([{"text": "look"}, {"text": "thrice"}]));
    let expected = json!([
        {"functionResponse": {"id": "1", "name": "look", "parts": [image],
            "response": {"output": "a cat\n(1 attachment(s), after the results)"}}},
        {"functionResponse": {"id": "2", "name": "look", "response": {"error": "no"}}},
        {"functionResponse": {"id": "3", "name": "look", "response": {"output": {"n": 1}}}},
        audio,
    ]);
    assert_eq!(turns[2]["parts"], expected);
    assert_eq!(turns[3]["parts"], json!([{"text": "and?"}]));
    let old = encoded(Second, messages()).unwrap();
    let expected = json!([
        {"functionResponse": {"name": "look", "response": {"output": "a cat\n(2 attachment(s), after the results)"}}},
        {"functionResponse": {"name": "look", "response": {"error": "no"}}},
        {"functionResponse": {"name": "look", "response": {"output": {"n": 1}}}},
        image,
        audio,
    ]);
    assert_eq!(old[2]["parts"], expected);
}

#[test]
fn instructions_stand_apart() {
    let of = |messages: Vec<Message>| {
        let messages: Vec<Arc<Message>> = messages.into_iter().map(Arc::new).collect();
        instruction(&messages)
    };
    let both = vec![Message::system("a"), Message::user("hi"), Message::system("b")];
    assert_eq!(of(both).unwrap(), Some(json!({"parts": [{"text": "a"}, {"text": "b"}]})));
    assert_eq!(of(vec![Message::system(""), Message::user("hi")]).unwrap(), None);
    let error = of(vec![Message::new(Role::System, vec![Part::Image(media("image/png"))])]).unwrap_err();
    assert_eq!(error.message(), "gemini cannot carry an image in a system message");
}

#[test]
fn an_empty_answer_leaves_no_turn() {
    let messages = [Message::user("a"), Message::assistant(vec![Part::text("")]), Message::user("b")];
    let turns = encoded(Generation::Latest, messages).unwrap();
    assert_eq!(turns, [json!({"role": "user", "parts": [{"text": "a"}, {"text": "b"}]})]);
}

#[test]
fn what_has_no_place_is_refused() {
    use Generation::{Latest, Third};
    let odd = ToolResult { content: vec![Part::ToolCall(call("2"))], ..ToolResult::text(&call("1"), "") };
    let said = || Message::assistant(vec![Part::text("a")]);
    let cases = [
        (vec![], Code::InputInvalid, "the request has no message of a user"),
        (vec![Message::system("a")], Code::InputInvalid, "the request has no message of a user"),
        (
            vec![Message::user("a"), said()],
            Code::ModelUnsupported,
            "the model `g` takes no request that ends with its own words",
        ),
        (
            vec![Message::new(Role::User, vec![Part::ToolCall(call("1"))])],
            Code::ModelUnsupported,
            "gemini cannot carry a tool call in a user message",
        ),
        (
            vec![Message::assistant(vec![Part::Image(media("image/png"))])],
            Code::ModelUnsupported,
            "gemini cannot carry an image in an assistant message",
        ),
        (
            vec![Message::new(Role::Tool, vec![Part::text("a")])],
            Code::ModelUnsupported,
            "gemini cannot carry text in a tool message",
        ),
        (
            vec![Message::assistant(vec![Part::ToolCall(call("1"))]), Message::tool(odd)],
            Code::ModelUnsupported,
            "gemini cannot carry a tool call in the result of a tool message",
        ),
        (
            vec![Message::new(Role::User, vec![Part::Image(media("image/svg+xml"))])],
            Code::ModelUnsupported,
            "gemini takes no media of the type `image/svg+xml`",
        ),
    ];
    for (messages, code, why) in cases {
        let error = encoded(Latest, messages).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, why));
    }
    assert!(encoded(Third, [Message::user("a"), said()]).is_ok());
}
