//! What kind of line a line is, from its beginning.

use super::super::style::Style;

/// What a line is.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Block {
    /// The first line of a code block, which this mark ends.
    Fence(&'static str),
    /// A row of a table.
    Row,
    /// A line across.
    Rule,
    /// An empty line.
    Blank,
    /// Words.
    Text {
        /// What is shown in front of them.
        mark: String,
        /// How many bytes stand for the mark.
        skip: usize,
        /// How far further lines are set in.
        indent: usize,
        /// How all of it looks.
        style: Style,
    },
}

impl Block {
    /// Looks at the text that begins a line. It holds the whole line, or enough of it to tell.
    pub(super) fn of(text: &str) -> Self {
        let line = text.lines().next().unwrap_or_default();
        let body = line.trim_start();
        let set_in = line.len() - body.len();
        if body.is_empty() {
            return Self::Blank;
        }
        for mark in ["```", "~~~"] {
            if body.starts_with(mark) {
                return Self::Fence(mark);
            }
        }
        if body.starts_with('|') {
            return Self::Row;
        }
        let first = body.chars().next().unwrap_or_default();
        if matches!(first, '-' | '*' | '_') && body.len() >= 3 && body.chars().all(|c| c == first) {
            return Self::Rule;
        }
        let hashes = body.bytes().take_while(|byte| *byte == b'#').count();
        if (1..=6).contains(&hashes) && body.as_bytes().get(hashes) == Some(&b' ') {
            return Self::Text {
                mark: String::new(),
                skip: set_in + hashes + 1,
                indent: 0,
                style: Style::Bold,
            };
        }
        let marker = item_marker(body);
        let mark = format!("{}{}", " ".repeat(set_in.min(12)), body.get(..marker).unwrap_or_default());
        let style = if body.starts_with('>') { Style::Dim } else { Style::Plain };
        Self::Text { indent: mark.chars().count(), mark, skip: set_in + marker, style }
    }

    /// Whether nothing of the line can be shown before all of it is there.
    pub(super) fn needs_whole_line(&self) -> bool {
        !matches!(self, Self::Text { .. }) || matches!(self, Self::Text { mark, .. } if mark.len() > 24)
    }
}

/// The length of `- `, `12. ` or `> ` at the beginning; 0 where there is none.
fn item_marker(body: &str) -> usize {
    let digits = body.bytes().take_while(u8::is_ascii_digit).count();
    let end = match digits {
        0 if body.starts_with(['-', '*', '+', '>']) => 1,
        1..=4 if body.get(digits..).is_some_and(|rest| rest.starts_with(['.', ')'])) => digits + 1,
        _ => return 0,
    };
    if body.as_bytes().get(end) == Some(&b' ') { end + 1 } else { 0 }
}

/// The cells of a row; none for the row that only separates the head.
pub(super) fn cells(row: &str) -> Option<Vec<String>> {
    let inner = row.trim().trim_matches('|');
    let separates = inner.contains('-') && inner.chars().all(|c| matches!(c, '-' | ':' | '|' | ' '));
    (!separates)
        .then(|| inner.split('|').map(|cell| cell.trim().replace("**", "").replace('`', "")).collect())
}
