use adjutant_core::message::{Message, Part, Reasoning, ToolCall, ToolResult};
use adjutant_core::tool::Effect;

use super::*;

fn dialect(model: &str) -> Dialect {
    let generation = Generation::of(model);
    Dialect {
        model: model.into(),
        origin: "anthropic".into(),
        generation,
        most_output: generation.most_output,
        window: None,
        parallel_tools: true,
        effort: None,
        prompt_cache: PromptCache::Off,
        provider_tools: Vec::new(),
        extra: Map::new(),
    }
}

fn look() -> ToolSpec {
    ToolSpec {
        name: "look".into(),
        description: "Looks.".into(),
        parameters: json!({"properties": {}}),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn hi(request: Request) -> Request {
    Request { messages: vec![Message::user("hi").into()], ..request }
}

fn with_tools(tool_choice: ToolChoice) -> Request {
    Request { tools: [look()].into(), tool_choice, ..Request::default() }
}

fn form(schema: Value) -> Request {
    let output = OutputSchema { name: "o".into(), schema, strict: true };
    Request { output: Some(output), ..Request::default() }
}

/// The body without what every body has.
fn rest(dialect: &Dialect, request: Request) -> Value {
    let mut body = body(dialect, &hi(request)).unwrap();
    let fields = body.as_object_mut().unwrap();
    assert_eq!(fields.remove("model").unwrap(), dialect.model);
    assert_eq!(fields.remove("stream"), Some(true.into()));
    assert_eq!(
        fields.remove("messages"),
        Some(json!([{"role": "user", "content": [{"type": "text", "text": "hi"}]}]))
    );
    body
}

#[test]
fn an_answer_may_be_as_long_as_the_window_has_room() {
    let most = |window: Option<u64>, tokens: usize, asked: Option<u32>| {
        let dialect = Dialect { window, ..dialect("claude-sonnet-4-5") };
        let messages = [Message::user("x".repeat(4 * tokens))];
        body(&dialect, &Request { max_output_tokens: asked, ..Request::new(messages) }).unwrap()["max_tokens"]
            .as_u64()
            .unwrap()
    };
    let window = Some(200_000);
    let cases = [
        (None, 190_000, None, 64_000),
        (window, 10, None, 64_000),
        (window, 100_000, None, 64_000),
        (window, 110_000, None, 32_768),
        (window, 130_000, None, 16_384),
        (window, 180_000, None, 4_096),
        (window, 900_000, None, 4_096),
        (window, 180_000, Some(9_000), 9_000),
    ];
    for (window, tokens, asked, expected) in cases {
        assert_eq!(most(window, tokens, asked), expected, "{tokens} of {window:?}");
    }
}

#[test]
fn each_wish_has_its_field() {
    let tools = json!([{"name": "look", "description": "Looks.", "input_schema": {"type": "object", "properties": {}}}]);
    let old = "claude-sonnet-4-5";
    let new = "claude-opus-5-5";
    let adaptive = json!({"type": "adaptive", "display": "summarized"});
    let schema = json!({"type": "object", "properties": {"a": {"type": "null"}}});
    let closed =
        json!({"type": "object", "properties": {"a": {"type": "null"}}, "additionalProperties": false});
    let cases = [
        (old, Request::default(), json!({"max_tokens": 64000})),
        (old, with_tools(ToolChoice::Auto), json!({"max_tokens": 64000, "tools": tools})),
        (
            old,
            with_tools(ToolChoice::None),
            json!({"max_tokens": 64000, "tools": tools, "tool_choice": {"type": "none"}}),
        ),
        (
            old,
            with_tools(ToolChoice::Required),
            json!({"max_tokens": 64000, "tools": tools, "tool_choice": {"type": "any"}}),
        ),
        (
            old,
            with_tools(ToolChoice::Named("look".into())),
            json!({"max_tokens": 64000, "tools": tools, "tool_choice": {"type": "tool", "name": "look"}}),
        ),
        (
            old,
            Request {
                max_output_tokens: Some(5),
                temperature: Some(0.2),
                stop: vec!["x".into()],
                ..Request::default()
            },
            json!({"max_tokens": 5, "temperature": 0.2, "stop_sequences": ["x"]}),
        ),
        (
            old,
            Request { effort: Some(Effort::Low), temperature: Some(1.0), ..Request::default() },
            json!({"max_tokens": 64000, "thinking": {"type": "enabled", "budget_tokens": 4096}}),
        ),
        (new, Request::default(), json!({"max_tokens": 64000, "thinking": adaptive})),
        (
            new,
            Request { temperature: Some(1.0), ..Request::default() },
            json!({"max_tokens": 64000, "thinking": adaptive}),
        ),
        (
            new,
            Request { effort: Some(Effort::Max), ..form(schema.clone()) },
            json!({"max_tokens": 64000, "thinking": adaptive, "output_config": {
                "effort": "max", "format": {"type": "json_schema", "schema": closed}}}),
        ),
        (
            new,
            form(json!({"type": "object"})),
            json!({"max_tokens": 64000, "thinking": adaptive, "system": [{"type": "text", "text":
                "The final answer is nothing but JSON that fits this JSON schema:\n{\"type\":\"object\"}"}]}),
        ),
        (
            new,
            Request {
                extra: map(&json!({"output_config": {"effort": "xhigh"}, "thinking": null, "top_k": 3,
                    "tool_choice": {"type": "any"}})),
                ..form(schema)
            },
            json!({"max_tokens": 64000, "top_k": 3, "tool_choice": {"type": "any"}, "output_config": {
                "effort": "xhigh", "format": {"type": "json_schema", "schema": closed}}}),
        ),
    ];
    for (model, request, expected) in cases {
        assert_eq!(rest(&dialect(model), request.clone()), expected, "{model} {request:?}");
    }
}

#[test]
fn the_configuration_is_heard_after_the_request() {
    let search = json!({"type": "web_search_20260318", "name": "web_search"});
    let dialect = Dialect {
        parallel_tools: false,
        effort: Some(Effort::High),
        provider_tools: vec![search.clone()],
        extra: map(&json!({"service_tier": "auto", "metadata": {"user_id": "u"}})),
        ..dialect("claude-opus-4-8")
    };
    let request = Request {
        effort: Some(Effort::Off),
        extra: map(&json!({"service_tier": "standard_only"})),
        ..Request::default()
    };
    let fields = json!({"max_tokens": 64000, "tools": [search], "service_tier": "standard_only",
        "metadata": {"user_id": "u"}, "tool_choice": {"type": "auto", "disable_parallel_tool_use": true}});
    assert_eq!(rest(&dialect, request), fields);
}

#[test]
fn what_a_model_cannot_do_is_refused() {
    let tepid = || Request { temperature: Some(0.5), ..Request::default() };
    let thinking = |request| Request { effort: Some(Effort::High), ..request };
    let unsupported = [
        ("claude-opus-5-5", with_tools(ToolChoice::Required), "cannot be made to call a tool"),
        ("claude-opus-5-5", with_tools(ToolChoice::Named("look".into())), "cannot be made to call a tool"),
        (
            "claude-opus-4-6",
            thinking(with_tools(ToolChoice::Required)),
            "cannot be made to call a tool while it thinks",
        ),
        ("claude-opus-4-7", tepid(), "takes no `temperature`"),
        ("claude-sonnet-4-5", thinking(tepid()), "takes no `temperature` while it thinks"),
        (
            "claude-sonnet-4-5",
            Request { temperature: Some(1.5), ..Request::default() },
            "takes a `temperature` from 0 to 1",
        ),
        ("claude-opus-4-1", form(json!({})), "cannot answer in the form of a schema"),
    ];
    for (model, request, what) in unsupported {
        let error = body(&dialect(model), &hi(request)).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Code::ModelUnsupported, format!("the model `{model}` {what}").as_str())
        );
        assert!(error.help().is_some());
    }
}

