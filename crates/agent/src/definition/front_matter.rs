//! A Markdown file with front matter: its parts.

use super::document::{Place, Problems};

/// The longest front matter, in bytes.
const LONGEST: usize = 256 << 10;
const MARK: &str = "---";

/// The parts of a file.
pub(super) struct Parts<'a> {
    pub(super) front_matter: &'a str,
    pub(super) body: &'a str,
    /// The line of the file that the body begins with, from 1.
    pub(super) body_line: usize,
}

/// Parts a file. `help` says how one begins that begins otherwise.
pub(super) fn split<'a>(text: &'a str, help: &str, problems: &Problems) -> Option<Parts<'a>> {
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut lines = text.split_inclusive('\n');
    let first = lines.next().unwrap_or_default();
    if first.trim_end() != MARK {
        problems.report_with(Place { line: 1, column: 1 }, "the file does not begin with front matter", help);
        return None;
    }
    let begin = first.len();
    let mut end = begin;
    for (index, line) in lines.enumerate() {
        let after = end + line.len();
        if line.trim_end() == MARK {
            let length = end - begin;
            if length > LONGEST {
                let message = format!("the front matter is longer than {LONGEST} bytes: it has {length}");
                problems.report(Place { line: 1, column: 1 }, message);
                return None;
            }
            return Some(Parts {
                front_matter: text.get(begin..end)?,
                body: text.get(after..)?,
                body_line: index + 3,
            });
        }
        end = after;
    }
    problems.report_with(
        Place { line: 1, column: 1 },
        "the front matter that begins here has no end",
        "put a line `---` between the last key and the text",
    );
    None
}
