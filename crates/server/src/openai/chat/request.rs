//! A body as a request.

use std::sync::Arc;

use adjutant::model::{OutputSchema, Request, Sampling, ToolChoice};
use serde_json::{Map, Value, json};

use super::messages::messages;
use super::parameters::PARAMETERS;
use crate::openai::effort;
use crate::openai::tool::function;
use crate::wire::{Fault, Node, check};

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// The model or agent that it names.
    pub(crate) model: String,
    /// What the model is asked.
    pub(crate) request: Request,
    /// Whether the answer comes in chunks.
    pub(crate) stream: bool,
    /// Whether a last chunk says what was used.
    pub(crate) usage: bool,
    /// Whom the client asks for.
    pub(crate) user: Option<String>,
    /// What the client wants to find the call by.
    pub(crate) metadata: Map<String, Value>,
}

/// Reads a body. Fails with the first thing that is wrong with it, and where.
pub(crate) fn read(body: &Value) -> Result<Asked, Fault> {
    let body = Node::body(body);
    check(&body, PARAMETERS)?;
    let model = body.need("model")?.text()?.to_owned();
    let stream = body.get("stream").map(|stream| stream.flag()).transpose()?.unwrap_or(false);
    let (specs, strict_tools) = tools(&body)?;
    let request = Request {
        messages: messages(&body.need("messages")?)?.into_iter().map(Arc::new).collect(),
        tool_choice: tool_choice(&body, &specs)?,
        tools: specs.into(),
        strict_tools,
        single_call: single_call(&body)?,
        output: output(&body)?,
        max_output_tokens: most_tokens(&body)?,
        temperature: body.get("temperature").map(|wish| wish.number(0.0, 2.0)).transpose()?,
        sampling: sampling(&body)?,
        effort: body.get("reasoning_effort").map(|wish| wish.word(effort::WORDS)).transpose()?,
        stop: stop(&body)?,
        ..Request::default()
    };
    let user = body.get("safety_identifier").or_else(|| body.get("user"));
    Ok(Asked {
        model,
        request,
        stream,
        usage: usage(&body, stream)?,
        user: user.map(|user| user.text().map(str::to_owned)).transpose()?,
        metadata: metadata(&body)?,
    })
}

fn usage(body: &Node<'_>, stream: bool) -> Result<bool, Fault> {
    let Some(options) = body.get("stream_options") else { return Ok(false) };
    if !stream {
        return Err(options.wrong("invalid_value", "`stream_options` goes with `stream` only"));
    }
    options.only(&["include_usage", "include_obfuscation"])?;
    if let Some(noise) = options.get("include_obfuscation")
        && noise.flag()?
    {
        return Err(noise.wrong("unsupported_value", "chunks are not padded here").with_help("take it out"));
    }
    Ok(options.get("include_usage").map(|wish| wish.flag()).transpose()?.unwrap_or(false))
}

/// The metadata that both formats have: texts under short names.
pub(crate) fn metadata(body: &Node<'_>) -> Result<Map<String, Value>, Fault> {
    const MOST: usize = 16;
    let Some(metadata) = body.get("metadata") else { return Ok(Map::new()) };
    let fields = metadata.fields()?;
    if fields.len() > MOST {
        let message = format!("`metadata` has {} entries, and may have {MOST}", fields.len());
        return Err(metadata.wrong("invalid_value", message));
    }
    for name in fields.keys() {
        if let Some(value) = metadata.get(name) {
            let text = value.text()?;
            if name.chars().count() > 64 || text.chars().count() > 512 {
                return Err(value.wrong("invalid_value", "names have at most 64 characters, and texts 512"));
            }
        }
    }
    Ok(fields.clone())
}

fn tools(body: &Node<'_>) -> Result<(Vec<adjutant_core::tool::ToolSpec>, Vec<String>), Fault> {
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
        tool.only(&["type", "function"])?;
        let of = tool.need("function")?;
        of.only(&["name", "description", "parameters", "strict"])?;
        let (spec, is_strict) = function(&of)?;
        strict.extend(is_strict.then(|| spec.name.clone()));
        specs.push(spec);
    }
    Ok((specs, strict))
}

