//! [`Ending`]: how a run ended, what it had used by then, and what it left.

use std::fmt;
use std::time::Duration;

use adjutant_core::money::Money;
use adjutant_core::time::format_duration;
use serde::{Deserialize, Serialize};

use crate::tally::Tally;

/// How a run ended that has a reply.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// What ended it, in words.
    pub condition: String,
    /// What it had used and done by then.
    pub figures: Figures,
    /// What it left to do, as far as it is known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub open: Vec<String>,
}

/// What a run has used and done, with the agents that it asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Figures {
    /// Turns of the model.
    pub steps: u32,
    /// Calls of tools, the refused ones included.
    pub tool_calls: u32,
    /// Tokens over all model calls.
    pub tokens: u64,
    /// Money over all model calls; none where the price of any is not known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub money: Option<Money>,
    /// How long it worked, without the time in which it waited for people, in milliseconds.
    pub wall_ms: u64,
    /// Failed calls in a row.
    pub errors: u32,
    /// How often the same was done with the same result.
    pub repeats: u32,
}

impl Figures {
    pub(crate) fn of(tally: &Tally, active: Duration) -> Self {
        Self {
            steps: tally.turns,
            tool_calls: tally.made,
            tokens: tally.usage.total(),
            money: tally.known_cost(),
            wall_ms: u64::try_from(active.as_millis()).unwrap_or(u64::MAX),
            errors: tally.errors,
            repeats: tally.repetitions(),
        }
    }
}

impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Figures { steps, tool_calls, tokens, money, wall_ms, .. } = self.figures;
        write!(f, "{}; {}", self.condition, count(u64::from(steps), "step"))?;
        write!(f, ", {}, {}", count(u64::from(tool_calls), "tool call"), count(tokens, "token"))?;
        if let Some(money) = money {
            write!(f, ", {money}")?;
        }
        write!(f, ", {}", format_duration(Duration::from_millis(wall_ms)))?;
        if !self.open.is_empty() {
            write!(f, "; left open: {}", self.open.join("; "))?;
        }
        Ok(())
    }
}

fn count(number: u64, of: &str) -> String {
    format!("{number} {of}{}", if number == 1 { "" } else { "s" })
}
