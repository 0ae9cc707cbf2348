//! Errors as people see them.

use std::fmt::Write as _;
use std::io::Read as _;
use std::path::Path;

use adjutant_core::Error;
use adjutant_core::error::Location;

use super::clean::clean;
use super::style::Style;

/// A source line that is longer is not shown: it would not help to find the place.
const LONGEST_LINE: usize = 160;
/// As much of a file is read to show a line of it.
const LONGEST_FILE: u64 = 1 << 20;

/// An error for a person: what is wrong, where, the line it stands in, what led to it, and what to do.
///
/// ```text
/// error[project-invalid]: there is no key `modell`
///  --> agents/desk.md:2:1
///   |
/// 2 | modell: main
///   | ^
///
/// hint: did you mean `model`?
/// ```
pub(crate) fn report(error: &Error, colored: bool) -> String {
    let head = Style::Red.paint(&format!("error[{}]", error.code()), colored);
    let mut text = format!("{head}: {}\n", clean(error.message()));
    if let Some(location) = error.location() {
        let arrow = Style::Cyan.paint(" -->", colored);
        let _ = writeln!(text, "{arrow} {}", clean(&location.to_string()));
        text.push_str(&excerpt(location).unwrap_or_default());
    }
    for cause in error.causes() {
        let _ = writeln!(text, "cause: {}", clean(cause));
    }
    if let Some(help) = error.help() {
        let word = Style::Green.paint("hint", colored);
        let _ = write!(text, "\n{word}: {}\n", clean(help));
    }
    text
}

/// The line that a location points to, with a mark under the column.
fn excerpt(location: &Location) -> Option<String> {
    let number = location.line?;
    let file = std::fs::File::open(Path::new(&location.file)).ok()?;
    let mut source = String::new();
    file.take(LONGEST_FILE).read_to_string(&mut source).ok()?;
    let line = source.lines().nth(number.checked_sub(1)?)?.trim_end();
    if line.is_empty() || line.len() > LONGEST_LINE {
        return None;
    }
    let margin = " ".repeat(number.to_string().len());
    let mut text = format!("{margin} |\n{number} | {}\n", clean(line).replace('\t', " "));
    if let Some(column) = location.column {
        let _ = writeln!(text, "{margin} | {}^", " ".repeat(column.saturating_sub(1).min(LONGEST_LINE)));
    }
    Some(text)
}

#[cfg(test)]
mod tests {
    use adjutant_core::Code;

    use super::*;

    #[test]
    fn an_error_says_what_where_why_and_what_to_do() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("desk.md");
        std::fs::write(&file, "---\nmodell: main\n---\n").unwrap();
        let name = file.to_str().unwrap();
        let error = Error::new(Code::ProjectInvalid, "there is no key `modell`")
            .at(name, Some(2), Some(1))
            .caused_by(&std::io::Error::other("why"))
            .with_help("did you mean `model`?");
        let expected = format!(
            "error[project-invalid]: there is no key `modell`\n --> {name}:2:1\n  |\n2 | modell: main\n  | ^\n\
             cause: why\n\nhint: did you mean `model`?\n"
        );
        assert_eq!(report(&error, false), expected);
    }

    #[test]
    fn a_place_that_is_not_there_is_only_named() {
        let error = Error::new(Code::ProjectInvalid, "bad\x1b[2J").at("/nowhere.md", Some(9), None);
        assert_eq!(report(&error, false), "error[project-invalid]: bad\u{fffd}[2J\n --> /nowhere.md:9\n");
    }
}
