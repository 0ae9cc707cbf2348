//! A body as a request.

use std::sync::Arc;

use adjutant::model::{Effort, OutputSchema, Request, Sampling, ToolChoice};
use adjutant_core::tool::ToolSpec;
use serde_json::{Map, Value};

use super::items;
use super::parameters::PARAMETERS;
use crate::openai::chat::{any_object, metadata, named, schema, single_call};
use crate::openai::effort;
use crate::openai::tool::function;
use crate::wire::{Fault, Node, check};

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// The model or agent that it names.
    pub(crate) model: String,
    /// What is said before everything else, this time only.
    pub(crate) instructions: Option<String>,
    /// What the model is asked, but for what was said before.
    pub(crate) request: Request,
    /// What was said before.
    pub(crate) before: Option<Before>,
    /// The items of this request, as they came.
    pub(crate) input: Vec<Value>,
    /// Whether the answer comes in events.
    pub(crate) stream: bool,
    /// Whether the response is kept.
    pub(crate) store: bool,
    /// Whether it goes on without its client.
    pub(crate) background: bool,
    /// Whether reasoning comes sealed, to be sent back.
    pub(crate) sealed: bool,
    /// Whom the client asks for.
    pub(crate) user: Option<String>,
    /// What the client wants to find the response by.
    pub(crate) metadata: Map<String, Value>,
    /// What of the request stands in the response again.
    pub(crate) echo: Map<String, Value>,
}

/// What a request follows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Before {
    /// A response of that id.
    Response(String),
    /// A conversation of that id.
    Conversation(String),
}

/// Reads a body. Fails with the first thing that is wrong with it, and where.
pub(crate) fn read(body: &Value) -> Result<Asked, Fault> {
    let body = Node::body(body);
    check(&body, PARAMETERS)?;
    let model = body.need("model")?.text()?.to_owned();
    let flag = |name: &str| body.get(name).map(|wish| wish.flag()).transpose();
    let (stream, background) = (flag("stream")?.unwrap_or(false), flag("background")?.unwrap_or(false));
    let store = flag("store")?.unwrap_or(true);
    if background && !store {
        return Err(Fault::at("background", "invalid_value", "what goes on in the background must be kept")
            .with_help("take `store` out"));
    }
    let before = before(&body)?;
    let input = input(&body)?;
    let (specs, strict_tools) = tools(&body)?;
    let instructions = body.get("instructions").map(|text| text.text().map(str::to_owned)).transpose()?;
    let messages = items::read(&input, before.is_some())?;
    let request = Request {
        messages: messages.into_iter().map(Arc::new).collect(),
        tool_choice: tool_choice(&body, &specs)?,
        tools: specs.into(),
        strict_tools,
        single_call: single_call(&body)?,
        output: output(&body)?,
        max_output_tokens: most_tokens(&body)?,
        temperature: body.get("temperature").map(|wish| wish.number(0.0, 2.0)).transpose()?,
        sampling: Sampling {
            top_p: body.get("top_p").map(|wish| wish.number(0.0, 1.0)).transpose()?,
            ..Sampling::default()
        },
        effort: wanted_effort(&body)?,
        ..Request::default()
    };
    let user = body.get("safety_identifier").or_else(|| body.get("user"));
    Ok(Asked {
        model,
        instructions: instructions.filter(|text| !text.is_empty()),
        request,
        before,
        input,
        stream,
        store,
        background,
        sealed: includes(&body)?,
        user: user.map(|user| user.text().map(str::to_owned)).transpose()?,
        metadata: metadata(&body)?,
        echo: echo(&body),
    })
}

fn before(body: &Node<'_>) -> Result<Option<Before>, Fault> {
    let response = body.get("previous_response_id").map(|id| id.text()).transpose()?;
    let conversation = match body.get("conversation") {
        None => None,
        Some(conversation) if conversation.value().is_string() => Some(conversation.text()?),
        Some(conversation) => {
            conversation.only(&["id"])?;
            conversation.need("id")?;
            conversation.value().get("id").and_then(Value::as_str)
        }
    };
    match (response, conversation) {
        (Some(_), Some(_)) => Err(Fault::at(
            "conversation",
            "invalid_value",
            "a response follows another, or is a turn of a conversation, and not both",
        )),
        (Some(id), None) => Ok(Some(Before::Response(id.to_owned()))),
        (None, Some(id)) => Ok(Some(Before::Conversation(id.to_owned()))),
        (None, None) => Ok(None),
    }
}

/// The items; a text alone is a message of the user.
fn input(body: &Node<'_>) -> Result<Vec<Value>, Fault> {
    let input = body.need("input")?;
    match input.value() {
        Value::String(text) => Ok(vec![serde_json::json!({
            "type": "message",
            "role": "user",
            "content": [{"type": "input_text", "text": text}],
        })]),
        Value::Array(items) => Ok(items.clone()),
        _ => Err(input.expected("a string or an array")),
    }
}

