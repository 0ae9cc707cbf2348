use adjutant_core::message::{Message, Part, Reasoning, ToolCall, ToolResult};
use adjutant_core::tool::{Effect, ToolSpec};

use super::*;

const SONNET: &str = "us.anthropic.claude-sonnet-4-5-20250929-v1:0";
const OPUS: &str = "global.anthropic.claude-opus-5";
const NEWEST: &str = "global.anthropic.claude-opus-5-5";
const LLAMA: &str = "meta.llama4-scout-17b-instruct-v1:0";
const NOVA: &str = "amazon.nova-lite-v1:0";
const QWEN: &str = "qwen.qwen3-32b-v1:0";

fn dialect(model: &str) -> Dialect {
    Dialect {
        model: model.into(),
        traits: Traits::of(model),
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
        parameters: json!({"type": "object"}),
        effect: Effect::Pure,
        timeout: ToolSpec::DEFAULT_TIMEOUT,
        concurrency: None,
        flow: adjutant_core::tool::Flow::default(),
    }
}

fn specs() -> Value {
    json!([{"toolSpec": {"name": "look", "description": "Looks.", "inputSchema": {"json": {"type": "object"}}}}])
}

fn map(value: &Value) -> Map<String, Value> {
    value.as_object().cloned().unwrap()
}

fn with_tools(tool_choice: ToolChoice) -> Request {
    Request { tools: [look()].into(), tool_choice, ..Request::default() }
}

fn form() -> Request {
    let output = OutputSchema { name: "my answer".into(), schema: json!({"type": "object"}), strict: true };
    Request { output: Some(output), ..Request::default() }
}

fn hi(request: Request) -> Request {
    Request { messages: vec![Message::user("hi").into()], ..request }
}

/// The body without the messages.
fn rest(dialect: &Dialect, request: Request) -> Value {
    let mut body = body(dialect, &hi(request)).unwrap();
    let messages = body.as_object_mut().unwrap().remove("messages");
    assert_eq!(messages, Some(json!([{"role": "user", "content": [{"text": "hi"}]}])));
    body
}

