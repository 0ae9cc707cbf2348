//! Puts words in the place of what should not be read.

use serde_json::{Map, Value};

use super::hit::Hit;
use super::kind::{Kind, sensitive};

/// How sure a thing must be to be masked where nobody says otherwise.
pub const THRESHOLD: f64 = 0.5;

/// How often a text is looked through: what is left of one thing may be another one.
const ROUNDS: usize = 8;

/// The kinds that some words name. A word that names none stands for all of them: what cannot be understood masks too
/// much, not too little.
pub fn kinds(words: &[String]) -> Vec<Kind> {
    let named: Option<Vec<_>> = words.iter().map(|word| Kind::named(word.trim())).collect();
    named.unwrap_or_else(|| Kind::ALL.to_vec())
}

/// A text in which `[email]`, `[iban]` and so on stand in the place of such things.
pub fn text(text: &str, kinds: &[Kind]) -> String {
    let mut masked = text.to_owned();
    for _ in 0..ROUNDS {
        let hits = sensitive(&masked, kinds, THRESHOLD);
        if hits.is_empty() {
            break;
        }
        masked = replace(&masked, &hits, |hit, _| format!("[{}]", hit.category));
    }
    masked
}

/// A value in which they stand in every text, also in the names of fields. A number that is such a thing becomes a text.
pub fn value(value: &Value, kinds: &[Kind]) -> Value {
    each(value, &mut |text| self::text(text, kinds))
}

/// A value with every text in it changed, also the names of fields. A number of many digits is looked at as text, and
/// stays a number where nothing is changed.
pub fn each(value: &Value, change: &mut impl FnMut(&str) -> String) -> Value {
    match value {
        Value::String(text) => change(text).into(),
        Value::Number(number) => {
            let text = number.to_string();
            let changed = if text.len() < 7 { text.clone() } else { change(&text) };
            if changed == text { value.clone() } else { changed.into() }
        }
        Value::Array(items) => items.iter().map(|item| each(item, change)).collect(),
        Value::Object(fields) => {
            let fields = fields.iter().map(|(name, value)| (change(name), each(value, change)));
            Value::Object(fields.collect::<Map<_, _>>())
        }
        other => other.clone(),
    }
}