fn includes(body: &Node<'_>) -> Result<bool, Fault> {
    let Some(include) = body.get("include") else { return Ok(false) };
    let mut sealed = false;
    for wish in include.items()? {
        sealed |= wish.word(&[("reasoning.encrypted_content", ())]).is_ok();
        if wish.text()? != "reasoning.encrypted_content" {
            let message = format!("`{}` is `{}`, which no answer here has", wish.place(), wish.text()?);
            return Err(wish.wrong("unsupported_value", message).with_help("take it out"));
        }
    }
    Ok(sealed)
}

fn tools(body: &Node<'_>) -> Result<(Vec<ToolSpec>, Vec<String>), Fault> {
    let (mut specs, mut strict) = (Vec::new(), Vec::new());
    let Some(tools) = body.get("tools") else { return Ok((specs, strict)) };
    for tool in tools.items()? {
        let kind = tool.need("type")?;
        if kind.text()? != "function" {
            return Err(kind
                .wrong(
                    "unsupported_value",
                    format!("`{}` is `{}`, and only functions are taken", kind.place(), kind.text()?),
                )
                .with_help("tools that the provider runs are set in the model's `provider_tools`"));
        }
        tool.only(&["type", "name", "description", "parameters", "strict"])?;
        let (spec, is_strict) = function(&tool)?;
        strict.extend(is_strict.then(|| spec.name.clone()));
        specs.push(spec);
    }
    Ok((specs, strict))
}

fn tool_choice(body: &Node<'_>, tools: &[ToolSpec]) -> Result<ToolChoice, Fault> {
    let Some(choice) = body.get("tool_choice") else { return Ok(ToolChoice::Auto) };
    if choice.value().is_string() {
        return Ok(match choice.word(&[("auto", 0), ("none", 1), ("required", 2)])? {
            0 => ToolChoice::Auto,
            1 => ToolChoice::None,
            _ => ToolChoice::Required,
        });
    }
    let kind = choice.need("type")?;
    if kind.text()? != "function" {
        let message = format!("`{}` is `{}`, and only a function can be chosen", kind.place(), kind.text()?);
        return Err(kind.wrong("unsupported_value", message));
    }
    named(choice.need("name")?.text()?, "tool_choice.name", tools)
}

fn output(body: &Node<'_>) -> Result<Option<OutputSchema>, Fault> {
    let Some(text) = body.get("text") else { return Ok(None) };
    text.only(&["format", "verbosity"])?;
    if let Some(verbosity) = text.get("verbosity")
        && verbosity.text()? != "medium"
    {
        return Err(verbosity
            .wrong("unsupported_value", "`text.verbosity` can only be `medium`")
            .with_help("say in the instructions how long the answer shall be"));
    }
    let Some(format) = text.get("format") else { return Ok(None) };
    Ok(match format.need("type")?.word(&[("text", 0), ("json_object", 1), ("json_schema", 2)])? {
        0 => None,
        1 => Some(any_object()),
        _ => Some(schema(&format, &["type", "name", "description", "schema", "strict"])?),
    })
}

fn wanted_effort(body: &Node<'_>) -> Result<Option<Effort>, Fault> {
    let Some(reasoning) = body.get("reasoning") else { return Ok(None) };
    reasoning.only(&["effort", "summary", "generate_summary"])?;
    for name in ["summary", "generate_summary"] {
        if let Some(summary) = reasoning.get(name) {
            // What a provider shows of a model's reasoning is shown.
            summary.word(&[("auto", ()), ("concise", ()), ("detailed", ())])?;
        }
    }
    reasoning.get("effort").map(|wish| wish.word(effort::WORDS)).transpose()
}

fn most_tokens(body: &Node<'_>) -> Result<Option<u32>, Fault> {
    let most = body.get("max_output_tokens");
    most.map(|most| match most.count()? {
        0 => Err(most.wrong("invalid_value", "`max_output_tokens` must be at least 1")),
        count => Ok(count),
    })
    .transpose()
}

/// What a response repeats of its request.
fn echo(body: &Node<'_>) -> Map<String, Value> {
    const ECHOED: [(&str, &str); 15] = [
        ("instructions", "null"),
        ("max_output_tokens", "null"),
        ("metadata", "{}"),
        ("parallel_tool_calls", "true"),
        ("previous_response_id", "null"),
        ("prompt_cache_key", "null"),
        ("reasoning", "{\"effort\":null,\"summary\":null}"),
        ("safety_identifier", "null"),
        ("store", "true"),
        ("temperature", "1.0"),
        ("text", "{\"format\":{\"type\":\"text\"}}"),
        ("tool_choice", "\"auto\""),
        ("tools", "[]"),
        ("top_p", "1.0"),
        ("user", "null"),
    ];
    let said = |name: &str| body.get(name).map(|node| node.value().clone());
    let unsaid = |text: &str| serde_json::from_str(text).unwrap_or_default();
    ECHOED
        .iter()
        .map(|(name, text)| ((*name).to_owned(), said(name).unwrap_or_else(|| unsaid(text))))
        .collect()
}
