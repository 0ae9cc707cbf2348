//! Marks: the words at the beginnings of lines that say what follows.

/// What stands before what a tool has returned.
pub(super) const OBSERVATION: &str = "Observation:";

/// What follows in a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mark {
    Thought,
    Action,
    Input,
    Observation,
    Answer,
}

/// What a line begins with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Found {
    /// This mark, of so many bytes.
    Mark(Mark, usize),
    /// No mark.
    None,
    /// More of the line must be seen.
    More,
}

const WORDS: [(&str, Mark); 5] = [
    ("thought", Mark::Thought),
    ("action input", Mark::Input),
    ("action", Mark::Action),
    ("observation", Mark::Observation),
    ("final answer", Mark::Answer),
];

/// How many spaces and signs of Markdown may stand before a mark, and within it.
const MOST_SIGNS: usize = 8;

/// Finds the mark at the beginning of a line, of which this is the first part; `is_all` says that there is no more of it.
pub(super) fn find(line: &str, is_all: bool) -> Found {
    let body = line.trim_start_matches([' ', '\t', '*', '#', '_']);
    let signs = line.len() - body.len();
    if signs > MOST_SIGNS {
        return Found::None;
    }
    let found = WORDS.map(|(word, mark)| match after(body, word) {
        After::No => Found::None,
        After::More if is_all => Found::None,
        After::More => Found::More,
        After::Yes(rest) => {
            let closing = rest.len() - rest.trim_start_matches(['*', '_']).len();
            let closing = closing.min(signs);
            match rest.len() == closing && closing < signs && !is_all {
                true => Found::More,
                false => Found::Mark(mark, line.len() - rest.len() + closing),
            }
        }
    });
    let is_mark = |found: &&Found| matches!(found, Found::Mark(..));
    let first = found.iter().find(is_mark).or_else(|| found.iter().find(|found| **found == Found::More));
    first.copied().unwrap_or(Found::None)
}

enum After<'a> {
    /// The word and its colon are there, and this behind them.
    Yes(&'a str),
    More,
    No,
}

fn after<'a>(body: &'a str, word: &str) -> After<'a> {
    let shared = body.bytes().zip(word.bytes()).take_while(|(a, b)| a.eq_ignore_ascii_case(b)).count();
    if shared < word.len() {
        return if shared == body.len() { After::More } else { After::No };
    }
    let behind = body.get(shared..).unwrap_or_default();
    let rest = behind.trim_start_matches(['*', '_', ' ']);
    if behind.len() - rest.len() > MOST_SIGNS {
        return After::No;
    }
    match rest.strip_prefix(':') {
        Some(rest) => After::Yes(rest),
        None if rest.is_empty() => After::More,
        None => After::No,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_are_found_however_they_are_written() {
        let whole = |line| find(line, true);
        assert_eq!(whole("Action: x"), Found::Mark(Mark::Action, 7));
        assert_eq!(whole("action input: x"), Found::Mark(Mark::Input, 13));
        assert_eq!(whole("**Final Answer:** x"), Found::Mark(Mark::Answer, 17));
        assert_eq!(whole("**Thought**: x"), Found::Mark(Mark::Thought, 12));
        assert_eq!(whole("Final Answer:* a list"), Found::Mark(Mark::Answer, 13));
        for line in ["Actions: x", "Action x", "The action: x", "          Action: x", "", "Ärger"] {
            assert_eq!(whole(line), Found::None, "{line}");
        }
    }

    #[test]
    fn half_a_mark_waits_for_the_rest() {
        for line in ["", "Act", "action", "Action In", "  Fin", "**Thought:"] {
            assert_eq!(find(line, false), Found::More, "{line}");
        }
        assert_eq!(find("Action:", false), Found::Mark(Mark::Action, 7));
        assert_eq!(find("Actor", false), Found::None);
    }
}
