//! [`Reply`]: what came of a run of an agent.

use std::fmt;

use adjutant_core::label::Label;
use adjutant_core::money::Money;
use adjutant_core::usage::Usage;
use adjutant_policy::facts::Past;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::ending::Ending;
use crate::guard::Blocked;
use crate::handoff::{Handing, Standing};
use crate::lesson::Lesson;
use crate::link::Entry;
use crate::termination::Stop;

/// What came of a run of an agent: the outcome that is recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Reply {
    /// The version of this form: [`Reply::VERSION`] for what is made now.
    pub version: u16,
    /// The text of the answer.
    pub text: String,
    /// The answer as data, where the agent has an output schema.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Why the run ended.
    pub stop: Stop,
    /// The tokens used, over all model calls; an estimate where a provider does not count them.
    pub usage: Usage,
    /// What the run cost; none where the price of any of its model calls is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cost: Option<Money>,
    /// Turns of the model.
    pub turns: u32,
    /// How long it worked, with the agents that it asked and without the time in which it waited for people, in
    /// milliseconds.
    #[serde(default)]
    pub active_ms: u64,
    /// What a model has called the conversation that the run begins, where one was asked for a title.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub title: Option<String>,
    /// What a guardrail has not let pass, where that ended the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub blocked: Option<Blocked>,
    /// What was said since the last request, which no link holds.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rest: Vec<Entry>,
    /// The calls that were made, as far as a policy asks about them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub past: Vec<Past>,
    /// How it ended, with its figures. None in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ending: Option<Ending>,
    /// Who has the conversation from here on, where that is not the agent which it began with.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handed_to: Option<Standing>,
    /// To whom the run hands over that has the conversation of another one: that goes on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handing: Option<Handing>,
    /// What was learned from attempts that failed, here and in earlier turns of the session: the next turn begins with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<Lesson>,
    /// The label of the answer: the join of all that was read. None in what earlier versions wrote.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

impl Reply {
    /// The version of the form that is written now.
    pub const VERSION: u16 = 1;
}

impl fmt::Display for Reply {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}