/// A text with something else in the places of some hits, which stand in its order and do not overlap.
pub fn replace(text: &str, hits: &[Hit], mut with: impl FnMut(&Hit, &str) -> String) -> String {
    let (mut replaced, mut done) = (String::with_capacity(text.len()), 0);
    for hit in hits {
        let (Some(before), Some(found)) = (text.get(done..hit.span.start), text.get(hit.span.clone())) else {
            continue;
        };
        replaced.push_str(before);
        replaced.push_str(&with(hit, found));
        done = hit.span.end;
    }
    replaced.push_str(text.get(done..).unwrap_or_default());
    replaced
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    /// Keys are put together here, so that no scanner of repositories takes them for real ones.
    fn key(head: &str, tail: &str) -> String {
        format!("{head}{tail}")
    }

    #[test]
    fn what_should_not_be_read_is_masked() {
        for (open, expected) in [
            ("write to ann.lee+x@mail.example.org.", "write to [email]."),
            ("ann (at) example (dot) org", "[email]"),
            ("a\u{200b}nn@exam\u{200b}ple.org", "[email]"),
            ("ann＠example.org", "[email]"),
            ("call +49 30 901820 now", "call [phone] now"),
            ("call (415) 555-2671 or 030/901820", "call [phone] or [phone]"),
            ("DE89 3704 0044 0532 0130 00 EUR", "[iban] EUR"),
            ("de89370400440532013000", "[iban]"),
            ("DE89 3704 0044 0532 0130 01", "DE89 3704 0044 0532 0130 01"),
            ("card 4111 1111 1111 1111, or 5500-0000-0000-0004", "card [card], or [card]"),
            ("4111 1111 1111 1112", "4111 1111 1111 1112"),
            ("from 192.168.7.1:80 and 2001:db8::8a2e:370:7334.", "from [ip]:80 and [ip]."),
            ("10:30:45 and 1.2.3", "10:30:45 and 1.2.3"),
            ("1600 Pennsylvania Avenue NW, Washington, DC 20500", "[address]"),
            ("Lindenstraße 12a, 10969 Berlin", "[address]"),
            ("12 rue de la Paix, 75002 Paris", "[address]"),
            ("Calle de Alcalá, 42", "[address]"),
            ("P.O. Box 1234", "[address]"),
            ("order 1042 of 2026-11-30 costs 17.50 USD", "order 1042 of 2026-11-30 costs 17.50 USD"),
            ("password: hunter2hunter", "[secret]"),
            ("postgres://app:s3cretpw@db/x", "[secret]db/x"),
            (
                "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
                "sha256 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            ),
            (
                "crates/policy/src/detect/secret.rs and a-name-of-several-words",
                "crates/policy/src/detect/secret.rs and a-name-of-several-words",
            ),
        ] {
            assert_eq!(text(open, &Kind::ALL), expected);
        }
        let body = "Zk3x9Qw7Lp2Rt8Vn5Yb1Mc6Hd4Js0Gf3Ka9X";
        for open in [
            key("AKIA", "IOSFODNN7EXAMPLE"),
            key("ghp_", body),
            key("sk_live_", &body[..24]),
            key("AIza", &body[..35]),
            key("sk-ant-", body),
            key("xoxb-", "123456789012-abcdefABCDEF"),
            key("-----BEGIN RSA PRIVATE", " KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----"),
            key("-----BEGIN PRIVATE", " KEY-----\ncut off"),
            key("eyJhbGciOiJIUzI1NiJ9.", "eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N"),
            body.to_owned(),
        ] {
            assert_eq!(text(&open, &[Kind::Secret]), "[secret]", "{open}");
        }
    }

    #[test]
    fn a_value_is_masked_everywhere_and_keeps_its_shape() {
        let open =
            json!({ "to": ["ann@example.org"], "card": 4_111_111_111_111_111_u64, "n": 7, "a@b.org": null });
        let masked = value(&open, &Kind::ALL);
        assert_eq!(masked, json!({ "to": ["[email]"], "card": "[card]", "n": 7, "[email]": null }));
        assert_eq!(value(&open, &[Kind::Iban]), open);
    }

    #[test]
    fn a_word_that_nobody_knows_masks_everything() {
        assert_eq!(kinds(&["email".into(), "ip".into()]), [Kind::Email, Kind::Ip]);
        assert_eq!(kinds(&["emial".into()]), Kind::ALL);
    }

    /// Texts that are full of such things and of parts of them.
    fn dense() -> impl Strategy<Value = String> {
        let part = prop_oneof![
            Just("ann@example.org".to_owned()),
            Just("4111 1111 1111 1111".to_owned()),
            Just("DE89 3704 0044 0532 0130 00".to_owned()),
            Just("+49 30 901820".to_owned()),
            Just("10.0.0.1".to_owned()),
            Just("password=".to_owned()),
            "[0-9 .+()-]{1,12}",
            "[a-zA-Z0-9@._-]{1,12}",
            "\\PC{0,8}",
        ];
        prop::collection::vec(part, 0..12).prop_map(|parts| parts.concat())
    }

    proptest! {
        #[test]
        fn nothing_is_found_in_what_is_masked(open in dense()) {
            let masked = text(&open, &Kind::ALL);
            prop_assert_eq!(sensitive(&masked, &Kind::ALL, THRESHOLD), vec![], "{}", masked);
        }

        #[test]
        fn spans_are_spans_of_the_text(open in dense()) {
            let mut end = 0;
            for hit in sensitive(&open, &Kind::ALL, 0.0) {
                prop_assert!(hit.span.start >= end && open.get(hit.span.clone()).is_some());
                end = hit.span.end;
            }
        }
    }
}
