//! What a strategy may not do that tries several ways at once: change something in one that is given up.

use adjutant_core::tool::{Effect, ToolSpec};
use adjutant_core::{Code, Error};

use crate::definition::pinned::Definition;

/// What is wrong with a tool of an agent that branches over actions.
pub(in crate::definition) fn impure(tool: &ToolSpec) -> Option<Error> {
    let effect = tool.effect;
    (effect != Effect::Pure).then(|| refused(&format!("the tool `{}` is {}", tool.name, effect.as_str())))
}

/// What is wrong with an agent that such an agent may ask: the first of the tools of it, and of those that it asks in turn.
pub(in crate::definition) fn asks_impure(agent: &Definition) -> Option<Error> {
    let all = std::iter::once(agent).chain(agent.nested());
    all.flat_map(|definition| {
        let own = definition.tools.iter().filter(|tool| definition.agent_of(&tool.name).is_none());
        own.map(|tool| (definition.name.as_str(), tool))
    })
    .find(|(_, tool)| tool.effect != Effect::Pure)
    .map(|(name, tool)| {
        refused(&format!("the tool `{}` of the agent `{name}` is {}", tool.name, tool.effect.as_str()))
    })
}

fn refused(what: &str) -> Error {
    let message = format!("{what}, and a tree search over actions takes pure tools alone");
    Error::new(Code::ProjectInvalid, message).with_help(
        "what is done in a branch that is given up has still happened: take the tool out, or write `over: thoughts`",
    )
}
