//! [`Returned`]: what the step of a call records, and what the model reads of it.

use adjutant_core::id::{CallId, StepKey};
use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::message::{Message, Part, ToolCall, ToolResult};
use adjutant_core::{Error, Result};
use adjutant_tool::{Output, Pending, Resumed};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::act::REFUSE;
use crate::shorten;

/// The longest result that a model reads, in bytes of text. The whole one is in the journal.
pub const LONGEST_RESULT: usize = 50_000;

/// The input of the step of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Called {
    /// What the model calls the call.
    pub call: CallId,
    /// The tool.
    pub name: String,
    /// The arguments, repaired and validated; as the model wrote them where the call was refused.
    pub arguments: Value,
    /// What the call goes on with, where it was pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resumed: Option<Resumed>,
    /// Who has changed the call, where a person has; the arguments are theirs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edited: Option<String>,
}

/// What the step of a call records.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Returned {
    /// The tool's output.
    Output(Output),
    /// The call was made or refused, and this is why there is no output. The model hears it.
    Failed(Error),
    /// As [`Failed`](Self::Failed), where why it failed may tell of something with this label: a program says what it was given.
    Telling(Error, Label),
    /// The call was given up because it showed no sign of life. The model hears it, and the limit of idle time is
    /// reached.
    Idle(Error),
    /// The call is not over. What comes of it stands in a later step.
    Pending(Box<Pending>),
}

impl Returned {
    /// Reads what is recorded. Anything else, which a person who resolved or edited the step may have put in its
    /// place, is the tool's output as data.
    pub fn read(recorded: &Json) -> Self {
        recorded.to().unwrap_or_else(|_| Self::Output(Output::json(recorded.value())))
    }

    /// A failure that may tell of something with this label.
    pub(crate) fn telling(error: Error, label: &Label) -> Self {
        match label.is_within(&Label::untrusted()) {
            true => Self::Failed(error),
            false => Self::Telling(error, label.clone()),
        }
    }

    /// The result as the model reads it.
    pub fn result(&self, call: &CallId, name: &str) -> ToolResult {
        let (content, data, is_error) = match self {
            Self::Output(output) => {
                // What follows may be cut in its middle.
                let note = output.note.iter().map(|note| Part::text(format!("[{note}]\n")));
                (note.chain(output.content.iter().cloned()).collect(), output.data.clone(), false)
            }
            Self::Failed(error) | Self::Telling(error, _) | Self::Idle(error) => {
                (vec![Part::text(explain(error))], None, true)
            }
            Self::Pending(_) => (vec![Part::text("the call is not over")], None, true),
        };
        let mut result = ToolResult { call: call.clone(), name: name.to_owned(), content, data, is_error };
        shorten::result(&mut result, LONGEST_RESULT, |bytes| {
            format!("{bytes} bytes left out here; call the tool with narrower arguments to see them")
        });
        result
    }

    /// The message that goes into the transcript: from the step `key`, with the tool's label. What failed is not
    /// trusted: the reason may repeat what somebody outside wrote.
    pub fn message(&self, key: StepKey, called: &Called) -> Message {
        let label = match self {
            Self::Output(output) => output.label(),
            // The call was not made: nobody outside has had a say in why.
            Self::Failed(_) if key.name() == REFUSE => Label::default(),
            Self::Telling(_, label) => label.join(&Label::untrusted()),
            Self::Failed(_) | Self::Idle(_) | Self::Pending(_) => Label::untrusted(),
        };
        let mut result = self.result(&called.call, &called.name);
        if let Some(by) = &called.edited {
            let told = format!("[{by} has changed the call; it was made with {}]\n", called.arguments);
            result.content.insert(0, Part::text(told));
        }
        Message::tool(result).from_step(key).labelled(label)
    }

    /// Whether the model is told that it failed.
    pub fn is_error(&self) -> bool {
        !matches!(self, Self::Output(_))
    }
}

impl Called {
    /// A call as the model wrote it.
    pub fn raw(call: &ToolCall) -> Self {
        Self {
            call: call.id.clone(),
            name: call.name.clone(),
            arguments: Value::String(call.arguments.clone()),
            resumed: None,
            edited: None,
        }
    }

    /// Reads the input of a call's step.
    pub fn read(recorded: &Json) -> Result<Self> {
        recorded.to()
    }
}

/// An error in the words that a model reads: what is wrong, and what to do.
fn explain(error: &Error) -> String {
    match error.help() {
        Some(help) => format!("{}: {error}\nhint: {help}", error.code()),
        None => format!("{}: {error}", error.code()),
    }
}

#[cfg(test)]
mod tests {
    use adjutant_core::Code;
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_person_says_instead_is_output() {
        let typed = Json::from(json!({ "ticket": 7 }));
        assert_eq!(Returned::read(&typed), Returned::Output(Output::json(json!({ "ticket": 7 }))));
        let recorded = Returned::Failed(Error::new(Code::ToolFailed, "no paper"));
        assert_eq!(Returned::read(&Json::of(&recorded).unwrap()), recorded);
    }

    #[test]
    fn a_long_result_is_cut_and_says_so() {
        let long = Returned::Output(Output::text("x".repeat(LONGEST_RESULT * 3)));
        let result = long.result(&"1".into(), "read");
        assert!(result.as_text().len() < LONGEST_RESULT + 200);
        assert!(result.as_text().contains("100000 bytes left out here"), "{}", result.as_text());
    }

    #[test]
    fn the_model_reads_what_to_do() {
        let failed = Returned::Failed(Error::new(Code::ToolFailed, "no paper").with_help("add some"));
        let result = failed.result(&"1".into(), "print");
        assert!(result.is_error);
        assert_eq!(result.as_text(), "tool-failed: no paper\nhint: add some");
    }
}
