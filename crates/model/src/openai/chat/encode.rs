//! A request as the body of a POST.
//!
//! The fields are those of `CreateChatCompletionRequest` in OpenAI's API description, as its official clients carry it.

use adjutant_core::message::ToolResult;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::content;
use crate::openai::parameters::{decimal, schema_name};
use crate::request::{Effort, OutputSchema, Request, ToolChoice};

/// What of a server's configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) model: String,
    /// The name of the parameter for the most tokens of an answer.
    pub(super) max_tokens: &'static str,
    /// Whether the server takes `stream_options`; who refuses the field counts tokens without being asked.
    pub(super) stream_options: bool,
    pub(super) parallel_tools: bool,
    pub(super) reasoning_field: Option<String>,
    pub(super) effort: Option<Effort>,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// The fields that only the request itself decides, and those whose answers have a form that was replaced by tools.
const OWN: [&str; 7] = ["model", "messages", "tools", "stream", "n", "functions", "function_call"];

/// The body. Fails with `model-unsupported` where the wire cannot carry a part, and with `input-invalid` where the
/// request contradicts itself.
pub(super) fn body(dialect: &Dialect, request: &Request) -> Result<Value> {
    let mut body = Map::new();
    body.insert("model".into(), dialect.model.as_str().into());
    body.insert("messages".into(), messages(request, dialect.reasoning_field.as_deref())?.into());
    body.insert("stream".into(), true.into());
    if dialect.stream_options {
        body.insert("stream_options".into(), json!({"include_usage": true}));
    }
    if let Some(effort) = request.effort.or(dialect.effort) {
        body.insert("reasoning_effort".into(), effort_word(effort).into());
    }
    if !request.tools.is_empty() || !dialect.provider_tools.is_empty() {
        let own = request.tools.iter().map(tool).collect::<Result<Vec<_>>>()?;
        body.insert("tools".into(), own.into_iter().chain(dialect.provider_tools.iter().cloned()).collect());
    }
    if !request.tools.is_empty() {
        if let Some(choice) = tool_choice(request)? {
            body.insert("tool_choice".into(), choice);
        }
        if !dialect.parallel_tools {
            body.insert("parallel_tool_calls".into(), false.into());
        }
    }
    if let Some(output) = &request.output {
        body.insert("response_format".into(), response_format(output));
    }
    if let Some(most) = request.max_output_tokens {
        body.insert(dialect.max_tokens.into(), most.into());
    }
    if let Some(temperature) = request.temperature {
        body.insert("temperature".into(), decimal(temperature));
    }
    if !request.stop.is_empty() {
        body.insert("stop".into(), request.stop.clone().into());
    }
    for extra in [&dialect.extra, &request.extra] {
        overlay(&mut body, extra)?;
    }
    Ok(Value::Object(body))
}

/// The words of `reasoning_effort`; OpenAI's models of 2026 know all of them, others refuse what they do not know.
fn effort_word(effort: Effort) -> &'static str {
    match effort {
        Effort::Off => "none",
        Effort::Minimal => "minimal",
        Effort::Low => "low",
        Effort::Medium => "medium",
        Effort::High => "high",
        Effort::Max => "xhigh",
    }
}

fn messages(request: &Request, reasoning_field: Option<&str>) -> Result<Vec<Value>> {
    if request.messages.is_empty() {
        return Err(Error::new(Code::InputInvalid, "the request has no messages"));
    }
    let mut wire = Vec::with_capacity(request.messages.len());
    let mut results: Vec<&ToolResult> = Vec::new();
    for message in &request.messages {
        let before = results.len();
        results.extend(message.results());
        if results.len() == before {
            wire.extend(content::media_of_results(&results)?);
            results.clear();
        }
        wire.extend(content::encode(message, reasoning_field)?);
    }
    wire.extend(content::media_of_results(&results)?);
    Ok(wire)
}

