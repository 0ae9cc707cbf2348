//! [`Program`]: what is to be run, and within which limits.

use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::time::Timestamp;
use serde::{Deserialize, Serialize};

/// What a program is written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Modern JavaScript, on QuickJS.
    #[default]
    Javascript,
}

impl Language {
    /// Every language, with the word for it in files.
    pub const ALL: [(&'static str, Self); 1] = [("javascript", Self::Javascript)];

    /// The word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Javascript => "javascript",
        }
    }
}

/// How much a program may take. All but `time` are the same wherever and whenever it runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Limits {
    /// How many calls it may make.
    pub calls: u32,
    /// How many of its calls are made at the same time.
    pub parallel: u32,
    /// How many jumps and calls of functions it may execute, and steps of regular expressions; the interpreter counts them
    /// by ten thousand.
    pub instructions: u64,
    /// Memory of what it has made, in bytes.
    pub memory: u64,
    /// What it prints and what it returns, each in bytes. More is not shown.
    pub output: u32,
    /// Its source, in bytes.
    pub source: u32,
    /// How long it may work, in milliseconds. The time in which it waits for its calls does not count.
    pub time_ms: u64,
}

impl Default for Limits {
    /// Room for an analysis of some thousand rows: 100 calls, 8 at a time, 100 million instructions, 64 MiB, 20 kB of
    /// output, 100 kB of source, 30 seconds.
    fn default() -> Self {
        Self {
            calls: 100,
            parallel: 8,
            instructions: 100_000_000,
            memory: 64 << 20,
            output: 20_000,
            source: 100_000,
            time_ms: 30_000,
        }
    }
}

impl Limits {
    /// How long it may work.
    pub fn time(&self) -> Duration {
        Duration::from_millis(self.time_ms)
    }
}

/// What is to be run: all that its course depends on, besides what its calls give.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Program {
    /// What it is written in.
    pub language: Language,
    /// The text.
    pub source: String,
    /// The names of the tools that it can call.
    pub functions: Vec<String>,
    /// What its clock shows: always the same moment.
    pub now: Timestamp,
    /// How much it may take.
    pub limits: Limits,
}

impl Program {
    /// What tells it from others.
    pub fn digest(&self) -> Digest {
        let limits = self.limits;
        let numbers = [limits.calls.into(), limits.instructions, limits.memory, limits.output.into()];
        let numbers: Vec<u8> = numbers.into_iter().flat_map(u64::to_le_bytes).collect();
        Digest::of_parts(&[
            self.language.as_str().as_bytes(),
            self.source.as_bytes(),
            self.functions.join("\n").as_bytes(),
            &self.now.0.to_le_bytes(),
            &numbers,
        ])
    }
}
