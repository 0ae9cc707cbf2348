//! A request in words, the same wherever people read it.

use adjutant_core::label::{Label, Readers, Sources};
use adjutant_core::tool::Effect;
use adjutant_policy::facts::{Evidence, Origin};
use serde_json::Value;

use super::request::Request;

/// One argument of a call, as a person reads it.
#[derive(Clone, Debug, PartialEq)]
pub struct Argument<'a> {
    /// Its name.
    pub name: &'a str,
    /// Its value.
    pub value: &'a Value,
    /// Where it came from, as far as somebody has looked.
    pub from: Option<String>,
}

impl Request {
    /// The arguments, each with where it came from; of one with several origins all of them.
    pub fn parts(&self) -> Vec<Argument<'_>> {
        let arguments = self.arguments.as_object().into_iter().flatten();
        arguments.map(|(name, value)| Argument { name, value, from: self.from(name) }).collect()
    }

    fn from(&self, name: &str) -> Option<String> {
        let place = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        let within = format!("{place}/");
        let found = self.origins.iter().filter(|(at, _)| **at == place || at.starts_with(&within));
        let mut words: Vec<String> = found.map(|(_, origin)| origin_in_words(origin)).collect();
        words.dedup();
        (!words.is_empty()).then(|| words.join("; "))
    }

    /// What the agent had read before that nobody vouches for; none where there is nothing of the kind.
    pub fn read_before(&self) -> Option<String> {
        (!self.read.is_trusted()).then(|| sources_in_words(&self.read))
    }

    /// What happens next, in words, if the call is allowed.
    pub fn consequence(&self) -> &'static str {
        match self.effect {
            Some(Effect::Pure) => "it only looks; nothing is changed",
            Some(Effect::Idempotent) => "it changes something; doing it twice is as doing it once",
            Some(Effect::AtMostOnce | Effect::Reconcile) => "it is done at once and cannot be taken back",
            None => "it is done at once",
        }
    }
}

fn origin_in_words(origin: &Origin) -> String {
    let from = || match (origin.label.is_trusted(), &origin.label.readers) {
        (false, _) => sources_in_words(&origin.label),
        (true, Readers::Only(readers)) if !readers.is_empty() => {
            format!("what only {} may see", Vec::from_iter(readers.iter().map(String::as_str)).join(", "))
        }
        (true, _) => "what can be believed".to_owned(),
    };
    match origin.evidence {
        Evidence::Words => "said by the user".to_owned(),
        Evidence::Fixed => "fixed by the tool".to_owned(),
        Evidence::Endorsed => "vouched for by a person".to_owned(),
        Evidence::Exact => format!("carried over from {}", from()),
        Evidence::Result => format!("stands in {}", from()),
        Evidence::None if origin.label.is_trusted() => "made by the model".to_owned(),
        Evidence::None => format!("made by the model, which had read {}", from()),
    }
}

fn sources_in_words(label: &Label) -> String {
    match &label.sources {
        Sources::Known(known) if !known.is_empty() => {
            Vec::from_iter(known.iter().map(String::as_str)).join(", ")
        }
        _ => "what nobody vouches for".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_person_reads_where_each_argument_came_from() {
        let outside = serde_json::to_value(Label::untrusted_from("mail:eve@example.org")).unwrap();
        let request: Request = serde_json::from_value(json!({
            "call": "c", "tool": "send", "why": "", "effect": "at_most_once",
            "arguments": { "amount": 5, "note": "x", "to": "eve", "who": { "a": 1 } },
            "origins": {
                "/amount": { "evidence": "words", "label": {} },
                "/to": { "evidence": "result", "label": outside },
                "/who/a": { "evidence": "none", "label": outside },
            },
            "read": outside,
        }))
        .unwrap();
        let from: Vec<_> = request.parts().into_iter().map(|part| (part.name, part.from)).collect();
        let expected = [
            ("amount", Some("said by the user")),
            ("note", None),
            ("to", Some("stands in mail:eve@example.org")),
            ("who", Some("made by the model, which had read mail:eve@example.org")),
        ];
        assert_eq!(from, expected.map(|(name, words)| (name, words.map(str::to_owned))));
        assert_eq!(request.read_before().as_deref(), Some("mail:eve@example.org"));
        assert!(request.consequence().contains("cannot be taken back"));
    }
}
