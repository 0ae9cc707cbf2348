//! A request as the body of a POST.
//!
//! The fields are those of `CreateChatCompletionRequest` in OpenAI's API description, as its official clients carry it, and
//! those that [`Quirks`] names.

use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::content::Style;
use super::quirks::{Efforts, Forcing, Quirks, Schema};
use super::{effort, tools, transcript};
use crate::openai::generation::Generation;
use crate::openai::parameters::{decimal, schema_name};
use crate::provider::PromptCache;
use crate::request::{Effort, OutputSchema, Request};
use crate::sampling::Names;

/// What of a server's configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) model: String,
    pub(super) quirks: Quirks,
    pub(super) parallel_tools: bool,
    pub(super) reasoning_field: Option<String>,
    pub(super) effort: Option<Effort>,
    pub(super) prompt_cache: PromptCache,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// The fields that only the request itself decides, and those whose answers have a form that was replaced by tools.
const OWN: [&str; 7] = ["model", "messages", "tools", "stream", "n", "functions", "function_call"];

/// The body. Fails with `model-unsupported` where the wire cannot carry a part or the model cannot do it, and with
/// `input-invalid` where the request contradicts itself.
pub(super) fn body(dialect: &Dialect, request: &Request) -> Result<Value> {
    let Dialect { quirks, model, .. } = dialect;
    let style = Style::new(quirks, dialect.reasoning_field.as_deref());
    let mut messages = transcript::messages(request, &style, quirks.order)?;
    let mut body = Map::new();
    if let Some(output) = &request.output {
        body.extend(form(dialect, request, output, &mut messages)?);
    }
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    set("model", model.as_str().into());
    set("messages", messages.into());
    let streams = request.output.is_none() || quirks.schema != Schema::AloneAndWhole;
    set("stream", streams.into());
    if streams && quirks.stream_options {
        set("stream_options", json!({"include_usage": true}));
    }
    for (key, value) in thinking(dialect, request)? {
        set(key, value);
    }
    for (key, value) in tools::fields(dialect, request)? {
        set(&key, value);
    }
    if let Some(most) = request.max_output_tokens {
        set(quirks.max_tokens, most.into());
    }
    if let Some(temperature) = temperature(dialect, request)? {
        set("temperature", temperature);
    }
    for (key, value) in request.sampling.named(model, sampling_names(quirks))? {
        set(key, value);
    }
    if !request.stop.is_empty() {
        set("stop", stop_texts(dialect, request)?);
    }
    if let Some(mark) = cache_mark(dialect) {
        set("cache_control", mark);
    }
    for extra in [&dialect.extra, &request.extra] {
        overlay(&mut body, extra)?;
    }
    Ok(Value::Object(body))
}

/// Whether the form of an answer is asked for by a tool: the server knows no schema beside tools, or none at all.
pub(super) fn asks_by_tool(dialect: &Dialect, request: &Request) -> bool {
    match dialect.quirks.schema {
        Schema::Beside | Schema::InWords => false,
        Schema::Alone | Schema::AloneAndWhole => {
            !request.tools.is_empty() || !dialect.provider_tools.is_empty()
        }
        Schema::ByTool => true,
    }
}

/// How the form of the answer is asked for; some servers are told in words.
fn form(
    dialect: &Dialect,
    request: &Request,
    output: &OutputSchema,
    messages: &mut Vec<Value>,
) -> Result<Vec<(String, Value)>> {
    let format = match dialect.quirks.schema {
        Schema::Beside | Schema::Alone | Schema::AloneAndWhole => Some(json!({
            "type": "json_schema",
            "json_schema": {"name": schema_name(&output.name), "schema": output.schema, "strict": output.strict},
        })),
        Schema::InWords => {
            let is_system = |message: &Value| message.get("role").is_some_and(|role| role == "system");
            let place = messages.iter().take_while(|message| is_system(message)).count();
            messages.insert(place, json!({"role": "system", "content": in_words(output)}));
            // It holds for every answer, so that no tool could be called.
            request.tools.is_empty().then(|| json!({"type": "json_object"}))
        }
        Schema::ByTool => {
            let message = "this version of the interface knows no form of an answer";
            return Err(Error::new(Code::ModelUnsupported, message));
        }
    };
    let routing = dialect.quirks.routes.then(|| ("provider".to_owned(), json!({"require_parameters": true})));
    Ok(format.map(|format| ("response_format".to_owned(), format)).into_iter().chain(routing).collect())
}

fn in_words(output: &OutputSchema) -> String {
    format!("The final answer is nothing but JSON that fits this JSON schema:\n{}", output.schema)
}

