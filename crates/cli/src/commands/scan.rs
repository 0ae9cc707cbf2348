//! `adjutant scan`: what guardrails would find in a text.

use std::io::Read;
use std::path::PathBuf;

use adjutant::policy::detect::{self, Hit};
use adjutant_core::{Code, Error};
use clap::Args;

use crate::exit::{Ended, Exit};
use crate::screen::{Output, Table};

/// The longest text, in bytes.
const LONGEST: u64 = 16 << 20;

/// Shows what guardrails would find in a text that need nothing but the text, and how sure they are: for choosing
/// thresholds. Nothing is sent anywhere.
#[derive(Args, Debug)]
pub(crate) struct Arguments {
    /// The file; otherwise standard input.
    #[arg(value_name = "FILE")]
    file: Option<PathBuf>,
    /// Only what is at least so sure, from 0 to 1.
    #[arg(long, value_name = "SCORE", default_value_t = 0.0)]
    threshold: f64,
}

pub(crate) fn execute(arguments: &Arguments, output: Output) -> Ended {
    let text = read(arguments)?;
    let mut hits = detect::scan(&text);
    hits.retain(|hit| hit.score >= arguments.threshold);
    if output.json {
        output.json(&hits)?;
        return Ok(Exit::Success);
    }
    if hits.is_empty() {
        output.talk("nothing was found; that is no promise");
        return Ok(Exit::Success);
    }
    let mut table = Table::new(&["place", "score", "category", "what was seen"]);
    for hit in &hits {
        table.row([&place(&text, hit), &format!("{:.2}", hit.score), &hit.category, &hit.what]);
    }
    output.data(&table.render(output.data_colored))?;
    Ok(Exit::Success)
}

/// Line and column of where it begins.
fn place(text: &str, hit: &Hit) -> String {
    let before = text.get(..hit.span.start).unwrap_or_default();
    let line = before.rsplit('\n').next().unwrap_or_default();
    format!("{}:{}", before.matches('\n').count() + 1, line.chars().count() + 1)
}

fn read(arguments: &Arguments) -> Ended<String> {
    let unreadable = |error: &std::io::Error, what: &str| {
        Error::new(Code::FileUnreadable, format!("{what} cannot be read: {error}"))
    };
    let mut text = String::new();
    match &arguments.file {
        Some(file) => {
            let what = format!("`{}`", file.display());
            let file = std::fs::File::open(file).map_err(|error| unreadable(&error, &what))?;
            file.take(LONGEST).read_to_string(&mut text).map_err(|error| unreadable(&error, &what))?;
        }
        None => {
            std::io::stdin()
                .take(LONGEST)
                .read_to_string(&mut text)
                .map_err(|error| unreadable(&error, "standard input"))?;
        }
    }
    Ok(text)
}
