//! What of the results answers the question: whole short results, and of long ones the paragraphs that speak of it.

use serde_json::Value;

use super::facts::is_path;
use super::turn::{Done, Turn, flatten};
use super::words::{best, stem, stems, words};

/// Lines quoted from one source.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Quote {
    /// Where they are from: a file with its lines, or a call.
    pub(super) source: String,
    pub(super) lines: Vec<String>,
    /// How well they go with the question.
    pub(super) score: f64,
}

/// The most lines of one source, and of an answer.
const MOST_LINES: usize = 14;
const MOST_QUOTES: usize = 4;
/// A result up to here is quoted whole.
const SHORT: usize = 700;

/// The lines of the results that answer the question, with their sources in the order of the calls.
pub(super) fn quotes(
    turn: &Turn<'_>,
    is_finder: impl Fn(&str) -> bool,
    is_reader: impl Fn(&str) -> bool,
) -> Vec<Quote> {
    let asked = asked(turn, &is_finder);
    let good: Vec<&Done<'_>> =
        turn.done.iter().filter(|done| !done.result.is_error && !is_nothing(&done.text)).collect();
    let has_read = good.iter().any(|done| is_reader(&done.call.name));
    let mut all: Vec<(usize, Quote)> = Vec::new();
    for (order, done) in good.iter().enumerate() {
        let finder = is_finder(&done.call.name);
        // What was found was read since; the finding itself is only a list of places.
        if finder && has_read {
            continue;
        }
        let text = readable(done);
        let direct = !finder && !is_reader(&done.call.name);
        let whole = direct && text.len() <= SHORT;
        let quotes = if whole {
            vec![whole_quote(done, &text)]
        } else {
            match passages(done, &text, &turn.question, &asked) {
                // A document that the question names is wanted, whatever stands in it.
                none if none.is_empty() && !finder && is_named(done, &turn.question) => {
                    vec![whole_quote(done, &text)]
                }
                some => some,
            }
        };
        all.extend(quotes.into_iter().map(|quote| (order, quote)));
    }
    all.sort_by(|(_, a), (_, b)| b.score.total_cmp(&a.score));
    let enough =
        all.iter().map(|(_, quote)| quote.score).filter(|score| score.is_finite()).fold(0.0, f64::max) * 0.5;
    all.retain(|(_, quote)| quote.score >= enough && quote.score > 0.0);
    all.truncate(MOST_QUOTES);
    all.sort_by_key(|(order, _)| *order);
    all.into_iter().map(|(_, quote)| quote).collect()
}

/// What documents are asked for: the words of the searches, or of the question where nobody searched.
pub(super) fn asked(turn: &Turn<'_>, is_finder: impl Fn(&str) -> bool) -> Vec<String> {
    let searches = turn.done.iter().filter(|done| is_finder(&done.call.name));
    let queries =
        searches.flat_map(|done| done.arguments.as_object().into_iter().flat_map(|map| map.values()));
    let words: Vec<&str> = queries.filter_map(Value::as_str).collect();
    let searched = stems(&words.join(" "));
    if searched.is_empty() { stems(&turn.question) } else { searched }
}

/// Whether a result says that there is nothing.
pub(super) fn is_nothing(text: &str) -> bool {
    let text = text.trim().to_lowercase();
    let empty = ["", "[]", "{}", "null", "none", "\"\""].contains(&text.as_str());
    let says = [
        "no match",
        "no result",
        "nothing found",
        "found nothing",
        "not found",
        "0 rows",
        "no rows",
        "no lines",
        "nothing matches",
        "no file",
    ];
    empty || text.len() < 200 && says.iter().any(|words| text.contains(words))
}

/// A result as lines for people: data as `name: value`, rows of data as one line each, text as it is.
fn readable(done: &Done<'_>) -> String {
    match serde_json::from_str(&done.text) {
        Ok(Value::String(text)) => text,
        Ok(value @ (Value::Object(_) | Value::Array(_))) => in_words(&value, "\n"),
        Ok(_) => done.text.clone(),
        Err(_) => done.text.lines().map(row).collect::<Vec<_>>().join("\n"),
    }
}