#[test]
fn a_request_that_contradicts_itself_is_refused() {
    let broken =
        |parameters| Request { tools: [ToolSpec { parameters, ..look() }].into(), ..Request::default() };
    let extra = |extra: Value| Request { extra: map(&extra), ..Request::default() };
    let cases = [
        (with_tools(ToolChoice::Named("x".into())), "the model must call `x`, which is not among its tools"),
        (broken(json!([])), "the parameters of the tool `look` are not a JSON schema of an object"),
        (
            broken(json!({"type": "string"})),
            "the parameters of the tool `look` are not a JSON schema of an object",
        ),
        (extra(json!({"stream": false})), "the extra parameter `stream` of the model cannot be set"),
        (extra(json!({"system": "x"})), "the extra parameter `system` of the model cannot be set"),
        (
            Request { stop: vec!["\n".into()], ..Request::default() },
            "the messages of Anthropic cannot carry a stop text of nothing but white space",
        ),
    ];
    for (request, why) in cases {
        assert_eq!(body(&dialect("claude-opus-4-5"), &hi(request)).unwrap_err().message(), why);
    }
}

#[test]
fn bound_thinking_may_be_left_out_where_it_no_longer_fits() {
    let call = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into() };
    let thought =
        Reasoning { signature: Some("s".into()), provider: Some("anthropic".into()), ..Reasoning::default() };
    let request = Request::new([
        Message::user("hi"),
        Message::assistant(vec![Part::Reasoning(thought), Part::ToolCall(call.clone())]),
        Message::tool(ToolResult::text(&call, "ok")),
    ]);
    let drops = json!({"type": "adaptive", "display": "summarized",
        "block_binding": {"prefix_mismatch_behavior": "drop_block"}});
    let keeps = json!({"type": "adaptive", "display": "summarized"});
    for (model, thinking) in [("claude-opus-5-5", &drops), ("claude-opus-5", &keeps)] {
        assert_eq!(body(&dialect(model), &request).unwrap()["thinking"], *thinking, "{model}");
    }
    let first = Request::new([Message::user("hi")]);
    assert_eq!(body(&dialect("claude-opus-5-5"), &first).unwrap()["thinking"], keeps);
}

