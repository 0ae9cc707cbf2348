//! A parser of arithmetic that computes while it reads.

use adjutant_core::{Code, Error, Result};
use rust_decimal::{Decimal, MathematicalOps, RoundingStrategy};

/// The longest expression that is read, in bytes.
const LONGEST: usize = 10_000;

/// How deep an expression may nest.
const DEEPEST: usize = 64;

/// Computes an expression. Fails with [`Code::ToolFailed`], with the column in characters, from 1.
pub fn evaluate(expression: &str) -> Result<Decimal> {
    if expression.len() > LONGEST {
        let message =
            format!("the expression has {} bytes, more than the {LONGEST} that are read", expression.len());
        return Err(Error::new(Code::ToolFailed, message));
    }
    let mut parser = Parser { characters: expression.chars().collect(), at: 0 };
    let value = parser.sum(0)?;
    match parser.peek() {
        None => Ok(value.normalize()),
        Some(found) => Err(parser.unexpected("an operator", found)),
    }
}

struct Parser {
    characters: Vec<char>,
    at: usize,
}

impl Parser {
    /// The next character that is not space.
    fn peek(&mut self) -> Option<char> {
        while self.characters.get(self.at).is_some_and(|c| c.is_whitespace()) {
            self.at += 1;
        }
        self.characters.get(self.at).copied()
    }

    /// Takes the next character if it is one of these.
    fn take(&mut self, wanted: &[char]) -> Option<char> {
        let found = self.peek().filter(|found| wanted.contains(found))?;
        self.at += 1;
        Some(found)
    }

    fn fault(&self, at: usize, reason: &str) -> Error {
        Error::new(Code::ToolFailed, format!("{reason} at column {}", at + 1))
    }

    fn unexpected(&self, expected: &str, found: char) -> Error {
        let error = self.fault(self.at, &format!("expected {expected}, found `{found}`"));
        match found {
            ',' => error.with_help("write numbers without thousands separators: 1000.5"),
            _ => error,
        }
    }

    fn sum(&mut self, depth: usize) -> Result<Decimal> {
        if depth > DEEPEST {
            return Err(self.fault(self.at, "the expression is nested too deeply"));
        }
        let mut left = self.product(depth)?;
        while let Some(operator) = self.take(&['+', '-', '−']) {
            let at = self.at - 1;
            let right = self.product(depth)?;
            let result = if operator == '+' { left.checked_add(right) } else { left.checked_sub(right) };
            left = result.ok_or_else(|| self.fault(at, "the result is too large"))?;
        }
        Ok(left)
    }

    fn product(&mut self, depth: usize) -> Result<Decimal> {
        let mut left = self.signed(depth)?;
        while let Some(operator) = self.take(&['*', '×', '/', '÷', '%']) {
            let at = self.at - 1;
            let right = self.signed(depth)?;
            let result = match operator {
                '*' | '×' => left.checked_mul(right),
                _ if right.is_zero() => return Err(self.fault(at, "division by zero")),
                '%' => left.checked_rem(right),
                _ => left.checked_div(right),
            };
            left = result.ok_or_else(|| self.fault(at, "the result is too large"))?;
        }
        Ok(left)
    }

    fn signed(&mut self, depth: usize) -> Result<Decimal> {
        let mut negative = false;
        while let Some(sign) = self.take(&['+', '-', '−']) {
            negative ^= sign != '+';
        }
        let value = self.power(depth)?;
        Ok(if negative { -value } else { value })
    }

