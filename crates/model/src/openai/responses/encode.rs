//! A request as the body of a POST.

use adjutant_core::hash::Digest;
use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::items::{self, Transcript};
use super::{hosted, schema};
use crate::openai::generation::Generation;
use crate::openai::parameters::schema_name;
use crate::provider::PromptCache;
use crate::request::Effort;
use crate::request::{OutputSchema, Request, ToolChoice};
use crate::sampling::{Names, untold};

/// What of a configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) model: String,
    /// Whose encrypted reasoning goes back.
    pub(super) origin: String,
    pub(super) generation: Generation,
    /// Whether to ask for what it thought in encrypted form. A model that does not reason refuses the wish.
    pub(super) reasons: bool,
    pub(super) parallel_tools: bool,
    pub(super) effort: Option<Effort>,
    pub(super) prompt_cache: PromptCache,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// The fields that only the request itself decides, and those of the conversations that OpenAI would keep.
const OWN: [&str; 8] = [
    "model",
    "input",
    "instructions",
    "tools",
    "stream",
    "background",
    "previous_response_id",
    "conversation",
];

/// The body. Fails with `model-unsupported` where the model or the wire cannot do what is asked, and with
/// `input-invalid` where the request contradicts itself.
pub(super) fn body(dialect: &Dialect, request: &Request) -> Result<Value> {
    if !request.stop.is_empty() {
        let message = "OpenAI's Responses know no texts that end an answer";
        return Err(Error::new(Code::ModelUnsupported, message)
            .with_help("take `stop` out, or use the provider `openai`"));
    }
    let mut body = Map::new();
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    let messages = request.messages.iter().map(|message| &**message);
    let Transcript { instructions, input } =
        items::transcript(messages, &dialect.origin, dialect.generation.reasons())?;
    for (key, value) in cache(dialect, request, &instructions) {
        set(key, value);
    }
    if !instructions.is_empty() {
        set("instructions", instructions.into());
    }
    set("model", dialect.model.as_str().into());
    set("input", input.into());
    set("stream", true.into());
    // Nothing is kept on the other side, so what a model thought must come along.
    set("store", false.into());
    if dialect.reasons {
        set("include", json!(["reasoning.encrypted_content"]));
    }
    let effort = request.effort.or(dialect.effort);
    if let Some(word) = dialect.generation.asked_effort(&dialect.model, effort)? {
        set("reasoning", json!({"effort": word}));
    }
    for (key, value) in tools(dialect, request)? {
        set(key, value);
    }
    if let Some(output) = &request.output {
        set("text", json!({"format": format(output)}));
    }
    if let Some(most) = request.max_output_tokens {
        set("max_output_tokens", most.into());
    }
    let temperature = request.temperature;
    if let Some(temperature) = dialect.generation.asked_temperature(&dialect.model, temperature, effort)? {
        set("temperature", temperature);
    }
    let names = Names { top_p: Some("top_p"), ..Names::default() };
    for (key, value) in request.sampling.named(&dialect.model, names)? {
        set(key, value);
    }
    for extra in [&dialect.extra, &request.extra] {
        overlay(&mut body, extra)?;
    }
    Ok(Value::Object(body))
}

fn tools(dialect: &Dialect, request: &Request) -> Result<Vec<(&'static str, Value)>> {
    for tool in &dialect.provider_tools {
        hosted::check(tool)?;
    }
    let choice = tool_choice(request)?;
    let own = request.tools.iter().map(|spec| tool(request, spec)).collect::<Result<Vec<_>>>()?;
    let tools: Vec<Value> = own.into_iter().chain(dialect.provider_tools.iter().cloned()).collect();
    if tools.is_empty() {
        return Ok(Vec::new());
    }
    let mut fields = vec![("tools", tools.into())];
    if let Some(choice) = choice {
        fields.push(("tool_choice", choice));
    }
    let has_switch = dialect.generation.parallel_switch;
    if request.single_call && !request.tools.is_empty() && !has_switch {
        return Err(untold(&dialect.model, "parallel_tool_calls"));
    }
    if (request.single_call || !dialect.parallel_tools) && !request.tools.is_empty() && has_switch {
        fields.push(("parallel_tool_calls", false.into()));
    }
    Ok(fields)
}

