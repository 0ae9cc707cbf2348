//! A request as the body of a POST.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::generation::{Forced, Generation, Thinking};
use super::thinking::Plan;
use super::turns::{Side, Transcript};
use super::{cache, content, kind_of, schema};
use crate::provider::PromptCache;
use crate::request::{Effort, OutputSchema, Request, ToolChoice};
use crate::sampling::Names;
use crate::token;

/// What of a model's configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) model: String,
    /// Whose signed thinking goes back.
    pub(super) origin: String,
    pub(super) generation: Generation,
    /// The most tokens of an answer where a request says nothing: the interface wants to be told.
    pub(super) most_output: u32,
    /// The most tokens of input and output together, where that is known.
    pub(super) window: Option<u64>,
    pub(super) parallel_tools: bool,
    pub(super) effort: Option<Effort>,
    pub(super) prompt_cache: PromptCache,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// The fields that only the request itself decides.
const OWN: [&str; 5] = ["model", "messages", "system", "tools", "stream"];

/// The body. Fails with `model-unsupported` where the model or the interface cannot do a part of it, and with
/// `input-invalid` where the request contradicts itself.
pub(super) fn body(dialect: &Dialect, request: &Request) -> Result<Value> {
    let most = request.max_output_tokens.unwrap_or_else(|| most_output(dialect, request));
    let mut transcript = Transcript::of(&request.messages, &dialect.origin)?;
    let mut plan = Plan::of(&dialect.generation, request.effort.or(dialect.effort), most);
    if !may_think(&dialect.generation, &transcript) {
        plan.thinking = None;
    }
    let mut tools = tools(dialect, request)?;
    let mut output_config = Map::new();
    output_config.extend(plan.effort.map(|effort| ("effort".to_owned(), effort.into())));
    if let Some(output) = &request.output {
        match format(dialect, output)? {
            Some(format) => drop(output_config.insert("format".into(), format)),
            None => transcript.system.extend(content::text(&asked_in_words(output))),
        }
    }
    let taken = cache::taken(&dialect.provider_tools, &[&dialect.extra, &request.extra]);
    cache::mark(dialect.prompt_cache, taken, &mut tools, &mut transcript.system, &mut transcript.turns);

    let mut body = Map::new();
    let mut set = |key: &str, value: Value| drop(body.insert(key.to_owned(), value));
    set("model", dialect.model.as_str().into());
    set("max_tokens", most.into());
    set("stream", true.into());
    if let Some(thinking) = thinking(dialect, &plan, &transcript) {
        set("thinking", thinking);
    }
    if !output_config.is_empty() {
        set("output_config", output_config.into());
    }
    if let Some(choice) = tool_choice(dialect, request, &plan, tools.is_empty())? {
        set("tool_choice", choice);
    }
    if let Some(temperature) = temperature(dialect, request, &plan)? {
        set("temperature", temperature);
    }
    let names = Names { top_p: Some("top_p"), top_k: Some("top_k"), ..Names::default() };
    for (key, value) in request.sampling.named(&dialect.model, names)? {
        set(key, value);
    }
    if !request.stop.is_empty() {
        set("stop_sequences", stop_texts(request)?);
    }
    if !tools.is_empty() {
        set("tools", tools.into());
    }
    if !transcript.system.is_empty() {
        set("system", transcript.system.into());
    }
    set("messages", transcript.turns.into_iter().map(Value::from).collect());
    for extra in [&dialect.extra, &request.extra] {
        overlay(&mut body, extra)?;
    }
    Ok(Value::Object(body))
}

/// The most tokens of an answer to a request that says nothing: many models refuse a request that, with this, could outgrow
/// their window.
///
/// A limit that is lowered is a power of two. Budgets of thinking go by it, and with a budget that was another each time
/// nothing would be found in the cache.
fn most_output(dialect: &Dialect, request: &Request) -> u32 {
    // With less the model can do nothing; whether so much is left is the provider's to say.
    const LEAST: u64 = 4_096;
    let Some(window) = dialect.window else { return dialect.most_output };
    let sent = token::estimate_request(request);
    // The newest models count up to a third more than others.
    let left = window.saturating_sub(sent.saturating_add(sent / 3)).max(LEAST);
    match u64::from(dialect.most_output) <= left {
        true => dialect.most_output,
        false => u32::try_from(1_u64 << left.ilog2()).unwrap_or(dialect.most_output),
    }
}

fn tools(dialect: &Dialect, request: &Request) -> Result<Vec<Value>> {
    let own = request.tools.iter().map(tool).collect::<Result<Vec<_>>>()?;
    Ok(own.into_iter().chain(dialect.provider_tools.iter().cloned()).collect())
}

fn tool(tool: &ToolSpec) -> Result<Value> {
    let no_object = || {
        let what = format!("the parameters of the tool `{}` are not a JSON schema of an object", tool.name);
        Error::new(Code::ToolInvalid, what)
    };
    let mut parameters = tool.parameters.as_object().cloned().ok_or_else(no_object)?;
    // The interface wants to be told, even where the schema means nothing else.
    let kind = parameters.entry("type").or_insert_with(|| "object".into());
    if kind != "object" {
        return Err(no_object());
    }
    Ok(json!({"name": tool.name, "description": tool.description, "input_schema": parameters}))
}

/// Whether thinking can be asked for. A model that thinks by budget must have begun with thinking what the last results
/// answer; another model's calls, or those that it made without, it must answer without.
fn may_think(generation: &Generation, transcript: &Transcript) -> bool {
    let [.., asked, last] = transcript.turns.as_slice() else { return true };
    let begins = |blocks: &[Value]| blocks.first().map(|block| kind_of(block).to_owned()).unwrap_or_default();
    generation.thinking != Thinking::Budget
        || begins(&last.blocks) != "tool_result"
        || matches!(begins(&asked.blocks).as_str(), "thinking" | "redacted_thinking")
}

