//! TOML as a tree that knows its places.

use adjutant_agent::definition::document::{Content, Entry, Node, Place, Problems};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// Reads a TOML document. What cannot be read is noted, and then there is no tree.
pub(super) fn parse(text: &str, problems: &Problems) -> Option<Node> {
    // The mark takes no column: blanks of another length would move every place of the first line.
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        let place = Place::of_byte(text, error.span().map_or(0, |span| span.start));
        problems.report(place, in_words(error.message().lines().next().unwrap_or_default()));
    }
    let lines = Lines::of(text);
    let start = Place { line: 1, column: 1 };
    errors.is_empty().then(|| Node { place: start, content: table(root.get_ref(), &lines, problems) })
}

/// How the parser's words for the mistakes that people make begin, and what they mean.
const WORDS: [(&str, &str); 13] = [
    ("string values must be quoted", "here a value is missing, or a text has no quotes"),
    ("duplicate key", "the key stands twice"),
    ("unclosed table", "`[` has no `]`"),
    ("key with no value", "a key must be followed by `=` and a value"),
    ("invalid literal string", "the quote has no end"),
    ("invalid basic string", "the quote has no end"),
    ("unquoted keys cannot be empty", "there is no key before `=`"),
    ("missing escaped value", "the escape is not known: write `\\\\` for `\\`, or use single quotes"),
    ("unexpected leading zero", "a number cannot begin with 0"),
    ("`_` may only go between digits", "`_` may only stand between digits"),
    ("unexpected key or value", "something stands after the end of what belongs on this line"),
    ("missing array opening", "this bracket closes none"),
    ("invalid unquoted key", "a key has letters, digits, - and _ only, unless it stands in quotes"),
];

fn in_words(text: &str) -> String {
    let known = WORDS.iter().find(|(said, _)| text.starts_with(said));
    known.map_or(text.trim_end_matches('.'), |(_, meant)| meant).to_owned()
}

fn node(value: &Spanned<DeValue<'_>>, lines: &Lines<'_>, problems: &Problems) -> Node {
    let place = lines.place(value.span().start);
    let content = match value.get_ref() {
        DeValue::String(text) => Content::Text(text.to_string()),
        DeValue::Boolean(value) => Content::Boolean(*value),
        DeValue::Datetime(moment) => Content::Text(moment.to_string()),
        DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
            Ok(number) => Content::Integer(number),
            Err(_) => unreadable(place, problems, "the number has too many digits"),
        },
        DeValue::Float(number) => match number.as_str().parse::<f64>() {
            Ok(number) if number.is_finite() => Content::Float(number),
            _ => unreadable(place, problems, "a number must be finite"),
        },
        DeValue::Array(items) => {
            Content::List(items.iter().map(|item| node(item, lines, problems)).collect())
        }
        DeValue::Table(entries) => table(entries, lines, problems),
    };
    Node { place, content }
}

fn unreadable(place: Place, problems: &Problems, message: &str) -> Content {
    problems.report(place, message);
    Content::Null
}

fn table(entries: &DeTable<'_>, lines: &Lines<'_>, problems: &Problems) -> Content {
    let mut entries: Vec<_> = entries
        .iter()
        .map(|(key, value)| Entry {
            key: key.get_ref().to_string(),
            place: lines.place(key.span().start),
            value: node(value, lines, problems),
        })
        .collect();
    entries.sort_by_key(|entry| entry.place);
    Content::Table(entries)
}

/// Where the lines of a text begin, so that a place costs the logarithm of their number.
struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    fn of(text: &'a str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { text, starts }
    }

    fn place(&self, offset: usize) -> Place {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts.get(line.saturating_sub(1)).copied().unwrap_or_default();
        let before = self.text.get(start..offset).unwrap_or_default();
        Place { line, column: before.chars().count() + 1 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_know_their_places() {
        let problems = Problems::new("adjutant.toml");
        let text = "a = 0x1F\n\n[tools.docs]\ntype = \"files\"\nrate = 0.25\n[tools.docs.more]\nlist = [\n  1,\n  true]\n";
        let root = parse(text, &problems).unwrap();
        let tools = &root.entries().unwrap()[1];
        assert_eq!((tools.key.as_str(), tools.place), ("tools", Place { line: 3, column: 2 }));
        let docs = root.get("tools").unwrap().get("docs").unwrap();
        assert_eq!(docs.entries().unwrap()[0].place, Place { line: 4, column: 1 });
        assert_eq!(docs.get("type").unwrap().place, Place { line: 4, column: 8 });
        assert_eq!(
            root.to_json(),
            serde_json::json!({ "a": 31, "tools": { "docs": { "type": "files", "rate": 0.25, "more": { "list": [1, true] } } } })
        );
    }

    #[test]
    fn what_cannot_be_read_has_a_place() {
        for (text, expected) in [
            ("a = \n", "1:5: here a value is missing"),
            ("a = 1\na = 2\n", "2:1: the key stands twice"),
            ("[a\n", "1:3: `[` has no `]`"),
            ("x = inf", "1:5: a number must be finite"),
            ("b", "1:2: a key must be followed by `=`"),
            ("a = yes", "1:5: here a value is missing, or a text has no quotes"),
            ("a = \"x", "1:7: the quote has no end"),
        ] {
            let problems = Problems::new("adjutant.toml");
            parse(text, &problems);
            let errors = problems.into_errors();
            assert!(errors[0].to_string().starts_with(&format!("adjutant.toml:{expected}")), "{errors:?}");
        }
        let problems = Problems::new("adjutant.toml");
        assert!(parse(&format!("a = {}", "[".repeat(100_000)), &problems).is_none());
    }
}
