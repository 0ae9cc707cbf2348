//! Tools, and whether the model may, must or must not call one: `ToolConfiguration` in the service description.

use adjutant_core::tool::ToolSpec;
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Value, json};

use super::encode::Dialect;
use super::turns::Conversation;
use crate::anthropic::generation::Forced;
use crate::request::{Request, ToolChoice};
use crate::sampling::untold;

/// What the instructions say where no field can: the interface has none that forbids calls.
const NO_CALLS: &str = "Call no tool now: answer with what is known.";

/// What a body says of tools.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Tools {
    /// The tools themselves.
    pub(super) specs: Vec<Value>,
    /// The field `toolChoice`.
    pub(super) choice: Option<Value>,
    /// Of `additionalModelRequestFields`: what only the model's own interface can say.
    pub(super) own_choice: Option<Value>,
    /// What the instructions say.
    pub(super) words: Option<&'static str>,
}

impl Tools {
    /// What is said for a request. A conversation with calls in it must come with tools, even where none may be called.
    pub(super) fn of(
        dialect: &Dialect,
        request: &Request,
        conversation: &Conversation,
        thinks: bool,
    ) -> Result<Self> {
        let called = conversation.called();
        if request.tool_choice == ToolChoice::None
            || (request.tools.is_empty() && dialect.provider_tools.is_empty())
        {
            if called.is_empty() {
                return Ok(Self::default());
            }
            let mut specs = specs(dialect, request)?;
            if specs.is_empty() {
                specs.extend(called.into_iter().map(gone));
            }
            return Ok(Self { specs, words: Some(NO_CALLS), ..Self::default() });
        }
        let mut tools = Self { specs: specs(dialect, request)?, ..Self::default() };
        let has_switch = dialect.traits.claude.is_some_and(|claude| claude.output_format);
        if request.single_call && !has_switch {
            return Err(untold(&dialect.model, "parallel_tool_calls"));
        }
        let one_at_a_time = (request.single_call || !dialect.parallel_tools) && has_switch;
        let (field, own) = match &request.tool_choice {
            ToolChoice::Auto | ToolChoice::None => (None, json!({"type": "auto"})),
            ToolChoice::Required => (Some(json!({"any": {}})), json!({"type": "any"})),
            ToolChoice::Named(name) if request.tools.iter().any(|tool| tool.name == *name) => {
                (Some(json!({"tool": {"name": name}})), json!({"type": "tool", "name": name}))
            }
            ToolChoice::Named(name) => {
                let what = format!("the model must call `{name}`, which is not among its tools");
                return Err(Error::new(Code::InputInvalid, what));
            }
        };
        if field.is_some() {
            check_forced(dialect, thinks)?;
        }
        match one_at_a_time {
            // A field of LiteLLM's for the models of 4.5 and later; the two ways exclude each other.
            true => tools.own_choice = Some(one_call(own)),
            false => tools.choice = field,
        }
        Ok(tools)
    }
}

/// Fails with `model-unsupported` where the model cannot be made to call a tool.
pub(super) fn check_forced(dialect: &Dialect, thinks: bool) -> Result<()> {
    let model = &dialect.model;
    let forced = dialect.traits.claude.map_or(Forced::Always, |claude| claude.forced);
    let (what, help) = match forced {
        Forced::WithoutThinking if thinks => (
            format!("the model `{model}` cannot be made to call a tool while it thinks"),
            "set `effort = \"off\"` of the model, or let it choose whether to call one",
        ),
        Forced::Always | Forced::WithoutThinking if dialect.traits.forced_choice => return Ok(()),
        _ => (
            format!("the model `{model}` cannot be made to call a tool"),
            "let it choose whether to call one; for an answer in the form of a schema leave `structured_output` on",
        ),
    };
    Err(Error::new(Code::ModelUnsupported, what).with_help(help))
}

fn one_call(own: Value) -> Value {
    let mut fields = Map::from_iter([("disable_parallel_tool_use".to_owned(), true.into())]);
    if let Value::Object(own) = own {
        fields.extend(own);
    }
    fields.into()
}

fn specs(dialect: &Dialect, request: &Request) -> Result<Vec<Value>> {
    let own = request.tools.iter().map(spec).collect::<Result<Vec<_>>>()?;
    Ok(own.into_iter().chain(dialect.provider_tools.iter().cloned()).collect())
}

fn spec(tool: &ToolSpec) -> Result<Value> {
    if !tool.parameters.is_object() {
        let what = format!("the parameters of the tool `{}` are not a JSON schema of an object", tool.name);
        return Err(Error::new(Code::ToolInvalid, what));
    }
    let mut spec = json!({"name": tool.name, "inputSchema": {"json": tool.parameters}});
    if let (false, Some(fields)) = (tool.description.trim().is_empty(), spec.as_object_mut()) {
        fields.insert("description".into(), tool.description.as_str().into());
    }
    Ok(json!({"toolSpec": spec}))
}

/// A tool of earlier turns that is there no more.
fn gone(name: &str) -> Value {
    let schema = json!({"json": {"type": "object"}});
    json!({"toolSpec": {"name": name, "description": "No longer available.", "inputSchema": schema}})
}