fn row(line: &str) -> String {
    match serde_json::from_str::<Value>(line) {
        Ok(value @ Value::Object(_)) => in_words(&value, ", "),
        _ => line.to_owned(),
    }
}

fn in_words(value: &Value, between: &str) -> String {
    if let Some(rows) = value.as_array().filter(|rows| rows.iter().all(Value::is_object)) {
        return rows.iter().map(|row| in_words(row, ", ")).collect::<Vec<_>>().join("\n");
    }
    let mut leaves = Vec::new();
    flatten("", value, &mut leaves, 0);
    let line = |(name, value): &(String, Value)| match value {
        Value::String(text) => format!("{name}: {text}"),
        other => format!("{name}: {other}"),
    };
    match leaves.is_empty() {
        true => value.to_string(),
        false => leaves.iter().map(line).collect::<Vec<_>>().join(between),
    }
}

fn is_named(done: &Done<'_>, question: &str) -> bool {
    let mut given = done.arguments.as_object().into_iter().flat_map(|map| map.values());
    given.any(|value| value.as_str().is_some_and(|word| word.contains('.') && question.contains(word)))
}

fn whole_quote(done: &Done<'_>, text: &str) -> Quote {
    let lines = text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty());
    // What was looked up by name is always told.
    Quote { source: source(done, None), lines: lines.take(MOST_LINES).collect(), score: f64::INFINITY }
}

/// The paragraphs of a text that speak of what was asked, best first.
///
/// A paragraph also gains from what its document is about, and from the small words of the question: `How long` in a
/// heading answers "how long is ...".
fn passages(done: &Done<'_>, text: &str, question: &str, asked: &[String]) -> Vec<Quote> {
    let numbered = numbered(text);
    let lines: Vec<(Option<usize>, &str)> = match &numbered {
        Some(lines) => lines.iter().map(|(number, line)| (Some(*number), *line)).collect(),
        None => (first_line(done)..).zip(text.lines()).map(|(number, line)| (Some(number), line)).collect(),
    };
    let blocks = blocks(&lines);
    let stems_of: Vec<Vec<String>> = blocks.iter().map(|block| said(block)).collect();
    let weight = |stem: &String| {
        let speaking = stems_of.iter().filter(|others| best(stem, others) > 0.5).count();
        if speaking == 0 { 0.0 } else { (1.0 + blocks.len() as f64 / speaking as f64).ln() }
    };
    let weights: Vec<f64> = asked.iter().map(weight).collect();
    let subject = subject(done, &lines);
    let mut quotes: Vec<Quote> = Vec::new();
    for (block, said) in blocks.iter().zip(&stems_of) {
        let speaks = |stem: &String| best(stem, said).max(ABOUT * best(stem, &subject));
        let score: f64 = asked.iter().zip(&weights).map(|(stem, weight)| weight * speaks(stem)).sum();
        if score > 0.0 {
            let score = score + form(block, question);
            let number = |line: Option<&(Option<usize>, &str)>| line.and_then(|(number, _)| *number);
            let range = number(block.first()).zip(number(block.get(MOST_LINES - 1).or(block.last())));
            let lines = block.iter().take(MOST_LINES).map(|(_, line)| line.trim_end().to_owned()).collect();
            quotes.push(Quote { source: source(done, range), lines, score });
        }
    }
    quotes.sort_by(|a, b| b.score.total_cmp(&a.score));
    quotes.truncate(2);
    quotes
}

/// How much a word of a document's name or title counts for each of its paragraphs.
const ABOUT: f64 = 0.6;

