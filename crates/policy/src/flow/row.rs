//! [`Row`]: what a tool does with information, as one line of a table.

use std::collections::{BTreeMap, BTreeSet};

use adjutant_core::label::{Integrity, Label, Readers, Sources};
use adjutant_core::tool::{Effect, Role, ToolSpec};
use serde::Serialize;
use serde_json::Value;

use super::name;
use super::role::{self, role};

/// How deep the table looks into arguments that are objects.
const DEPTH: usize = 4;

/// What a tool does with information: what it brings in, and what it carries out. What nobody has said is derived from
/// its effect and its schema, to the careful side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Row {
    /// The tool.
    pub tool: String,
    /// Where its output comes from.
    pub source: String,
    /// Whether its output can be believed.
    pub trusted: bool,
    /// Who may see its output.
    pub readers: Readers,
    /// Whether it may bring in what is not for everybody: it has readers, or nobody has said who they are and it does not
    /// read the open web.
    pub private: bool,
    /// Whether a call carries its arguments out.
    pub egress: bool,
    /// What each argument is for, by its JSON pointer; `*` stands for the items of a list.
    pub roles: BTreeMap<String, Role>,
    /// Which of this somebody has said.
    pub said: Said,
}

/// Which columns of a [`Row`] somebody has said; the others are derived.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Said {
    /// Where its output comes from.
    pub source: bool,
    /// Whether it can be believed.
    pub trusted: bool,
    /// Who may see it.
    pub readers: bool,
    /// Whether a call carries its arguments out.
    pub egress: bool,
    /// Which arguments' roles.
    pub roles: BTreeSet<String>,
}

impl Row {
    /// The row of a tool.
    pub fn of(spec: &ToolSpec) -> Self {
        let (flow, roles) = (&spec.flow, roles(spec));
        let is_said = |pointer: &&String| role::declared(spec, pointer).is_some();
        let said = Said {
            source: flow.source.is_some(),
            trusted: flow.trusted.is_some(),
            readers: flow.readers.is_some(),
            egress: flow.egress.is_some(),
            roles: roles.keys().filter(is_said).cloned().collect(),
        };
        let (source, trusted, readers) = (source(spec), flow.trusted.unwrap_or(false), readers(spec));
        let is_web = source == "web" || source.starts_with("web:");
        Self {
            private: readers != Readers::Anyone || (!said.readers && !trusted && !is_web),
            egress: flow.egress.unwrap_or_else(|| carries_out(spec, &roles)),
            tool: spec.name.clone(),
            source,
            trusted,
            readers,
            roles,
            said,
        }
    }

    /// The label of a result of a tool, of which the tool itself says this label or none. What the project has said of the
    /// tool counts: that its output can be believed or cannot, and who may see it at most.
    pub fn label(spec: &ToolSpec, said: Option<&Label>) -> Label {
        let mut label = said.cloned().unwrap_or_else(Label::untrusted);
        match spec.flow.trusted {
            Some(true) => (label.integrity, label.sources) = (Integrity::Trusted, Sources::none()),
            Some(false) => label.integrity = Integrity::Untrusted,
            None => {}
        }
        if !label.is_trusted() && label.sources.is_none() {
            label.sources = Sources::Known(BTreeSet::from([source(spec)]));
        }
        label.join(&Label { readers: readers(spec), ..Label::default() })
    }
}

fn source(spec: &ToolSpec) -> String {
    spec.flow.source.clone().unwrap_or_else(|| format!("tool:{}", spec.name))
}

fn readers(spec: &ToolSpec) -> Readers {
    match &spec.flow.readers {
        Some(readers) if !readers.iter().any(|reader| reader == "*") => {
            Readers::Only(readers.iter().cloned().collect())
        }
        _ => Readers::Anyone,
    }
}

/// Whether a call may carry its arguments out. What changes something may tell somebody of it; what only reads is told
/// an address, or words to search for.
fn carries_out(spec: &ToolSpec, roles: &BTreeMap<String, Role>) -> bool {
    spec.effect != Effect::Pure || roles.values().any(|role| matches!(role, Role::Recipient | Role::Content))
}

