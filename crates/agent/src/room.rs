//! [`Room`]: what is left of a run's limits for one call of a model.

use adjutant_core::limit::{Limit, Limits};
use adjutant_core::money::{Money, Prices};
use adjutant_core::usage::Usage;

use crate::purse::Allowance;
use crate::tally::Tally;

/// The shortest answer that is worth a call, in tokens: some interfaces take no smaller limit.
const SHORTEST_ANSWER: u64 = 16;

/// What is left of a run's limits for one call of a model. A call that could take more is given a shorter answer, and is not made
/// where even the shortest one is too long: so a limit is never exceeded by what a model was allowed to say, and agents that
/// share one do not exceed it together.
///
/// What a request takes is an estimate before it is sent; a provider that counts more is believed afterwards.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Room {
    tokens: u64,
    money: Money,
    /// Whether as much must be left for another call: the last turn, in which the run says what it has.
    keeps: bool,
}

impl Room {
    /// What a share holds that a run may take.
    pub(crate) fn of(share: Allowance) -> Self {
        Self { tokens: share.tokens, money: share.money, keeps: false }
    }

    /// What is left for the last turn of a run.
    pub(crate) fn whole(limits: &Limits, tally: &Tally) -> Self {
        let tokens = limits.tokens.saturating_sub(tally.usage.total());
        let nanos = limits.money.nanos().saturating_sub(tally.cost.nanos()).max(0);
        Self { tokens, money: Money::from_nanos(nanos), keeps: false }
    }

    /// What is left for any other call, so that a last turn can follow.
    pub(crate) fn before_the_last(limits: &Limits, tally: &Tally) -> Self {
        Self { keeps: true, ..Self::whole(limits, tally) }
    }

    /// How many tokens the answer to a request of `input` tokens may have: at most `most`. Fails with the limit that leaves none.
    pub(crate) fn answer(&self, input: u64, most: u64, prices: Option<&Prices>) -> Result<u64, Limit> {
        // The next request holds this one and its answer.
        let calls = if self.keeps { 2 } else { 1 };
        let by_tokens = self.tokens.saturating_sub(input.saturating_mul(calls)) / calls;
        let enough = SHORTEST_ANSWER.min(most);
        if by_tokens < enough {
            return Err(Limit::Tokens);
        }
        let Some(prices) = prices else { return Ok(most.min(by_tokens)) };
        let left = self.money.nanos() / i64::from(u8::from(self.keeps) + 1);
        let fits = |output| dearest(prices, input, output).nanos() <= left;
        if !fits(enough) {
            return Err(Limit::Money);
        }
        Ok(longest(enough, most.min(by_tokens), fits))
    }
}

/// What a call costs at most: a provider may write all that it is sent to its cache, which can cost more than to read it.
pub(crate) fn dearest(prices: &Prices, input: u64, output: u64) -> Money {
    let plain = Usage { input, output, ..Usage::default() };
    let kept = Usage { cache_write: input, ..plain };
    prices.cost(&plain).max(prices.cost(&kept))
}

/// The greatest number from `fitting` to `most` that fits, where those above one that does not fit do not fit either.
fn longest(fitting: u64, most: u64, fits: impl Fn(u64) -> bool) -> u64 {
    let (mut low, mut high) = (fitting.min(most), most);
    while low < high {
        let middle = high - (high - low) / 2;
        if fits(middle) { low = middle } else { high = middle - 1 }
    }
    low
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits(tokens: u64, nanos: i64) -> Limits {
        Limits { tokens, money: Money::from_nanos(nanos), ..Limits::default() }
    }

    #[test]
    fn an_answer_gets_what_is_left_and_no_more() {
        let none = Tally::default();
        let room = |tokens| Room::whole(&limits(tokens, 0), &none);
        assert_eq!(room(1_000).answer(100, 400, None), Ok(400));
        assert_eq!(room(1_000).answer(700, 400, None), Ok(300));
        assert_eq!(room(1_000).answer(985, 400, None), Err(Limit::Tokens));
        assert_eq!(room(1_000).answer(2_000, 400, None), Err(Limit::Tokens));
        let keeping = Room::before_the_last(&limits(1_000, 0), &none);
        assert_eq!(
            keeping.answer(100, 500, None),
            Ok(400),
            "which leaves 500 for another of 100 and the 400"
        );
        assert_eq!(keeping.answer(490, 500, None), Err(Limit::Tokens));
    }

    proptest! {
        #[test]
        fn no_call_costs_more_than_is_left(
            tokens in 0_u64..200_000, nanos in 0_i64..10_000_000_000, input in 0_u64..100_000, most in 1_u64..50_000,
            per in (0_u32..100, 0_u32..500, 0_u32..200), keeps: bool,
        ) {
            let prices = Prices { cache_write: Some(per.2.into()), ..Prices::new(per.0.into(), per.1.into()) };
            let room = Room { keeps, ..Room::whole(&limits(tokens, nanos), &Tally::default()) };
            if let Ok(output) = room.answer(input, most, Some(&prices)) {
                prop_assert!(output <= most && output >= SHORTEST_ANSWER.min(most));
                prop_assert!(input + output <= tokens);
                let cost = prices.cost(&Usage { input, output, cache_write: input / 2, ..Usage::default() });
                prop_assert!(cost.nanos() <= nanos);
            }
        }
    }
}
