//! International numbers of bank accounts, with their checksum (ISO 13616).

use super::hit::Hit;
use super::pattern::is_word;

/// How long the number of each country is, in characters: the register of SWIFT, as of 2025.
const LENGTHS: &[(&str, usize)] = &[
    ("AD", 24),
    ("AE", 23),
    ("AL", 28),
    ("AT", 20),
    ("AZ", 28),
    ("BA", 20),
    ("BE", 16),
    ("BG", 22),
    ("BH", 22),
    ("BI", 27),
    ("BR", 29),
    ("BY", 28),
    ("CH", 21),
    ("CR", 22),
    ("CY", 28),
    ("CZ", 24),
    ("DE", 22),
    ("DJ", 27),
    ("DK", 18),
    ("DO", 28),
    ("EE", 20),
    ("EG", 29),
    ("ES", 24),
    ("FI", 18),
    ("FK", 18),
    ("FO", 18),
    ("FR", 27),
    ("GB", 22),
    ("GE", 22),
    ("GI", 23),
    ("GL", 18),
    ("GR", 27),
    ("GT", 28),
    ("HR", 21),
    ("HU", 28),
    ("IE", 22),
    ("IL", 23),
    ("IQ", 23),
    ("IS", 26),
    ("IT", 27),
    ("JO", 30),
    ("KW", 30),
    ("KZ", 20),
    ("LB", 28),
    ("LC", 32),
    ("LI", 21),
    ("LT", 20),
    ("LU", 20),
    ("LV", 21),
    ("LY", 25),
    ("MC", 27),
    ("MD", 24),
    ("ME", 22),
    ("MK", 19),
    ("MN", 20),
    ("MR", 27),
    ("MT", 31),
    ("MU", 30),
    ("NI", 28),
    ("NL", 18),
    ("NO", 15),
    ("OM", 23),
    ("PK", 24),
    ("PL", 28),
    ("PS", 29),
    ("PT", 25),
    ("QA", 29),
    ("RO", 24),
    ("RS", 22),
    ("RU", 33),
    ("SA", 24),
    ("SC", 31),
    ("SD", 18),
    ("SE", 24),
    ("SI", 19),
    ("SK", 24),
    ("SM", 27),
    ("SO", 23),
    ("ST", 25),
    ("SV", 28),
    ("TL", 23),
    ("TN", 24),
    ("TR", 26),
    ("UA", 29),
    ("VA", 22),
    ("VG", 24),
    ("XK", 20),
    ("YE", 30),
];

pub(super) fn find(text: &str) -> Vec<Hit> {
    let (mut hits, mut before, mut over) = (Vec::new(), None, 0);
    for (start, c) in text.char_indices() {
        let begins = c.is_ascii_alphabetic() && start >= over && !before.is_some_and(is_word);
        before = Some(c);
        if let Some(end) = begins.then(|| end_of(text.get(start..)?)).flatten() {
            over = start + end;
            hits.push(Hit::new("iban", 0.99, start..over, "an IBAN with a right checksum"));
        }
    }
    hits
}

/// Where the number ends that the text begins with, if it does.
fn end_of(text: &str) -> Option<usize> {
    let country = text.get(..2)?.to_ascii_uppercase();
    let length = LENGTHS.iter().find(|(name, _)| *name == country)?.1;
    let (mut number, mut end, mut was_space) = (String::with_capacity(length), 0, true);
    let mut chars = text.char_indices();
    while number.len() < length {
        let (at, c) = chars.next()?;
        match c {
            c if c.is_ascii_alphanumeric() => {
                number.push(c.to_ascii_uppercase());
                (end, was_space) = (at + 1, false);
            }
            ' ' | '-' | '.' if !was_space => was_space = true,
            _ => return None,
        }
    }
    let goes_on = chars.next().is_some_and(|(_, c)| is_word(c));
    (!goes_on && is_right(&number)).then_some(end)
}

/// Whether the number, its first four characters put at its end and letters read as 10 to 35, is 1 modulo 97.
fn is_right(number: &str) -> bool {
    let Some((head, tail)) = number.split_at_checked(4) else { return false };
    let mut digits = tail.chars().chain(head.chars()).map(|c| c.to_digit(36));
    let rest = digits.try_fold(0, |rest: u32, digit| {
        let digit = digit?;
        Some((rest * if digit > 9 { 100 } else { 10 } + digit) % 97)
    });
    rest == Some(1)
}
