//! Finds the term that was meant by one that no tool has: by the pairs of letters that both have.

use std::collections::HashMap;

/// The shortest term that is looked for: of shorter ones too many are alike.
const SHORTEST: usize = 4;
/// How alike two terms must be: the share of pairs that both have.
const ALIKE: f64 = 0.55;
/// How many terms may have been meant.
const MOST: usize = 3;

/// The terms of all tools by the pairs of letters in them.
#[derive(Debug, Default)]
pub(super) struct Spelling {
    pairs: HashMap<[char; 2], Vec<u32>>,
    /// How many pairs each term has.
    lengths: Vec<u32>,
}

impl Spelling {
    /// Adds the next term; they are numbered in the order in which they are added.
    pub(super) fn add(&mut self, term: &str) {
        let number = u32::try_from(self.lengths.len()).unwrap_or(u32::MAX);
        let pairs = pairs(term);
        self.lengths.push(u32::try_from(pairs.len()).unwrap_or(u32::MAX));
        for pair in pairs {
            self.pairs.entry(pair).or_default().push(number);
        }
    }

    /// The terms that may have been meant, by their numbers, the most alike first, each with how alike it is, from 0 to 1.
    pub(super) fn meant(&self, term: &str) -> Vec<(u32, f64)> {
        if term.chars().count() < SHORTEST {
            return Vec::new();
        }
        let wanted = pairs(term);
        let mut shared = vec![0u32; self.lengths.len()];
        for number in wanted.iter().filter_map(|pair| self.pairs.get(pair)).flatten() {
            if let Some(count) = shared.get_mut(*number as usize) {
                *count += 1;
            }
        }
        let alike = |(number, (shared, length)): (u32, (&u32, &u32))| {
            (number, 2.0 * f64::from(*shared) / (f64::from(*length) + wanted.len() as f64))
        };
        let all = (0..).zip(shared.iter().zip(&self.lengths));
        let mut found: Vec<(u32, f64)> = all.map(alike).filter(|(_, share)| *share >= ALIKE).collect();
        found.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        found.truncate(MOST);
        found
    }
}

/// The different pairs of neighbouring letters, with the edges of the word.
fn pairs(term: &str) -> Vec<[char; 2]> {
    let letters: Vec<char> = std::iter::once(' ').chain(term.chars()).chain([' ']).collect();
    let mut pairs: Vec<[char; 2]> =
        letters.windows(2).filter_map(|pair| <[char; 2]>::try_from(pair).ok()).collect();
    pairs.sort_unstable();
    pairs.dedup();
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_are_forgiven_and_other_words_are_not() {
        let terms = ["weather", "whether", "ticket", "calendar", "currenc", "order"];
        let mut spelling = Spelling::default();
        terms.iter().for_each(|term| spelling.add(term));
        for (typed, meant) in [
            ("wether", Some("whether")),
            ("weahter", Some("weather")),
            ("tiket", Some("ticket")),
            ("calender", Some("calendar")),
            ("curenc", Some("currenc")),
            ("border", Some("order")),
            ("invoice", None),
            ("tic", None),
        ] {
            let found = spelling.meant(typed).first().map(|(number, _)| terms[*number as usize]);
            assert_eq!(found, meant, "{typed}");
        }
    }
}
