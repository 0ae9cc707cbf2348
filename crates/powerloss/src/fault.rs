//! Calls that fail, and room that runs out.

/// A call to the disk that can be made to fail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Call {
    /// A read gives an error.
    Read,
    /// A read gives fewer bytes than the file has.
    ShortRead,
    /// A write gives an error, and half of it is done.
    Write,
    /// A sync gives an error. What it was to sync is not on the disk, and will not be by a later sync, unless it is
    /// written again: so Linux does it.
    Sync,
}

/// When a call fails.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Failing {
    pub(crate) call: Call,
    /// How many more calls pass before.
    pub(crate) after: u64,
    /// How many fail then.
    pub(crate) times: u64,
}

/// The calls that are to fail.
#[derive(Debug, Default)]
pub(crate) struct Faults(Vec<Failing>);

impl Faults {
    pub(crate) fn add(&mut self, failing: Failing) {
        self.0.push(failing);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Counts a call; returns whether it fails.
    pub(crate) fn strikes(&mut self, call: Call) -> bool {
        let mut strikes = false;
        for failing in self.0.iter_mut().filter(|failing| failing.call == call) {
            if failing.after > 0 {
                failing.after -= 1;
            } else if failing.times > 0 {
                failing.times -= 1;
                strikes = true;
            }
        }
        self.0.retain(|failing| failing.times > 0);
        strikes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_calls_fail_and_no_other() {
        let mut faults = Faults::default();
        faults.add(Failing { call: Call::Write, after: 2, times: 2 });
        assert!(!faults.strikes(Call::Sync));
        let struck: Vec<bool> = (0..6).map(|_| faults.strikes(Call::Write)).collect();
        assert_eq!(struck, [false, false, true, true, false, false]);
    }
}
