//! Values as Cedar takes them.

use std::str::FromStr;
use std::sync::LazyLock;

use adjutant_core::time::Timestamp;
use cedar_policy_core::ast::{Name, RestrictedExpr, Value as Fact};
use cedar_policy_core::evaluator::RestrictedEvaluator;
use cedar_policy_core::extensions::Extensions;
use serde_json::Value;

use super::types::Type;

/// Why a value cannot be told to policies. Who meets one denies: what policies cannot see they cannot allow.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Unfit(pub(super) String);

/// A value without a label of its own.
pub(super) fn plain(kind: &Type, value: &Value) -> Result<Fact, Unfit> {
    Ok(match kind {
        Type::Text => match value {
            Value::String(text) => text.as_str().into(),
            other => other.to_string().into(),
        },
        Type::Long => long(value)?.into(),
        Type::Decimal => decimal_of(decimal(value)?)?,
        Type::Bool => match value {
            Value::Bool(value) => (*value).into(),
            _ => return Err(Unfit("is neither true nor false".to_owned())),
        },
        Type::Set(element) => {
            let items = value.as_array().ok_or_else(|| Unfit("is no list".to_owned()))?;
            let items = items.iter().map(|item| plain(element, item)).collect::<Result<Vec<_>, _>>()?;
            Fact::set(items, None)
        }
        Type::Record(fields) => {
            let object = value.as_object().ok_or_else(|| Unfit("is no object".to_owned()))?;
            let present = fields.iter().filter_map(|(name, slot)| {
                let value = object.get(name).filter(|value| !value.is_null());
                match (value, slot.required) {
                    (Some(value), _) => Some(plain(&slot.kind, value).map(|value| (name.as_str(), value))),
                    (None, true) => Some(Err(Unfit(format!("has no `{name}`")))),
                    (None, false) => None,
                }
            });
            record(present.collect::<Result<Vec<_>, _>>()?)
        }
    })
}

/// A record of distinct names.
pub(super) fn record<'a>(pairs: impl IntoIterator<Item = (&'a str, Fact)>) -> Fact {
    Fact::record(pairs, None)
}

/// A set of texts.
pub(super) fn texts(texts: impl IntoIterator<Item = impl AsRef<str>>) -> Fact {
    Fact::set(texts.into_iter().map(|text| text.as_ref().into()), None)
}

/// A value as text: a text as it is, everything else as compact JSON.
pub(super) fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}

/// A whole number of 64 bits.
pub(super) fn long(value: &Value) -> Result<i64, Unfit> {
    let unfit = || Unfit("is no whole number of 64 bits".to_owned());
    if let Some(number) = value.as_i64() {
        return Ok(number);
    }
    // A schema takes 3.0 for a whole number.
    let number = decimal(value).map_err(|_| unfit())?;
    if number % SCALE == 0 { Ok(number / SCALE) } else { Err(unfit()) }
}

/// What a decimal of Cedar is counted in: the fourth digit after the point.
const SCALE: i64 = 10_000;

/// A decimal of Cedar, in ten-thousandths. One with more digits is refused, not rounded: a sum of rounded amounts is
/// another sum.
pub(super) fn decimal(value: &Value) -> Result<i64, Unfit> {
    let unfit = || Unfit("is no number with at most four digits after the point".to_owned());
    let Value::Number(number) = value else { return Err(unfit()) };
    if let Some(whole) = number.as_i64() {
        return whole.checked_mul(SCALE).ok_or_else(unfit);
    }
    if let Some(scaled) = number.as_f64().and_then(scaled) {
        return Ok(scaled);
    }
    // Written without an exponent, and as short as tells it from its neighbours.
    let written = number.as_f64().map(|number| format!("{number}")).ok_or_else(unfit)?;
    let (sign, digits) = match written.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, written.as_str()),
    };
    let (whole, part) = digits.split_once('.').unwrap_or((digits, ""));
    if part.len() > 4 {
        return Err(unfit());
    }
    let whole: i64 = whole.parse().map_err(|_| unfit())?;
    let part: i64 = format!("{part:0<4}").parse().map_err(|_| unfit())?;
    let scaled = whole.checked_mul(SCALE).and_then(|whole| whole.checked_add(part)).ok_or_else(unfit)?;
    Ok(sign * scaled)
}

/// A number in ten-thousandths, where it can be told without writing it. Of up to 15 digits no two are the same number, so
/// what divides to it is what it would be written as.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    reason = "it is whole, and under 2^53"
)]
fn scaled(number: f64) -> Option<i64> {
    let scaled = (number * SCALE as f64).round();
    (scaled.abs() < 1e15 && scaled / SCALE as f64 == number).then_some(scaled as i64)
}

/// A decimal as Cedar and people write it.
pub(super) fn decimal_text(number: i64) -> String {
    let (sign, size) = if number < 0 { ("-", number.unsigned_abs()) } else { ("", number.unsigned_abs()) };
    let scale = SCALE.unsigned_abs();
    format!("{sign}{}.{:04}", size / scale, size % scale)
}