#[test]
fn a_budget_is_given_only_where_thinking_began_the_calls() {
    let call = ToolCall { id: "1".into(), name: "look".into(), arguments: "{}".into() };
    let of = |provider: &str| {
        let provider = Some(provider.to_owned());
        Part::Reasoning(Reasoning { signature: Some("s".into()), provider, ..Reasoning::default() })
    };
    let asked = |thought: Part, after: &[Message]| {
        let asks = Message::assistant(vec![thought, Part::ToolCall(call.clone())]);
        let result = Message::tool(ToolResult::text(&call, "ok"));
        let messages = [Message::user("hi"), asks, result].into_iter().chain(after.iter().cloned());
        Request { effort: Some(Effort::High), ..Request::new(messages) }
    };
    let later = [Message::assistant(vec![Part::text("done")]), Message::user("more")];
    let cases = [
        ("claude-sonnet-4-5", asked(of("anthropic"), &[]), true),
        ("claude-sonnet-4-5", asked(of("gemini"), &[]), false),
        ("claude-sonnet-4-5", asked(of("gemini"), &later), true),
        ("claude-opus-4-6", asked(of("gemini"), &[]), true),
    ];
    for (model, request, thinks) in cases {
        let body = body(&dialect(model), &request).unwrap();
        assert_eq!(body.get("thinking").is_some(), thinks, "{model} {request:?}");
    }
}

#[test]
fn marks_are_set_where_the_configuration_leaves_room() {
    let request = Request {
        messages: vec![Message::system("s").into(), Message::user("hi").into()],
        ..with_tools(ToolChoice::Auto)
    };
    let marked = |extra: Value| {
        let dialect =
            Dialect { prompt_cache: PromptCache::Short, extra: map(&extra), ..dialect("claude-opus-4-8") };
        let body = body(&dialect, &request).unwrap();
        body.to_string().matches("cache_control").count()
    };
    assert_eq!(marked(json!({})), 3);
    assert_eq!(marked(json!({"cache_control": {"type": "ephemeral"}})), 4);
}