fn tool_choice(body: &Node<'_>, tools: &[adjutant_core::tool::ToolSpec]) -> Result<ToolChoice, Fault> {
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
    let (function, place) = (choice.need("function")?, "tool_choice.function.name");
    named(function.need("name")?.text()?, place, tools)
}

/// The choice of one tool, which must be there.
pub(crate) fn named(
    name: &str,
    place: &str,
    tools: &[adjutant_core::tool::ToolSpec],
) -> Result<ToolChoice, Fault> {
    match tools.iter().any(|tool| tool.name == name) {
        true => Ok(ToolChoice::Named(name.to_owned())),
        false => Err(Fault::at(
            place,
            "invalid_value",
            format!("`{place}` is `{name}`, which is not among the tools"),
        )),
    }
}

/// Whether calls come one at a time.
pub(crate) fn single_call(body: &Node<'_>) -> Result<bool, Fault> {
    Ok(!body.get("parallel_tool_calls").map(|wish| wish.flag()).transpose()?.unwrap_or(true))
}

fn output(body: &Node<'_>) -> Result<Option<OutputSchema>, Fault> {
    let Some(format) = body.get("response_format") else { return Ok(None) };
    let kind = format.need("type")?;
    Ok(match kind.word(&[("text", 0), ("json_object", 1), ("json_schema", 2)])? {
        0 => None,
        1 => Some(any_object()),
        _ => Some(schema(&format.need("json_schema")?, &["name", "description", "schema", "strict"])?),
    })
}

/// The form that is asked for where any JSON object will do.
pub(crate) fn any_object() -> OutputSchema {
    OutputSchema { name: "object".into(), schema: json!({"type": "object"}), strict: false }
}

/// A form by its schema.
pub(crate) fn schema(format: &Node<'_>, known: &[&str]) -> Result<OutputSchema, Fault> {
    format.only(known)?;
    let mut schema = format.need("schema")?.fields()?.clone();
    if let Some(description) = format.get("description") {
        schema.entry("description").or_insert(description.text()?.into());
    }
    Ok(OutputSchema {
        name: format.need("name")?.text()?.to_owned(),
        schema: schema.into(),
        strict: format.get("strict").map(|strict| strict.flag()).transpose()?.unwrap_or(false),
    })
}

fn most_tokens(body: &Node<'_>) -> Result<Option<u32>, Fault> {
    let most = body.get("max_completion_tokens").or_else(|| body.get("max_tokens"));
    most.map(|most| match most.count()? {
        0 => Err(most.wrong("invalid_value", format!("`{}` must be at least 1", most.place()))),
        count => Ok(count),
    })
    .transpose()
}

fn sampling(body: &Node<'_>) -> Result<Sampling, Fault> {
    Ok(Sampling {
        top_p: body.get("top_p").map(|wish| wish.number(0.0, 1.0)).transpose()?,
        top_k: None,
        seed: body.get("seed").map(|wish| wish.whole()).transpose()?,
        presence_penalty: body.get("presence_penalty").map(|wish| wish.number(-2.0, 2.0)).transpose()?,
        frequency_penalty: body.get("frequency_penalty").map(|wish| wish.number(-2.0, 2.0)).transpose()?,
    })
}

fn stop(body: &Node<'_>) -> Result<Vec<String>, Fault> {
    const MOST: usize = 4;
    let Some(stop) = body.get("stop") else { return Ok(Vec::new()) };
    let texts = match stop.value() {
        Value::String(text) => vec![text.clone()],
        _ => stop.texts()?,
    };
    match texts.len() <= MOST {
        true => Ok(texts),
        false => {
            Err(stop.wrong("invalid_value", format!("`stop` has {} texts, and may have {MOST}", texts.len())))
        }
    }
}
