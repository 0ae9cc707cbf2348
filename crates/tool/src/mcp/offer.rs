//! [`Offer`]: what a server says that it can do; [`Pin`]: what of it a person has accepted.

use std::collections::BTreeMap;

use adjutant_core::hash::Digest;
use adjutant_core::json::Json;
use adjutant_core::tool::{Effect, Flow};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use super::{clean, schema};

/// How long the description of a tool may be, in characters.
const LONGEST_DESCRIPTION: usize = 4_000;

/// The longest name that every provider takes.
const LONGEST_NAME: usize = 64;

/// What a server says that it can do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Offer {
    /// What the server calls itself, with its version; empty where it says nothing.
    pub server: String,
    /// The revision of the protocol that it speaks with us.
    pub protocol: String,
    /// Its tools, by the server's own names for them.
    pub tools: BTreeMap<String, PinnedTool>,
    /// The tools that cannot be offered, and why.
    pub unusable: BTreeMap<String, String>,
    /// Whether it has resources.
    pub resources: bool,
    /// Its prompts, by the server's own names for them.
    pub prompts: BTreeMap<String, PinnedTool>,
}

/// What a person has accepted of a server.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pin {
    /// What the server called itself.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub server: String,
    /// Whether its resources are accepted, too.
    #[serde(default)]
    pub resources: bool,
    /// Its tools, by the server's own names for them.
    #[serde(default)]
    pub tools: BTreeMap<String, PinnedTool>,
    /// Its prompts, by the server's own names for them.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub prompts: BTreeMap<String, PinnedTool>,
}

/// A tool, or a prompt, as a server describes it, in full, so that a change can be shown.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PinnedTool {
    /// The hash of all that the server said of the tool, before it was made fit to be read.
    pub digest: String,
    /// What the tool does, in the server's words, made fit to be read.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// The JSON schema of its arguments.
    pub parameters: Value,
    /// The JSON schema of its structured results.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub output: Option<Value>,
    /// The server's hints on what the tool does to the world.
    #[serde(default, skip_serializing_if = "Map::is_empty")]
    pub hints: Map<String, Value>,
}

/// A tool as it stands in a listing.
pub(super) struct Described<'a> {
    pub(super) title: Option<&'a str>,
    pub(super) description: Option<&'a str>,
    pub(super) input: Value,
    pub(super) output: Option<Value>,
    pub(super) hints: Map<String, Value>,
}

impl Described<'_> {
    /// Makes it fit to be offered, or says why it cannot be.
    pub(super) fn examined(self) -> Result<PinnedTool, String> {
        let said = json!([self.title, self.description, self.input, self.output, self.hints]);
        let parameters = schema::arguments(&self.input)?;
        let words = self.description.or(self.title).unwrap_or_default();
        Ok(PinnedTool {
            digest: Digest::of(Json::from(said).as_str().as_bytes()).to_string(),
            description: clean::words(words, LONGEST_DESCRIPTION),
            parameters,
            output: self.output.map(|output| clean::schema(&output, LONGEST_DESCRIPTION)),
            hints: self.hints,
        })
    }
}

impl PinnedTool {
    /// What happens if the tool is called twice, as its server hints. A server that says nothing is not believed
    /// anything; neither is one that contradicts itself.
    pub fn effect(&self) -> Effect {
        let hint = |name: &str| self.hints.get(name).and_then(Value::as_bool);
        match (hint("readOnlyHint"), hint("idempotentHint"), hint("destructiveHint")) {
            (Some(true), _, Some(true)) => Effect::AtMostOnce,
            (Some(true), ..) => Effect::Pure,
            (_, Some(true), _) => Effect::Idempotent,
            _ => Effect::AtMostOnce,
        }
    }

    /// What the tool does with information. Its server is somebody else, so a call carries its arguments out, whatever the
    /// hints say of an open or a closed world; and no hint makes its output one that can be believed.
    pub fn flow(&self, server: &str) -> Flow {
        Flow::outside(format!("mcp:{server}"))
    }

    /// The texts that models read of the tool.
    pub fn words(&self) -> Vec<&str> {
        fn gather<'a>(schema: &'a Value, found: &mut Vec<&'a str>) {
            match schema {
                Value::String(text) => found.push(text),
                Value::Array(items) => items.iter().for_each(|item| gather(item, found)),
                Value::Object(map) => map.iter().for_each(|(name, value)| {
                    found.push(name);
                    gather(value, found);
                }),
                _ => {}
            }
        }
        let mut found = vec![self.description.as_str()];
        gather(&self.parameters, &mut found);
        found
    }
}

impl From<Offer> for Pin {
    fn from(offer: Offer) -> Self {
        Self { server: offer.server, resources: offer.resources, tools: offer.tools, prompts: offer.prompts }
    }
}

/// The name under which a tool is offered: the prefix and the server's own name. What cannot stand in a name is
/// replaced, and what had to be changed ends in a mark of its own, so that no two tools become one.
pub(super) fn name(prefix: &str, tool: &str) -> String {
    let fits = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    let whole: String = prefix.chars().chain(tool.chars().map(|c| if fits(c) { c } else { '_' })).collect();
    if whole.len() <= LONGEST_NAME && tool.chars().all(fits) && !tool.is_empty() {
        return whole;
    }
    let mark: String = Digest::of(tool.as_bytes()).to_string().chars().take(8).collect();
    let room = LONGEST_NAME.saturating_sub(mark.len() + 1);
    let kept: String = whole.chars().take(room).collect();
    format!("{kept}_{mark}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn examined(hints: &Value, description: &str) -> PinnedTool {
        Described {
            title: None,
            description: Some(description),
            input: json!({ "type": "object" }),
            output: None,
            hints: hints.as_object().unwrap().clone(),
        }
        .examined()
        .unwrap()
    }

    #[test]
    fn hints_become_effects() {
        for (hints, effect) in [
            (json!({}), Effect::AtMostOnce),
            (json!({ "readOnlyHint": true }), Effect::Pure),
            (json!({ "readOnlyHint": true, "destructiveHint": true }), Effect::AtMostOnce),
            (
                json!({ "readOnlyHint": false, "idempotentHint": true, "destructiveHint": true }),
                Effect::Idempotent,
            ),
            (json!({ "readOnlyHint": "yes" }), Effect::AtMostOnce),
        ] {
            assert_eq!(examined(&hints, "x").effect(), effect, "{hints}");
        }
    }

    #[test]
    fn a_digest_sees_what_cleaning_hides() {
        let (plain, hidden) = (examined(&json!({}), "Adds."), examined(&json!({}), "Adds.\u{200b}"));
        assert_eq!(plain.description, hidden.description);
        assert_ne!(plain.digest, hidden.digest);
    }

    #[test]
    fn names_fit_and_stay_apart() {
        assert_eq!(name("files__", "read_file"), "files__read_file");
        let (dot, slash) = (name("x__", "a.b"), name("x__", "a/b"));
        assert!(dot.starts_with("x__a_b_") && slash.starts_with("x__a_b_") && dot != slash, "{dot} {slash}");
        let long = name("x__", &"y".repeat(500));
        assert_eq!(long.len(), 64);
        assert_ne!(long, name("x__", &"y".repeat(501)));
        assert_eq!(name("x__", "größe").len(), "x__gr__e_".len() + 8);
        assert!(name("x__", "").len() > 3);
    }
}
