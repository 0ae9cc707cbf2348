//! [`Queue`]: calls that are made together, and which of them waits for which.

use std::collections::BTreeSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// What a call touches and depends on, as names of tools whose calls the policies ask about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reach {
    /// The tools that it may call: its own, or those of the agent or the program that it starts.
    pub(crate) touches: BTreeSet<String>,
    /// The tools whose earlier calls decide whether it may be made.
    pub(crate) depends: BTreeSet<String>,
}

impl Reach {
    fn depends_on(&self, other: &Self) -> bool {
        !self.depends.is_disjoint(&other.touches)
    }
}

/// Calls that are made together. A model that asks for several at once does not know that one of them must come before
/// another: it is not refused for that, it waits.
#[derive(Default)]
pub(crate) struct Queue(Mutex<Vec<Entry>>);

struct Entry {
    reach: Reach,
    /// The places of those that it waits for.
    before: Vec<usize>,
    /// Whether it is known what may be done with it.
    decided: bool,
    over: bool,
    wakers: Vec<Waker>,
}

/// The place of one call. Whoever waits for the call goes on once this is dropped.
pub(crate) struct Place<'a> {
    queue: &'a Queue,
    index: usize,
}

impl Queue {
    /// Takes in calls that are asked for together, after those that were asked for before. Each waits for earlier ones that
    /// it depends on, and for later ones where these do not wait for it.
    pub(crate) fn join(&self, calls: impl IntoIterator<Item = Reach>) -> Vec<Place<'_>> {
        let mut entries = self.entries();
        let first = entries.len();
        for reach in calls {
            let before = (0..entries.len())
                .filter(|index| entries.get(*index).is_some_and(|other| reach.depends_on(&other.reach)))
                .collect();
            entries.push(Entry { reach, before, decided: false, over: false, wakers: Vec::new() });
        }
        for index in first..entries.len() {
            for later in index + 1..entries.len() {
                let depends = |a: usize, b: usize| match (entries.get(a), entries.get(b)) {
                    (Some(a), Some(b)) => a.reach.depends_on(&b.reach),
                    _ => false,
                };
                if depends(index, later)
                    && !waits(&entries, later, index)
                    && let Some(entry) = entries.get_mut(index)
                {
                    entry.before.push(later);
                }
            }
        }
        (first..entries.len()).map(|index| Place { queue: self, index }).collect()
    }

    /// Resolves once no call is left for which this holds.
    async fn until_none(&self, is_open: impl Fn(usize, &Entry) -> bool) {
        std::future::poll_fn(|context| {
            let mut entries = self.entries();
            let open = entries.iter_mut().enumerate().find(|(index, entry)| is_open(*index, entry));
            match open {
                Some((_, entry)) => {
                    entry.wakers.push(context.waker().clone());
                    Poll::Pending
                }
                None => Poll::Ready(()),
            }
        })
        .await;
    }

    fn entries(&self) -> MutexGuard<'_, Vec<Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether one waits for another, also by way of others.
fn waits(entries: &[Entry], one: usize, other: usize) -> bool {
    let (mut open, mut seen) = (vec![one], BTreeSet::from([one]));
    while let Some(next) = open.pop() {
        if next == other {
            return true;
        }
        let before = entries.get(next).map(|entry| entry.before.as_slice()).unwrap_or_default();
        open.extend(before.iter().filter(|before| seen.insert(**before)));
    }
    false
}

impl Place<'_> {
    /// Waits until all that the call depends on is over. It is woken by those calls alone, which are futures of the same
    /// run, so a replay goes the same way.
    pub(crate) async fn turn(&self) {
        let before =
            self.queue.entries().get(self.index).map(|entry| entry.before.clone()).unwrap_or_default();
        self.queue.until_none(|index, entry| !entry.over && before.contains(&index)).await;
    }

    /// Says that it is known what may be done with the call.
    pub(crate) fn decided(&self) {
        self.change(|entry| entry.decided = true);
    }

    /// Waits until that is known of all calls that wait for no other, so that a person is shown all at once.
    pub(crate) async fn all_decided(&self) {
        self.queue.until_none(|_, entry| entry.before.is_empty() && !entry.decided && !entry.over).await;
    }

    fn change(&self, change: impl FnOnce(&mut Entry)) {
        let wakers = self.queue.entries().get_mut(self.index).map(|entry| {
            change(entry);
            std::mem::take(&mut entry.wakers)
        });
        wakers.into_iter().flatten().for_each(Waker::wake);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.change(|entry| entry.over = true);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use futures::executor::block_on;
    use futures::future::join_all;
    use proptest::prelude::*;

    use super::*;

    fn reach(touches: &[&str], depends: &[&str]) -> Reach {
        let names = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        Reach { touches: names(touches), depends: names(depends) }
    }

    /// The order in which calls come to their turn, each taking no time.
    fn order(calls: Vec<Reach>) -> Vec<usize> {
        let (queue, order) = (Queue::default(), Arc::new(Mutex::new(Vec::new())));
        let places = queue.join(calls);
        block_on(join_all(places.into_iter().enumerate().map(|(index, place)| {
            let order = Arc::clone(&order);
            async move {
                place.turn().await;
                order.lock().unwrap().push(index);
            }
        })));
        std::mem::take(&mut *order.lock().unwrap())
    }

    #[test]
    fn a_call_waits_for_those_that_its_rule_asks_about() {
        let refund = || reach(&["refund"], &["order", "refund"]);
        let order_first = reach(&["order"], &[]);
        assert_eq!(order(vec![refund(), order_first.clone()]), [1, 0]);
        assert_eq!(order(vec![order_first.clone(), refund()]), [0, 1]);
        // Of two that count each other, the first goes first.
        assert_eq!(order(vec![refund(), refund(), order_first]), [2, 0, 1]);
    }

    #[test]
    fn a_circle_is_cut_at_its_last() {
        let (a, b, c) = (reach(&["a"], &["b"]), reach(&["b"], &["c"]), reach(&["c"], &["a"]));
        // The first waits for the second, and that for the third, which then cannot wait for the first.
        let mut all = order(vec![a, b, c]);
        all.sort_unstable();
        assert_eq!(all, [0, 1, 2]);
    }

    proptest! {
        #[test]
        fn everybody_has_a_turn(calls in prop::collection::vec((prop::collection::vec("[a-e]", 0..3), prop::collection::vec("[a-e]", 0..3)), 0..12)) {
            let calls: Vec<_> = calls.into_iter().map(|(touches, depends)| Reach {
                touches: touches.into_iter().collect(), depends: depends.into_iter().collect() }).collect();
            let order = order(calls.clone());
            prop_assert_eq!(order.len(), calls.len());
            // Nobody overtakes an earlier one that he depends on.
            for (turn, index) in order.iter().enumerate() {
                for later in &order[turn + 1..] {
                    prop_assert!(later > index || !calls[*index].depends_on(&calls[*later]));
                }
            }
        }
    }
}