fn tool(tool: &ToolSpec) -> Result<Value> {
    if !tool.parameters.is_object() {
        let message =
            format!("the parameters of the tool `{}` are not a JSON schema of an object", tool.name);
        return Err(Error::new(Code::ToolInvalid, message));
    }
    Ok(json!({
        "type": "function",
        "function": {"name": tool.name, "description": tool.description, "parameters": tool.parameters},
    }))
}

fn tool_choice(request: &Request) -> Result<Option<Value>> {
    Ok(match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
            Some(json!({"type": "function", "function": {"name": name}}))
        }
        ToolChoice::Named(name) => {
            let message = format!("the model must call `{name}`, which is not among its tools");
            return Err(Error::new(Code::InputInvalid, message));
        }
    })
}

fn response_format(output: &OutputSchema) -> Value {
    json!({
        "type": "json_schema",
        "json_schema": {"name": schema_name(&output.name), "schema": output.schema, "strict": output.strict},
    })
}

fn overlay(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<()> {
    for (key, value) in extra {
        if OWN.contains(&key.as_str()) {
            let message = format!("the extra parameter `{key}` of the model cannot be set");
            return Err(
                Error::new(Code::InputInvalid, message).with_help("the run itself decides it: take it out")
            );
        }
        match value {
            Value::Null => drop(body.remove(key)),
            value => drop(body.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use adjutant_core::message::{Media, MediaSource, Message, Part, ToolCall};
    use adjutant_core::tool::Effect;

    use super::*;

    fn dialect() -> Dialect {
        Dialect {
            effort: None,
            provider_tools: Vec::new(),
            model: "m".into(),
            max_tokens: "max_tokens",
            stream_options: true,
            parallel_tools: true,
            reasoning_field: None,
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
        }
    }

    fn map(value: &Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    /// The body without what every body has.
    fn rest(dialect: &Dialect, request: Request) -> Value {
        let messages = vec![Message::user("hi").into()];
        let mut body = body(dialect, &Request { messages, ..request }).unwrap();
        let fields = body.as_object_mut().unwrap();
        assert_eq!(fields.remove("model"), Some("m".into()));
        assert_eq!(fields.remove("messages"), Some(json!([{"role": "user", "content": "hi"}])));
        assert_eq!(fields.remove("stream"), Some(true.into()));
        body
    }

    #[test]
    fn each_wish_has_its_field() {
        let options = json!({"include_usage": true});
        let tools = json!([{"type": "function", "function": {"name": "look", "description": "Looks.", "parameters": {"type": "object"}}}]);
        let with_tools = |tool_choice| Request { tools: [look()].into(), tool_choice, ..Request::default() };
        let output =
            OutputSchema { name: "my answer".into(), schema: json!({"type": "object"}), strict: true };
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
                Request { output: Some(output), ..Request::default() },
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
    fn who_refuses_stream_options_is_sent_none() {
        let dialect = Dialect { stream_options: false, ..dialect() };
        assert_eq!(rest(&dialect, Request::default()), json!({}));
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

    #[test]
    fn an_image_of_a_result_follows_the_last_result() {
        let call = |id: &str| ToolCall { id: id.into(), name: "look".into(), arguments: "{}".into() };
        let image =
            Media { media_type: "image/png".into(), name: None, source: MediaSource::Base64("AA==".into()) };
        let mut seen = ToolResult::text(&call("1"), "a cat");
        seen.content.push(Part::Image(image));
        let asks = Message::assistant(vec![Part::ToolCall(call("1")), Part::ToolCall(call("2"))]);
        let request = Request::new([
            Message::user("look twice"),
            asks,
            Message::tool(seen),
            Message::tool(ToolResult::text(&call("2"), "a dog")),
            Message::assistant(vec![Part::text("done")]),
        ]);
        let body = body(&dialect(), &request).unwrap();
        let roles: Vec<&str> = body["messages"]
            .as_array()
            .unwrap()
            .iter()
            .map(|message| message["role"].as_str().unwrap())
            .collect();
        assert_eq!(roles, ["user", "assistant", "tool", "tool", "user", "assistant"]);
    }
}