/// What the body says of thinking. Models that bind their thinking to all that was said before refuse it after a change,
/// as when older messages were summarised; they are told to leave it out instead.
fn thinking(dialect: &Dialect, plan: &Plan, transcript: &Transcript) -> Option<Value> {
    let mut thinking = plan.thinking.clone()?;
    let is_thought = |block: &Value| matches!(kind_of(block), "thinking" | "redacted_thinking");
    let mut said = transcript.turns.iter().filter(|turn| turn.side == Side::Assistant);
    if dialect.generation.binds_thinking
        && kind_of(&thinking) == "adaptive"
        && said.any(|turn| turn.blocks.iter().any(is_thought))
        && let Some(fields) = thinking.as_object_mut()
    {
        fields.insert("block_binding".into(), json!({"prefix_mismatch_behavior": "drop_block"}));
    }
    Some(thinking)
}

/// The form of the answer; none for a schema that the interface has no words for.
fn format(dialect: &Dialect, output: &OutputSchema) -> Result<Option<Value>> {
    if !dialect.generation.output_format {
        let what = format!("the model `{}` cannot answer in the form of a schema", dialect.model);
        return Err(Error::new(Code::ModelUnsupported, what).with_help(
            "set `structured_output = false` of the model, so that it is asked for the form by a tool",
        ));
    }
    let schema = schema::enforceable(&output.schema);
    Ok(schema.map(|schema| json!({"type": "json_schema", "schema": schema})))
}

fn asked_in_words(output: &OutputSchema) -> String {
    format!("The final answer is nothing but JSON that fits this JSON schema:\n{}", output.schema)
}

fn tool_choice(dialect: &Dialect, request: &Request, plan: &Plan, no_tools: bool) -> Result<Option<Value>> {
    let one_at_a_time = request.single_call || !dialect.parallel_tools;
    let mut choice = match &request.tool_choice {
        _ if no_tools => return Ok(None),
        ToolChoice::None => return Ok(Some(json!({"type": "none"}))),
        ToolChoice::Auto if one_at_a_time => json!({"type": "auto"}),
        ToolChoice::Auto => return Ok(None),
        ToolChoice::Required => json!({"type": "any"}),
        ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
            json!({"type": "tool", "name": name})
        }
        ToolChoice::Named(name) => {
            let what = format!("the model must call `{name}`, which is not among its tools");
            return Err(Error::new(Code::InputInvalid, what));
        }
    };
    if kind_of(&choice) != "auto" {
        check_forced(dialect, plan)?;
    }
    if let (true, Some(fields)) = (one_at_a_time, choice.as_object_mut()) {
        fields.insert("disable_parallel_tool_use".into(), true.into());
    }
    Ok(Some(choice))
}

fn check_forced(dialect: &Dialect, plan: &Plan) -> Result<()> {
    let model = &dialect.model;
    let (what, help) = match dialect.generation.forced {
        Forced::WithoutThinking if plan.thinks() => (
            format!("the model `{model}` cannot be made to call a tool while it thinks"),
            "set `effort = \"off\"` of the model, or let it choose whether to call one",
        ),
        Forced::Never => (
            format!("the model `{model}` cannot be made to call a tool"),
            "let it choose whether to call one; for an answer in the form of a schema leave `structured_output` on",
        ),
        Forced::Always | Forced::WithoutThinking => return Ok(()),
    };
    Err(Error::new(Code::ModelUnsupported, what).with_help(help))
}

/// The temperature; none where it is the only one that the model knows.
fn temperature(dialect: &Dialect, request: &Request, plan: &Plan) -> Result<Option<Value>> {
    let Some(temperature) = request.temperature else { return Ok(None) };
    let model = &dialect.model;
    let (what, help) = match (dialect.generation.sampling, plan.thinks()) {
        (false, _) | (_, true) if temperature == 1.0 => return Ok(None),
        (false, _) => (format!("the model `{model}` takes no `temperature`"), "leave it out"),
        (true, true) => (
            format!("the model `{model}` takes no `temperature` while it thinks"),
            "leave it out, or set `effort = \"off\"` of the model",
        ),
        (true, false) if !(0.0..=1.0).contains(&temperature) => {
            (format!("the model `{model}` takes a `temperature` from 0 to 1"), "choose one in between")
        }
        (true, false) => return Ok(Some(decimal(temperature))),
    };
    Err(Error::new(Code::ModelUnsupported, what).with_help(help))
}

/// The number that the caller wrote: 0.2, not the 0.20000000298... that lies next to it in double precision.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).into()
}

fn stop_texts(request: &Request) -> Result<Value> {
    match request.stop.iter().any(|text| text.trim().is_empty()) {
        true => Err(content::unsupported("a stop text of nothing but white space", "leave it out")),
        false => Ok(request.stop.clone().into()),
    }
}

/// Lays the extra parameters over the body. Those of `output_config` come beside what stands there already.
fn overlay(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<()> {
    for (key, value) in extra {
        if OWN.contains(&key.as_str()) {
            let what = format!("the extra parameter `{key}` of the model cannot be set");
            return Err(
                Error::new(Code::InputInvalid, what).with_help("the run itself decides it: take it out")
            );
        }
        match (body.get_mut(key), value) {
            (_, Value::Null) => drop(body.remove(key)),
            (Some(Value::Object(own)), Value::Object(more)) if key == "output_config" => {
                own.extend(more.clone());
            }
            (_, value) => drop(body.insert(key.clone(), value.clone())),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
