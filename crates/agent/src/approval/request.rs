//! [`Request`]: what a person is asked.

use std::collections::BTreeMap;

use adjutant_core::hash::Digest;
use adjutant_core::id::{CallId, RunId};
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::time::Timestamp;
use adjutant_core::tool::Effect;
use adjutant_policy::facts::Origin;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a person is asked: all that matters to them, so that nobody has to read a transcript to answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The call, as the model names it.
    pub call: CallId,
    /// The tool that the model wants to call.
    pub tool: String,
    /// With these arguments.
    pub arguments: Value,
    /// Why a person is asked.
    pub why: String,
    /// What the tool does, in the words of its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// What happens if it is called twice, which says whether it can be taken back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub effect: Option<Effect>,
    /// Where each argument came from, by its JSON pointer, as far as somebody has looked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub origins: BTreeMap<String, Origin>,
    /// What the agent had read before: the join of its labels.
    #[serde(default, skip_serializing_if = "Label::is_default")]
    pub read: Label,
    /// The policies that ask; none where the agent's own definition does.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub policies: Vec<String>,
    /// What tells this very call from every other. An answer that carries another digest is none to this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
    /// When it is refused, where nobody has answered by then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

impl Request {
    /// What tells a call of a run from every other: the run, the name that is answered to, the tool and its arguments.
    pub(super) fn seal(run: &RunId, signal: &str, tool: &str, arguments: &Value) -> Digest {
        let arguments = Json::from(arguments.clone());
        Digest::of_parts(&[
            b"approval",
            run.as_str().as_bytes(),
            signal.as_bytes(),
            tool.as_bytes(),
            arguments.as_str().as_bytes(),
        ])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_of_arguments_makes_no_other_call() {
        let seal =
            |text: &str| Request::seal(&"r".into(), "approve:x", "pay", &serde_json::from_str(text).unwrap());
        let one = seal(r#"{"to":"ann","of":[{"a":1,"b":2}]}"#);
        assert_eq!(one, seal(r#"{"of":[{"b":2,"a":1}],"to":"ann"}"#));
        assert_ne!(one, seal(r#"{"of":[{"b":2,"a":1}],"to":"eve"}"#));
        assert_ne!(one, Request::seal(&"s".into(), "approve:x", "pay", &serde_json::json!({})));
    }
}