/// How much the model shall think, and how that is shown.
fn thinking(dialect: &Dialect, request: &Request) -> Result<Vec<(&'static str, Value)>> {
    let Dialect { quirks, model, .. } = dialect;
    let mut wish = request.effort.or(dialect.effort);
    if quirks.forcing == Forcing::WithoutThinking && tools::is_forced(request) {
        if wish.is_some_and(|effort| effort != Effort::Off) {
            let message = format!("the model `{model}` cannot be made to call a tool while it thinks");
            return Err(Error::new(Code::ModelUnsupported, message).with_help(
                "set `effort = \"off\"` of the model, or let it choose whether to call one; for an answer in the form of a \
                 schema set its `abilities = { structured_output = true }`",
            ));
        }
        wish = Some(Effort::Off);
    }
    let amount = wish.map(|effort| effort::fields(quirks.efforts, model, effort)).transpose()?;
    Ok(amount.into_iter().flatten().chain(effort::apart(quirks.efforts, model)).collect())
}

fn temperature(dialect: &Dialect, request: &Request) -> Result<Option<Value>> {
    let model = &dialect.model;
    match dialect.quirks.efforts {
        Efforts::OpenAi => {
            let effort = request.effort.or(dialect.effort);
            Generation::of(model).asked_temperature(model, request.temperature, effort)
        }
        _ => Ok(request.temperature.map(decimal)),
    }
}

/// OpenAI's own models know no `top_k`; other servers took it over from each other.
fn sampling_names(quirks: &Quirks) -> Names {
    Names {
        top_p: Some("top_p"),
        top_k: (quirks.efforts != Efforts::OpenAi).then_some("top_k"),
        seed: Some("seed"),
        presence_penalty: Some("presence_penalty"),
        frequency_penalty: Some("frequency_penalty"),
    }
}

fn stop_texts(dialect: &Dialect, request: &Request) -> Result<Value> {
    if !dialect.quirks.stop_while_reasoning && effort::always_reasons(&dialect.model) {
        let message = format!("the model `{}` knows no texts that end an answer", dialect.model);
        return Err(Error::new(Code::ModelUnsupported, message).with_help("take `stop` out"));
    }
    Ok(request.stop.clone().into())
}

/// What tells OpenRouter to mark what Anthropic's models shall keep of a conversation; others do it without being told.
fn cache_mark(dialect: &Dialect) -> Option<Value> {
    let is_anthropics = dialect.model.trim_start_matches('~').starts_with("anthropic/");
    match dialect.prompt_cache {
        _ if !dialect.quirks.cache_control || !is_anthropics => None,
        PromptCache::Off => None,
        PromptCache::Short => Some(json!({"type": "ephemeral"})),
        PromptCache::Long => Some(json!({"type": "ephemeral", "ttl": "1h"})),
    }
}