/// The words of the name and the title of a document.
fn subject(done: &Done<'_>, lines: &[(Option<usize>, &str)]) -> Vec<String> {
    let title = lines.iter().map(|(_, line)| *line).find(|line| line.starts_with("# ")).unwrap_or_default();
    stems(&format!("{} {title}", source(done, None)))
}

/// What the small words of a question add: those that a heading or a paragraph repeats.
fn form(block: &[(Option<usize>, &str)], question: &str) -> f64 {
    const TELLING: [&str; 12] =
        ["how", "long", "when", "where", "who", "can", "must", "may", "much", "many", "why", "which"];
    let weigh = |line: &str, weight: f64| -> f64 {
        let said: Vec<String> = words(line).collect();
        let repeated = words(question).filter(|word| TELLING.contains(&word.as_str()) && said.contains(word));
        repeated.count() as f64 * weight
    };
    block
        .iter()
        .map(|(_, line)| if line.starts_with('#') { weigh(line, 0.5) } else { weigh(line, 0.1) })
        .sum()
}

/// Paragraphs; a heading belongs to the paragraph after it.
fn blocks<'a>(lines: &[(Option<usize>, &'a str)]) -> Vec<Vec<(Option<usize>, &'a str)>> {
    let mut blocks: Vec<Vec<(Option<usize>, &str)>> = vec![Vec::new()];
    for (number, line) in lines {
        let is_heading = line.starts_with('#');
        let after_heading =
            blocks.last().is_some_and(|block| block.iter().all(|(_, line)| line.starts_with('#')));
        let is_blank = line.trim().is_empty();
        if is_blank && !after_heading || is_heading {
            blocks.push(Vec::new());
        }
        if let (false, Some(block)) = (is_blank, blocks.last_mut()) {
            block.push((*number, line));
        }
    }
    blocks.retain(|block| block.iter().any(|(_, line)| !line.starts_with('#')));
    blocks
}

fn said(block: &[(Option<usize>, &str)]) -> Vec<String> {
    // The title is about all of the document and counts for every paragraph.
    let lines = block.iter().map(|(_, line)| *line).filter(|line| !line.starts_with("# "));
    let mut stems: Vec<String> = lines.flat_map(words).map(|word| stem(&word)).collect();
    stems.sort_unstable();
    stems.dedup();
    stems
}

/// The lines of a text in which every line begins with its number, with these numbers.
fn numbered(text: &str) -> Option<Vec<(usize, &str)>> {
    let mut last = 0;
    let mut lines = Vec::new();
    for line in text.lines().filter(|line| !line.trim().is_empty()) {
        let start = line.trim_start();
        let digits = start.find(|c: char| !c.is_ascii_digit())?;
        let (number, rest) = start.split_at(digits);
        let number: usize = number.parse().ok()?;
        let rest = rest.strip_prefix(['|', '\t', ':', '→']).or_else(|| rest.strip_prefix(" |"))?;
        if number <= last {
            return None;
        }
        last = number;
        lines.push((number, rest.strip_prefix(' ').unwrap_or(rest)));
    }
    (lines.len() > 1).then_some(lines)
}

/// The number of the first line that was read.
fn first_line(done: &Done<'_>) -> usize {
    let fields = ["from_line", "start_line", "from", "start", "offset"];
    let given = fields.iter().find_map(|field| done.arguments.get(field)?.as_u64());
    given.and_then(|number| usize::try_from(number).ok()).unwrap_or(1)
}

/// What a result is quoted as: its file or address, or the call in short.
pub(super) fn source(done: &Done<'_>, lines: Option<(usize, usize)>) -> String {
    let values: Vec<(&String, &Value)> = done.arguments.as_object().into_iter().flatten().collect();
    let place = values
        .iter()
        .filter_map(|(_, value)| value.as_str())
        .find(|text| is_path(text) || text.contains("://"));
    match (place, lines) {
        (Some(place), Some((from, to))) if from < to => format!("`{place}`, lines {from} to {to}"),
        (Some(place), Some((from, _))) => format!("`{place}`, line {from}"),
        (Some(place), None) => format!("`{place}`"),
        (None, _) => {
            let shown = values.iter().take(3).map(|(name, value)| match value {
                Value::String(text) => format!("{name} `{}`", text.chars().take(60).collect::<String>()),
                other => format!("{name} {other}"),
            });
            let shown = shown.collect::<Vec<_>>().join(", ");
            let name = &done.call.name;
            if shown.is_empty() { format!("`{name}`") } else { format!("`{name}`, {shown}") }
        }
    }
}

