//! The one place that asks the machine for randomness.

use std::cell::RefCell;

use adjutant_core::id::{RunId, SessionId};
use adjutant_core::{Code, Error, Result};

/// How many bytes each thread asks for at a time: an id takes some, and asking costs more than they do.
const POOL: usize = 512;

thread_local! {
    static LEFT: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

/// Random bytes. Fails only where the operating system has no source of randomness.
pub fn bytes<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    fill(&mut bytes)?;
    Ok(bytes)
}

/// A new id for a run.
pub fn run_id() -> Result<RunId> {
    pooled().map(RunId::from_bytes)
}

/// A new id for a session.
pub fn session_id() -> Result<SessionId> {
    pooled().map(SessionId::from_bytes)
}

/// Random bytes of those that this thread has asked for ahead, each given out once. They are for ids and not for secrets: a copy of
/// the whole machine has them, too.
fn pooled<const N: usize>() -> Result<[u8; N]> {
    LEFT.with_borrow_mut(|left| {
        if left.len() < N {
            left.resize(POOL.max(N), 0);
            if let Err(error) = fill(left) {
                left.clear();
                return Err(error);
            }
        }
        let mut bytes = [0; N];
        let rest = left.len() - N;
        bytes.iter_mut().zip(left.drain(rest..)).for_each(|(byte, taken)| *byte = taken);
        Ok(bytes)
    })
}

#[expect(clippy::disallowed_methods, reason = "this is the one place that asks the machine")]
fn fill(bytes: &mut [u8]) -> Result<()> {
    getrandom::fill(bytes)
        .map_err(|error| Error::new(Code::Internal, "the machine has no randomness").caused_by(&error))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn each_id_is_given_out_once() {
        let make = || (0..1_000).map(|_| pooled::<10>().unwrap()).collect::<HashSet<_>>();
        let (here, there) = (make(), std::thread::spawn(make).join().unwrap());
        assert_eq!(here.union(&there).count(), 2_000);
        assert!(here.iter().chain(&there).all(|bytes| bytes.iter().any(|byte| *byte != 0)));
        assert_ne!(pooled::<1_000>().unwrap()[..500], [0; 500]);
    }
}
