//! Finds lines by words.
//!
//! A word counts as found where a word of the line begins with it, whatever the case. Rare words weigh more than common
//! ones (the logarithm of lines by lines with the word), and a line also gains from the words of its file.

use std::io::{BufRead, BufReader, Read};

use adjutant_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use super::list::walk;
use super::root::{Root, is_binary};
use crate::builtin::blocking::stopped;
use crate::output::Output;

/// The most words of one search.
const MOST_WORDS: usize = 32;

/// The most lines that are weighed.
const MOST_HITS: usize = 50_000;

/// How much of all files is read, in bytes.
const MOST_BYTES: u64 = 256 << 20;

/// How much of one line is looked at, in bytes.
const LONGEST_LINE: u64 = 64 << 10;

/// How much of a line is returned, in characters.
const SHOWN: usize = 300;

/// How much the words of a file weigh for each of its lines.
const FILE_WEIGHT: f64 = 0.25;

/// A line with at least one of the words.
struct Hit {
    file: usize,
    line: u64,
    words: u32,
    text: String,
}

/// What a search came by.
#[derive(Default)]
struct Found {
    hits: Vec<Hit>,
    /// The path of each file with a hit, and the words that it has.
    files: Vec<(String, u32)>,
    lines: u64,
    bytes: u64,
}

pub(super) fn search(
    root: &Root,
    query: &str,
    path: &str,
    most: usize,
    stop: &CancellationToken,
) -> Result<Output> {
    root.check(path)?;
    let words = words(query);
    if words.is_empty() {
        return Err(Error::new(Code::ToolFailed, "there is no word to search for"));
    }
    let mut found = Found::default();
    let is_file = root.folder.metadata(path).is_ok_and(|metadata| metadata.is_file());
    let complete = if is_file {
        found.add(root, path, &words, stop)?;
        true
    } else {
        walk(root, path, stop, &mut |entry| {
            // What cannot be read is passed over: the search is about the others.
            match found.add(root, &entry.path, &words, stop) {
                Err(_) if stop.is_cancelled() => return Err(stopped()),
                _ => {}
            }
            Ok(found.bytes < MOST_BYTES && found.hits.len() < MOST_HITS)
        })?
    };
    Ok(present(found, words.len(), most, complete))
}

/// The words of a query: in lower case, each once, without a plural's `s`.
fn words(query: &str) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    for word in query.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let word = word.to_lowercase();
        let stem = word.strip_suffix('s').filter(|stem| stem.chars().count() > 2 && !stem.ends_with('s'));
        let word = stem.unwrap_or(&word).to_owned();
        if !words.contains(&word) && words.len() < MOST_WORDS {
            words.push(word);
        }
    }
    words
}

/// Which of the words a line has, as bits.
fn matches(line: &str, words: &[String]) -> u32 {
    let line = line.to_lowercase();
    let mut bits = 0;
    for part in line.split(|c: char| !c.is_alphanumeric()).filter(|part| !part.is_empty()) {
        for (index, word) in words.iter().enumerate() {
            if part.starts_with(word.as_str()) {
                bits |= 1 << index;
            }
        }
    }
    bits
}

impl Found {
    fn add(&mut self, root: &Root, path: &str, words: &[String], stop: &CancellationToken) -> Result<()> {
        let mut file = root.file(path)?;
        if is_binary(&mut file).unwrap_or(true) {
            return Ok(());
        }
        let index = self.files.len();
        let mut of_file = matches(path, words);
        let mut reader = BufReader::new(file);
        let (mut line, mut bytes) = (0, Vec::new());
        while self.bytes < MOST_BYTES && self.hits.len() < MOST_HITS {
            bytes.clear();
            let count = reader.by_ref().take(LONGEST_LINE).read_until(b'\n', &mut bytes).unwrap_or(0);
            if count == 0 {
                break;
            }
            if stop.is_cancelled() {
                return Err(stopped());
            }
            line += 1;
            self.lines += 1;
            self.bytes += count as u64;
            let text = String::from_utf8_lossy(&bytes);
            let found = matches(&text, words);
            if found != 0 {
                of_file |= found;
                self.hits.push(Hit { file: index, line, words: found, text: shorten(text.trim()) });
            }
            if bytes.last() != Some(&b'\n') {
                // The rest of a very long line is no line of its own.
                self.bytes += skip_line(&mut reader);
            }
        }
        self.files.push((path.to_owned(), of_file));
        Ok(())
    }

    /// What each word weighs.
    fn weights(&self, words: usize) -> Vec<f64> {
        let lines = |index: usize| self.hits.iter().filter(|hit| hit.words & (1 << index) != 0).count();
        #[expect(clippy::cast_precision_loss, reason = "a weight needs no exact count")]
        (0..words).map(|index| ((1 + self.lines) as f64 / (1 + lines(index)) as f64).ln().max(0.01)).collect()
    }
}

fn skip_line(reader: &mut impl BufRead) -> u64 {
    let mut skipped = 0;
    while let Ok(chunk @ [_, ..]) = reader.fill_buf() {
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |place| place + 1);
        reader.consume(used);
        skipped += used as u64;
        if end.is_some() || skipped >= MOST_BYTES {
            break;
        }
    }
    skipped
}

fn present(mut found: Found, words: usize, most: usize, complete: bool) -> Output {
    let weights = found.weights(words);
    let weigh = |bits: u32| -> f64 {
        weights
            .iter()
            .enumerate()
            .filter(|(index, _)| bits & (1 << index) != 0)
            .map(|(_, weight)| weight)
            .sum()
    };
    let file_words = |hit: &Hit| found.files.get(hit.file).map_or(0, |(_, bits)| *bits);
    let score = |hit: &Hit| weigh(hit.words) + FILE_WEIGHT * weigh(file_words(hit));
    let mut hits = std::mem::take(&mut found.hits);
    // A stable sort: lines of equal weight stay in the order of paths and lines.
    hits.sort_by(|a, b| score(b).total_cmp(&score(a)));
    let total = hits.len();
    let mut lines: Vec<String> = hits
        .iter()
        .take(most)
        .filter_map(|hit| Some(format!("{}:{}: {}", found.files.get(hit.file)?.0, hit.line, hit.text)))
        .collect();
    if lines.is_empty() {
        lines.push("nothing found".to_owned());
    }
    if total > most {
        lines.push(format!("[the best {most} of {total} lines]"));
    }
    if !complete {
        lines.push("[not everything was searched: there is too much; search one of the folders]".to_owned());
    }
    Output::text(lines.join("\n"))
}

fn shorten(text: &str) -> String {
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
