//! The offline model at a small service desk: which tools it calls, with what, and what it answers.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use std::collections::HashSet;

use adjutant_core::message::{Message, ToolCall, ToolResult, transcript_fault};
use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_model::offline::{Offline, answer};
use adjutant_model::{Call, Collector, Model, OutputSchema, Request, StopReason, ToolChoice};
use futures::StreamExt;
use proptest::prelude::*;
use serde_json::{Value, json};

const DOCUMENTS: [(&str, &str); 3] = [
    (
        "documents/returns.md",
        "# Returns\n\nYou can return an article within 30 days of delivery.\n\n## Refunds\n\nThe refund goes to the card that paid, within 5 working days.\n",
    ),
    (
        "documents/opening-hours.md",
        "# Opening hours\n\nThe shop in Leeds is open from 9:00 to 18:00, Monday to Saturday.\n",
    ),
    (
        "documents/warranty.md",
        "# Warranty\n\nEvery kettle has a warranty of two years.\n\n## Repairs\n\nA repair takes ten days.\n",
    ),
];

fn tool(name: &str, description: &str, parameters: &Value, effect: Effect) -> ToolSpec {
    ToolSpec {
        name: name.into(),
        description: description.into(),
        parameters: parameters.clone(),
        effect,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

fn object(properties: &Value, required: &[&str]) -> Value {
    json!({"type": "object", "properties": properties, "required": required, "additionalProperties": false})
}

fn desk() -> Vec<ToolSpec> {
    let text = |description: &str| json!({"type": "string", "description": description});
    let line = json!({"type": ["integer", "null"], "minimum": 1, "description": "A line, from 1."});
    let priority = json!({"type": "string", "enum": ["low", "normal", "high"], "default": "normal"});
    vec![
        tool(
            "list_files",
            "Lists the files of a folder.",
            &object(&json!({"path": text("The folder.")}), &[]),
            Effect::Pure,
        ),
        tool(
            "read_file",
            "Reads a text file, all of it or a range of lines.",
            &object(&json!({"path": text("The file."), "from_line": line, "to_line": line}), &["path"]),
            Effect::Pure,
        ),
        tool(
            "search_files",
            "Searches the files for words and returns the lines that have them.",
            &object(&json!({"query": text("The words.")}), &["query"]),
            Effect::Pure,
        ),
        tool(
            "order",
            "Finds an order by its number: customer, item, date and status.",
            &object(
                &json!({"number": {"type": "integer", "description": "The order's number."}}),
                &["number"],
            ),
            Effect::Pure,
        ),
        tool("now", "Tells the current date and time.", &object(&json!({}), &[]), Effect::Pure),
        tool(
            "calculate",
            "Works out an arithmetic expression exactly.",
            &object(&json!({"expression": text("Such as `2 * (3 + 4)`.")}), &["expression"]),
            Effect::Pure,
        ),
        tool(
            "fetch",
            "Reads a web page.",
            &object(&json!({"url": text("Its address.")}), &["url"]),
            Effect::Pure,
        ),
        tool(
            "file_ticket",
            "Files a ticket for the people of the service desk.",
            &object(
                &json!({"summary": text("What it is about."), "order": {"type": ["integer", "null"]}, "priority": priority}),
                &["summary"],
            ),
            Effect::AtMostOnce,
        ),
    ]
}

/// What the desk's tools answer.
fn run(call: &ToolCall) -> ToolResult {
    let arguments: Value = serde_json::from_str(&call.arguments).unwrap();
    let text = |name: &str| arguments[name].as_str().unwrap_or_default().to_owned();
    let answer = match call.name.as_str() {
        "list_files" => DOCUMENTS.map(|(path, _)| path).join("\n"),
        "read_file" => match DOCUMENTS.iter().find(|(path, _)| *path == text("path")) {
            Some((_, content)) => (*content).to_owned(),
            None => return ToolResult::error(call, format!("there is no file `{}`", text("path"))),
        },
        "search_files" => {
            let query = text("query").to_lowercase();
            let words: Vec<&str> = query.split_whitespace().collect();
            let hit = |line: &str| {
                words.iter().any(|word| line.to_lowercase().contains(word.trim_end_matches('s')))
            };
            let lines = DOCUMENTS.iter().flat_map(|(path, content)| {
                (1..)
                    .zip(content.lines())
                    .filter(|(_, line)| hit(line))
                    .map(move |(n, line)| format!("{path}:{n}: {line}"))
            });
            let lines: Vec<String> = lines.collect();
            if lines.is_empty() { "no matches".to_owned() } else { lines.join("\n") }
        }
        "order" => match arguments["number"].as_i64() {
            Some(number @ (1042 | 1043)) => {
                json!({"number": number, "customer": "Ann Smith", "item": "kettle", "status": "shipped"})
                    .to_string()
            }
            other => return ToolResult::error(call, format!("there is no order {other:?}")),
        },
        "now" => "2026-11-22 10:00".to_owned(),
        "calculate" => "27".to_owned(),
        "fetch" => "Gift cards are valid for three years.".to_owned(),
        "file_ticket" => "filed as T-1".to_owned(),
        other => panic!("{other}"),
    };
    ToolResult::text(call, answer)
}

/// Plays turns to their end and returns the calls, each as `name {arguments}`, and the last answer.
fn play(request: &mut Request) -> (Vec<String>, String) {
    let mut calls = Vec::new();
    for _ in 0..10 {
        let message = answer(request);
        assert_eq!(message, answer(request), "the same request has the same answer");
        let asked: Vec<ToolCall> = message.calls().cloned().collect();
        request.messages.push(message.clone().into());
        if asked.is_empty() {
            let messages: Vec<Message> = request.messages.iter().map(|message| (**message).clone()).collect();
            assert_eq!(transcript_fault(&messages), None);
            return (calls, message.text());
        }
        for call in asked {
            calls.push(format!("{} {}", call.name, call.arguments));
            request.messages.push(Message::tool(run(&call)).into());
        }
    }
    panic!("the turn does not end: {calls:?}");
}

fn ask(text: &str) -> Request {
    Request {
        tools: desk().into(),
        ..Request::new([Message::system("You run the desk."), Message::user(text)])
    }
}

fn check(text: &str, calls: &[&str], says: &[&str]) {
    let (made, said) = play(&mut ask(text));
    assert_eq!(made, calls, "{text}\n{said}");
    for part in says {
        assert!(said.contains(part), "{text}\nshould say: {part}\nsays: {said}");
    }
}

#[test]
fn questions_are_looked_up_and_answered_with_quotations() {
    check(
        "Where is order 1042?",
        &[r#"order {"number":1042}"#],
        &["`order`, number 1042", "> status: shipped"],
    );
    check(
        "Where is order 1042, and can I still return it?",
        &[
            r#"order {"number":1042}"#,
            r#"search_files {"query":"return"}"#,
            r#"read_file {"path":"documents/returns.md"}"#,
        ],
        &["status: shipped", "`documents/returns.md`, lines", "within 30 days"],
    );
    check(
        "orders 1042 and 1043",
        &[r#"order {"number":1042}"#, r#"order {"number":1043}"#],
        &["number: 1042", "number: 1043"],
    );
    check(
        "How long is the warranty on a kettle?",
        &[r#"search_files {"query":"warranty kettle"}"#, r#"read_file {"path":"documents/warranty.md"}"#],
        &["two years", "`documents/warranty.md`"],
    );
    check(
        "When are you open?",
        &[r#"search_files {"query":"open"}"#, r#"read_file {"path":"documents/opening-hours.md"}"#],
        &["9:00 to 18:00"],
    );
    check("read documents/returns.md", &[r#"read_file {"path":"documents/returns.md"}"#], &["30 days"]);
    check("List the files", &["list_files {}"], &["documents/returns.md", "documents/warranty.md"]);
    check("What is 3 * (4 + 5)?", &[r#"calculate {"expression":"3 * (4 + 5)"}"#], &["27"]);
    check("What time is it now?", &["now {}"], &["2026-11-22 10:00"]);
    check(
        "What does https://example.com/gifts say?",
        &[r#"fetch {"url":"https://example.com/gifts"}"#],
        &["`https://example.com/gifts`", "three years"],
    );
}

#[test]
fn nothing_is_filed_that_nobody_asked_for() {
    check(
        "Order 1042 arrived broken. Please file a ticket.",
        &[r#"order {"number":1042}"#, r#"file_ticket {"order":1042,"summary":"Order 1042 arrived broken."}"#],
        &["filed as T-1"],
    );
    check(
        "Please file a ticket: order 1042 has not moved for weeks.",
        &[
            r#"order {"number":1042}"#,
            r#"file_ticket {"order":1042,"summary":"Order 1042 has not moved for weeks."}"#,
        ],
        &["filed as T-1"],
    );
    check(
        "Please open a high priority ticket: the kettle leaks",
        &[r#"file_ticket {"priority":"high","summary":"The kettle leaks"}"#],
        &["filed as T-1"],
    );
    let (calls, _) = play(&mut ask("How do I file a ticket?"));
    assert!(!calls.iter().any(|call| call.starts_with("file_ticket")), "{calls:?}");
}

#[test]
fn what_is_missing_is_asked_for() {
    let mut request = ask("Where is my order?");
    let (calls, said) = play(&mut request);
    assert!(!calls.iter().any(|call| call.starts_with("order ")), "{calls:?}");
    assert!(said.contains("`number`"), "{said}");
    request.messages.push(Message::user("1043").into());
    let (calls, said) = play(&mut request);
    assert_eq!(calls, [r#"order {"number":1043}"#]);
    assert!(said.contains("status: shipped"), "{said}");
}

#[test]
fn it_refers_to_what_was_said_before() {
    let mut request = ask("Where is order 1042?");
    play(&mut request);
    request.messages.push(Message::user("And what is the status of it today?").into());
    let (calls, _) = play(&mut request);
    assert!(calls.contains(&r#"order {"number":1042}"#.to_owned()), "{calls:?}");
}

#[test]
fn failures_and_empty_results_are_told() {
    check("Where is order 7?", &[r#"order {"number":7}"#], &["`order` failed: there is no order"]);
    let (calls, said) = play(&mut ask("What about unicorns?"));
    assert!(calls.len() <= 3, "{calls:?}");
    assert!(said.contains("found nothing") && said.contains("query `unicorns`"), "{said}");
    check("Hello!", &[], &["Ask me something"]);
}

#[test]
fn it_says_once_that_it_is_no_llm() {
    let mut request = ask("Where is order 1042?");
    let (_, said) = play(&mut request);
    assert!(said.contains("offline model") && said.contains("no LLM"), "{said}");
    request.messages.push(Message::user("Where is order 1043?").into());
    let (_, said) = play(&mut request);
    assert!(!said.contains("offline model"), "{said}");
}

#[test]
fn without_tools_it_answers_with_what_it_has() {
    let mut request = ask("Where is order 1042?");
    let call = answer(&request);
    let result = run(call.calls().next().unwrap());
    request.messages.extend([call.into(), Message::tool(result).into()]);
    request.tool_choice = ToolChoice::None;
    let (calls, said) = play(&mut request);
    assert!(calls.is_empty() && said.contains("shipped"), "{said}");
    let mut bare = Request::new([Message::user("Where is order 1042?")]);
    assert!(play(&mut bare).1.contains("no tools"));
}

#[test]
fn a_demanded_call_is_made() {
    for (choice, name) in [(ToolChoice::Required, "list_files"), (ToolChoice::Named("now".into()), "now")] {
        let mut request = ask("Hello!");
        request.tool_choice = choice;
        let (calls, _) = play(&mut request);
        assert!(calls.iter().any(|call| call.starts_with(name)), "{calls:?}");
    }
}

#[test]
fn an_answer_in_the_form_of_a_schema_fits_it() {
    let schemas = [
        json!({"type": "object", "properties": {"answer": {"type": "string"}, "sources": {"type": "array", "items": {"type": "string"}}},
            "required": ["answer", "sources"], "additionalProperties": false}),
        json!({"type": "object", "properties": {"number": {"type": "integer"}, "status": {"enum": ["open", "shipped"]}, "found": {"type": "boolean"}},
            "required": ["number", "status", "found"]}),
        json!({"$defs": {"Item": {"type": "object", "properties": {"name": {"type": "string", "minLength": 3, "maxLength": 10}, "next": {"anyOf": [{"$ref": "#/$defs/Item"}, {"type": "null"}]}},
            "required": ["name"]}}, "type": "object", "properties": {"item": {"$ref": "#/$defs/Item"}}, "required": ["item"]}),
        json!({"type": "object", "properties": {"score": {"type": "number", "minimum": 0.5, "maximum": 1}, "when": {"type": "string", "format": "date"}, "to": {"type": "string", "format": "email"},
            "list": {"type": "array", "items": {"type": "integer", "minimum": 1, "maximum": 5}, "minItems": 2}}, "required": ["score", "when", "to", "list"]}),
        json!({"type": "array", "items": {"const": "x"}, "minItems": 1}),
        json!({"type": "boolean"}),
        json!({}),
    ];
    for schema in schemas {
        let output = OutputSchema { name: "reply".into(), schema: schema.clone(), strict: true };
        let mut request = Request { output: Some(output), ..ask("Where is order 1042?") };
        let (calls, said) = play(&mut request);
        assert_eq!(calls, [r#"order {"number":1042}"#]);
        let value: Value = serde_json::from_str(&said).unwrap();
        if let Err(error) = jsonschema::validate(&schema, &value) {
            panic!("{error}: {said} for {schema}");
        }
    }
    let schema = json!({"type": "object", "properties": {"number": {"type": "integer"}, "status": {"type": "string"}}, "required": ["number", "status"]});
    let output = OutputSchema { name: "reply".into(), schema, strict: true };
    let (_, said) = play(&mut Request { output: Some(output), ..ask("Where is order 1042?") });
    assert_eq!(said, r#"{"number":1042,"status":"shipped"}"#);
}

#[tokio::test]
async fn it_streams_in_pieces_and_counts() {
    let request = ask("Hello!");
    let mut deltas = Offline::new().stream(request.clone(), Call::default()).await.unwrap();
    let (mut pieces, mut collector) = (0, Collector::for_request(&request));
    while let Some(delta) = deltas.next().await {
        pieces += usize::from(matches!(delta, Ok(adjutant_model::Delta::Text(_))));
        collector.push(delta.unwrap());
    }
    let response = collector.finish().unwrap();
    assert!(pieces > 2);
    assert_eq!((response.stop, response.message), (StopReason::EndTurn, answer(&request)));
    assert!(response.usage.unwrap().input > 100);

    let call = Call::default();
    call.cancel.cancel();
    let mut deltas = Offline::new().stream(request, call).await.unwrap();
    assert_eq!(deltas.next().await.unwrap().unwrap_err().code(), adjutant_core::Code::RunCancelled);
    assert!(deltas.next().await.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Whatever is asked, the turn ends, no call is repeated, and nothing is filed by accident.
    #[test]
    fn every_turn_ends(
        text in "(((order|return|list|file|kettle|1042|it|how|read|and|\\?|,|2026-11-22|a@b.example|\"x y\"|3 \\* 4|x\\.md|ü) ){0,12})|.{0,40}"
    ) {
        let (calls, _) = play(&mut ask(&text));
        let unique: HashSet<&String> = calls.iter().collect();
        prop_assert_eq!(unique.len(), calls.len());
        let filed = calls.iter().any(|call| call.starts_with("file_ticket"));
        prop_assert!(!filed || text.contains("ticket"));
    }
}

#[test]
fn tools_that_are_not_shown_are_searched_for_once() {
    let all = desk();
    let named = |name: &str| all.iter().find(|tool| tool.name == name).unwrap().clone();
    let finder = tool(
        "search_tools",
        "Finds tools of yours by what they do.",
        &object(&json!({"query": {"type": "string"}}), &["query"]),
        Effect::Pure,
    );
    let mut request =
        Request { tools: vec![named("now"), finder.clone()].into(), ..ask("Where is order 1042?") };
    let searched = answer(&request);
    let call = searched.calls().next().unwrap().clone();
    assert_eq!(
        (call.name.as_str(), call.arguments.as_str()),
        ("search_tools", r#"{"query":"Where is order 1042?"}"#)
    );
    request.messages.push(searched.into());
    request.messages.push(Message::tool(ToolResult::text(&call, "order: Finds an order.")).into());

    let mut found = Request { tools: vec![named("now"), finder, named("order")].into(), ..request.clone() };
    let (calls, said) = play(&mut found);
    assert_eq!(calls, [r#"order {"number":1042}"#]);
    assert!(said.contains("> status: shipped") && !said.contains("search_tools"), "{said}");
    // Where nothing is found it says so, and does not search for ever.
    let (calls, said) = play(&mut request);
    assert_eq!(calls, [""; 0]);
    assert!(said.contains("None of my tools fits that: `now`"), "{said}");

    // What is shown and fits is called without a search.
    let tools = vec![
        named("order"),
        tool("search_tools", "", &object(&json!({"query": {"type": "string"}}), &["query"]), Effect::Pure),
    ];
    let (calls, _) = play(&mut Request { tools: tools.into(), ..ask("Where is order 1042?") });
    assert_eq!(calls, [r#"order {"number":1042}"#]);
}