/// A tool. Without `strict` the API would rewrite its schema so that every property is required, and with it the API
/// refuses the schemas that most tools have; the arguments are checked here in any case.
fn tool(request: &Request, tool: &ToolSpec) -> Result<Value> {
    if !tool.parameters.is_object() {
        let message =
            format!("the parameters of the tool `{}` are not a JSON schema of an object", tool.name);
        return Err(Error::new(Code::ToolInvalid, message));
    }
    Ok(json!({
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.parameters,
        "strict": request.strict_tools.contains(&tool.name) && schema::is_strict(&tool.parameters),
    }))
}

fn tool_choice(request: &Request) -> Result<Option<Value>> {
    Ok(match &request.tool_choice {
        ToolChoice::Auto => None,
        ToolChoice::None => Some("none".into()),
        ToolChoice::Required => Some("required".into()),
        ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
            Some(json!({"type": "function", "name": name}))
        }
        ToolChoice::Named(name) => {
            let message = format!("the model must call `{name}`, which is not among its tools");
            return Err(Error::new(Code::InputInvalid, message));
        }
    })
}

fn format(output: &OutputSchema) -> Value {
    json!({
        "type": "json_schema",
        "name": schema_name(&output.name),
        "schema": output.schema,
        "strict": output.strict && schema::is_strict(&output.schema),
    })
}

/// How the beginning of the request is cached. OpenAI does it by itself; the key brings requests with the same beginning
/// to the same machine, and the rest is for the models where writing to the cache costs.
fn cache(dialect: &Dialect, request: &Request, instructions: &str) -> Vec<(&'static str, Value)> {
    let generation = &dialect.generation;
    let options = match dialect.prompt_cache {
        _ if !generation.cache_options => None,
        // An explicit cache without marks is none.
        PromptCache::Off => Some(json!({"mode": "explicit"})),
        PromptCache::Short => None,
        PromptCache::Long => Some(json!({"ttl": "12h"})),
    };
    let mut fields: Vec<_> = options.into_iter().map(|options| ("prompt_cache_options", options)).collect();
    if generation.known && dialect.prompt_cache != PromptCache::Off {
        let names = request.tools.iter().map(|tool| tool.name.as_bytes());
        let beginning: Vec<&[u8]> = std::iter::once(instructions.as_bytes()).chain(names).collect();
        let key: String = Digest::of_parts(&beginning).to_string().chars().take(32).collect();
        fields.push(("prompt_cache_key", key.into()));
    }
    fields
}

