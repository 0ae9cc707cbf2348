//! How often something may be done. Pure.

use std::time::Duration;

/// How often something may be done: so many times within such a time, at once or one by one. What was used comes back evenly.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rate {
    /// How many times; at least once.
    pub times: u32,
    /// Within which time.
    pub within: Duration,
}

impl Rate {
    /// So many times a minute.
    pub fn per_minute(times: u32) -> Self {
        Self { times, within: Duration::from_secs(60) }
    }

    /// How long it takes until one more is allowed.
    fn step(self) -> Duration {
        self.within / self.times.max(1)
    }
}

/// How somebody stands who is counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// What they may.
    pub(crate) rate: Rate,
    /// How many times more at once.
    pub(crate) left: u32,
    /// When they have all of it again.
    pub(crate) whole_in: Duration,
    /// How long they have to wait; none where it was allowed.
    pub(crate) wait: Option<Duration>,
}

/// Counts one more time for somebody who will have everything again at `whole_at`. Returns when they will, now, and how they
/// stand: what is refused does not count. (The generic cell rate algorithm: one moment is all that is kept of anybody.)
pub(crate) fn count(rate: Rate, whole_at: Duration, now: Duration) -> (Duration, Standing) {
    let step = rate.step();
    let next = whole_at.max(now).saturating_add(step);
    let behind = next.saturating_sub(now);
    let wait = behind.checked_sub(rate.within).filter(|wait| !wait.is_zero());
    let whole_at = if wait.is_some() { whole_at } else { next };
    let whole_in = whole_at.saturating_sub(now);
    let left = match step.as_nanos() {
        0 => rate.times,
        step => rate.within.saturating_sub(whole_in).as_nanos().checked_div(step).unwrap_or(0) as u32,
    };
    (whole_at, Standing { rate, left, whole_in, wait })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn so_many_pass_at_once_and_then_one_by_one() {
        let rate = Rate { times: 3, within: Duration::from_secs(3) };
        let mut whole_at = Duration::ZERO;
        let mut at = |millis: u64| {
            let (next, standing) = count(rate, whole_at, Duration::from_millis(millis));
            whole_at = next;
            (standing.left, standing.wait.map(|wait| wait.as_millis()))
        };
        assert_eq!(at(0), (2, None));
        assert_eq!(at(0), (1, None));
        assert_eq!(at(0), (0, None));
        assert_eq!(at(0), (0, Some(1000)));
        assert_eq!(at(400), (0, Some(600)));
        assert_eq!(at(1000), (0, None));
        assert_eq!(at(1000), (0, Some(1000)));
        assert_eq!(at(60_000), (2, None));
    }

    proptest! {
        #[test]
        fn never_more_pass_than_twice_the_rate_in_its_time(
            times in 1u32..20,
            gaps in proptest::collection::vec(0u64..500, 1..200),
        ) {
            let rate = Rate { times, within: Duration::from_secs(2) };
            let (mut whole_at, mut now, mut passed) = (Duration::ZERO, Duration::ZERO, Vec::new());
            for gap in gaps {
                now += Duration::from_millis(gap);
                let (next, standing) = count(rate, whole_at, now);
                whole_at = next;
                prop_assert!(standing.left < times);
                match standing.wait {
                    None => passed.push(now),
                    // Whoever waits as long as they are told is let pass.
                    Some(wait) => prop_assert_eq!(count(rate, whole_at, now + wait).1.wait, None),
                }
            }
            for from in &passed {
                let within = passed.iter().filter(|at| *at >= from && **at < *from + rate.within).count();
                prop_assert!(within <= 2 * times as usize);
            }
        }
    }
}
