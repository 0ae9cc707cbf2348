//! A body as a request.

use std::sync::Arc;

use adjutant::model::{Effort, OutputSchema, Request, Sampling, ToolChoice};
use adjutant_core::message::{Message, Role};
use adjutant_core::tool::{Effect, Flow, ToolSpec};
use serde_json::Value;

use super::blocks;
use super::messages::messages;
use super::parameters::PARAMETERS;
use crate::wire::{Fault, Node, check};

/// What a client asks.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Asked {
    /// The model or agent that it names.
    pub(crate) model: String,
    /// What the model is asked.
    pub(crate) request: Request,
    /// Whether the answer comes in events.
    pub(crate) stream: bool,
    /// Whether the client sees what the model thinks. It is carried in any case.
    pub(crate) shows_thinking: bool,
    /// Whom the client asks for.
    pub(crate) user: Option<String>,
}

/// Reads a body. Fails with the first thing that is wrong with it, and where.
pub(crate) fn read(body: &Value) -> Result<Asked, Fault> {
    let most = Node::body(body);
    let most = most.need("max_tokens")?;
    if most.count()? == 0 {
        return Err(most.wrong("invalid_value", "`max_tokens` must be at least 1"));
    }
    read_to_count(body)
}

/// Reads a body of which only the tokens shall be counted, which need not say how long an answer may be.
pub(crate) fn read_to_count(body: &Value) -> Result<Asked, Fault> {
    let body = Node::body(body);
    check(&body, PARAMETERS)?;
    let (specs, strict_tools) = tools(&body)?;
    let (tool_choice, single_call) = tool_choice(&body, &specs)?;
    let (effort, shows_thinking) = thinking(&body)?;
    let mut all: Vec<Message> = system(&body)?.into_iter().collect();
    all.extend(messages(&body.need("messages")?)?);
    let request = Request {
        messages: all.into_iter().map(Arc::new).collect(),
        tools: specs.into(),
        strict_tools,
        tool_choice,
        single_call,
        output: output(&body)?,
        max_output_tokens: body.get("max_tokens").map(|most| most.count()).transpose()?,
        temperature: body.get("temperature").map(|wish| wish.number(0.0, 1.0)).transpose()?,
        sampling: Sampling {
            top_p: body.get("top_p").map(|wish| wish.number(0.0, 1.0)).transpose()?,
            top_k: body.get("top_k").map(|wish| wish.count()).transpose()?,
            ..Sampling::default()
        },
        effort,
        stop: body.get("stop_sequences").map(|texts| texts.texts()).transpose()?.unwrap_or_default(),
        ..Request::default()
    };
    Ok(Asked {
        model: body.need("model")?.text()?.to_owned(),
        request,
        stream: body.get("stream").map(|wish| wish.flag()).transpose()?.unwrap_or(false),
        shows_thinking,
        user: user(&body)?,
    })
}

fn user(body: &Node<'_>) -> Result<Option<String>, Fault> {
    let Some(metadata) = body.get("metadata") else { return Ok(None) };
    metadata.only(&["user_id"])?;
    metadata.get("user_id").map(|user| user.text().map(str::to_owned)).transpose()
}

fn system(body: &Node<'_>) -> Result<Option<Message>, Fault> {
    let Some(system) = body.get("system") else { return Ok(None) };
    let parts = blocks::texts(&system)?;
    Ok((!parts.is_empty()).then(|| Message::new(Role::System, parts)))
}

fn tools(body: &Node<'_>) -> Result<(Vec<ToolSpec>, Vec<String>), Fault> {
    let (mut specs, mut strict) = (Vec::new(), Vec::new());
    let Some(tools) = body.get("tools") else { return Ok((specs, strict)) };
    for tool in tools.items()? {
        if let Some(kind) = tool.get("type")
            && kind.text()? != "custom"
        {
            let message = format!(
                "`{}` is `{}`, and only tools of the client's own are taken",
                kind.place(),
                kind.text()?
            );
            return Err(kind
                .wrong("unsupported_value", message)
                .with_help("tools that the provider runs are set in the model's `provider_tools`"));
        }
        // How its arguments are streamed is the provider's to decide.
        tool.only(&[
            "type",
            "name",
            "description",
            "input_schema",
            "strict",
            "cache_control",
            "eager_input_streaming",
        ])?;
        let name = tool.need("name")?.text()?.to_owned();
        if tool.get("strict").map(|wish| wish.flag()).transpose()?.unwrap_or(false) {
            strict.push(name.clone());
        }
        specs.push(ToolSpec {
            name,
            description: tool
                .get("description")
                .map(|text| text.text())
                .transpose()?
                .unwrap_or_default()
                .to_owned(),
            parameters: tool.need("input_schema")?.fields()?.clone().into(),
            // The client makes the call; what it does to the world is not known here.
            effect: Effect::AtMostOnce,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow::default(),
        });
    }
    Ok((specs, strict))
}

