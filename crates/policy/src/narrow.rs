//! [`Narrowing`]: what a task needs, fixed before anything is read that somebody else has written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use adjutant_core::tool::{Effect, ToolSpec};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::facts::{Evidence, Origin};

/// What a task needs of the tools that do something: which of them, and with which values of some of their arguments. It
/// is made of the words of those whom the agent works for and of what the tools say of themselves, and of nothing else. So
/// what an agent reads later cannot widen it.
///
/// Tools that change nothing are never outside. What a read carries out is a matter of where its arguments came from.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Narrowing {
    /// The tools, each with what its arguments are narrowed to.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tools: BTreeMap<String, Needed>,
}

/// What the arguments of a tool are narrowed to, by their names. An argument that is not among them is free.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Needed {
    /// For each argument the values, or the names of those who are meant.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub arguments: BTreeMap<String, BTreeSet<String>>,
}

/// Why a call is outside of what a task needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outside {
    /// The task does not need the tool.
    Tool(String),
    /// It needs the tool, but not with this value.
    Value {
        /// The argument.
        argument: String,
        /// The value.
        value: String,
    },
}

impl Narrowing {
    /// Why a call is outside; none where it is inside. `origins` says where its arguments came from: a number that says
    /// nothing of whom it belongs to (an account) is inside where what vouches for it can be believed.
    pub fn outside(
        &self,
        tool: &ToolSpec,
        arguments: &Map<String, Value>,
        origins: &BTreeMap<String, Origin>,
    ) -> Option<Outside> {
        if tool.effect == Effect::Pure {
            return None;
        }
        let Some(needed) = self.tools.get(&tool.name) else { return Some(Outside::Tool(tool.name.clone())) };
        needed.arguments.iter().find_map(|(name, meant)| {
            let value = misfit(arguments.get(name)?, meant)?;
            let origin = origins.get(&format!("/{name}"));
            let is_vouched_for = origin.is_some_and(|origin| {
                origin.label.is_trusted() && matches!(origin.evidence, Evidence::Result | Evidence::Exact)
            });
            if is_vouched_for && is_account(&value) {
                return None;
            }
            Some(Outside::Value { argument: name.clone(), value })
        })
    }

    /// What either of two tasks needs: the second adds what somebody has asked for since.
    #[must_use]
    pub fn join(mut self, other: Self) -> Self {
        for (tool, needed) in other.tools {
            match self.tools.entry(tool) {
                std::collections::btree_map::Entry::Vacant(entry) => drop(entry.insert(needed)),
                std::collections::btree_map::Entry::Occupied(mut entry) => entry.get_mut().join(needed),
            }
        }
        self
    }
}

impl Needed {
    /// What is free in one of them is free in both together.
    fn join(&mut self, mut other: Self) {
        self.arguments.retain(|name, meant| match other.arguments.remove(name) {
            Some(more) => {
                meant.extend(more);
                true
            }
            None => false,
        });
    }
}

impl fmt::Display for Outside {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tool(tool) => {
                write!(f, "the task, as it was asked for, does not speak of what `{tool}` does")
            }
            Self::Value { argument, value } => {
                write!(f, "the task, as it was asked for, does not speak of the {argument} `{value}`")
            }
        }
    }
}

/// The first text in a value that is not meant.
fn misfit(value: &Value, meant: &BTreeSet<String>) -> Option<String> {
    match value {
        Value::Array(items) => items.iter().find_map(|item| misfit(item, meant)),
        Value::Object(fields) => fields.values().find_map(|field| misfit(field, meant)),
        Value::String(text) if text.trim().is_empty() => None,
        Value::String(text) => (!meant.iter().any(|meant| is_meant(text, meant))).then(|| text.clone()),
        Value::Number(number) => {
            let text = number.to_string();
            (!meant.contains(&text)).then_some(text)
        }
        Value::Null | Value::Bool(_) => None,
    }
}

/// Whether a value is the one that is meant, or that of somebody who is meant by name: `ann.lee@example.org` is Ann's. An
/// address is nobody's by where it is kept, so the part behind the `@` says nothing.
fn is_meant(value: &str, meant: &str) -> bool {
    if compact(value) == compact(meant) {
        return true;
    }
    let is_exact = |text: &str| text.chars().any(|c| "@/.:".contains(c) || c.is_ascii_digit());
    if is_exact(meant) {
        return false;
    }
    let local = value.split_once('@').map_or(value, |(local, _)| local);
    let mut words = words(meant).peekable();
    let theirs: BTreeSet<String> = self::words(local).collect();
    words.peek().is_some() && words.all(|word| theirs.contains(&word))
}

/// Whether a value is one that has nobody's name in it.
fn is_account(value: &str) -> bool {
    let digits = value.chars().filter(char::is_ascii_digit).count();
    digits >= 8 && value.chars().all(|c| c.is_ascii_alphanumeric() || c.is_whitespace() || c == '-')
}

/// A text without what writing differs in: case and white space.
fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).collect()
}

