//! [`Decision`]: what is to be done, and on what terms.

use adjutant_policy::{Outcome, Verdict};
use schemars::JsonSchema;
use serde::Serialize;
use serde_json::Value;

/// What is to be done, and on what terms.
#[derive(Clone, Debug, PartialEq, JsonSchema, Serialize)]
pub struct Decision {
    /// That of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<Value>,
    /// What is to be done.
    pub decision: Word,
    /// The names of the policies that made it so; none where nothing permits it.
    pub policies: Vec<String>,
    /// Why, for the operator.
    pub reason: String,
    /// Why, for the model, which is to find another way; it names what is missing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tell: Option<String>,
    /// What is to be masked in the arguments first: `email`, `iban`, `secret`...
    #[serde(skip_serializing_if = "Option::is_none")]
    pub redact: Option<Vec<String>>,
    /// What policies would have said that are only watched: `outcome`, and the names of the `policies`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub watched: Option<Value>,
    /// The version of the policies.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, JsonSchema, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "DecisionWord")]
pub enum Word {
    /// Do it.
    Allow,
    /// Do it once what `redact` names is masked.
    Redact,
    /// Ask a person first, and ask again with `approved`.
    Ask,
    /// Do not do it.
    Deny,
}

impl Decision {
    /// What policies say, given back with what the request was known by.
    pub fn new(id: Option<Value>, verdict: Verdict) -> Self {
        let (decision, redact) = match verdict.outcome {
            Outcome::Allow => (Word::Allow, None),
            Outcome::Redact(kinds) => (Word::Redact, Some(kinds)),
            Outcome::Ask => (Word::Ask, None),
            Outcome::Deny => (Word::Deny, None),
        };
        Self {
            id,
            decision,
            policies: verdict.policies,
            reason: verdict.reason,
            tell: verdict.tell,
            redact,
            watched: verdict.watched.and_then(|watched| serde_json::to_value(watched).ok()),
            version: verdict.version.map(|version| version.to_string()),
        }
    }
}