/// Lays the extra parameters over the body. Those of `provider`, which is OpenRouter's, come beside what stands there.
fn overlay(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<()> {
    for (key, value) in extra {
        if OWN.contains(&key.as_str()) {
            let message = format!("the extra parameter `{key}` of the model cannot be set");
            return Err(
                Error::new(Code::InputInvalid, message).with_help("the run itself decides it: take it out")
            );
        }
        match (body.get_mut(key), value) {
            (_, Value::Null) => drop(body.remove(key)),
            (Some(Value::Object(own)), Value::Object(more)) if key == "provider" => own.extend(more.clone()),
            (_, value) => drop(body.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::Message;
    use adjutant_core::tool::{Effect, ToolSpec};

    use super::*;
    use crate::request::ToolChoice;

    fn dialect() -> Dialect {
        of(Quirks::COMMON, "m")
    }

    fn of(quirks: Quirks, model: &str) -> Dialect {
        Dialect {
            model: model.into(),
            quirks,
            parallel_tools: true,
            reasoning_field: None,
            effort: None,
            prompt_cache: PromptCache::Short,
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
        let output = OutputSchema { name: "my answer".into(), schema, strict: true };
        Request { output: Some(output), ..Request::default() }
    }

    /// The body without what every body has.
    fn rest(dialect: &Dialect, request: Request) -> Value {
        let mut body = body(dialect, &hi(request)).unwrap();
        let fields = body.as_object_mut().unwrap();
        assert_eq!(fields.remove("model").unwrap(), dialect.model);
        assert_eq!(fields.remove("messages"), Some(json!([{"role": "user", "content": "hi"}])));
        assert_eq!(fields.remove("stream"), Some(true.into()));
        body
    }

    #[test]
    fn each_wish_has_its_field() {
        let options = json!({"include_usage": true});
        let tools = json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}]);
        let cases = [
            (Request::default(), json!({"stream_options": options})),
            (with_tools(ToolChoice::Auto), json!({"stream_options": options, "tools": tools})),
            (
                with_tools(ToolChoice::None),
                json!({"stream_options": options, "tools": tools, "tool_choice": "none"}),
            ),
            (
                with_tools(ToolChoice::Required),
                json!({"stream_options": options, "tools": tools, "tool_choice": "required"}),
            ),
            (
                with_tools(ToolChoice::Named("look".into())),
                json!({"stream_options": options, "tools": tools, "tool_choice": {"type": "function", "function": {"name": "look"}}}),
            ),
            (
                form(json!({"type": "object"})),
                json!({"stream_options": options, "response_format": {"type": "json_schema", "json_schema": {"name": "my_answer", "schema": {"type": "object"}, "strict": true}}}),
            ),
            (
                Request {
                    max_output_tokens: Some(5),
                    temperature: Some(0.2),
                    stop: vec!["x".into()],
                    ..Request::default()
                },
                json!({"stream_options": options, "max_tokens": 5, "temperature": 0.2, "stop": ["x"]}),
            ),
            (
                Request { extra: map(&json!({"top_k": 3, "stream_options": null})), ..Request::default() },
                json!({"top_k": 3}),
            ),
        ];
        for (request, expected) in cases {
            assert_eq!(rest(&dialect(), request.clone()), expected, "{request:?}");
        }
        let serial =
            Dialect { parallel_tools: false, extra: map(&json!({"top_k": 1, "seed": 2})), ..dialect() };
        let request = Request { extra: map(&json!({"top_k": 3})), ..with_tools(ToolChoice::Auto) };
        assert_eq!(
            rest(&serial, request),
            json!({"stream_options": options, "tools": tools, "parallel_tool_calls": false, "top_k": 3, "seed": 2})
        );
    }

    #[test]
    fn each_server_is_asked_in_its_way() {
        let usage = json!({"include_usage": true});
        let tools = json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}]);
        let thinks = |effort| Request { effort: Some(effort), ..Request::default() };
        let long = Dialect { prompt_cache: PromptCache::Long, ..of(Quirks::OPENROUTER, "anthropic/claude") };
        let routed =
            Dialect { extra: map(&json!({"provider": {"order": ["a"]}})), ..of(Quirks::OPENROUTER, "x/m") };
        let format = json!({"type": "json_schema", "json_schema": {"name": "my_answer", "schema": {}, "strict": true}});
        let cases = [
            (of(Quirks::MISTRAL, "m"), Request::default(), json!({})),
            (
                of(Quirks::DEEPSEEK, "m"),
                with_tools(ToolChoice::Required),
                json!({"stream_options": usage, "tools": tools, "tool_choice": "required", "thinking": {"type": "disabled"}}),
            ),
            (
                of(Quirks::DEEPSEEK, "m"),
                Request { effort: Some(Effort::High), ..with_tools(ToolChoice::Auto) },
                json!({"stream_options": usage, "tools": tools, "thinking": {"type": "enabled"}, "reasoning_effort": "high"}),
            ),
            (
                of(Quirks::GROQ, "qwen/qwen3-32b"),
                Request::default(),
                json!({"stream_options": usage, "reasoning_format": "parsed"}),
            ),
            (
                of(Quirks::GROQ, "openai/gpt-oss-20b"),
                thinks(Effort::Low),
                json!({"stream_options": usage, "reasoning_effort": "low"}),
            ),
            (
                of(Quirks::TOGETHER, "m"),
                thinks(Effort::Off),
                json!({"stream_options": usage, "reasoning": {"enabled": false}}),
            ),
            (
                of(Quirks::OPENROUTER, "anthropic/claude"),
                Request::default(),
                json!({"stream_options": usage, "cache_control": {"type": "ephemeral"}}),
            ),
            (
                long,
                Request::default(),
                json!({"stream_options": usage, "cache_control": {"type": "ephemeral", "ttl": "1h"}}),
            ),
            (
                routed,
                form(json!({})),
                json!({"stream_options": usage, "response_format": format, "provider": {"require_parameters": true, "order": ["a"]}}),
            ),
            (
                of(Quirks::OPENAI, "gpt-4.1"),
                Request { temperature: Some(0.2), ..thinks(Effort::Off) },
                json!({"stream_options": usage, "temperature": 0.2}),
            ),
            (
                of(Quirks::OPENAI, "gpt-5.5"),
                Request { temperature: Some(0.2), ..thinks(Effort::Off) },
                json!({"stream_options": usage, "temperature": 0.2, "reasoning_effort": "none"}),
            ),
            (
                of(Quirks::OPENAI, "o3"),
                Request { temperature: Some(1.0), ..thinks(Effort::Max) },
                json!({"stream_options": usage, "reasoning_effort": "high"}),
            ),
            (
                of(Quirks::COMMON, "o3"),
                Request { temperature: Some(0.2), ..thinks(Effort::Max) },
                json!({"stream_options": usage, "temperature": 0.2, "reasoning_effort": "xhigh"}),
            ),
            (
                of(Quirks::XAI, "grok-4.20-0309-non-reasoning"),
                Request { stop: vec!["x".into()], max_output_tokens: Some(5), ..Request::default() },
                json!({"stream_options": usage, "stop": ["x"], "max_completion_tokens": 5}),
            ),
        ];
        for (dialect, request, expected) in cases {
            assert_eq!(rest(&dialect, request), expected, "{dialect:?}");
        }
    }

    #[test]
    fn a_form_is_asked_for_as_the_server_can() {
        let groq = of(Quirks::GROQ, "openai/gpt-oss-20b");
        let whole = body(&groq, &hi(form(json!({})))).unwrap();
        assert_eq!((&whole["stream"], whole.get("stream_options")), (&json!(false), None));
        assert_eq!(whole["response_format"]["type"], "json_schema");

        let deepseek = of(Quirks::DEEPSEEK, "deepseek-flash");
        let told = body(&deepseek, &hi(form(json!({"type": "array"})))).unwrap();
        assert_eq!(told["response_format"], json!({"type": "json_object"}));
        assert_eq!(told["messages"][0]["role"], "system");
        assert!(told["messages"][0]["content"].as_str().unwrap().ends_with(r#"{"type":"array"}"#), "{told}");
        let with_tools = Request { tools: [look()].into(), ..form(json!({})) };
        let told = body(&deepseek, &hi(with_tools.clone())).unwrap();
        assert_eq!((told.get("response_format"), &told["messages"][0]["role"]), (None, &json!("system")));

        let cases = [
            (Quirks::COMMON, false, false),
            (Quirks::DEEPSEEK, false, false),
            (Quirks::GROQ, false, true),
            (Quirks::OLLAMA, false, true),
            (Quirks::VLLM, false, true),
            (Quirks::azure("gpt-4o", Some("2024-06-01")), true, true),
        ];
        for (quirks, alone, beside) in cases {
            let by_tool = |request: &Request| asks_by_tool(&of(quirks, "m"), request);
            assert_eq!((by_tool(&form(json!({}))), by_tool(&with_tools)), (alone, beside), "{quirks:?}");
        }
    }

    #[test]
    fn what_a_server_cannot_do_is_refused() {
        let thinking = Dialect { effort: Some(Effort::Low), ..of(Quirks::DEEPSEEK, "deepseek-flash") };
        let cases = [
            (
                thinking,
                with_tools(ToolChoice::Named("look".into())),
                "the model `deepseek-flash` cannot be made to call a tool while it thinks",
            ),
            (
                of(Quirks::XAI, "grok-4.6"),
                Request { stop: vec!["x".into()], ..Request::default() },
                "the model `grok-4.6` knows no texts that end an answer",
            ),
            (
                of(Quirks::OPENAI, "gpt-4.1"),
                Request { effort: Some(Effort::High), ..Request::default() },
                "the model `gpt-4.1` does not reason",
            ),
            (
                of(Quirks::azure("gpt-5.5", None), "gpt-5.5"),
                Request { temperature: Some(0.2), ..Request::default() },
                "the model `gpt-5.5` takes no temperature while it reasons",
            ),
            (
                of(Quirks::OPENAI, "o3"),
                Request { temperature: Some(0.2), ..Request::default() },
                "the model `o3` takes no temperature",
            ),
        ];
        for (dialect, request, why) in cases {
            let error = body(&dialect, &hi(request)).unwrap_err();
            assert_eq!((error.code(), error.message()), (Code::ModelUnsupported, why));
        }
    }

    #[test]
    fn a_request_that_contradicts_itself_is_refused() {
        let hi = || vec![Message::user("hi").into()];
        let broken = ToolSpec { parameters: json!([]), ..look() };
        let cases = [
            (Request::default(), "the request has no messages"),
            (
                Request {
                    messages: hi(),
                    tools: [look()].into(),
                    tool_choice: ToolChoice::Named("x".into()),
                    ..Request::default()
                },
                "the model must call `x`, which is not among its tools",
            ),
            (
                Request { messages: hi(), tools: [broken].into(), ..Request::default() },
                "the parameters of the tool `look` are not a JSON schema of an object",
            ),
            (
                Request { messages: hi(), extra: map(&json!({"stream": false})), ..Request::default() },
                "the extra parameter `stream` of the model cannot be set",
            ),
            (
                Request { messages: hi(), extra: map(&json!({"functions": []})), ..Request::default() },
                "the extra parameter `functions` of the model cannot be set",
            ),
        ];
        for (request, why) in cases {
            assert_eq!(body(&dialect(), &request).unwrap_err().message(), why);
        }
    }
}