/// What each argument is for.
fn roles(spec: &ToolSpec) -> BTreeMap<String, Role> {
    let mut roles = BTreeMap::new();
    walk(spec, &spec.parameters, "", DEPTH, &mut roles);
    roles
}

fn walk(spec: &ToolSpec, schema: &Value, pointer: &str, depth: usize, roles: &mut BTreeMap<String, Role>) {
    let properties = schema.get("properties").and_then(Value::as_object);
    let items = schema.get("items").filter(|items| items.is_object());
    match (depth.checked_sub(1), properties, items) {
        (Some(depth), Some(properties), _) => {
            for (name, inner) in properties {
                let name = name.replace('~', "~0").replace('/', "~1");
                walk(spec, inner, &format!("{pointer}/{name}"), depth, roles);
            }
        }
        (Some(depth), None, Some(items)) => walk(spec, items, &format!("{pointer}/*"), depth, roles),
        _ if pointer.is_empty() => {}
        _ => drop(roles.insert(pointer.to_owned(), role(spec, &pointer.replace("/*", "/0")))),
    }
}

/// The kinds of things that a tool is about.
pub(super) fn kinds(tool: &str) -> Vec<String> {
    name::kinds(tool, [])
}

#[cfg(test)]
mod tests {
    use adjutant_core::tool::Flow;
    use serde_json::json;

    use super::*;

    fn spec(effect: Effect, flow: Flow) -> ToolSpec {
        ToolSpec {
            name: "mail".into(),
            description: String::new(),
            parameters: json!({ "type": "object", "properties": {
                "to": { "type": "array", "items": { "type": "string", "format": "email" } },
                "options": { "type": "object", "properties": { "urgent": { "type": "boolean" } } },
            } }),
            effect,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow,
        }
    }

    #[test]
    fn a_row_is_derived_to_the_careful_side() {
        let row = Row::of(&spec(Effect::Pure, Flow::default()));
        assert_eq!(
            (row.source.as_str(), row.trusted, row.egress, row.private),
            ("tool:mail", false, true, true)
        );
        let roles =
            BTreeMap::from([("/to/*".into(), Role::Recipient), ("/options/urgent".into(), Role::Option)]);
        assert_eq!((row.roles, row.said), (roles, Said::default()));
    }

    #[test]
    fn what_is_said_of_a_tool_counts() {
        let flow = Flow {
            source: Some("mcp:post".into()),
            trusted: Some(true),
            readers: Some(vec!["staff".into()]),
            egress: Some(false),
            arguments: BTreeMap::from([("to".into(), Role::Target)]),
            ..Flow::default()
        };
        let spec = spec(Effect::AtMostOnce, flow);
        let row = Row::of(&spec);
        assert_eq!(
            (row.source.as_str(), row.trusted, row.egress, row.private),
            ("mcp:post", true, false, true)
        );
        assert_eq!(row.roles.get("/to/*"), Some(&Role::Target));
        assert_eq!(row.said.roles, BTreeSet::from(["/to/*".to_owned()]));
        let label = Row::label(&spec, Some(&Label::untrusted_from("web:a")));
        assert!(label.is_trusted() && label.sources.is_none());
        assert_eq!(label.readers, Readers::Only(BTreeSet::from(["staff".to_owned()])));
    }

    #[test]
    fn a_result_has_a_source() {
        let plain = spec(Effect::Pure, Flow::default());
        assert_eq!(Row::label(&plain, None), Label::untrusted_from("tool:mail"));
        assert_eq!(Row::label(&plain, Some(&Label::untrusted_from("web:a"))), Label::untrusted_from("web:a"));
        assert_eq!(Row::label(&plain, Some(&Label::default())), Label::default());
        let doubted = spec(Effect::Pure, Flow { trusted: Some(false), ..Flow::default() });
        assert_eq!(Row::label(&doubted, Some(&Label::default())), Label::untrusted_from("tool:mail"));
    }
}
