//! The parts of an answer, as deltas.

use adjutant_core::message::{Native, Reasoning};
use adjutant_core::{Code, Error, Result};
use serde_json::{Map, Number, Value, json};

use crate::call_id::Ids;
use crate::delta::Delta;

/// Where an answer found what it says: beside the parts, and nothing that goes back to the model.
pub(super) const SOURCES: [&str; 3] = ["groundingMetadata", "urlContextMetadata", "citationMetadata"];

/// Whether something of Google's own is a part of an answer, which goes back as it came.
pub(super) fn is_part(value: &Value) -> bool {
    SOURCES.iter().all(|name| value.get(name).is_none())
}

/// Reads the parts of one answer.
#[derive(Debug)]
pub(super) struct Parts {
    provider: &'static str,
    model: String,
    ids: Ids,
    /// A thought is open: what comes next must not be taken for a part of it.
    is_thinking: bool,
    calls: u32,
}

impl Parts {
    pub(super) fn new(provider: &'static str, model: &str, ids: Ids) -> Self {
        Self { provider, model: model.to_owned(), ids, is_thinking: false, calls: 0 }
    }

    /// Whether a tool was called.
    pub(super) fn has_calls(&self) -> bool {
        self.calls > 0
    }

    /// Takes the next part. Fails with `model-answer-invalid` where it is a piece of a call.
    pub(super) fn take(&mut self, part: &Value, deltas: &mut Vec<Delta>) -> Result<()> {
        let text = part.get("text").and_then(Value::as_str);
        let signature = part.get("thoughtSignature").and_then(Value::as_str).filter(|text| !text.is_empty());
        let is_thought = part.get("thought") == Some(&Value::Bool(true));
        match (text, part.get("functionCall")) {
            (Some(text), None) if is_thought => {
                if !text.is_empty() {
                    self.is_thinking = true;
                    deltas.push(Delta::Reasoning(text.to_owned()));
                }
                if let Some(signature) = signature {
                    self.is_thinking = false;
                    deltas.push(self.signed(signature));
                }
            }
            (Some(text), None) => {
                self.sign(signature, deltas);
                if !text.is_empty() {
                    self.close_thought(deltas);
                    deltas.push(Delta::Text(text.to_owned()));
                }
            }
            (_, Some(call)) => {
                self.sign(signature, deltas);
                self.close_thought(deltas);
                deltas.push(self.call(call)?);
            }
            // The end of an answer may be a part of nothing.
            (None, None) if part.as_object().is_some_and(Map::is_empty) => {}
            (None, None) => {
                self.close_thought(deltas);
                deltas.push(self.native(part.clone()));
            }
        }
        Ok(())
    }

    /// Something of Google's own.
    pub(super) fn native(&self, value: Value) -> Delta {
        Delta::Native(Native { provider: self.provider.to_owned(), value })
    }

    fn call(&mut self, call: &Value) -> Result<Delta> {
        let is_piece =
            call.get("partialArgs").is_some() || call.get("willContinue") == Some(&Value::Bool(true));
        if is_piece {
            let message = "the answer of the provider holds a call whose arguments come in pieces";
            return Err(Error::new(Code::ModelAnswerInvalid, message)
                .with_help("take `streamFunctionCallArguments` out of the model's parameters"));
        }
        let text = |name: &str| call.get(name).and_then(Value::as_str).filter(|text| !text.is_empty());
        let arguments = call.get("args").filter(|args| !args.is_null()).cloned().unwrap_or_else(|| json!({}));
        let index = self.calls;
        self.calls = self.calls.saturating_add(1);
        Ok(Delta::ToolCall {
            index,
            id: Some(self.ids.claim(text("id"), index)),
            name: text("name").map(str::to_owned),
            arguments: with_integers(arguments).to_string(),
        })
    }

    /// Keeps the signature of the part that comes next.
    fn sign(&mut self, signature: Option<&str>, deltas: &mut Vec<Delta>) {
        if let Some(signature) = signature {
            self.close_thought(deltas);
            deltas.push(self.signed(signature));
        }
    }

    fn signed(&self, signature: &str) -> Delta {
        Delta::ReasoningDone(Reasoning {
            provider: Some(self.provider.to_owned()),
            // Signatures mean something to the model that made them, so it is kept with them.
            id: Some(self.model.clone()),
            signature: Some(signature.to_owned()),
            ..Reasoning::default()
        })
    }

    fn close_thought(&mut self, deltas: &mut Vec<Delta>) {
        if std::mem::take(&mut self.is_thinking) {
            deltas.push(Delta::ReasoningDone(Reasoning::default()));
        }
    }
}

/// Numbers without a fraction as integers: Google's `Struct` knows floating point alone, and may write 3 as 3.0.
fn with_integers(value: Value) -> Value {
    /// Up to here floating point numbers tell integers apart.
    const MOST: f64 = 9_007_199_254_740_992.0;
    match value {
        Value::Number(number) => {
            let float = number
                .as_f64()
                .filter(|float| number.is_f64() && float.fract() == 0.0 && float.abs() <= MOST);
            #[expect(clippy::cast_possible_truncation, reason = "it has no fraction and fits")]
            let integer = float.map(|float| Number::from(float as i64));
            Value::Number(integer.unwrap_or(number))
        }
        Value::Array(list) => list.into_iter().map(with_integers).collect(),
        Value::Object(map) => map.into_iter().map(|(key, value)| (key, with_integers(value))).collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn integers_are_integers() {
        let cases = [
            (
                r#"{"a":3.0,"b":[1e3,-2.0,0.5],"c":7,"d":"3.0"}"#,
                r#"{"a":3,"b":[1000,-2,0.5],"c":7,"d":"3.0"}"#,
            ),
            ("9007199254740993.0", "9007199254740992"),
            ("18446744073709551615", "18446744073709551615"),
            ("1e300", "1e+300"),
        ];
        for (given, expected) in cases {
            let value: Value = serde_json::from_str(given).unwrap();
            assert_eq!(with_integers(value).to_string(), expected);
        }
    }
}
