//! Numbers of payment cards, with their checksum.

use super::hit::Hit;
use super::pattern::is_word;

/// The most digits of a number.
const LONGEST: usize = 19;

pub(super) fn find(text: &str) -> Vec<Hit> {
    let (mut hits, mut before, mut over) = (Vec::new(), None, 0);
    for (start, c) in text.char_indices() {
        let begins = c.is_ascii_digit() && start >= over && !before.is_some_and(is_word);
        before = Some(c);
        if let Some(end) = begins.then(|| end_of(text.get(start..)?)).flatten() {
            over = start + end;
            hits.push(Hit::new("card", 0.95, start..over, "the number of a payment card"));
        }
    }
    hits
}

/// Where the number ends that the text begins with, if it does.
fn end_of(text: &str) -> Option<usize> {
    let (mut digits, mut was_space, mut found) = (Vec::with_capacity(LONGEST), true, None);
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        match c.to_digit(10) {
            Some(digit) if digits.len() < LONGEST => {
                digits.push(digit);
                was_space = false;
                let goes_on = chars.peek().is_some_and(|(_, c)| is_word(*c));
                if !goes_on && is_issued(&digits) && is_right(&digits) {
                    found = Some(at + 1);
                }
            }
            None if matches!(c, ' ' | '-' | '.') && !was_space => was_space = true,
            _ => break,
        }
    }
    found
}

/// Whether somebody issues numbers of this length that begin so.
fn is_issued(digits: &[u32]) -> bool {
    let first = |many: usize| digits.iter().take(many).fold(0, |number, digit| number * 10 + digit);
    matches!(
        (digits.len(), first(1), first(2), first(4)),
        (13 | 16 | 19, 4, ..)
            | (16, _, 51..=55, _)
            | (16, _, _, 2221..=2720)
            | (15, _, 34 | 37, _)
            | (14, _, 36 | 38 | 39, _)
            | (14, _, _, 3000..=3059)
            | (16..=19, _, _, 3528..=3589 | 6011)
            | (16..=19, _, 62 | 64 | 65, _)
            | (13..=19, _, 50 | 56..=69, _)
    )
}

/// Whether the checksum of Luhn is right, and not by being all the same digit.
fn is_right(digits: &[u32]) -> bool {
    let weighed = digits.iter().rev().enumerate().map(|(place, digit)| match (place % 2, digit * 2) {
        (0, _) => *digit,
        (_, double) if double > 9 => double - 9,
        (_, double) => double,
    });
    weighed.sum::<u32>() % 10 == 0 && digits.iter().any(|digit| Some(digit) != digits.first())
}