/// Lays parameters over the body. Tables are joined, so that a `text.verbosity` leaves the form of the answer where it
/// is, and so is `include`.
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
            (Some(Value::Object(there)), Value::Object(more)) => {
                there.extend(more.iter().map(|(key, value)| (key.clone(), value.clone())));
            }
            (Some(Value::Array(there)), Value::Array(more)) => {
                let new: Vec<Value> = more.iter().filter(|item| !there.contains(item)).cloned().collect();
                there.extend(new);
            }
            _ => drop(body.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use adjutant_core::message::Message;
    use adjutant_core::tool::Effect;

    use super::*;

    fn dialect(model: &str) -> Dialect {
        Dialect {
            model: model.into(),
            origin: "openai-responses@h".into(),
            generation: Generation::of(model),
            reasons: Generation::of(model).reasons(),
            parallel_tools: true,
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

    fn said(dialect: &Dialect, request: Request) -> Result<Value> {
        body(dialect, &Request { messages: vec![Message::user("hi").into()], ..request })
    }

    /// The body without what every body has.
    fn rest(dialect: &Dialect, request: Request) -> Value {
        let mut body = said(dialect, request).unwrap();
        let fields = body.as_object_mut().unwrap();
        assert_eq!(fields.remove("model"), Some(dialect.model.as_str().into()));
        let user = json!([{"type": "message", "role": "user", "content": "hi"}]);
        assert_eq!(fields.remove("input"), Some(user));
        assert_eq!(fields.remove("stream"), Some(true.into()));
        assert_eq!(fields.remove("store"), Some(false.into()));
        let include = fields.remove("include");
        assert_eq!(include.is_some(), dialect.reasons, "{include:?}");
        body
    }

    #[test]
    fn each_wish_has_its_field() {
        let wire_tool = json!({"type": "function", "name": "look", "description": "Looks.", "parameters": {"type": "object"}, "strict": false});
        let with_tools = |tool_choice| Request { tools: [look()].into(), tool_choice, ..Request::default() };
        let output = |schema: Value| OutputSchema { name: "my answer".into(), schema, strict: true };
        let closed = json!({"type": "object", "additionalProperties": false});
        let cases = [
            (Request::default(), json!({})),
            (with_tools(ToolChoice::Auto), json!({"tools": [wire_tool]})),
            (with_tools(ToolChoice::None), json!({"tools": [wire_tool], "tool_choice": "none"})),
            (with_tools(ToolChoice::Required), json!({"tools": [wire_tool], "tool_choice": "required"})),
            (
                with_tools(ToolChoice::Named("look".into())),
                json!({"tools": [wire_tool], "tool_choice": {"type": "function", "name": "look"}}),
            ),
            (Request { tool_choice: ToolChoice::None, ..Request::default() }, json!({})),
            (
                Request { output: Some(output(closed.clone())), ..Request::default() },
                json!({"text": {"format": {"type": "json_schema", "name": "my_answer", "schema": closed, "strict": true}}}),
            ),
            (
                Request { output: Some(output(json!({"type": "object"}))), ..Request::default() },
                json!({"text": {"format": {"type": "json_schema", "name": "my_answer", "schema": {"type": "object"}, "strict": false}}}),
            ),
            (
                Request { max_output_tokens: Some(50), temperature: Some(0.2), ..Request::default() },
                json!({"max_output_tokens": 50, "temperature": 0.2}),
            ),
            (
                Request { effort: Some(Effort::Max), ..Request::default() },
                json!({"reasoning": {"effort": "xhigh"}}),
            ),
            (
                Request {
                    effort: Some(Effort::Low),
                    output: Some(output(closed.clone())),
                    extra: map(
                        &json!({"reasoning": {"summary": "auto"}, "text": {"verbosity": "low"}, "store": null, "top_p": 0.5}),
                    ),
                    ..Request::default()
                },
                json!({
                    "reasoning": {"effort": "low", "summary": "auto"}, "top_p": 0.5,
                    "text": {"verbosity": "low", "format": {"type": "json_schema", "name": "my_answer", "schema": closed, "strict": true}},
                }),
            ),
        ];
        for (request, expected) in cases {
            let request = match request.extra.contains_key("store") {
                // It is put back, so that `rest` finds it.
                true => {
                    let bare = said(&dialect("m"), request.clone()).unwrap();
                    assert_eq!(bare.get("store"), None);
                    let extra = request.extra.into_iter().filter(|(key, _)| key != "store").collect();
                    Request { extra, ..request }
                }
                false => request,
            };
            assert_eq!(rest(&dialect("m"), request.clone()), expected, "{request:?}");
        }
    }

    #[test]
    fn tools_of_the_provider_stand_beside_ours() {
        let search = json!({"type": "web_search"});
        let hosted = Dialect { provider_tools: vec![search.clone()], parallel_tools: false, ..dialect("m") };
        let none = Request { tool_choice: ToolChoice::None, ..Request::default() };
        assert_eq!(rest(&hosted, none), json!({"tools": [search], "tool_choice": "none"}));
        let body = rest(&hosted, Request { tools: [look()].into(), ..Request::default() });
        assert_eq!((&body["tools"][1], &body["parallel_tool_calls"]), (&search, &json!(false)));
        let old = Dialect { parallel_tools: false, ..dialect("o3") };
        let body = rest(&old, Request { tools: [look()].into(), ..Request::default() });
        assert_eq!(body.get("parallel_tool_calls"), None);
    }

    #[test]
    fn what_is_included_is_joined() {
        let extra =
            map(&json!({"include": ["web_search_call.action.sources", "reasoning.encrypted_content"]}));
        let dialect = Dialect { extra, ..dialect("m") };
        let body = said(&dialect, Request::default()).unwrap();
        assert_eq!(body["include"], json!(["reasoning.encrypted_content", "web_search_call.action.sources"]));
    }

    #[test]
    fn the_cache_is_told_what_it_can_be_told() {
        use PromptCache::{Long, Off, Short};
        let cases = [
            ("gpt-6.2-sol", Short, json!(null), true),
            ("gpt-6.2-sol", Long, json!({"ttl": "12h"}), true),
            ("gpt-6.2-sol", Off, json!({"mode": "explicit"}), false),
            ("gpt-5.4", Long, json!(null), true),
            ("gpt-5.4", Off, json!(null), false),
            ("mine", Long, json!(null), false),
        ];
        for (model, prompt_cache, options, keyed) in cases {
            let dialect = Dialect { prompt_cache, ..dialect(model) };
            let body = said(&dialect, Request::default()).unwrap();
            assert_eq!(body["prompt_cache_options"], options, "{model} {prompt_cache:?}");
            assert_eq!(body["prompt_cache_key"].is_string(), keyed, "{model} {prompt_cache:?}");
        }
        let key = |system: &str, user: &str, tools: &[ToolSpec]| {
            let messages = [Message::system(system), Message::user(user)].map(Arc::new).to_vec();
            let request = Request { messages, tools: tools.into(), ..Request::default() };
            body(&dialect("gpt-5.4"), &request).unwrap()["prompt_cache_key"].as_str().unwrap().to_owned()
        };
        assert_eq!(key("a", "hi", &[]), key("a", "and now?", &[]));
        assert_ne!(key("a", "hi", &[]), key("b", "hi", &[]));
        assert_ne!(key("a", "hi", &[]), key("a", "hi", &[look()]));
        assert_eq!(key("a", "hi", &[]).len(), 32);
    }

    #[test]
    fn a_temperature_that_the_model_does_not_take_is_refused() {
        let warm = |temperature| Request { temperature: Some(temperature), ..Request::default() };
        let why = |model: &str, request: Request| {
            let error = said(&dialect(model), request).unwrap_err();
            assert_eq!(error.code(), Code::ModelUnsupported);
            error.message().to_owned()
        };
        assert_eq!(why("gpt-6.2-sol", warm(0.2)), "the model `gpt-6.2-sol` takes no temperature");
        assert_eq!(
            why("gpt-5.6-sol", warm(0.2)),
            "the model `gpt-5.6-sol` takes no temperature while it reasons"
        );
        let idle = Request { effort: Some(Effort::Off), ..warm(0.2) };
        assert_eq!(said(&dialect("gpt-5.6-sol"), idle).unwrap()["temperature"], 0.2);
        assert_eq!(said(&dialect("gpt-6.2-sol"), warm(1.0)).unwrap().get("temperature"), None);
        let forced = Request { extra: map(&json!({"temperature": 0.5})), ..Request::default() };
        assert_eq!(said(&dialect("gpt-6.2-sol"), forced).unwrap()["temperature"], 0.5);
    }

    #[test]
    fn an_effort_is_for_models_that_reason() {
        let effort = |effort| Request { effort: Some(effort), ..Request::default() };
        let error = said(&dialect("gpt-4.1"), effort(Effort::Low)).unwrap_err();
        assert_eq!(
            (error.code(), error.message()),
            (Code::ModelUnsupported, "the model `gpt-4.1` does not reason")
        );
        assert_eq!(said(&dialect("gpt-4.1"), effort(Effort::Off)).unwrap().get("reasoning"), None);
        let configured = Dialect { effort: Some(Effort::High), ..dialect("gpt-6.2-sol") };
        let word = |request| said(&configured, request).unwrap()["reasoning"]["effort"].clone();
        assert_eq!([word(Request::default()), word(effort(Effort::Off))], ["high", "low"]);
    }

    #[test]
    fn a_request_that_cannot_be_sent_is_refused() {
        let broken = ToolSpec { parameters: json!([]), ..look() };
        let with = |extra: Value| Request { extra: map(&extra), ..Request::default() };
        let named = ToolChoice::Named("x".into());
        let cases = [
            (
                Request { stop: vec!["x".into()], ..Request::default() },
                "OpenAI's Responses know no texts that end an answer",
            ),
            (
                Request { tools: [look()].into(), tool_choice: named, ..Request::default() },
                "the model must call `x`, which is not among its tools",
            ),
            (
                Request { tools: [broken].into(), ..Request::default() },
                "the parameters of the tool `look` are not a JSON schema of an object",
            ),
            (with(json!({"stream": false})), "the extra parameter `stream` of the model cannot be set"),
            (
                with(json!({"background": true})),
                "the extra parameter `background` of the model cannot be set",
            ),
            (
                with(json!({"previous_response_id": "resp_1"})),
                "the extra parameter `previous_response_id` of the model cannot be set",
            ),
        ];
        for (request, why) in cases {
            assert_eq!(said(&dialect("m"), request).unwrap_err().message(), why);
        }
        let custom = Dialect { provider_tools: vec![json!({"type": "custom"})], ..dialect("m") };
        assert_eq!(said(&custom, Request::default()).unwrap_err().code(), Code::ModelUnsupported);
    }
}
