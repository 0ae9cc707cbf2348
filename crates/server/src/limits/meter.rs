//! [`Meter`]: counts what many do, each by themselves.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use super::bucket::{Rate, Standing, count};

/// The most that are counted by themselves.
const MOST: usize = 100_000;

/// How often those are looked for who have everything again, at most.
const SWEEP: Duration = Duration::from_secs(1);

/// Counts what many do, each by themselves. It takes no more memory however many there are: whoever has everything again is
/// forgotten, and where there is no room, those who are new are counted together.
pub(crate) struct Meter<K> {
    rate: Rate,
    most: usize,
    began: Instant,
    kept: Mutex<Kept<K>>,
}

struct Kept<K> {
    /// When each has everything again, after the beginning.
    whole_at: HashMap<K, Duration>,
    /// The same of all for whom there was no room.
    others: Duration,
    swept: Duration,
}

impl<K: Hash + Eq> Meter<K> {
    pub(crate) fn new(rate: Rate) -> Self {
        Self::of(rate, MOST)
    }

    fn of(rate: Rate, most: usize) -> Self {
        let kept = Kept { whole_at: HashMap::new(), others: Duration::ZERO, swept: Duration::ZERO };
        Self { rate, most, began: Instant::now(), kept: Mutex::new(kept) }
    }

    /// Counts one more time for somebody.
    pub(crate) fn count<Q>(&self, who: &Q) -> Standing
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.count_at(who, self.began.elapsed())
    }

    /// How somebody would stand if they were counted once more.
    pub(crate) fn stands<Q: Hash + Eq + ?Sized>(&self, who: &Q) -> Standing
    where
        K: Borrow<Q>,
    {
        let (kept, now) = (self.kept(), self.began.elapsed());
        let is_full = kept.whole_at.len() >= self.most;
        let whole_at = kept.whole_at.get(who).copied();
        let whole_at = whole_at.unwrap_or(if is_full { kept.others } else { Duration::ZERO });
        count(self.rate, whole_at, now).1
    }

    fn count_at<Q>(&self, who: &Q, now: Duration) -> Standing
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let mut kept = self.kept();
        if let Some(whole_at) = kept.whole_at.get_mut(who) {
            let (next, standing) = count(self.rate, *whole_at, now);
            *whole_at = next;
            return standing;
        }
        if kept.whole_at.len() >= self.most && now.saturating_sub(kept.swept) >= SWEEP {
            kept.swept = now;
            kept.whole_at.retain(|_, whole_at| *whole_at > now);
        }
        if kept.whole_at.len() >= self.most {
            let (next, standing) = count(self.rate, kept.others, now);
            kept.others = next;
            return standing;
        }
        let (next, standing) = count(self.rate, Duration::ZERO, now);
        kept.whole_at.insert(who.to_owned(), next);
        standing
    }

    fn kept(&self) -> MutexGuard<'_, Kept<K>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn each_is_counted_by_themselves() {
        let meter = Meter::<String>::of(Rate { times: 1, within: seconds(10) }, 10);
        let passes = |who: &str, at| meter.count_at(who, seconds(at)).wait.is_none();
        assert!(passes("a", 0) && passes("b", 0));
        assert!(!passes("a", 1) && !passes("b", 1));
        assert!(passes("a", 10));
    }

    #[test]
    fn however_many_there_are_no_more_are_kept() {
        let meter = Meter::<u32>::of(Rate { times: 2, within: seconds(10) }, 100);
        let passed = (0..10_000u32).filter(|who| meter.count_at(who, seconds(2)).wait.is_none()).count();
        assert_eq!(passed, 102, "those for whom there is no room share what one may");
        assert_eq!(meter.kept().whole_at.len(), 100);
        // Once they have everything again, there is room.
        assert!(meter.count_at(&20_000, seconds(30)).wait.is_none());
        assert_eq!(meter.kept().whole_at.len(), 1);
    }
}
