//! What only one provider understands, in the hands of clients that do not.
//!
//! Signed and encrypted reasoning, and what a provider's own tools did, must come back as it was, and to whom it belongs. The formats of
//! the vendors have one opaque text for it, and no place for whose it is: so whose it is stands in the text. What a client has from
//! another place, without our mark, is taken for the vendor's whose format it speaks.

use adjutant_core::message::{Native, Reasoning};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD as BASE64;
use serde::{Deserialize, Serialize};

/// What our texts begin with; the number is the version of what follows.
const MARK: &str = "adj1.";

/// Something that was carried.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Carried {
    /// A model's reasoning.
    Reasoning(Reasoning),
    /// Something of a provider's own.
    Native(Native),
}

/// Reasoning as an opaque text; none where the text that is shown is all there is. `shown` stays out of it: the client has it.
pub(crate) fn seal(reasoning: &Reasoning, shown: &str) -> Option<String> {
    let is_plain = reasoning.provider.is_none()
        && reasoning.id.is_none()
        && reasoning.signature.is_none()
        && reasoning.encrypted.is_none();
    if is_plain {
        return None;
    }
    let mut carried = reasoning.clone();
    if carried.text == shown {
        carried.text.clear();
    }
    sealed(&Carried::Reasoning(carried))
}

/// Something of a provider's own as an opaque text.
pub(crate) fn seal_native(native: &Native) -> Option<String> {
    sealed(&Carried::Native(native.clone()))
}

fn sealed(carried: &Carried) -> Option<String> {
    let json = serde_json::to_vec(carried).ok()?;
    Some(format!("{MARK}{}", BASE64.encode(json)))
}

/// What an opaque text holds, with the reasoning that was shown beside it; none where it is not ours.
pub(crate) fn open(text: &str, shown: &str) -> Option<Carried> {
    let bytes = BASE64.decode(text.strip_prefix(MARK)?).ok()?;
    let mut carried = serde_json::from_slice(&bytes).ok()?;
    if let Carried::Reasoning(reasoning) = &mut carried
        && reasoning.text.is_empty()
    {
        shown.clone_into(&mut reasoning.text);
    }
    Some(carried)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_carried_comes_back_as_it_was() {
        let signed = Reasoning {
            text: "hm".into(),
            provider: Some("anthropic".into()),
            signature: Some("c2ln".into()),
            ..Reasoning::default()
        };
        for shown in ["hm", "", "another"] {
            let sealed = seal(&signed, shown).unwrap();
            assert_eq!(open(&sealed, shown), Some(Carried::Reasoning(signed.clone())), "{shown}");
        }
        let native = Native { provider: "gemini".into(), value: json!({"a": 1}) };
        assert_eq!(open(&seal_native(&native).unwrap(), ""), Some(Carried::Native(native)));
    }

    #[test]
    fn what_is_not_ours_is_not_opened() {
        assert_eq!(seal(&Reasoning { text: "hm".into(), ..Reasoning::default() }, "hm"), None);
        for text in ["", "c2lnbmVk", "adj1.", "adj1.!!", "adj1.e30", "adj2.e30"] {
            assert_eq!(open(text, ""), None, "{text}");
        }
    }
}