    /// Powers bind from the right, and closer than a sign before them.
    fn power(&mut self, depth: usize) -> Result<Decimal> {
        if depth > DEEPEST {
            return Err(self.fault(self.at, "the expression is nested too deeply"));
        }
        let base = self.atom(depth)?;
        if self.take(&['^']).is_none() {
            return Ok(base);
        }
        let at = self.at - 1;
        let negative = self.take(&['-', '−']).is_some();
        let exponent = self.power(depth + 1)?;
        let exponent = if negative { -exponent } else { exponent };
        let whole = exponent.is_integer().then(|| i64::try_from(exponent).ok()).flatten();
        let whole = whole.filter(|power| power.abs() <= 1_000);
        let whole = whole.ok_or_else(|| self.fault(at, "a power must be a whole number up to 1000"))?;
        if base.is_zero() && whole < 0 {
            return Err(self.fault(at, "division by zero"));
        }
        power(base, whole).ok_or_else(|| self.fault(at, "the result is too large"))
    }

    fn atom(&mut self, depth: usize) -> Result<Decimal> {
        match self.peek() {
            Some('(') => {
                self.at += 1;
                let value = self.sum(depth + 1)?;
                self.close()?;
                Ok(value)
            }
            Some('0'..='9' | '.') => self.number(),
            Some(letter) if letter.is_alphabetic() => self.function(depth),
            Some(found) => Err(self.unexpected("a number", found)),
            None => Err(self.fault(self.at, "expected a number, but the expression ends")),
        }
    }

    fn close(&mut self) -> Result<()> {
        match (self.take(&[')']), self.peek()) {
            (Some(_), _) => Ok(()),
            (None, Some(found)) => Err(self.unexpected("`)`", found)),
            (None, None) => Err(self.fault(self.at, "expected `)`, but the expression ends")),
        }
    }

    fn number(&mut self) -> Result<Decimal> {
        let start = self.at;
        let text = self.run(|c| c.is_ascii_digit() || c == '.' || c == '_');
        let plain = text.replace('_', "");
        Decimal::from_str_exact(&plain)
            .map_err(|_| self.fault(start, &format!("`{text}` is not a number of at most 28 digits")))
    }

    fn run(&mut self, inside: impl Fn(char) -> bool) -> String {
        let rest = self.characters.iter().skip(self.at);
        let text: String = rest.take_while(|c| inside(**c)).collect();
        self.at += text.chars().count();
        text
    }

    fn function(&mut self, depth: usize) -> Result<Decimal> {
        let start = self.at;
        let name = self.run(char::is_alphanumeric);
        if self.take(&['(']).is_none() {
            return Err(self.fault(start, &format!("`{name}` is neither a number nor a function")));
        }
        let mut values = vec![self.sum(depth + 1)?];
        while self.take(&[',', ';']).is_some() {
            values.push(self.sum(depth + 1)?);
        }
        self.close()?;
        apply(&name, &values).map_err(|reason| self.fault(start, &reason))
    }
}

/// A whole power by squaring, which stays exact as long as the digits suffice.
fn power(base: Decimal, exponent: i64) -> Option<Decimal> {
    let (mut result, mut square, mut left) = (Decimal::ONE, base, exponent.unsigned_abs());
    while left > 0 {
        if left % 2 == 1 {
            result = result.checked_mul(square)?;
        }
        left /= 2;
        if left > 0 {
            square = square.checked_mul(square)?;
        }
    }
    if exponent < 0 { Decimal::ONE.checked_div(result) } else { Some(result) }
}

fn apply(name: &str, values: &[Decimal]) -> Result<Decimal, String> {
    match (name, values) {
        ("abs", [value]) => Ok(value.abs()),
        ("ceil", [value]) => Ok(value.ceil()),
        ("floor", [value]) => Ok(value.floor()),
        ("round", [value]) => Ok(round(*value, 0)),
        ("round", [value, digits]) => match u32::try_from(*digits).ok().filter(|_| digits.is_integer()) {
            Some(digits) if digits <= 28 => Ok(round(*value, digits)),
            _ => Err(format!("`round` takes 0 to 28 digits, not {digits}")),
        },
        ("sqrt", [value]) => value.sqrt().ok_or_else(|| "`sqrt` of a negative number".to_owned()),
        ("max", [first, rest @ ..]) => Ok(rest.iter().fold(*first, |a, b| a.max(*b))),
        ("min", [first, rest @ ..]) => Ok(rest.iter().fold(*first, |a, b| a.min(*b))),
        ("abs" | "ceil" | "floor" | "round" | "sqrt", _) => {
            Err(format!("`{name}` does not take {} numbers", values.len()))
        }
        _ => Err(format!(
            "there is no function `{name}`; there are abs, ceil, floor, max, min, round and sqrt"
        )),
    }
}

