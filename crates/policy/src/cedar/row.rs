//! [`Row`]: what a tool does with information, as policies know it.

use std::collections::BTreeMap;

use adjutant_core::tool::{Effect, Role, ToolSpec};

/// What a tool does with information.
pub(super) struct Row {
    pub(super) egress: bool,
    pub(super) trusted: bool,
    pub(super) private: bool,
    pub(super) roles: BTreeMap<String, Role>,
}

/// What the tool says of itself; what it does not say is taken to the careful side.
pub(super) fn of(spec: &ToolSpec) -> Row {
    let flow = &spec.flow;
    let mut roles = flow.arguments.clone();
    let named = spec.parameters.get("properties").and_then(serde_json::Value::as_object);
    for name in named.into_iter().flatten().map(|(name, _)| name) {
        roles.entry(name.clone()).or_insert(Role::Target);
    }
    Row {
        egress: flow.egress.unwrap_or(spec.effect != Effect::Pure),
        trusted: flow.trusted.unwrap_or(false),
        private: flow.readers.is_some(),
        roles,
    }
}
