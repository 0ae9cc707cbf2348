//! "Did you mean".

/// Words longer than this are not compared: nobody mistypes them by a letter.
const LONGEST: usize = 64;

/// The candidate that was probably meant by a word that is not among them; none when nothing is near. Of several that are
/// equally near it is the first by name, in whatever order they come.
///
/// Near is a third of the letters changed at most, where a letter that is missing, added or replaced, and two that
/// swapped places, count one each. A word that a candidate begins with, or the reverse, is near too.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let typed = letters(word)?;
    let scored = candidates.into_iter().filter_map(|candidate| {
        let meant = letters(candidate)?;
        let (short, long) = if typed.len() < meant.len() { (&typed, &meant) } else { (&meant, &typed) };
        let changes = distance(&typed, &meant);
        let is_near = changes <= (long.len() / 3).max(1) || (short.len() >= 3 && long.starts_with(short));
        is_near.then_some((changes, candidate))
    });
    scored.min().map(|(_, candidate)| candidate)
}

/// The letters that count: case and the way words are joined are no mistake worth a distance.
fn letters(word: &str) -> Option<Vec<char>> {
    let letters: Vec<char> = word
        .chars()
        .take(LONGEST + 1)
        .map(|c| if c == '-' { '_' } else { c })
        .flat_map(char::to_lowercase)
        .collect();
    (!letters.is_empty() && letters.len() <= LONGEST).then_some(letters)
}

/// The optimal string alignment distance (Damerau-Levenshtein without edits between swapped letters).
fn distance(a: &[char], b: &[char]) -> usize {
    let mut before: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, &letter_a) in a.iter().enumerate() {
        let mut line = Vec::with_capacity(b.len() + 1);
        line.push(row + 1);
        let mut previous_b = None;
        for (column, &letter_b) in b.iter().enumerate() {
            let at = |line: &[usize], index: usize| line.get(index).copied().unwrap_or(usize::MAX / 2);
            let replaced = at(&last, column) + usize::from(letter_a != letter_b);
            let mut best = replaced.min(at(&last, column + 1) + 1).min(at(&line, column) + 1);
            if column > 0 && previous_a == Some(letter_b) && previous_b == Some(letter_a) {
                best = best.min(at(&before, column - 1) + 1);
            }
            line.push(best);
            previous_b = Some(letter_b);
        }
        previous_a = Some(letter_a);
        before = std::mem::replace(&mut last, line);
    }
    last.last().copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_words_are_found() {
        let keys = ["model", "tools", "limits", "max_output_tokens", "instructions"];
        let cases = [
            ("modle", Some("model")),
            ("Tools", Some("tools")),
            ("tool", Some("tools")),
            ("max-output-tokens", Some("max_output_tokens")),
            ("max_tokens_output", None),
            ("instruct", Some("instructions")),
            ("weather", None),
            ("", None),
        ];
        for (typed, meant) in cases {
            assert_eq!(nearest(typed, keys), meant, "{typed}");
        }
        assert_eq!(nearest(&"x".repeat(1_000_000), keys), None);
    }

    #[test]
    fn of_words_that_are_equally_near_the_first_by_name_is_meant() {
        for keys in [["read_b", "read_a", "read_c"], ["read_c", "read_a", "read_b"]] {
            assert_eq!(nearest("read_x", keys), Some("read_a"));
        }
    }
}
