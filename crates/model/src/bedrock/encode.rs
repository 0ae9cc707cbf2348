//! A request as the body of a POST: `ConverseStreamRequest` in the service description.

use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::effort::Plan;
use super::tools::{self, Tools};
use super::traits::Traits;
use super::turns::{Conversation, Side, is};
use super::{cache, call};
use crate::anthropic::generation::Thinking;
use crate::anthropic::schema;
use crate::provider::PromptCache;
use crate::request::{Effort, OutputSchema, Request, ToolChoice};
use crate::sampling::Names;

/// What of a model's configuration the body depends on.
#[derive(Clone, Debug)]
pub(super) struct Dialect {
    pub(super) model: String,
    pub(super) traits: Traits,
    pub(super) parallel_tools: bool,
    pub(super) effort: Option<Effort>,
    pub(super) prompt_cache: PromptCache,
    pub(super) provider_tools: Vec<Value>,
    pub(super) extra: Map<String, Value>,
}

/// The fields that only the request itself decides.
const OWN: [&str; 4] = ["modelId", "messages", "system", "toolConfig"];
/// The fields whose parts extra parameters add to and replace one by one.
const LAYERED: [&str; 3] = ["inferenceConfig", "outputConfig", "additionalModelRequestFields"];

/// The body. Fails with `model-unsupported` where the model or the interface cannot do a part of it, and with
/// `input-invalid` where the request contradicts itself.
pub(super) fn body(dialect: &Dialect, request: &Request) -> Result<Value> {
    let mut conversation = Conversation::of(&request.messages, &dialect.traits)?;
    let plan = plan(dialect, request, &conversation);
    let tools = Tools::of(dialect, request, &conversation, plan.claude_thinks)?;
    let Tools { mut specs, choice, own_choice, words } = tools;
    let mut output_config = Map::new();
    output_config.extend(plan.effort.map(|effort| ("effort".to_owned(), effort.into())));
    let mut system = Vec::new();
    if let Some(output) = &request.output {
        match text_format(dialect, output) {
            Some(format) => drop(output_config.insert("textFormat".into(), format)),
            None => system.push(json!({"text": asked_in_words(output)})),
        }
    }
    system.splice(0..0, std::mem::take(&mut conversation.system));
    let turns = &mut conversation.turns;
    cache::mark(dialect.prompt_cache, dialect.traits.cache, &mut specs, &mut system, turns);
    // Behind the mark: only this one request says it.
    system.extend(words.map(|words| json!({"text": words})));
    let mut additional = plan.additional.clone();
    additional.extend(own_choice.map(|choice| ("tool_choice".to_owned(), choice)));

    let mut body = Map::new();
    let mut set = |key: &str, value: Map<String, Value>| {
        if !value.is_empty() {
            body.insert(key.to_owned(), value.into());
        }
    };
    set("inferenceConfig", inference(dialect, request, &plan)?);
    set("outputConfig", output_config);
    set("additionalModelRequestFields", additional);
    if !specs.is_empty() {
        let choice = choice.map(|choice| ("toolChoice".to_owned(), choice));
        let tools = ("tools".to_owned(), specs.into());
        set("toolConfig", std::iter::once(tools).chain(choice).collect());
    }
    if !system.is_empty() {
        body.insert("system".into(), system.into());
    }
    body.insert("messages".into(), conversation.turns.into_iter().map(Value::from).collect());
    for extra in [&dialect.extra, &request.extra] {
        overlay(&mut body, extra)?;
    }
    Ok(Value::Object(body))
}

/// Whether the form of an answer is better asked for by a tool: the model takes no schemas, but can be made to call.
pub(super) fn asks_form_by_tool(dialect: &Dialect, request: &Request) -> bool {
    let wish = request.effort.or(dialect.effort);
    let thinks = Plan::of(&dialect.traits, wish, request).claude_thinks;
    !dialect.traits.schemas && tools::check_forced(dialect, thinks).is_ok()
}

fn plan(dialect: &Dialect, request: &Request, conversation: &Conversation) -> Plan {
    let wish = request.effort.or(dialect.effort);
    let can_think = request.tool_choice == ToolChoice::None || may_think(&dialect.traits, conversation);
    Plan::of(&dialect.traits, if can_think { wish } else { Some(Effort::Off) }, request)
}

