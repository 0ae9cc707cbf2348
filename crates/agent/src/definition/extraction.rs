//! Whether an agent has values extracted out of what cannot be trusted.

use std::collections::BTreeSet;

use adjutant_core::nearest;
use adjutant_core::tool::{Effect, Flow, ToolSpec};
use adjutant_policy::flow::Closed;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::document::Table;

/// How an agent has values extracted out of what cannot be trusted: by a model that has no tools, and that returns
/// nothing but values of closed types.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Extraction {
    /// The tools whose results its own model is not shown.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub quarantined: Vec<String>,
    /// The kinds of values that count as trusted once they are extracted.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub endorsed: BTreeSet<Closed>,
}

impl Extraction {
    /// The name of the tool that extracts.
    pub const TOOL: &str = "extract";

    /// What an agent says; none where it says nothing of it.
    pub(super) fn of(extract: bool, quarantined: Vec<String>, endorsed: &BTreeSet<Closed>) -> Option<Self> {
        let is_wanted = extract || !quarantined.is_empty() || !endorsed.is_empty();
        is_wanted.then(|| Self { quarantined, endorsed: endorsed.clone() })
    }

    /// What the model is told of the tool.
    pub(super) fn spec() -> ToolSpec {
        ToolSpec {
            name: Self::TOOL.to_owned(),
            description: "Reads an earlier result that is kept apart, and gives you values out of it. Another model reads it, \
                          which has no tools; what comes back are values of the types that you name, and no other text. \
                          `schema` is an object in JSON Schema whose properties are each of `enum`, `boolean`, `integer`, \
                          `number`, a string with `format` `date` or `date-time`, a string with a `pattern` for an id (from ^ \
                          to $, without spaces, with `maxLength` 64 at most), or an array of these with `maxItems`."
                .to_owned(),
            parameters: json!({
                "type": "object",
                "properties": {
                    "from": { "type": "string", "description": "What the result is kept apart as: `apart-..`." },
                    "question": { "type": "string", "description": "What to look for in it." },
                    "schema": { "type": "object", "description": "The values." },
                },
                "required": ["from", "question", "schema"],
                "additionalProperties": false,
            }),
            effect: Effect::Pure,
            timeout: ToolSpec::DEFAULT_TIMEOUT,
            concurrency: None,
            flow: Flow::inside("extraction"),
        }
    }
}

/// Reads the kinds of values that count as trusted.
pub(super) fn read_endorse(table: &Table<'_>) -> BTreeSet<Closed> {
    let mut kinds = BTreeSet::new();
    for (word, place) in table.texts("endorse").unwrap_or_default() {
        if let Some(kind) = Closed::ALL.into_iter().find(|kind| kind.as_str() == word) {
            kinds.insert(kind);
            continue;
        }
        let names = Closed::ALL.map(Closed::as_str);
        let all = names.map(|name| format!("`{name}`")).join(", ");
        let help = match nearest(word, names) {
            Some(name) => format!("did you mean `{name}`?"),
            None => "text that anybody may have written is never endorsed".to_owned(),
        };
        table.problems().report_with(place, format!("`endorse` names `{word}`; there are {all}"), help);
    }
    kinds
}
