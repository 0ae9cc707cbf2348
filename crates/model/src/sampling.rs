//! How a model chooses its words, in the words of each interface.

use adjutant_core::{Code, Error, Result};
use serde::{Deserialize, Serialize};
use serde_json::{Number, Value};

/// How a model chooses its words, beside the temperature; the provider's default where nothing is said.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Sampling {
    /// Only the likeliest words whose likelihoods sum up to this, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_p: Option<f32>,
    /// Only so many of the likeliest words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub top_k: Option<u32>,
    /// The same number chooses, as far as the provider can, the same words again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub seed: Option<i64>,
    /// How much a word loses for having been said at all, from -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub presence_penalty: Option<f32>,
    /// How much a word loses each time that it is said, from -2 to 2.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frequency_penalty: Option<f32>,
}

/// What an interface calls each wish; none where it has no word for it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Names {
    pub(crate) top_p: Option<&'static str>,
    pub(crate) top_k: Option<&'static str>,
    pub(crate) seed: Option<&'static str>,
    pub(crate) presence_penalty: Option<&'static str>,
    pub(crate) frequency_penalty: Option<&'static str>,
}

impl Sampling {
    /// Whether nothing is said.
    pub fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What is said, under the names of an interface. Fails with `model-unsupported` where it has no name for a wish.
    pub(crate) fn named(&self, model: &str, names: Names) -> Result<Vec<(&'static str, Value)>> {
        let wishes = [
            ("top_p", names.top_p, self.top_p.map(decimal)),
            ("top_k", names.top_k, self.top_k.map(Value::from)),
            ("seed", names.seed, self.seed.map(Value::from)),
            ("presence_penalty", names.presence_penalty, self.presence_penalty.map(decimal)),
            ("frequency_penalty", names.frequency_penalty, self.frequency_penalty.map(decimal)),
        ];
        let said = wishes.into_iter().filter_map(|(wish, name, value)| Some((wish, name, value?)));
        said.map(|(wish, name, value)| match name {
            Some(name) => Ok((name, value)),
            None => Err(untold(model, wish)),
        })
        .collect()
    }
}

/// What a model cannot be told.
pub(crate) fn untold(model: &str, wish: &str) -> Error {
    let message = format!("the model `{model}` cannot be told `{wish}`: its interface has no word for it");
    Error::new(Code::ModelUnsupported, message).with_help(format!("take `{wish}` out, or use another model"))
}

/// The number that the caller wrote: 0.2, not the 0.20000000298... that lies next to it in double precision.
fn decimal(number: f32) -> Value {
    number.to_string().parse::<f64>().ok().and_then(Number::from_f64).into()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_wish_has_the_interfaces_name_or_is_refused() {
        let sampling = Sampling { top_p: Some(0.2), seed: Some(-7), ..Sampling::default() };
        let names = Names { top_p: Some("topP"), seed: Some("seed"), ..Names::default() };
        assert_eq!(sampling.named("m", names).unwrap(), [("topP", json!(0.2)), ("seed", json!(-7))]);
        let error = sampling.named("m", Names { seed: None, ..names }).unwrap_err();
        assert_eq!(error.code(), Code::ModelUnsupported);
        assert!(error.message().contains("`seed`"), "{error}");
    }
}