/// Whether the model may think now. With a budget, a turn that calls tools must have begun with its thinking, so one
/// that another model began, or this one without a budget, is ended without any.
fn may_think(traits: &Traits, conversation: &Conversation) -> bool {
    let has_budget = traits.claude.is_some_and(|claude| claude.thinking == Thinking::Budget);
    let mut newest_first = conversation.turns.iter().rev();
    let is_answer_to_call =
        newest_first.next().is_some_and(|turn| turn.blocks.iter().any(|block| is(block, "toolResult")));
    let began = newest_first.find(|turn| turn.side == Side::Assistant).and_then(|turn| turn.blocks.first());
    !has_budget || !is_answer_to_call || began.is_some_and(|block| is(block, "reasoningContent"))
}

fn inference(dialect: &Dialect, request: &Request, plan: &Plan) -> Result<Map<String, Value>> {
    let mut fields = Map::new();
    if let Some(most) = request.max_output_tokens {
        fields.insert("maxTokens".into(), most.into());
    }
    if let Some(temperature) = temperature(dialect, request, plan)? {
        fields.insert("temperature".into(), temperature);
    }
    let names = Names { top_p: Some("topP"), ..Names::default() };
    for (key, value) in request.sampling.named(&dialect.model, names)? {
        fields.insert(key.to_owned(), value);
    }
    if !request.stop.is_empty() {
        fields.insert("stopSequences".into(), request.stop.clone().into());
    }
    Ok(fields)
}

/// The temperature; none where it is the only one that the model knows.
fn temperature(dialect: &Dialect, request: &Request, plan: &Plan) -> Result<Option<Value>> {
    let Some(temperature) = request.temperature else { return Ok(None) };
    let model = &dialect.model;
    let samples = dialect.traits.claude.is_none_or(|claude| claude.sampling);
    let (what, help) = match (samples, plan.claude_thinks) {
        (false, _) | (_, true) if temperature == 1.0 => return Ok(None),
        (false, _) => (format!("the model `{model}` takes no `temperature`"), "leave it out"),
        (true, true) => (
            format!("the model `{model}` takes no `temperature` while it thinks"),
            "leave it out, or set `effort = \"off\"` of the model",
        ),
        (true, false) if !(0.0..=1.0).contains(&temperature) => {
            ("Bedrock takes a `temperature` from 0 to 1".to_owned(), "choose one in between")
        }
        (true, false) => return Ok(Some(decimal(temperature))),
    };
    Err(Error::new(Code::ModelUnsupported, what).with_help(help))
}

/// The number that the caller wrote: 0.2, not the 0.20000000298... that lies next to it in double precision.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(serde_json::Number::from_f64).into()
}

/// The form of the answer; none where the model takes no schemas, or has no words for this one.
fn text_format(dialect: &Dialect, output: &OutputSchema) -> Option<Value> {
    let schema = match (dialect.traits.schemas, dialect.traits.claude) {
        (false, _) => return None,
        (true, Some(_)) => schema::enforceable(&output.schema)?,
        (true, None) => output.schema.clone(),
    };
    let inner = json!({"name": call::name(&output.name), "schema": schema.to_string()});
    Some(json!({"type": "json_schema", "structure": {"jsonSchema": inner}}))
}

fn asked_in_words(output: &OutputSchema) -> String {
    format!("The final answer is nothing but JSON that fits this JSON schema:\n{}", output.schema)
}

fn overlay(body: &mut Map<String, Value>, extra: &Map<String, Value>) -> Result<()> {
    for (key, value) in extra {
        if OWN.contains(&key.as_str()) {
            let what = format!("the extra parameter `{key}` of the model cannot be set");
            return Err(
                Error::new(Code::InputInvalid, what).with_help("the run itself decides it: take it out")
            );
        }
        match (body.get_mut(key), value) {
            (Some(Value::Object(own)), Value::Object(more)) if LAYERED.contains(&key.as_str()) => {
                lay(own, more);
            }
            _ => lay(body, &Map::from_iter([(key.clone(), value.clone())])),
        }
    }
    Ok(())
}

/// Lays fields over others; `null` takes one out.
fn lay(own: &mut Map<String, Value>, more: &Map<String, Value>) {
    for (key, value) in more {
        match value {
            Value::Null => drop(own.remove(key)),
            value => drop(own.insert(key.clone(), value.clone())),
        }
    }
}

#[cfg(test)]
mod tests;
