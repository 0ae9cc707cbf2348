//! Vectors as they are written, and what must be true of them.

use std::fmt;

use aws_smithy_types::base64;
use serde::de::{SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// One vector as an interface has it in JSON: a list of numbers, or base64 of numbers in single precision, the lowest
/// byte first, which takes a third of the room.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Vector(pub Vec<f32>);

impl Vector {
    /// The vector with the length 1. Fails with the reason, in words that go on from "the vector", where it has not so
    /// many dimensions as expected, or has no direction.
    pub(super) fn checked(self, expected: Option<usize>) -> Result<Vec<f32>, String> {
        let Self(mut numbers) = self;
        let found = numbers.len();
        match expected {
            _ if found == 0 => return Err("is empty".to_owned()),
            Some(expected) if found != expected => {
                return Err(format!("has {found} dimensions and not {expected}"));
            }
            _ => {}
        }
        if numbers.iter().any(|number| !number.is_finite()) {
            return Err("has something in it that is no number".to_owned());
        }
        let length = numbers.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
        if length == 0.0 {
            return Err("is nothing but zeros".to_owned());
        }
        // One that has the length already is not rounded anew.
        if (length - 1.0).abs() > 1e-6 {
            for number in &mut numbers {
                *number = single(f64::from(*number) / length);
            }
        }
        Ok(numbers)
    }
}

#[expect(clippy::cast_possible_truncation, reason = "single precision is what vectors have")]
fn single(number: f64) -> f32 {
    number as f32
}

impl<'de> Deserialize<'de> for Vector {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(InEitherForm)
    }
}

struct InEitherForm;

impl<'de> Visitor<'de> for InEitherForm {
    type Value = Vector;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list of numbers or base64")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Vector, A::Error> {
        let mut numbers = Vec::new();
        while let Some(number) = list.next_element()? {
            numbers.push(number);
        }
        Ok(Vector(numbers))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Vector, E> {
        let bytes = base64::decode(text).map_err(|_| E::custom("a vector is neither a list nor base64"))?;
        let (numbers, rest) = bytes.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(E::custom("the base64 of a vector ends within a number"));
        }
        Ok(Vector(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect()))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors_are_read_in_both_forms() {
        let cases = [
            ("[0.5, -1, 2e0]", Ok(vec![0.5, -1.0, 2.0])),
            ("[]", Ok(vec![])),
            (r#""AAAAPwAAgL8=""#, Ok(vec![0.5, -1.0])),
            (r#""""#, Ok(vec![])),
            (r#""AAAAPwAA""#, Err("ends within a number")),
            (r#""?""#, Err("neither a list nor base64")),
            ("[null]", Err("invalid type: null")),
            ("{}", Err("expected a list of numbers or base64")),
        ];
        for (text, expected) in cases {
            match (serde_json::from_str::<Vector>(text), expected) {
                (Ok(vector), Ok(expected)) => assert_eq!(vector.0, expected, "{text}"),
                (Err(error), Err(why)) => assert!(error.to_string().contains(why), "{text}: {error}"),
                (got, _) => panic!("{text}: {got:?}"),
            }
        }
    }

    #[test]
    fn what_is_no_direction_is_refused() {
        let cases = [
            (vec![], None, "is empty"),
            (vec![1.0], Some(2), "has 1 dimensions and not 2"),
            (vec![1.0, f32::NAN], None, "has something in it that is no number"),
            (vec![f32::INFINITY], None, "has something in it that is no number"),
            (vec![0.0, -0.0], Some(2), "is nothing but zeros"),
        ];
        for (numbers, expected, why) in cases {
            assert_eq!(Vector(numbers).checked(expected).unwrap_err(), why);
        }
        assert_eq!(Vector(vec![3.0, 4.0]).checked(Some(2)).unwrap(), [0.6, 0.8]);
        let unit = vec![0.6, 0.8];
        assert_eq!(Vector(unit.clone()).checked(None).unwrap(), unit);
    }

    proptest! {
        #[test]
        fn every_direction_gets_the_length_one(numbers in prop::collection::vec(-1e30_f32..1e30, 1..50)) {
            prop_assume!(numbers.iter().any(|number| number.abs() > 1e-30));
            let unit = Vector(numbers).checked(None).unwrap();
            let length = unit.iter().map(|number| f64::from(*number).powi(2)).sum::<f64>().sqrt();
            prop_assert!((length - 1.0).abs() < 1e-5, "{length}");
        }
    }
}
