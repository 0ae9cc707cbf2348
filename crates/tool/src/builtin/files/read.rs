//! Reads a range of lines without holding the file in memory.

use std::io::{BufRead, BufReader};

use adjutant_core::{Code, Error, Result};
use tokio_util::sync::CancellationToken;

use super::root::{Root, fault, is_binary};
use crate::builtin::blocking::stopped;
use crate::output::Output;

/// The largest answer, in bytes.
const MOST_BYTES: usize = 64 << 10;

/// Lines of a file.
#[derive(Clone, Copy)]
pub(super) struct Range {
    /// The first, from 1.
    pub(super) from: u64,
    /// How many; to the end where none is given.
    pub(super) count: Option<u64>,
}

/// What was read of a range.
#[derive(Default)]
struct Passage {
    bytes: Vec<u8>,
    /// The line that the reader is in, from 1.
    line: u64,
    /// Whether a line was cut in its middle.
    torn: bool,
    /// Whether the file goes on after the passage.
    more: bool,
}

pub(super) fn read(root: &Root, path: &str, range: Range, stop: &CancellationToken) -> Result<Output> {
    let mut file = root.file(path)?;
    if is_binary(&mut file).map_err(|error| fault(path, &error))? {
        let bytes = file.metadata().map_or(0, |metadata| metadata.len());
        return Err(Error::new(
            Code::ToolFailed,
            format!("`{path}` holds {bytes} bytes of binary data, no text"),
        ));
    }
    let passage = scan(path, &mut BufReader::new(file), range, stop)?;
    present(path, range, &passage)
}

fn scan(path: &str, reader: &mut impl BufRead, range: Range, stop: &CancellationToken) -> Result<Passage> {
    let last = range.count.map_or(u64::MAX, |count| range.from.saturating_add(count.saturating_sub(1)));
    let mut passage = Passage { line: 1, ..Passage::default() };
    loop {
        if stop.is_cancelled() {
            return Err(stopped());
        }
        let chunk = reader.fill_buf().map_err(|error| fault(path, &error))?;
        if chunk.is_empty() {
            return Ok(passage);
        }
        if passage.line > last || passage.bytes.len() >= MOST_BYTES {
            passage.more = true;
            passage.torn = passage.line <= last && passage.bytes.last() != Some(&b'\n');
            return Ok(passage);
        }
        let end = chunk.iter().position(|byte| *byte == b'\n');
        let used = end.map_or(chunk.len(), |place| place + 1);
        let mut kept = used;
        if passage.line >= range.from {
            kept = used.min(MOST_BYTES.saturating_sub(passage.bytes.len()));
            passage.bytes.extend(chunk.iter().take(kept));
        }
        passage.line += u64::from(end.is_some() && kept == used);
        reader.consume(kept);
    }
}

fn present(path: &str, range: Range, passage: &Passage) -> Result<Output> {
    let text = String::from_utf8_lossy(&passage.bytes).into_owned();
    if text.is_empty() && range.from > 1 {
        // The last line counts also where no line break ends it, so the reader stands one after it.
        let lines = passage.line.saturating_sub(1);
        return Err(Error::new(
            Code::ToolFailed,
            format!("`{path}` has about {lines} lines, fewer than {}", range.from),
        ));
    }
    if text.is_empty() {
        return Ok(Output::text("the file is empty"));
    }
    let note = match (passage.more, passage.torn) {
        (false, _) => return Ok(Output::text(text)),
        (true, false) => format!("[the file goes on: read from line {}]", passage.line),
        (true, true) if passage.line > range.from => {
            format!("[cut off within line {0}: read from line {0}]", passage.line)
        }
        (true, true) => format!(
            "[line {} is longer than the {MOST_BYTES} bytes that are read at once; the next line is {}]",
            passage.line,
            passage.line + 1
        ),
    };
    let separator = if text.ends_with('\n') { "" } else { "\n" };
    Ok(Output::text(format!("{text}{separator}{note}")))
}
