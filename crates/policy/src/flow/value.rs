//! [`Kind`]: what kind of thing a value is, which says how it is recognised.

use serde_json::Value;

use super::text::spaced;

/// What kind of thing a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    Email,
    Url,
    /// An account: two letters, two digits, and more of both.
    Iban,
    Path,
    Date,
    Number,
    /// A token that is long and mixed enough not to stand anywhere by chance.
    Code,
    /// A few words.
    Name,
    Text,
    Flag,
}

/// A value as it is compared.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Leaf {
    pub(super) kind: Kind,
    /// In the composed form of Unicode; a number in one way of writing it; an account without its spaces.
    pub(super) exact: String,
    /// The same in small letters.
    pub(super) folded: String,
}

impl Leaf {
    /// A text, a number or a truth value; none for what holds others, and for nothing.
    pub(super) fn of(value: &Value) -> Option<Self> {
        let (kind, exact) = match value {
            Value::String(text) => {
                let text = spaced(text);
                (kind(&text), text)
            }
            Value::Number(number) => (Kind::Number, number.to_string()),
            Value::Bool(flag) => (Kind::Flag, flag.to_string()),
            Value::Null | Value::Array(_) | Value::Object(_) => return None,
        };
        let exact = match kind {
            Kind::Number => number(&exact).unwrap_or(exact),
            Kind::Iban => compact(&exact).to_uppercase(),
            _ => exact,
        };
        Some(Self { kind, folded: exact.to_lowercase(), exact })
    }

    /// Whether a value of this kind tells so much that it is nowhere by chance.
    pub(super) fn is_telling(&self) -> bool {
        match self.kind {
            Kind::Email | Kind::Url | Kind::Iban | Kind::Path | Kind::Code => true,
            Kind::Number => self.exact.bytes().filter(u8::is_ascii_digit).count() >= 7,
            Kind::Text => self.exact.len() >= 16,
            Kind::Date | Kind::Name | Kind::Flag => false,
        }
    }

    /// The same thing: by the case of its letters only where that says anything.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        match self.kind {
            Kind::Path | Kind::Code | Kind::Url => self.exact == other.exact,
            _ => self.folded == other.folded,
        }
    }
}

fn kind(text: &str) -> Kind {
    let has_space = text.contains(' ');
    let digits = text.bytes().filter(u8::is_ascii_digit).count();
    let letters = text.chars().filter(|c| c.is_alphabetic()).count();
    if is_email(text) {
        Kind::Email
    } else if !has_space && text.contains("://") {
        Kind::Url
    } else if is_iban(text) {
        Kind::Iban
    } else if is_date(text) {
        Kind::Date
    } else if number(text).is_some() {
        Kind::Number
    } else if !has_space && is_path(text) {
        Kind::Path
    } else if !has_space && text.len() >= 6 && digits >= 2 && (letters >= 1 || digits >= 8) {
        Kind::Code
    } else if text.len() <= 64 && text.split(' ').count() <= 5 && !text.contains(['.', '!', '?', ':', ';']) {
        Kind::Name
    } else {
        Kind::Text
    }
}

fn is_email(text: &str) -> bool {
    match text.split_once('@') {
        Some((local, domain)) => {
            let is_fit = |c: char| c.is_alphanumeric() || "._%+-".contains(c);
            !local.is_empty()
                && domain.contains('.')
                && local.chars().all(is_fit)
                && domain.chars().all(|c| c.is_alphanumeric() || ".-".contains(c))
        }
        None => false,
    }
}

fn is_path(text: &str) -> bool {
    let extension = text.rsplit_once('.').map(|(stem, end)| (stem, end.len()));
    text.contains(['/', '\\']) || matches!(extension, Some((stem, 1..=5)) if !stem.is_empty())
}

/// Whether a text could be an account; its check digits are nobody's business here.
pub(super) fn is_iban(text: &str) -> bool {
    let compact = compact(text);
    let bytes = compact.as_bytes();
    let is = |range: std::ops::Range<usize>, fit: fn(&u8) -> bool| {
        bytes.get(range).is_some_and(|part| part.iter().all(fit))
    };
    (15..=34).contains(&bytes.len())
        && is(0..2, u8::is_ascii_alphabetic)
        && is(2..4, u8::is_ascii_digit)
        && is(4..bytes.len(), u8::is_ascii_alphanumeric)
        && bytes.iter().filter(|byte| byte.is_ascii_digit()).count() >= 8
}

/// An account without its spaces.
pub(super) fn compact(text: &str) -> String {
    text.chars().filter(|c| !c.is_whitespace()).collect()
}

/// Whether a text begins with a date as ISO 8601 writes it, and goes on with a time at most.
pub(super) fn is_date(text: &str) -> bool {
    date(text).is_some()
}

