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
    let asked = stems(&turn.question);
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
        let quotes = if whole { vec![whole_quote(done, &text)] } else { passages(done, &text, &asked) };
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

/// A result as lines for people: data as `name: value`, text as it is.
fn readable(done: &Done<'_>) -> String {
    let value: Option<Value> = serde_json::from_str(&done.text).ok();
    match value {
        Some(value @ (Value::Object(_) | Value::Array(_))) => {
            let mut leaves = Vec::new();
            flatten("", &value, &mut leaves, 0);
            let line = |(name, value): &(String, Value)| match value {
                Value::String(text) => format!("{name}: {text}"),
                other => format!("{name}: {other}"),
            };
            match leaves.is_empty() {
                true => done.text.clone(),
                false => leaves.iter().map(line).collect::<Vec<_>>().join("\n"),
            }
        }
        Some(Value::String(text)) => text,
        _ => done.text.clone(),
    }
}

fn whole_quote(done: &Done<'_>, text: &str) -> Quote {
    let lines = text.lines().map(|line| line.trim_end().to_owned()).filter(|line| !line.is_empty());
    // What was looked up by name is always told.
    Quote { source: source(done, None), lines: lines.take(MOST_LINES).collect(), score: f64::INFINITY }
}

/// The paragraphs of a text that speak of what was asked, best first.
fn passages(done: &Done<'_>, text: &str, asked: &[String]) -> Vec<Quote> {
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
    let mut quotes: Vec<Quote> = Vec::new();
    for (block, said) in blocks.iter().zip(&stems_of) {
        let score: f64 = asked.iter().zip(&weights).map(|(stem, weight)| weight * best(stem, said)).sum();
        if score > 0.0 {
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
    let mut stems: Vec<String> =
        block.iter().flat_map(|(_, line)| words(line)).map(|word| stem(&word)).collect();
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
fn source(done: &Done<'_>, lines: Option<(usize, usize)>) -> String {
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
    let mut scores: Vec<(String, f64)> = Vec::new();
    for line in text.lines().take(MOST_LINES_READ) {
        let place = line
            .split(|c: char| c.is_whitespace() || "\",'`()[]{}".contains(c))
            .find_map(|token| token.split(':').find(|piece| is_path(piece)))
            .map(|place| place.trim_start_matches("./"));
        let Some(place) = place else { continue };
        let said: Vec<String> = words(line).map(|word| stem(&word)).collect();
        let score = 0.01 + asked.iter().map(|stem| best(stem, &said)).sum::<f64>();
        match scores.iter_mut().find(|(known, _)| known == place) {
            // The best line counts, and a little that there are more.
            Some((_, sum)) => *sum = sum.max(score) + 0.05,
            None => scores.push((place.to_owned(), score)),
        }
    }
    scores.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let enough = scores.first().map_or(0.0, |(_, score)| score * 0.75);
    scores.into_iter().filter(|(_, score)| *score >= enough).map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

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