#[test]
fn each_wish_has_its_field() {
    let choice = |choice: Value| json!({"toolConfig": {"tools": specs(), "toolChoice": choice}});
    let format = |schema: &str| {
        let inner = json!({"name": "my_answer", "schema": schema});
        json!({"outputConfig": {"textFormat": {"type": "json_schema", "structure": {"jsonSchema": inner}}}})
    };
    let words = "The final answer is nothing but JSON that fits this JSON schema:\n{\"type\":\"object\"}";
    let cases = [
        (SONNET, Request::default(), json!({})),
        (SONNET, with_tools(ToolChoice::Auto), json!({"toolConfig": {"tools": specs()}})),
        (SONNET, with_tools(ToolChoice::None), json!({})),
        (SONNET, with_tools(ToolChoice::Required), choice(json!({"any": {}}))),
        (NOVA, with_tools(ToolChoice::Named("look".into())), choice(json!({"tool": {"name": "look"}}))),
        (
            SONNET,
            Request {
                max_output_tokens: Some(5),
                temperature: Some(0.2),
                stop: vec!["END".into()],
                ..Request::default()
            },
            json!({"inferenceConfig": {"maxTokens": 5, "temperature": 0.2, "stopSequences": ["END"]}}),
        ),
        (QWEN, form(), format(r#"{"type":"object"}"#)),
        (LLAMA, form(), json!({"system": [{"text": words}]})),
        (
            OPUS,
            Request { effort: Some(Effort::High), ..Request::default() },
            json!({"outputConfig": {"effort": "high"},
                "additionalModelRequestFields": {"thinking": {"type": "adaptive", "display": "summarized"}}}),
        ),
        (
            SONNET,
            Request { effort: Some(Effort::Low), temperature: Some(1.0), ..Request::default() },
            json!({"additionalModelRequestFields": {"thinking": {"type": "enabled", "budget_tokens": 4096}}}),
        ),
    ];
    for (model, request, expected) in cases {
        assert_eq!(rest(&dialect(model), request.clone()), expected, "{model} {request:?}");
    }
}

#[test]
fn a_claude_is_given_the_schema_that_it_enforces() {
    let request = Request {
        output: Some(OutputSchema {
            name: "o".into(),
            schema: json!({"type": "object", "properties": {"a": {"type": "integer", "minimum": 1}}, "required": ["a"]}),
            strict: true,
        }),
        ..Request::default()
    };
    let body = rest(&dialect(SONNET), request);
    let schema = body.pointer("/outputConfig/textFormat/structure/jsonSchema/schema").unwrap();
    let schema: Value = serde_json::from_str(schema.as_str().unwrap()).unwrap();
    assert_eq!(schema["additionalProperties"], false);
    assert_eq!(schema.pointer("/properties/a/minimum"), None);
}

#[test]
fn one_call_at_a_time_is_said_to_claude() {
    let serial = |model: &str| Dialect { parallel_tools: false, ..dialect(model) };
    let own = |choice: Value| json!({"toolConfig": {"tools": specs()}, "additionalModelRequestFields": {"tool_choice": choice}});
    let auto = json!({"type": "auto", "disable_parallel_tool_use": true});
    let named = json!({"type": "tool", "name": "look", "disable_parallel_tool_use": true});
    assert_eq!(rest(&serial(SONNET), with_tools(ToolChoice::Auto)), own(auto));
    assert_eq!(rest(&serial(SONNET), with_tools(ToolChoice::Named("look".into()))), own(named));
    assert_eq!(rest(&serial(NOVA), with_tools(ToolChoice::Auto)), json!({"toolConfig": {"tools": specs()}}));
}

#[test]
fn extra_parameters_lie_over_the_rest() {
    let extra = |value: Value| map(&value);
    let dialect = Dialect {
        extra: extra(json!({
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            "additionalModelRequestFields": {"anthropic_beta": ["x"], "top_k": 5},
            "inferenceConfig": {"topP": 0.9},
        })),
        ..dialect(SONNET)
    };
    let request = Request {
        max_output_tokens: Some(10_000),
        effort: Some(Effort::Low),
        extra: extra(
            json!({"additionalModelRequestFields": {"top_k": null}, "serviceTier": {"type": "flex"}}),
        ),
        ..Request::default()
    };
    assert_eq!(
        rest(&dialect, request),
        json!({
            "guardrailConfig": {"guardrailIdentifier": "g", "guardrailVersion": "1"},
            "inferenceConfig": {"maxTokens": 10000, "topP": 0.9},
            "additionalModelRequestFields": {"anthropic_beta": ["x"], "thinking": {"type": "enabled", "budget_tokens": 4096}},
            "serviceTier": {"type": "flex"},
        })
    );
    let none = Request { extra: extra(json!({"inferenceConfig": null})), ..Request::default() };
    assert_eq!(rest(&dialect, none).get("inferenceConfig"), None);
}

fn call(id: &str) -> ToolCall {
    ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into() }
}

/// A conversation with one call that was answered.
fn looked(thought: Option<Reasoning>) -> Vec<Message> {
    let parts = thought.map(Part::Reasoning).into_iter().chain([Part::ToolCall(call("a"))]).collect();
    vec![
        Message::system("Be kind."),
        Message::user("hi"),
        Message::assistant(parts),
        Message::tool(ToolResult::text(&call("a"), "ok")),
    ]
}

#[test]
fn a_conversation_with_calls_comes_with_tools() {
    let forbidden = Request { tool_choice: ToolChoice::None, ..Request::new(looked(None)) };
    let words = json!([{"text": "Be kind."}, {"text": "Call no tool now: answer with what is known."}]);
    let with_specs = Request { tools: [look()].into(), ..forbidden.clone() };
    let forbids = body(&dialect(SONNET), &with_specs).unwrap();
    assert_eq!((&forbids["system"], &forbids["toolConfig"]), (&words, &json!({"tools": specs()})));
    for request in [forbidden, Request::new(looked(None))] {
        let body = body(&dialect(SONNET), &request).unwrap();
        assert_eq!(body["system"], words);
        assert_eq!(body.pointer("/toolConfig/tools/0/toolSpec/name").unwrap(), "look");
    }
}

#[test]
fn marks_stand_before_what_changes() {
    let dialect = Dialect { prompt_cache: PromptCache::Long, ..dialect(SONNET) };
    let request =
        Request { tools: [look()].into(), tool_choice: ToolChoice::None, ..Request::new(looked(None)) };
    let body = body(&dialect, &request).unwrap();
    let mark = json!({"cachePoint": {"type": "default", "ttl": "1h"}});
    assert_eq!(body.pointer("/system/1"), Some(&mark));
    assert_eq!(body.pointer("/system/2/text").unwrap(), "Call no tool now: answer with what is known.");
    assert_eq!(body.pointer("/toolConfig/tools/1"), Some(&mark));
    assert_eq!(body.pointer("/messages/0/content/1"), Some(&mark));
    assert_eq!(body.pointer("/messages/2/content/1"), Some(&mark));
}

#[test]
fn a_turn_that_began_without_thinking_ends_without() {
    let signed =
        Reasoning { provider: Some("bedrock".into()), signature: Some("s".into()), ..Reasoning::default() };
    let thinks = |model: &str, thought: Option<Reasoning>| {
        let request =
            Request { tools: [look()].into(), effort: Some(Effort::High), ..Request::new(looked(thought)) };
        body(&dialect(model), &request).unwrap().pointer("/additionalModelRequestFields/thinking").is_some()
    };
    assert!(thinks(SONNET, Some(signed)));
    assert!(!thinks(SONNET, None));
    assert!(thinks(OPUS, None), "only a budget is bound to what came before");
}

#[test]
fn hosted_tools_stand_beside_the_others() {
    let own = json!({"systemTool": {"name": "nova_grounding"}});
    let dialect = Dialect { provider_tools: vec![own.clone()], ..dialect("us.amazon.nova-2-lite-v1:0") };
    assert_eq!(rest(&dialect, Request::default()), json!({"toolConfig": {"tools": [own]}}));
    let both = rest(&dialect, with_tools(ToolChoice::Auto));
    assert_eq!(both.pointer("/toolConfig/tools/1"), Some(&own));
}

#[test]
fn the_form_is_asked_for_by_a_tool_where_that_is_surer() {
    let asks = |model: &str, effort| asks_form_by_tool(&dialect(model), &Request { effort, ..form() });
    let cases = [
        (SONNET, None, false),
        (NOVA, None, true),
        (LLAMA, None, false),
        (QWEN, None, false),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", None, true),
        ("us.anthropic.claude-sonnet-4-20250514-v1:0", Some(Effort::High), false),
    ];
    for (model, effort, expected) in cases {
        assert_eq!(asks(model, effort), expected, "{model} {effort:?}");
    }
}

#[test]
fn what_cannot_be_done_is_refused() {
    let broken = ToolSpec { parameters: json!([]), ..look() };
    let named = with_tools(ToolChoice::Named("x".into()));
    let warm = |temperature| Request { temperature: Some(temperature), ..Request::default() };
    let high = |request: Request| Request { effort: Some(Effort::High), ..request };
    let extra = |key: &str| Request { extra: map(&json!({key: []})), ..Request::default() };
    let unsupported = Code::ModelUnsupported;
    let cases = [
        (SONNET, named, Code::InputInvalid, "the model must call `x`, which is not among its tools"),
        (
            SONNET,
            Request { tools: [broken].into(), ..Request::default() },
            Code::ToolInvalid,
            "the parameters of the tool `look` are not a JSON schema of an object",
        ),
        (
            SONNET,
            extra("messages"),
            Code::InputInvalid,
            "the extra parameter `messages` of the model cannot be set",
        ),
        (
            SONNET,
            extra("toolConfig"),
            Code::InputInvalid,
            "the extra parameter `toolConfig` of the model cannot be set",
        ),
        (OPUS, warm(0.5), unsupported, "the model `global.anthropic.claude-opus-5` takes no `temperature`"),
        (SONNET, warm(1.5), unsupported, "Bedrock takes a `temperature` from 0 to 1"),
        (
            SONNET,
            high(warm(0.5)),
            unsupported,
            "the model `us.anthropic.claude-sonnet-4-5-20250929-v1:0` takes no `temperature` while it thinks",
        ),
        (
            SONNET,
            high(with_tools(ToolChoice::Required)),
            unsupported,
            "the model `us.anthropic.claude-sonnet-4-5-20250929-v1:0` cannot be made to call a tool while it thinks",
        ),
        (
            NEWEST,
            with_tools(ToolChoice::Required),
            unsupported,
            "the model `global.anthropic.claude-opus-5-5` cannot be made to call a tool",
        ),
        (
            LLAMA,
            with_tools(ToolChoice::Named("look".into())),
            unsupported,
            "the model `meta.llama4-scout-17b-instruct-v1:0` cannot be made to call a tool",
        ),
    ];
    for (model, request, code, why) in cases {
        let error = body(&dialect(model), &hi(request)).unwrap_err();
        assert_eq!((error.code(), error.message()), (code, why));
    }
}