/// A decimal as Cedar computes with it.
pub(super) fn decimal_of(number: i64) -> Result<Fact, Unfit> {
    static DECIMAL: LazyLock<Option<Name>> = LazyLock::new(|| Name::from_str("decimal").ok());
    extension(&DECIMAL, &decimal_text(number))
}

/// A value of an extension of the language. The name is read once: to read it anew, as Cedar's own constructors do, costs
/// more than a decision.
fn extension(name: &Option<Name>, text: &str) -> Result<Fact, Unfit> {
    let name = name.clone().ok_or_else(|| Unfit("is no value of this language".to_owned()))?;
    let call = RestrictedExpr::call_extension_fn(name, [RestrictedExpr::val(text)]);
    let made = RestrictedEvaluator::new(Extensions::all_available()).interpret(call.as_borrowed());
    made.map_err(|error| Unfit(error.to_string()))
}

/// A moment as Cedar computes with it.
pub(super) fn moment(millis: i64) -> Result<Fact, Unfit> {
    static DATETIME: LazyLock<Option<Name>> = LazyLock::new(|| Name::from_str("datetime").ok());
    let days = millis.div_euclid(86_400_000);
    let rest = millis.rem_euclid(86_400_000);
    let (year, month, day) = date(days);
    let (hour, minute, second) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60);
    let milli = rest % 1000;
    let text = format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{milli:03}Z");
    extension(&DATETIME, &text)
}

/// A moment that somebody wrote as Cedar writes one: `2026-01-15`, `2026-01-15T12:00:00Z`.
pub fn read_moment(text: &str) -> Option<Timestamp> {
    let (date, rest) = text.split_at_checked(10)?;
    let mut parts = date.splitn(3, '-');
    let mut part = |most: i64| {
        let part = parts.next().filter(|part| part.bytes().all(|byte| byte.is_ascii_digit()))?;
        part.parse::<i64>().ok().filter(|number| *number <= most)
    };
    let (year, month, day) = (part(9999)?, part(12)?, part(31)?);
    let days = days(year, month, day).filter(|days| self::date(*days) == (year, month, day))?;
    let clock = match rest {
        "" => 0,
        rest => {
            let mut parts = rest.strip_prefix('T')?.strip_suffix('Z')?.splitn(3, ':');
            let mut part = |most: i64| {
                let part = parts.next().filter(|part| part.len() == 2)?;
                part.parse::<i64>().ok().filter(|number| (0..=most).contains(number))
            };
            (part(23)? * 60 + part(59)?) * 60 + part(59)?
        }
    };
    Some(Timestamp(days * 86_400_000 + clock * 1000))
}

/// How many days after 1970-01-01 a date is.
fn days(year: i64, month: i64, day: i64) -> Option<i64> {
    let year = year - i64::from(month <= 2);
    let month = (month + 9) % 12;
    let of_year = (153 * month + 2) / 5 + day.checked_sub(1)?;
    Some(
        year.div_euclid(400) * 146_097 + {
            let of_era = year.rem_euclid(400);
            of_era * 365 + of_era / 4 - of_era / 100 + of_year
        } - 719_468,
    )
}

/// The date of a day counted from 1970-01-01, by eras of 400 years that begin in March, so that a leap day is the last.
fn date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let of_era = days.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * march + 2) / 5 + 1;
    let month = if march < 10 { march + 3 } else { march - 9 };
    (year + era * 400 + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn decimals_are_exact_or_refused() {
        for (value, expected) in [
            (json!(1), Some("1.0000")),
            (json!(0.1), Some("0.1000")),
            (json!(-12.5), Some("-12.5000")),
            (json!(-0.5), Some("-0.5000")),
            (json!(499.9999), Some("499.9999")),
            (json!(499.99999), None),
            (json!(1e300), None),
            (json!("1"), None),
            (json!(u64::MAX), None),
            (json!(i64::MAX), None),
        ] {
            assert_eq!(decimal(&value).ok().map(decimal_text).as_deref(), expected, "{value}");
        }
        assert_eq!(long(&json!(3.0)), Ok(3));
        assert!(long(&json!(3.5)).is_err() && long(&json!(u64::MAX)).is_err());
    }

    #[test]
    fn days_have_their_dates() {
        for (days, expected) in [
            (0, (1970, 1, 1)),
            (-1, (1969, 12, 31)),
            (11_016, (2000, 2, 29)),
            (11_017, (2000, 3, 1)),
            (20_821, (2027, 1, 3)),
            (-719_468, (0, 3, 1)),
        ] {
            assert_eq!(date(days), expected, "{days}");
        }
        for (text, expected) in [
            ("2026-01-15", Some(1_768_435_200_000)),
            ("2026-01-15T12:00:00Z", Some(1_768_478_400_000)),
            ("1969-12-31T23:59:59Z", Some(-1000)),
            ("2026-02-29", None),
            ("2026-01-15T24:00:00Z", None),
            ("2026-1-15", None),
            ("noon", None),
        ] {
            assert_eq!(read_moment(text), expected.map(Timestamp), "{text}");
        }
    }
}