fn tool_choice(body: &Node<'_>, tools: &[ToolSpec]) -> Result<(ToolChoice, bool), Fault> {
    let Some(choice) = body.get("tool_choice") else { return Ok((ToolChoice::Auto, false)) };
    choice.only(&["type", "name", "disable_parallel_tool_use"])?;
    let kind = choice.need("type")?.word(&[("auto", 0), ("none", 1), ("any", 2), ("tool", 3)])?;
    let single =
        choice.get("disable_parallel_tool_use").map(|wish| wish.flag()).transpose()?.unwrap_or(false);
    let chosen = match kind {
        0 => ToolChoice::Auto,
        1 => ToolChoice::None,
        2 => ToolChoice::Required,
        _ => {
            let name = choice.need("name")?;
            let wanted = name.text()?;
            if !tools.iter().any(|tool| tool.name == wanted) {
                let message = format!("`tool_choice.name` is `{wanted}`, which is not among the tools");
                return Err(name.wrong("invalid_value", message));
            }
            ToolChoice::Named(wanted.to_owned())
        }
    };
    Ok((chosen, single))
}

/// How much the model shall think, and whether that is shown.
fn thinking(body: &Node<'_>) -> Result<(Option<Effort>, bool), Fault> {
    const EFFORTS: &[(&str, Effort)] = &[
        ("low", Effort::Low),
        ("medium", Effort::Medium),
        ("high", Effort::High),
        ("xhigh", Effort::Max),
        ("max", Effort::Max),
    ];
    let config = body.get("output_config");
    if let Some(config) = &config {
        config.only(&["effort", "format"])?;
    }
    let effort = config.as_ref().and_then(|config| config.get("effort"));
    let effort = effort.map(|effort| effort.word(EFFORTS)).transpose()?;
    let Some(thinking) = body.get("thinking") else { return Ok((effort, true)) };
    thinking.only(&["type", "budget_tokens", "display", "block_binding"])?;
    let shown = thinking.get("display").map(|how| how.word(&[("summarized", true), ("omitted", false)]));
    let shown = shown.transpose()?.unwrap_or(true);
    let kinds = [("enabled", 0), ("adaptive", 1), ("disabled", 2), ("between_tools", 2)];
    let wanted = match thinking.need("type")?.word(&kinds)? {
        0 => Some(nearest_step(thinking.need("budget_tokens")?.count()?)),
        // A model that decides by itself thinks much, where nothing else is said.
        1 => Some(effort.unwrap_or(Effort::High)),
        _ => Some(Effort::Off),
    };
    Ok((wanted, shown))
}

/// The step that is nearest to a budget: the budgets that steps are said by, to models that are told a number.
fn nearest_step(tokens: u32) -> Effort {
    match tokens {
        0..=2_048 => Effort::Minimal,
        2_049..=6_144 => Effort::Low,
        6_145..=12_288 => Effort::Medium,
        12_289..=24_576 => Effort::High,
        _ => Effort::Max,
    }
}

fn output(body: &Node<'_>) -> Result<Option<OutputSchema>, Fault> {
    let Some(config) = body.get("output_config") else { return Ok(None) };
    let Some(format) = config.get("format") else { return Ok(None) };
    format.only(&["type", "schema"])?;
    format.need("type")?.word(&[("json_schema", ())])?;
    let schema = format.need("schema")?.fields()?.clone().into();
    Ok(Some(OutputSchema { name: "answer".into(), schema, strict: true }))
}
