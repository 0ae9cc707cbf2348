//! [`Tally`]: what a run has used and done so far, counted from what is recorded.

use std::time::Duration;

use adjutant_core::hash::Digest;
use adjutant_core::limit::Limit;
use adjutant_core::money::Money;
use adjutant_core::usage::Usage;
use serde::{Deserialize, Serialize};

use crate::answer::Answer;
use crate::purse::Spent;

/// What a run has used and done so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
    /// Turns of the model.
    pub turns: u32,
    /// Tokens over all model calls, those for summaries included.
    pub usage: Usage,
    /// Money over all model calls whose price is known.
    pub cost: Money,
    /// Model calls whose price is not known, or not all of it.
    pub unpriced: u32,
    /// Failed tool calls in a row.
    pub errors: u32,
    /// Time in which the run itself was not at work and that counts all the same, in milliseconds: that of the agents that
    /// it asked, and of work elsewhere that it waited for.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub beside_ms: u64,
    /// Whether a call was given up because nothing happened at all.
    #[serde(default)]
    pub idle: bool,
    /// The limit that left no room for another call of the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) full: Option<Limit>,
    /// Calls of tools that its model has written.
    #[serde(default, skip_serializing_if = "is_none")]
    pub made: u32,
    /// The tools that were called and did not fail, where that ends the run.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) called: Vec<String>,
    /// The latest calls, each with its result.
    calls: Vec<Digest>,
    /// The latest turns that called tools, each with all its calls and results.
    rounds: Vec<Digest>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_none(number: &u32) -> bool {
    *number == 0
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// The longest cycle that counts as repetition.
const LONGEST_CYCLE: usize = 3;

impl Tally {
    /// Counts a turn of the model.
    pub(crate) fn turn(&mut self, answer: &Answer) {
        if answer.unasked.is_some() {
            self.full = answer.unasked;
            return;
        }
        self.turns = self.turns.saturating_add(1);
        self.spend(answer);
    }

    /// Counts what a model call took.
    pub(crate) fn spend(&mut self, answer: &Answer) {
        self.usage += answer.usage();
        self.cost += answer.cost.unwrap_or(Money::ZERO);
        if answer.whole_cost().is_none() {
            self.unpriced = self.unpriced.saturating_add(1);
        }
    }

    /// Counts what agents took that were asked.
    pub(crate) fn asked(&mut self, spent: &Spent) {
        self.usage += spent.usage;
        self.cost += spent.cost;
        self.unpriced = self.unpriced.saturating_add(spent.unpriced);
    }

    /// Counts all that the calls of a workflow took, of which so much worked at once.
    pub(crate) fn worked(&mut self, spent: &Spent) {
        self.asked(spent);
        let millis = u64::try_from(spent.beside.as_millis()).unwrap_or(u64::MAX);
        self.beside_ms = self.beside_ms.saturating_add(millis);
    }

    /// Counts time in which others worked, out of a time that passed meanwhile: several may have worked at once.
    pub(crate) fn beside(&mut self, worked: Duration, passed: Duration) {
        let millis = u64::try_from(worked.min(passed).as_millis()).unwrap_or(u64::MAX);
        self.beside_ms = self.beside_ms.saturating_add(millis);
    }

    /// How long the run has worked, where it was active itself for so long.
    pub fn active(&self, itself: Duration) -> Duration {
        itself.saturating_add(Duration::from_millis(self.beside_ms))
    }

    /// Counts the calls of one turn, each given as its digest with its result, and whether it failed. `repeats` is
    /// how many repetitions will ever be asked for.
    pub(crate) fn calls(&mut self, calls: &[(Digest, bool)], repeats: u32) {
        if calls.is_empty() {
            return;
        }
        self.made = self.made.saturating_add(u32::try_from(calls.len()).unwrap_or(u32::MAX));
        for (digest, failed) in calls {
            self.errors = if *failed { self.errors.saturating_add(1) } else { 0 };
            self.calls.push(*digest);
        }
        let round: Vec<&[u8]> = calls.iter().map(|(digest, _)| digest.as_bytes().as_slice()).collect();
        self.rounds.push(Digest::of_parts(&round));
        let most = (repeats as usize).saturating_mul(LONGEST_CYCLE);
        keep_last(&mut self.calls, most);
        keep_last(&mut self.rounds, most);
    }

    /// How often the same was done with the same result, up to now: one call, or a cycle of two or three calls or
    /// turns.
    pub fn repetitions(&self) -> u32 {
        repetitions(&self.calls).max(repetitions(&self.rounds))
    }

    /// What it cost; none where the price of any call is not known.
    pub fn known_cost(&self) -> Option<Money> {
        (self.unpriced == 0).then_some(self.cost)
    }
}

fn keep_last<T>(items: &mut Vec<T>, most: usize) {
    let excess = items.len().saturating_sub(most);
    items.drain(..excess);
}

/// How often the last item, or the last cycle of two or three items, comes in a row at the end.
fn repetitions<T: PartialEq>(items: &[T]) -> u32 {
    let cycles = (1..=LONGEST_CYCLE).filter(|length| *length <= items.len());
    let most = cycles.map(|length| {
        let mut blocks = items.rchunks_exact(length);
        let last = blocks.next();
        1 + blocks.take_while(|block| Some(*block) == last).count()
    });
    u32::try_from(most.max().unwrap_or(0)).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repetition_is_seen_in_cycles_up_to_three() {
        let cases = [
            ("", 0),
            ("a", 1),
            ("aaa", 3),
            ("baaa", 3),
            ("aab", 1),
            ("abab", 2),
            ("xababab", 3),
            ("abcabcabc", 3),
            ("abcdabcdabcd", 1),
            ("aabaab", 2),
        ];
        for (items, expected) in cases {
            assert_eq!(repetitions(items.as_bytes()), expected, "{items}");
        }
    }

    #[test]
    fn wide_turns_repeat_as_a_whole() {
        let mut tally = Tally::default();
        let round: Vec<_> = ["a", "b", "c", "d"].map(|text| (Digest::of(text.as_bytes()), false)).into();
        (0..3).for_each(|_| tally.calls(&round, 3));
        assert_eq!(tally.repetitions(), 3);
    }

    #[test]
    fn fees_of_a_providers_tools_make_a_cost_incomplete() {
        use adjutant_core::message::{Message, Native, Part};
        let answer = |parts| {
            let json = serde_json::json!({"response": {"message": Message::assistant(parts), "stop": "end_turn"}, "cost": "1 USD"});
            serde_json::from_value::<Answer>(json).unwrap()
        };
        let search = Part::Native(Native { provider: "anthropic".into(), value: "search".into() });
        let mut tally = Tally::default();
        tally.spend(&answer(vec![Part::text("a")]));
        assert_eq!(tally.known_cost().map(|cost| cost.to_string()).as_deref(), Some("1 USD"));
        tally.spend(&answer(vec![search, Part::text("a")]));
        assert_eq!(
            (tally.known_cost(), tally.cost.to_string().as_str()),
            (None, "2 USD"),
            "limits still count it"
        );
    }

    #[test]
    fn a_success_ends_a_row_of_errors() {
        let mut tally = Tally::default();
        let call = |text: &str, failed| (Digest::of(text.as_bytes()), failed);
        tally.calls(&[call("a", true), call("b", true)], 3);
        assert_eq!(tally.errors, 2);
        tally.calls(&[call("c", false), call("d", true)], 3);
        assert_eq!(tally.errors, 1);
    }
}
