//! [`Output`]: what a call gives back.

use adjutant_core::json::Json;
use adjutant_core::label::Label;
use adjutant_core::message::Part;
use adjutant_core::{Code, Error};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a call gives back.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Output {
    /// What the model reads.
    pub content: Vec<Part>,
    /// The same as data, where the tool has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// What the model is told of the content, before it: where the whole of it is, if it is too long to be read. It is no
    /// part of what the tool has said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<String>,
    /// What is kept apart: content that its agent's model is not shown, for want of trust. What stands in `content` is then
    /// a note on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apart: Option<Box<Apart>>,
    /// Where the content came from. A tool that says nothing has untrusted output.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub label: Option<Label>,
}

/// Content that the model of an agent is not shown. It can only have values extracted from it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Apart {
    /// What the content is called: the same in every attempt of its call, and nothing else is called so.
    pub handle: String,
    /// The content, as the tool gave it.
    pub content: Vec<Part>,
    /// The same as data, where the tool has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data: Option<Value>,
    /// Its label.
    pub label: Label,
}

impl Output {
    /// The output with its content kept apart under that handle, and a note in its place that tells nothing of it but how
    /// much it is. What the tool said of its own is not in doubt, so the note can be believed.
    #[must_use]
    pub fn kept_apart(self, handle: &str) -> Self {
        let bytes = self.as_text().len();
        let files = self.content.iter().filter(|part| part.as_text().is_none()).count();
        let files = if files == 0 { String::new() } else { format!(" and {files} files") };
        let note = format!(
            "[the result is kept apart as `{handle}`: {bytes} bytes of text{files} that somebody outside may have written. \
             `extract` gives you values out of it]"
        );
        let (label, content, data) = (self.label(), self.content, self.data);
        let apart = Some(Box::new(Apart { handle: handle.to_owned(), content, data, label }));
        let data = Some(serde_json::json!({ "kept_apart": handle, "bytes": bytes }));
        Self { data, apart, ..Self::text(note) }.labelled(Label::default())
    }

    /// Plain text.
    pub fn text(text: impl Into<String>) -> Self {
        Self { content: vec![Part::text(text)], ..Self::default() }
    }

    /// Data, which the model reads as JSON text. A text is read as it is, and nothing (`null`) as `done`.
    pub fn json(value: Value) -> Self {
        let text = match &value {
            Value::Null => "done".to_owned(),
            Value::String(text) => text.clone(),
            other => Json::from(other.clone()).to_string(),
        };
        Self { content: vec![Part::text(text)], data: Some(value), ..Self::default() }
    }

    /// Any value that serde can write as JSON; an `Output` stays what it is. Fails with [`Code::ToolBroken`] when the
    /// value cannot be JSON (a map with keys that are not text).
    pub fn of<T: Serialize + 'static>(value: T) -> Result<Self, Error> {
        let mut value = Some(value);
        if let Some(output) = (&mut value as &mut dyn std::any::Any).downcast_mut::<Option<Self>>() {
            return Ok(output.take().unwrap_or_default());
        }
        serde_json::to_value(value).map(Self::json).map_err(|error| {
            Error::new(Code::ToolBroken, "the tool's output cannot be written as JSON").caused_by(&error)
        })
    }

    /// Adds to what the model is told of the content.
    #[must_use]
    pub(crate) fn noted(mut self, notes: impl IntoIterator<Item = String>) -> Self {
        let all: Vec<_> = self.note.take().into_iter().chain(notes).collect();
        self.note = (!all.is_empty()).then(|| all.join("]\n["));
        self
    }

    /// Says where the content came from.
    #[must_use]
    pub fn labelled(mut self, label: Label) -> Self {
        self.label = Some(label);
        self
    }

    /// The label of the content: what the tool said, otherwise untrusted.
    pub fn label(&self) -> Label {
        self.label.clone().unwrap_or_else(Label::untrusted)
    }

    /// The text parts, one after the other.
    pub fn as_text(&self) -> String {
        self.content.iter().filter_map(Part::as_text).collect()
    }
}

impl From<String> for Output {
    fn from(text: String) -> Self {
        Self::text(text)
    }
}

impl From<&str> for Output {
    fn from(text: &str) -> Self {
        Self::text(text)
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn values_become_what_a_model_reads() {
        assert_eq!(Output::of("plain").unwrap().as_text(), "plain");
        assert_eq!(Output::of(()).unwrap().as_text(), "done");
        assert_eq!(Output::of(vec![1, 2]).unwrap().as_text(), "[1,2]");
        let output = Output::text("as it is").labelled(Label::default());
        assert_eq!(Output::of(output.clone()).unwrap(), output);
        assert_eq!(Output::json(json!({"b": 1})).data, Some(json!({"b": 1})));
    }

    #[test]
    fn output_that_says_nothing_is_untrusted() {
        assert_eq!(Output::text("x").label(), Label::untrusted());
    }

    #[test]
    fn a_map_with_other_keys_is_an_error() {
        let map = std::collections::BTreeMap::from([(vec![1u8], 1)]);
        assert_eq!(Output::of(map).unwrap_err().code(), Code::ToolBroken);
    }
}
