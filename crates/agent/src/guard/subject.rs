//! [`Subject`]: what is looked at, as texts.

use adjutant_core::Error;
use adjutant_core::message::{Message, Part};
use adjutant_policy::detect::mask;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::returned::Returned;

/// What is looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Subject {
    /// What people say.
    Said(Vec<Message>),
    /// What a call is made with.
    Arguments(Value),
    /// What came of a call.
    Result(Returned),
    /// An answer.
    Answer {
        /// Its text.
        text: String,
        /// The same as data.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        data: Option<Value>,
    },
}

impl Subject {
    /// The same with every text changed, in the order in which [`texts`](Self::texts) gives them.
    pub(super) fn each(self, change: &mut impl FnMut(&str) -> String) -> Self {
        match self {
            Self::Said(messages) => Self::Said(
                messages
                    .into_iter()
                    .map(|message| Message { parts: parts(message.parts, change), ..message })
                    .collect(),
            ),
            Self::Arguments(value) => Self::Arguments(mask::each(&value, change)),
            Self::Result(Returned::Output(mut output)) => {
                output.content = parts(output.content, change);
                output.data = output.data.map(|data| mask::each(&data, change));
                output.note = output.note.map(|note| change(&note));
                Self::Result(Returned::Output(output))
            }
            Self::Result(Returned::Failed(error)) => Self::Result(Returned::Failed(reworded(&error, change))),
            Self::Result(Returned::Telling(error, label)) => {
                Self::Result(Returned::Telling(reworded(&error, change), label))
            }
            Self::Result(Returned::Idle(error)) => Self::Result(Returned::Idle(reworded(&error, change))),
            Self::Result(pending @ Returned::Pending(_)) => Self::Result(pending),
            Self::Answer { text, data } => {
                Self::Answer { text: change(&text), data: data.map(|data| mask::each(&data, change)) }
            }
        }
    }

    /// Its texts.
    pub(super) fn texts(&self) -> Vec<String> {
        let mut texts = Vec::new();
        self.clone().each(&mut |text| {
            texts.push(text.to_owned());
            text.to_owned()
        });
        texts
    }

    /// What a person would read of it.
    pub(super) fn whole(&self) -> String {
        match self {
            Self::Said(messages) => messages.iter().map(Message::text).collect::<Vec<_>>().join("\n"),
            Self::Arguments(value) => value.to_string(),
            Self::Result(Returned::Output(output)) => output.as_text(),
            Self::Result(Returned::Failed(error) | Returned::Telling(error, _) | Returned::Idle(error)) => {
                error.message().to_owned()
            }
            Self::Result(Returned::Pending(_)) => String::new(),
            Self::Answer { text, .. } => text.clone(),
        }
    }
}

fn parts(parts: Vec<Part>, change: &mut impl FnMut(&str) -> String) -> Vec<Part> {
    let changed = parts.into_iter().map(|part| match part {
        Part::Text { text } => Part::text(change(&text)),
        other => other,
    });
    changed.collect()
}

fn reworded(error: &Error, change: &mut impl FnMut(&str) -> String) -> Error {
    let worded = Error::new(error.code(), change(error.message()));
    match error.help() {
        Some(help) => worded.with_help(change(help)),
        None => worded,
    }
}
