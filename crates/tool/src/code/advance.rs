//! [`Advance`]: how far a program came, and what it wants next.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How far a program came. It is recorded, so its form is read by later versions too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Advance {
    /// The calls that it asks for now, in its order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub asked: Vec<Asked>,
    /// What it printed since the last advance.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub printed: String,
    /// How many bytes of what it printed were left out, in all.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub unprinted: u64,
    /// How it ended, if it has.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<End>,
    /// Which interpreter it was, with its version.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub engine: String,
    /// How long it worked, in milliseconds.
    #[serde(default)]
    pub took_ms: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A call that a program asks for.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asked {
    /// Its number within the program, from 0.
    pub id: u32,
    /// The tool.
    pub name: String,
    /// The arguments.
    pub arguments: Value,
}

/// What came of a call.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Completion {
    /// The number of the call.
    pub id: u32,
    /// What it gave, or why it gave nothing: that is thrown within the program.
    pub outcome: Result<Value, Fault>,
}

/// Why a call, or a whole program, gave nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// What kind of error: the code of a call's, or the name of an exception.
    pub kind: String,
    /// What it says.
    pub message: String,
    /// The line of the program, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// The column, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(line) = self.line {
            write!(f, "line {line}")?;
            if let Some(column) = self.column {
                write!(f, ", column {column}")?;
            }
            f.write_str(": ")?;
        }
        match self.kind.as_str() {
            "" => f.write_str(&self.message),
            kind => write!(f, "{kind}: {}", self.message),
        }
    }
}

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// With a value.
    Value(Value),
    /// With an error that nothing in it caught.
    Fault(Fault),
    /// At a limit.
    Limit(Limit),
}

/// A limit that a program ran into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Limit {
    /// It executed too much.
    Instructions,
    /// It asked for too many calls.
    Calls,
    /// It took too much memory.
    Memory,
    /// It worked too long, and was killed.
    Time,
    /// Its process ended: it took what the system did not give, or met a flaw of the interpreter.
    Process,
}

impl Limit {
    /// The limit in words that follow "the limit of".
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Instructions => "instructions",
            Self::Calls => "calls",
            Self::Memory => "memory",
            Self::Time => "time",
            Self::Process => "what the system gives its process",
        }
    }
}
