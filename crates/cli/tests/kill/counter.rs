//! What really happened: a file that the tools append to, each a process of its own, which the program neither reads
//! nor writes.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::plan::Tool;

/// The tool as a shell script: says that it begins, takes a while, has its effect, takes a while, answers. Where the
/// program died before it had written the arguments, the tool has nothing to do.
pub(crate) const TOOL: &str = r#"#!/bin/sh
IFS= read -r arguments || exit 1
say() {
  printf '%s\n' "$1 $CLI $$ $ADJUTANT_RUN $ADJUTANT_STEP $ADJUTANT_IDEMPOTENCY_KEY $TOOL $arguments" >> counter
}
say begun
sleep 0.01
say done
sleep 0.005
printf '{"receipt":"%s"}\n' "$ADJUTANT_IDEMPOTENCY_KEY"
"#;

/// What a tool says of itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum What {
    /// It begins.
    Begun,
    /// It has had its effect.
    Done,
}

/// A line of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) what: What,
    /// The number of the command that started the tool.
    pub(crate) cli: u32,
    /// The tool's process, which leads a group of its own.
    pub(crate) process: i32,
    pub(crate) run: String,
    pub(crate) step: String,
    pub(crate) key: String,
    pub(crate) tool: Tool,
    /// The number of the call in the plan.
    pub(crate) number: usize,
}

impl Line {
    fn parse(line: &str) -> Option<Self> {
        let mut words = line.splitn(8, ' ');
        let mut next = || words.next().filter(|word| !word.is_empty());
        let what = match next()? {
            "begun" => What::Begun,
            "done" => What::Done,
            _ => return None,
        };
        let (cli, process) = (next()?.parse().ok()?, next()?.parse().ok()?);
        let (run, step, key) = (next()?.to_owned(), next()?.to_owned(), next()?.to_owned());
        let tool = Tool::named(next()?)?;
        let arguments: serde_json::Value = serde_json::from_str(next()?).ok()?;
        let number = usize::try_from(arguments["number"].as_u64()?).ok()?;
        Some(Self { what, cli, process, run, step, key, tool, number })
    }
}

/// The file, read as it grows.
pub(crate) struct Counter {
    path: PathBuf,
    read: Mutex<(u64, Vec<Line>)>,
}

impl Counter {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { path, read: Mutex::default() }
    }

    /// The lines so far that are of interest.
    pub(crate) fn lines(&self, of_interest: impl Fn(&Line) -> bool) -> Vec<Line> {
        self.refreshed().1.iter().filter(|line| of_interest(line)).cloned().collect()
    }

    /// How many lines the tools of one command have written.
    pub(crate) fn count(&self, cli: u32) -> usize {
        self.refreshed().1.iter().filter(|line| line.cli == cli).count()
    }

    fn refreshed(&self) -> MutexGuard<'_, (u64, Vec<Line>)> {
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        // It is not there before the first tool begins.
        if let Ok(mut file) = std::fs::File::open(&self.path) {
            let mut text = String::new();
            file.seek(SeekFrom::Start(read.0)).expect("the counter can be read");
            file.read_to_string(&mut text).expect("the counter is text");
            let whole = text.rfind('\n').map_or(0, |end| end + 1);
            let lines = text[..whole].lines();
            read.1.extend(lines.map(|line| {
                Line::parse(line).unwrap_or_else(|| panic!("the counter has the line `{line}`"))
            }));
            read.0 += whole as u64;
        }
        read
    }
}

#[test]
fn lines_are_read_as_they_come() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("counter");
    let counter = Counter::new(path.clone());
    assert_eq!(counter.count(3), 0);
    let line = r#"begun 3 77 r1 /turn#0/call#0/pay#0 k1 pay {"number":4}"#;
    std::fs::write(&path, format!("{line}\ndone 3 77 r1")).unwrap();
    assert_eq!(counter.count(3), 1);
    std::fs::write(&path, format!("{line}\n{}\n", line.replace("begun", "done"))).unwrap();
    let lines = counter.lines(|line| line.cli == 3);
    let first = Line {
        what: What::Begun,
        cli: 3,
        process: 77,
        run: "r1".into(),
        step: "/turn#0/call#0/pay#0".into(),
        key: "k1".into(),
        tool: Tool::Pay,
        number: 4,
    };
    assert_eq!(lines, [first.clone(), Line { what: What::Done, ..first }]);
}