/// The date and the time of day (`10:00`) of a text in the form of ISO 8601.
pub(super) fn date(text: &str) -> Option<((u16, u8, u8), Option<String>)> {
    let (day, rest) = (text.get(..10)?, text.get(10..)?);
    let mut parts = day.split('-');
    let (year, month, date) = (parts.next()?, parts.next()?, parts.next()?);
    let whole = year.len() == 4 && month.len() == 2 && date.len() == 2;
    let day = (year.parse().ok()?, month.parse().ok()?, date.parse().ok()?);
    if !whole || !(1..=12).contains(&day.1) || !(1..=31).contains(&day.2) {
        return None;
    }
    if rest.is_empty() {
        return Some((day, None));
    }
    let time = rest.strip_prefix(['T', 't', ' '])?;
    let (hour, minute) = (time.get(..2)?, time.get(3..5)?);
    let is_time = time.get(2..3) == Some(":") && [hour, minute].iter().all(|part| part.parse::<u8>().is_ok());
    let tail = time.get(5..)?;
    let is_tail = tail.chars().all(|c| c.is_ascii_digit() || ":.+-Zz".contains(c));
    (is_time && is_tail).then(|| (day, Some(format!("{hour}:{minute}"))))
}

/// A number in one way of writing it: without signs between its digits, without zeros that say nothing. `1,250.00`,
/// `1.250,00` and `1250` are the same; `1,250` is a thousand and more, as is `1,250,000`, and `1.25` and `1,25` are not.
pub(super) fn number(text: &str) -> Option<String> {
    let (sign, body) = text.strip_prefix('-').map_or(("", text), |body| ("-", body));
    let is_fit = |c: char| c.is_ascii_digit() || c == '.' || c == ',';
    if body.is_empty() || !body.chars().all(is_fit) || !body.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let (dots, commas) = (body.matches('.').count(), body.matches(',').count());
    let point = match (dots, commas) {
        (0, 0) => None,
        (1, 0) => Some('.'),
        (0, 1) => (!is_grouped(body, ',')).then_some(','),
        (0, _) => None,
        (_, 0) => None,
        _ => match (body.rfind('.'), body.rfind(',')) {
            (Some(dot), Some(comma)) if dot > comma && dots == 1 => Some('.'),
            (Some(dot), Some(comma)) if dot < comma && commas == 1 => Some(','),
            _ => return None,
        },
    };
    let (whole, part) = point.and_then(|point| body.rsplit_once(point)).unwrap_or((body, ""));
    let separator = if point == Some(',') { '.' } else { ',' };
    let separator = if point.is_none() && dots > 0 { '.' } else { separator };
    if whole.contains(separator) && !is_grouped(whole, separator) {
        return None;
    }
    let whole: String = whole.chars().filter(char::is_ascii_digit).collect();
    if !part.chars().all(|c| c.is_ascii_digit()) {
        return None;
    }
    let (whole, part) = (whole.trim_start_matches('0'), part.trim_end_matches('0'));
    let whole = if whole.is_empty() { "0" } else { whole };
    let sign = if whole == "0" && part.is_empty() { "" } else { sign };
    Some(if part.is_empty() { format!("{sign}{whole}") } else { format!("{sign}{whole}.{part}") })
}

/// Whether digits stand in groups of three.
fn is_grouped(text: &str, separator: char) -> bool {
    let mut groups = text.split(separator);
    let first = groups.next().map_or(0, str::len);
    (1..=3).contains(&first)
        && groups.all(|group| group.len() == 3 && group.bytes().all(|byte| byte.is_ascii_digit()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_are_told_apart() {
        for (text, expected) in [
            ("ann@example.org", Kind::Email),
            ("ann@localhost", Kind::Name),
            ("https://a.org/b?c=d", Kind::Url),
            ("DE89 3704 0044 0532 0130 00", Kind::Iban),
            ("2024-05-15", Kind::Date),
            ("2024-05-15T10:00:00Z", Kind::Date),
            ("1,250.00", Kind::Number),
            ("notes.md", Kind::Path),
            ("a/b", Kind::Path),
            ("INV-2041", Kind::Code),
            ("Alice Smith", Kind::Name),
            ("a long text that says something", Kind::Text),
        ] {
            assert_eq!(kind(text), expected, "{text}");
        }
    }

    #[test]
    fn numbers_are_written_in_one_way() {
        for (text, expected) in [
            ("1250", Some("1250")),
            ("1,250", Some("1250")),
            ("1,250.00", Some("1250")),
            ("1.250,00", Some("1250")),
            ("1,250,000", Some("1250000")),
            ("1.250.000", Some("1250000")),
            ("1.25", Some("1.25")),
            ("1,25", Some("1.25")),
            ("007", Some("7")),
            ("-0.0", Some("0")),
            ("-3.10", Some("-3.1")),
            ("1,2,3", None),
            ("1.2.3", None),
            ("12,34.5", None),
            ("a1", None),
            ("", None),
        ] {
            assert_eq!(number(text).as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn dates_have_a_time_at_most() {
        assert_eq!(date("2024-05-15"), Some(((2024, 5, 15), None)));
        assert_eq!(date("2024-05-15 10:00"), Some(((2024, 5, 15), Some("10:00".into()))));
        assert_eq!(date("2024-05-15T10:00:00+02:00"), Some(((2024, 5, 15), Some("10:00".into()))));
        for text in ["2024-5-15", "2024-13-01", "2024-05-15 or so", "2024-05-15T10", "20é4-05-15x"] {
            assert_eq!(date(text), None, "{text}");
        }
    }
}
