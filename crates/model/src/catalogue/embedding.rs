//! What is known of embedding models.

use adjutant_core::money::Prices;
use adjutant_core::{Code, Error, Result};
use rust_decimal::Decimal;
use serde::Deserialize;

use crate::embed::{Dimensions, Known};

/// One embedding model, or several that differ in nothing but their names.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Row {
    pub(super) provider: String,
    pub(super) names: Vec<String>,
    /// How many numbers a vector usually has.
    dimensions: usize,
    /// The fewest that may be asked for.
    #[serde(default)]
    least_dimensions: Option<usize>,
    /// What else may be asked for, where not every number may.
    #[serde(default)]
    other_dimensions: Vec<usize>,
    /// The most tokens of one text.
    #[serde(default)]
    max_tokens: Option<u64>,
    /// US dollars for a million tokens.
    #[serde(default)]
    price: Option<Decimal>,
    /// Where the numbers of this row are from, for people.
    #[serde(default, rename = "source")]
    _source: Option<String>,
}

impl Row {
    /// Refuses numbers that no model has. Fails with `input-invalid`.
    pub(super) fn check(&self) -> Result<()> {
        let others = self.least_dimensions.iter().chain(&self.other_dimensions);
        let mut numbers = others.chain([&self.dimensions]);
        let is_twice = self.least_dimensions.is_some() && !self.other_dimensions.is_empty();
        let name = self.names.first().map_or("", String::as_str);
        let invalid =
            |why: &str| Err(Error::new(Code::InputInvalid, format!("the embedding model `{name}` {why}")));
        if is_twice {
            return invalid("has `least_dimensions` or `other_dimensions`, not both");
        }
        if numbers.any(|number| !(1..=self.dimensions).contains(number)) {
            return invalid("has vectors of 1 to `dimensions` numbers, and no others");
        }
        Ok(())
    }

    pub(super) fn known(&self) -> Known {
        let usual = self.dimensions;
        let others = self.other_dimensions.as_slice();
        let dimensions = match (self.least_dimensions, others) {
            (Some(least), _) => Dimensions::Between { least, usual },
            (None, []) => Dimensions::Fixed(usual),
            (None, others) => {
                Dimensions::OneOf(std::iter::once(usual).chain(others.iter().copied()).collect())
            }
        };
        let prices = self.price.map(|input| Prices::new(input, Decimal::ZERO));
        Known { dimensions, most_tokens: self.max_tokens, prices }
    }
}