/// Rounds as people do with money: a half goes away from zero.
fn round(value: Decimal, digits: u32) -> Decimal {
    value.round_dp_with_strategy(digits, RoundingStrategy::MidpointAwayFromZero)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn results_are_exact() {
        let cases = [
            ("0.1 + 0.2", "0.3"),
            ("2 + 3 * 4", "14"),
            ("(2 + 3) * 4", "20"),
            ("10 - 4 - 3", "3"),
            ("2 ^ 3 ^ 2", "512"),
            ("-2 ^ 2", "-4"),
            ("2 ^ -2", "0.25"),
            ("10 % 4", "2"),
            ("7 / 2", "3.5"),
            ("--5", "5"),
            ("1_000 × 2 − 1", "1999"),
            ("round(3 * 19.99 / 1.19, 2)", "50.39"),
            ("round(2.5)", "3"),
            ("max(1, 7, 3) + min(2; 1)", "8"),
            ("sqrt(16) + abs(-1) + floor(1.9) + ceil(1.1)", "8"),
            ("1.10 + 1.10", "2.2"),
            (".5", "0.5"),
        ];
        for (expression, result) in cases {
            assert_eq!(evaluate(expression).unwrap().to_string(), result, "{expression}");
        }
    }

    #[test]
    fn an_error_has_its_column() {
        let cases = [
            ("", "expected a number, but the expression ends at column 1"),
            ("2 +", "expected a number, but the expression ends at column 4"),
            ("2 + * 3", "expected a number, found `*` at column 5"),
            ("(2 + 3", "expected `)`, but the expression ends at column 7"),
            ("2 3", "expected an operator, found `3` at column 3"),
            ("1,000 + 1", "expected an operator, found `,` at column 2"),
            ("5 / (3 - 3)", "division by zero at column 3"),
            ("1.2.3", "`1.2.3` is not a number of at most 28 digits at column 1"),
            ("2 * price", "`price` is neither a number nor a function at column 5"),
            (
                "sin(1)",
                "there is no function `sin`; there are abs, ceil, floor, max, min, round and sqrt at column 1",
            ),
            ("sqrt(1, 2)", "`sqrt` does not take 2 numbers at column 1"),
            ("sqrt(-1)", "`sqrt` of a negative number at column 1"),
            ("round(1, 0.5)", "`round` takes 0 to 28 digits, not 0.5 at column 1"),
            ("2 ^ 0.5", "a power must be a whole number up to 1000 at column 3"),
            ("9 ^ 999", "the result is too large at column 3"),
        ];
        for (expression, message) in cases {
            assert_eq!(evaluate(expression).unwrap_err().message(), message, "{expression}");
        }
        assert!(evaluate("1,000").unwrap_err().help().is_some());
    }

    #[test]
    fn depth_and_length_are_bounded() {
        for expression in ["(".repeat(9_999), "2^".repeat(4_999), "-".repeat(9_999), "1+".repeat(6_000)] {
            assert!(evaluate(&expression).is_err());
        }
        assert_eq!(evaluate(&format!("{}1", "1+".repeat(4_999))).unwrap(), Decimal::from(5_000));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in ".{0,80}") {
            let _ = evaluate(&text);
        }

        #[test]
        fn no_expression_panics(text in "[0-9+*/%^()., a-z-]{0,60}") {
            let _ = evaluate(&text);
        }
    }
}
