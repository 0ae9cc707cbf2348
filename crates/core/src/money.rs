//! Money as exact decimals. A price of a third of a cent stays one.

use std::fmt;
use std::str::FromStr;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

use crate::error::{Code, Error};
use crate::usage::Usage;

/// An amount of US dollars, exact to 28 digits. Providers quote their prices in this currency.
///
/// Written as `0.50 USD`, and so in JSON.
#[derive(Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Money(Decimal);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(Decimal::ZERO);

    /// An amount in US dollars.
    pub fn usd(amount: Decimal) -> Self {
        Self(amount)
    }

    /// The amount in US dollars.
    pub fn amount(self) -> Decimal {
        self.0
    }

    /// The amount in billionths of a dollar, rounded up: what ledgers count in, so that sums of it are exact.
    pub fn nanos(self) -> i64 {
        let nanos = (self.0 * Decimal::from(1_000_000_000)).ceil();
        i64::try_from(nanos).unwrap_or(i64::MAX)
    }

    /// The amount of so many billionths of a dollar.
    pub fn from_nanos(nanos: i64) -> Self {
        Self(Decimal::new(nanos, 9).normalize())
    }
}

impl std::ops::Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl std::ops::AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} USD", self.0.normalize())
    }
}

impl fmt::Debug for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Money {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        let invalid = |why: &str| {
            Error::new(Code::InputInvalid, format!("`{text}` is not an amount of money: {why}"))
                .with_help("write it as `0.50 USD`")
        };
        let (amount, currency) =
            text.trim().split_once(char::is_whitespace).ok_or_else(|| invalid("the currency is missing"))?;
        if currency.trim() != "USD" {
            return Err(invalid("USD is the only currency"));
        }
        let amount = amount.parse::<Decimal>().map_err(|_| invalid("the number cannot be read"))?;
        if amount.is_sign_negative() && !amount.is_zero() {
            return Err(invalid("it is negative"));
        }
        Ok(Self(amount))
    }
}

impl Serialize for Money {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Money {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// What a model costs, in US dollars for a million tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Prices {
    /// For input that no cache served.
    pub input: Decimal,
    /// For output, reasoning included.
    pub output: Decimal,
    /// For input read from the prompt cache; the input price where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Decimal>,
    /// For input written to the prompt cache; the input price where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Decimal>,
    /// For input written to the prompt cache and kept there for long; the price of any that is written where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write_long: Option<Decimal>,
    /// For output that is reasoning; the output price where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reasoning: Option<Decimal>,
    /// The prices of a long request, where they are others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above: Option<Tier>,
}

/// The prices of a request whose input has more than so many tokens. They hold for the whole of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tier {
    /// The most tokens of input that are charged at the usual prices.
    pub tokens: u64,
    /// For input that no cache served.
    pub input: Decimal,
    /// For output, reasoning included.
    pub output: Decimal,
    /// For input read from the prompt cache; the input price where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cached: Option<Decimal>,
    /// For input written to the prompt cache; the input price where it is not given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cache_write: Option<Decimal>,
}

impl Prices {
    /// Prices for input and output, with everything else at theirs.
    pub fn new(input: Decimal, output: Decimal) -> Self {
        Self {
            input,
            output,
            cached: None,
            cache_write: None,
            cache_write_long: None,
            reasoning: None,
            above: None,
        }
    }

    /// The higher of two in each part: what a call costs at most where either may hold.
    #[must_use]
    pub fn dearest(self, other: Self) -> Self {
        let part = |own: Option<Decimal>, others: Option<Decimal>, [whole, others_whole]: [Decimal; 2]| {
            let known = own.is_some() || others.is_some();
            known.then(|| own.unwrap_or(whole).max(others.unwrap_or(others_whole)))
        };
        let (input, output) = ([self.input, other.input], [self.output, other.output]);
        Self {
            input: self.input.max(other.input),
            output: self.output.max(other.output),
            cached: part(self.cached, other.cached, input),
            cache_write: part(self.cache_write, other.cache_write, input),
            cache_write_long: part(self.cache_write_long, other.cache_write_long, input),
            reasoning: part(self.reasoning, other.reasoning, output),
            above: match (self.above, other.above) {
                (Some(own), Some(others)) => Some(if own.input > others.input { own } else { others }),
                (own, others) => own.or(others),
            },
        }
    }