fn words(text: &str) -> impl Iterator<Item = String> + '_ {
    let words = text.split(|c: char| !c.is_alphanumeric());
    words.filter(|word| word.chars().count() > 1).map(str::to_lowercase)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn tool(name: &str, effect: Effect) -> ToolSpec {
        ToolSpec {
            name: name.into(),
            description: String::new(),
            parameters: json!({}),
            effect,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: adjutant_core::tool::Flow::default(),
        }
    }

    fn needed(argument: &str, meant: &[&str]) -> Needed {
        let meant = meant.iter().map(|one| (*one).to_owned()).collect();
        Needed { arguments: BTreeMap::from([(argument.to_owned(), meant)]) }
    }

    fn outside(narrowing: &Narrowing, name: &str, arguments: &Value) -> Option<String> {
        let arguments = arguments.as_object().unwrap();
        narrowing
            .outside(&tool(name, Effect::AtMostOnce), arguments, &BTreeMap::new())
            .map(|outside| outside.to_string())
    }

    #[test]
    fn what_was_not_asked_for_is_outside() {
        let narrowing = Narrowing {
            tools: BTreeMap::from([
                ("mail".into(), needed("to", &["Ann", "bob@example.org", "Eva Maria"])),
                ("pay".into(), needed("iban", &["DE89 3704 0044 0532 0130 00"])),
                ("note".into(), Needed::default()),
            ]),
        };
        for (name, arguments, is_inside) in [
            ("mail", json!({ "to": ["ann.lee@example.org", "BOB@example.org"] }), true),
            ("mail", json!({ "to": "Ann Lee" }), true),
            ("mail", json!({ "to": "eva.maria@example.org" }), true),
            ("mail", json!({ "to": "eva@example.org" }), false),
            ("mail", json!({ "to": "joann@example.org" }), false),
            ("mail", json!({ "to": "x@ann.example" }), false),
            ("mail", json!({ "to": ["ann@example.org", "eve@example.org"] }), false),
            ("mail", json!({ "to": "bob@example.org.evil" }), false),
            ("mail", json!({ "to": [], "body": "anything" }), true),
            ("mail", json!({ "to": { "address": "eve@example.org" } }), false),
            ("pay", json!({ "iban": "de89370400440532013000" }), true),
            ("pay", json!({ "iban": "DE89370400440532013001" }), false),
            ("pay", json!({ "iban": 7 }), false),
            ("note", json!({ "text": "x" }), true),
            ("erase", json!({}), false),
        ] {
            assert_eq!(outside(&narrowing, name, &arguments).is_none(), is_inside, "{name} {arguments}");
        }
        assert_eq!(narrowing.outside(&tool("erase", Effect::Pure), &Map::new(), &BTreeMap::new()), None);
    }

    #[test]
    fn an_account_is_nobodys_by_its_number() {
        let narrowing = Narrowing { tools: BTreeMap::from([("pay".into(), needed("iban", &["Ann"]))]) };
        let of = |value: &str, label: adjutant_core::label::Label| {
            let origin = Origin { evidence: Evidence::Result, label };
            let arguments = json!({ "iban": value }).as_object().unwrap().clone();
            let pay = tool("pay", Effect::AtMostOnce);
            narrowing.outside(&pay, &arguments, &BTreeMap::from([("/iban".to_owned(), origin)])).is_none()
        };
        let untrusted = adjutant_core::label::Label::untrusted;
        assert!(of("DE89370400440532013000", adjutant_core::label::Label::default()));
        assert!(!of("DE89370400440532013000", untrusted()));
        assert!(!of("eve12345678@x.org", adjutant_core::label::Label::default()));
    }

    #[test]
    fn what_is_asked_for_later_adds_to_it() {
        let of = |needed: Needed| Narrowing { tools: BTreeMap::from([("mail".into(), needed)]) };
        let both = of(needed("to", &["Ann"])).join(of(needed("to", &["Bob"])));
        assert_eq!(outside(&both, "mail", &json!({ "to": ["ann@x.org", "bob@x.org"] })), None);
        let free = both.join(of(Needed::default()));
        assert_eq!(outside(&free, "mail", &json!({ "to": "eve@x.org" })), None);
    }

    fn any() -> impl Strategy<Value = Narrowing> {
        let meant = prop::collection::btree_set("[ab]{1,2}", 0..3);
        let needed =
            prop::collection::btree_map("[xy]", meant, 0..3).prop_map(|arguments| Needed { arguments });
        prop::collection::btree_map("[st]", needed, 0..3).prop_map(|tools| Narrowing { tools })
    }

    proptest! {
        /// Words that come later never take away what was asked for, and nothing else comes in by them.
        #[test]
        fn joining_is_or(a in any(), b in any(), name in "[st]", x in "[ab]{1,2}", y in "[ab]{1,2}") {
            let arguments = json!({ "x": x, "y": y });
            let both = a.clone().join(b.clone());
            let is_inside = |narrowing: &Narrowing| outside(narrowing, &name, &arguments).is_none();
            if is_inside(&a) || is_inside(&b) {
                prop_assert!(is_inside(&both));
            }
            if !a.tools.contains_key(&name) && !b.tools.contains_key(&name) {
                prop_assert!(!is_inside(&both));
            }
        }
    }
}
