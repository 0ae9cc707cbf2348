//! What becomes of the times that came due while nobody looked. Pure: the time comes in.

use std::time::Duration;

use adjutant_core::time::{Timestamp, format_duration};

use super::schedule::Schedule;

/// What is done later than this after its time was missed.
const GRACE: Duration = Duration::from_secs(60);

/// What becomes of times that were missed: while nobody looked, or while a machine slept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    Skip,
    /// The last of them is made up for.
    #[default]
    Last,
    /// Each of them is made up for.
    All,
}

/// What is to be done next.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Next {
    /// A run for this time.
    Admit(Timestamp),
    /// Nothing for so many times in a row.
    Skip { first: Timestamp, last: Timestamp, count: u64, why: String },
}

/// How many times are passed over at once.
const MOST_AT_ONCE: u64 = 10_000;

/// What is to be done next on a schedule that has come to `since`; none where nothing is due.
pub(super) fn next(
    schedule: &Schedule,
    (missed, longest_back): (Missed, Duration),
    since: Timestamp,
    now: Timestamp,
) -> Option<Next> {
    let due = |after: Timestamp| schedule.after(after).filter(|due| *due <= now);
    let reason = |time: Timestamp| {
        let is_late = now.since(time) > GRACE;
        match missed {
            _ if now.since(time) > longest_back => {
                Some(format!("it was missed by more than {}", format_duration(longest_back)))
            }
            Missed::Skip if is_late => Some("it was missed".to_owned()),
            Missed::Last if is_late && due(time).is_some() => {
                Some("it was missed, and a later one is due".to_owned())
            }
            _ => None,
        }
    };
    let first = due(since)?;
    let Some(why) = reason(first) else { return Some(Next::Admit(first)) };
    let (mut last, mut count) = (first, 1);
    // A clock that was wrong by years has missed millions: they are passed over some at a time.
    while count < MOST_AT_ONCE
        && let Some(time) = due(last).filter(|time| reason(*time).as_ref() == Some(&why))
    {
        (last, count) = (time, count + 1);
    }
    Some(Next::Skip { first, last, count, why })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: i64 = 3_600_000;

    /// What becomes of the hours from 0 on when somebody looks at this time.
    fn all(missed: Missed, back: u64, now: i64) -> Vec<String> {
        let schedule = Schedule::read("0 * * * *", "UTC").unwrap();
        let (mut since, mut told) = (Timestamp(0), Vec::new());
        while let Some(found) =
            next(&schedule, (missed, Duration::from_secs(back * 3_600)), since, Timestamp(now))
        {
            since = match found {
                Next::Admit(at) => {
                    told.push(format!("run {}", at.0 / HOUR));
                    at
                }
                Next::Skip { first, last, count, .. } => {
                    told.push(format!("skip {}-{} ({count})", first.0 / HOUR, last.0 / HOUR));
                    last
                }
            };
        }
        told
    }

    #[test]
    fn what_was_missed_is_made_up_for_by_rule() {
        let late = 4 * HOUR + HOUR / 2;
        assert_eq!(all(Missed::Skip, 24, late), ["skip 1-4 (4)"]);
        assert_eq!(all(Missed::Last, 24, late), ["skip 1-3 (3)", "run 4"]);
        assert_eq!(all(Missed::All, 24, late), ["run 1", "run 2", "run 3", "run 4"]);
        assert_eq!(all(Missed::All, 2, late), ["skip 1-2 (2)", "run 3", "run 4"]);
        assert_eq!(all(Missed::Last, 2, 100 * HOUR), ["skip 1-97 (97)", "skip 98-99 (2)", "run 100"]);
    }

    #[test]
    fn what_is_on_time_was_not_missed() {
        for missed in [Missed::Skip, Missed::Last, Missed::All] {
            assert_eq!(all(missed, 24, HOUR + 1_000), ["run 1"]);
            assert!(all(missed, 24, HOUR - 1).is_empty());
        }
    }

    #[test]
    fn a_clock_that_goes_back_brings_nothing_twice() {
        let schedule = Schedule::read("0 * * * *", "UTC").unwrap();
        let rule = (Missed::All, Duration::from_secs(86_400));
        assert_eq!(next(&schedule, rule, Timestamp(3 * HOUR), Timestamp(2 * HOUR)), None);
    }
}