/// The files that a finder names, the one whose lines speak most of the question first.
pub(super) fn places(text: &str, asked: &[String]) -> Vec<String> {
    const MOST_LINES_READ: usize = 400;
    let mut found: Vec<(String, Vec<String>, usize)> = Vec::new();
    for line in text.lines().take(MOST_LINES_READ) {
        let place = line
            .split(|c: char| c.is_whitespace() || "\",'`()[]{}".contains(c))
            .find_map(|token| token.split(':').find(|piece| is_path(piece)))
            .map(|place| place.trim_start_matches("./"));
        let Some(place) = place else { continue };
        let said = words(line).map(|word| stem(&word));
        match found.iter_mut().find(|(known, ..)| known == place) {
            Some((_, all, lines)) => {
                all.extend(said);
                *lines += 1;
            }
            None => found.push((place.to_owned(), said.collect(), 1)),
        }
    }
    // What all its lines speak of together, what its name says, and a little for each line.
    let score = |(place, said, lines): &(String, Vec<String>, usize)| -> f64 {
        let name = stems(place);
        let words: f64 = asked.iter().map(|stem| best(stem, said) + best(stem, &name)).sum();
        words + 0.05 * (*lines).min(10) as f64
    };
    let mut scores: Vec<(String, f64)> = found.iter().map(|entry| (entry.0.clone(), score(entry))).collect();
    scores.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let enough = scores.first().map_or(0.0, |(_, score)| score * 0.8);
    scores.into_iter().filter(|(_, score)| *score >= enough).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn data_reads_as_lines() {
        let cases = [
            (json!({"a": 1, "b": {"c": "x"}}), "a: 1\nc: x"),
            (json!([{"a": 1, "b": "x"}, {"a": 2}]), "a: 1, b: x\na: 2"),
            (json!(["x"]), r#"["x"]"#),
        ];
        for (value, lines) in cases {
            assert_eq!(in_words(&value, "\n"), lines);
        }
        assert_eq!(row(r#"{"a":1,"b":"x"}"#), "a: 1, b: x");
        assert_eq!(row("plain"), "plain");
    }

    #[test]
    fn results_that_say_nothing_are_known() {
        for text in ["", "[]", "no matches for `x`", "No results.", "null"] {
            assert!(is_nothing(text), "{text}");
        }
        for text in ["status: shipped", "0", &format!("not found {}", "x".repeat(300))] {
            assert!(!is_nothing(text), "{text}");
        }
    }

    #[test]
    fn numbers_of_lines_are_read_where_each_line_has_one() {
        assert_eq!(numbered("  9: a\n 10: b: c"), Some(vec![(9, "a"), (10, "b: c")]));
        for text in ["9: a", "2: a\n1: b", "1042 a\n1043 b", "a\nb"] {
            assert_eq!(numbered(text), None, "{text}");
        }
    }

    #[test]
    fn a_heading_stays_with_its_paragraph() {
        let text = "# Returns\n\nThirty days.\n\n## Fees\nNone.\n\nLast.";
        let lines: Vec<(Option<usize>, &str)> = text.lines().map(|line| (None, line)).collect();
        let shown: Vec<String> = blocks(&lines)
            .iter()
            .map(|b| b.iter().map(|(_, line)| *line).collect::<Vec<_>>().join("|"))
            .collect();
        assert_eq!(shown, ["# Returns|Thirty days.", "## Fees|None.", "Last."]);
    }
}
