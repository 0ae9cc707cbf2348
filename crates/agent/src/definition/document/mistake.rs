//! What is wrong with a text that is no YAML, in words.

use super::node::Place;

/// What the parser says where a key stands within a value.
const SECOND_COLON: &str = "mapping values are not allowed";
/// What it says where a bracket may lack its end.
const WITHIN_BRACKETS: [&str; 2] = ["illegal placement of ':'", "did not find expected ',' or"];
const OPEN: &str = "the bracket that begins here has no end";

/// What is wrong, where the parser stopped at `place` and `said` why. It stops where it understands no more; what must
/// be mended is often before that.
pub(super) fn mistakes(text: &str, place: Place, said: &str) -> Vec<(Place, String)> {
    let line = text.lines().nth(place.line.saturating_sub(1)).unwrap_or_default();
    let before: String = line.chars().take(place.column.saturating_sub(1)).collect();
    if said.contains(SECOND_COLON) && line.starts_with(' ') && !before.contains([':', '[', '{', '"']) {
        let message = "this line is indented more than the key above it, which has a value already";
        let begin = Place { line: place.line, column: indentation(line) + 1 };
        let open = open_bracket(text, place.line, usize::MAX).map(|open| (open, OPEN.to_owned()));
        return std::iter::once((begin, message.to_owned())).chain(open).collect();
    }
    let open =
        WITHIN_BRACKETS.iter().any(|mark| said.contains(mark)).then(|| open_bracket(text, 1, place.line));
    if let Some(open) = open.flatten() {
        let opening = text.lines().nth(open.line.saturating_sub(1)).unwrap_or_default();
        // What stands in a bracket is indented more than the key whose value the bracket is.
        if open.line < place.line && indentation(line) <= indentation(opening) {
            return vec![(open, OPEN.to_owned())];
        }
    }
    vec![(place, in_words(said))]
}

fn indentation(line: &str) -> usize {
    line.chars().take_while(|c| *c == ' ').count()
}

/// The last bracket that begins in the lines from `first` on and is not closed before the line `end`.
fn open_bracket(text: &str, first: usize, end: usize) -> Option<Place> {
    let mut open = Vec::new();
    let mut quote = None;
    for (line, content) in text.lines().enumerate().map(|(index, content)| (index + 1, content)) {
        if line < first || line >= end {
            continue;
        }
        // The last character that is no blank says whether a value begins here.
        let (mut last, mut previous) = ('-', ' ');
        for (index, c) in content.chars().enumerate() {
            let begins = matches!(last, ':' | '-' | ',' | '[' | '{');
            match (quote, c) {
                (Some(mark), c) if c == mark && previous != '\\' => quote = None,
                (Some(_), _) => {}
                (None, '#') if previous == ' ' => break,
                (None, '"' | '\'') if begins => quote = Some(c),
                (None, '[' | '{') if begins || !open.is_empty() => {
                    open.push(Place { line, column: index + 1 });
                }
                (None, ']' | '}') => {
                    open.pop();
                }
                (None, _) => {}
            }
            previous = c;
            if !c.is_whitespace() {
                last = c;
            }
        }
    }
    open.pop()
}

/// What the parser says of the mistakes that people make, and what it means.
const WORDS: [(&str, &str); 17] = [
    ("illegal placement of ':'", "a bracket or a quote before this is not closed, or a `:` is one too many"),
    (SECOND_COLON, "a `:` stands within a value: put the value into quotes"),
    ("multiline quoted scalar", "a quote before this has no end"),
    ("unclosed quote", "the quote that begins here has no end"),
    ("unclosed bracket", OPEN),
    ("misplaced bracket", "this bracket closes none"),
    ("unknown anchor", "`*` refers to nothing: put a text that begins with it into quotes"),
    ("expected string scalar", "a key must be a text"),
    ("tabs disallowed", "a tab cannot indent: use blanks"),
    ("did not find expected '-'", "this line stands in a list and does not begin with `-`"),
    ("unexpected character", "a value cannot begin with this character: put it into quotes"),
    ("invalid trailing content", "something stands after the closing quote"),
    ("expected <document start>", "this line is indented less than the first"),
    ("while scanning a block scalar", "the text after `|` or `>` begins on the next line"),
    ("did not find expected ',' or", "a comma or a closing bracket is missing before this"),
    ("did not find expected key", "this line is indented otherwise than those around it"),
    ("unknown escape character", "the escape is not known: write `\\\\` for `\\`, or use single quotes"),
];

fn in_words(text: &str) -> String {
    if let Some((_, key)) = text.split_once("duplicate mapping key: ") {
        let key = key.split_once(", set ").map_or(key, |(key, _)| key);
        return format!("the key `{key}` stands twice");
    }
    let known = WORDS.iter().find(|(said, _)| text.contains(said));
    known.map_or(text, |(_, meant)| meant).to_owned()
}
