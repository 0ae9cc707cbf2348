//! Amounts as people read them.

use std::time::Duration;

use adjutant_core::time::{Timestamp, format_duration};
use jiff::tz::TimeZone;

/// A size: `312 B`, `4.2 kB`, `1.3 MB`.
pub(crate) fn bytes(size: usize) -> String {
    let mut tenths = size as u128 * 10;
    for unit in ["B", "kB", "MB", "GB"] {
        if tenths < 10_000 || unit == "GB" {
            let whole = unit == "B" || tenths >= 1_000;
            return if whole {
                format!("{} {unit}", tenths / 10)
            } else {
                format!("{}.{} {unit}", tenths / 10, tenths % 10)
            };
        }
        tenths /= 1_000;
    }
    size.to_string()
}

/// A number and what it counts: `1 step`, `2 steps`, `12,345 tokens`.
pub(crate) fn count(number: u64, thing: &str) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    format!("{grouped} {thing}{}", if number == 1 { "" } else { "s" })
}

/// How long something took: whole milliseconds below ten seconds, whole seconds above.
pub(crate) fn duration(duration: Duration) -> String {
    if duration.is_zero() {
        return "0ms".to_owned();
    }
    let rounded = if duration.as_secs() < 10 { duration } else { Duration::from_secs(duration.as_secs()) };
    format_duration(rounded)
}

/// A moment in the local time zone, to the second.
pub(crate) fn local_time(at: Timestamp) -> String {
    match jiff::Timestamp::from_millisecond(at.0) {
        Ok(moment) => moment.to_zoned(TimeZone::system()).strftime("%Y-%m-%d %H:%M:%S").to_string(),
        Err(_) => format!("{} ms", at.0),
    }
}

/// The first line that says something, cut to a length in characters.
pub(crate) fn first_line(text: &str, longest: usize) -> String {
    let mut lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    let line = lines.next().unwrap_or_default();
    let short: String = line.chars().take(longest).collect();
    if short.len() < line.len() || lines.next().is_some() { format!("{short}...") } else { short }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_short() {
        for (size, expected) in
            [(0, "0 B"), (999, "999 B"), (4_200, "4.2 kB"), (123_456, "123 kB"), (1_300_000, "1.3 MB")]
        {
            assert_eq!(bytes(size), expected);
        }
        for (number, expected) in
            [(1, "1 step"), (0, "0 steps"), (12_345, "12,345 steps"), (1_234_567, "1,234,567 steps")]
        {
            assert_eq!(count(number, "step"), expected);
        }
        assert_eq!(duration(Duration::from_millis(12_345)), "12s");
        assert_eq!(duration(Duration::from_millis(345)), "345ms");
    }

    #[test]
    fn a_long_text_is_cut_to_its_first_line() {
        assert_eq!(first_line("\n one\n", 10), "one");
        assert_eq!(first_line("one\ntwo", 10), "one...");
        assert_eq!(first_line("abcdef", 3), "abc...");
    }
}