    /// The prices that hold for a request with so many tokens of input.
    fn at(&self, input: u64) -> Self {
        match self.above.filter(|above| input > above.tokens) {
            None => *self,
            Some(Tier { input, output, cached, cache_write, .. }) => {
                Self { cached, cache_write, ..Self::new(input, output) }
            }
        }
    }

    /// The price of a call, exact.
    pub fn cost(&self, usage: &Usage) -> Money {
        let Self { input, output, cached, cache_write, cache_write_long, reasoning, .. } =
            self.at(usage.input);
        let cache_write = cache_write.unwrap_or(input);
        let kept_long = usage.cache_write_long.min(usage.cache_write);
        let plain = usage.input.saturating_sub(usage.cached).saturating_sub(usage.cache_write);
        let sum = input * Decimal::from(plain)
            + cached.unwrap_or(input) * Decimal::from(usage.cached)
            + cache_write * Decimal::from(usage.cache_write - kept_long)
            + cache_write_long.unwrap_or(cache_write) * Decimal::from(kept_long)
            + output * Decimal::from(usage.output.saturating_sub(usage.reasoning))
            + reasoning.unwrap_or(output) * Decimal::from(usage.reasoning.min(usage.output));
        Money((sum / Decimal::from(1_000_000)).normalize())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn money_is_exact() {
        let tenth: Money = "0.1 USD".parse().unwrap();
        let mut sum = Money::ZERO;
        (0..3).for_each(|_| sum += tenth);
        assert_eq!(sum.to_string(), "0.3 USD");
        assert_eq!(Money::from_nanos(sum.nanos()), sum);
    }

    #[test]
    fn bad_amounts_say_what_is_wrong() {
        for (text, why) in [
            ("5", "the currency is missing"),
            ("5 EUR", "USD is the only currency"),
            ("x USD", "the number cannot be read"),
            ("-1 USD", "it is negative"),
        ] {
            let error = text.parse::<Money>().unwrap_err();
            assert!(error.message().ends_with(why), "{error}");
        }
    }

    #[test]
    fn a_long_request_has_the_prices_of_its_tier() {
        let above = Tier { tokens: 100, input: 2.into(), output: 4.into(), cached: None, cache_write: None };
        let prices = Prices { above: Some(above), ..Prices::new(1.into(), 1.into()) };
        let cost = |input| prices.cost(&Usage { input, output: 10, ..Usage::default() }).nanos();
        assert_eq!((cost(100), cost(101)), (110_000, 242_000));
    }

    #[test]
    fn the_dearest_is_the_higher_in_each_part() {
        let prices = |input: u32, cached: Option<u32>| Prices {
            cached: cached.map(Decimal::from),
            ..Prices::new(input.into(), 1.into())
        };
        assert_eq!(prices(2, Some(1)).dearest(prices(3, None)), prices(3, Some(3)));
        assert_eq!(prices(2, Some(1)).dearest(prices(1, None)), prices(2, Some(1)));
        assert_eq!(prices(2, None).dearest(prices(1, None)), prices(2, None));
    }

    #[test]
    fn cached_input_and_reasoning_have_their_own_prices() {
        let prices = Prices {
            cached: Some(Decimal::new(3, 1)),
            reasoning: Some(30.into()),
            ..Prices::new(3.into(), 15.into())
        };
        let usage = Usage { input: 1_000, output: 100, cached: 600, ..Usage::default() };
        assert_eq!(prices.cost(&usage).to_string(), "0.00288 USD");
        assert_eq!(prices.cost(&Usage { reasoning: 50, ..usage }).to_string(), "0.00363 USD");
        let prices = Prices {
            cache_write: Some(4.into()),
            cache_write_long: Some(6.into()),
            ..Prices::new(3.into(), 15.into())
        };
        let written = Usage { input: 1_000, cache_write: 1_000, cache_write_long: 400, ..Usage::default() };
        assert_eq!(prices.cost(&written).to_string(), "0.0048 USD");
        assert_eq!(Prices { cache_write_long: None, ..prices }.cost(&written).to_string(), "0.004 USD");
    }
}
