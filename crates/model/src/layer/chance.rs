//! Chance, for waits that many callers must not share.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::time::Duration;

/// A number from 0 to 1. Each is hashed with new random keys, which is chance enough to spread callers over a wait.
pub(super) fn chance() -> f64 {
    let bits = RandomState::new().build_hasher().finish() >> 32;
    f64::from(u32::try_from(bits).unwrap_or_default()) / f64::from(u32::MAX)
}

/// A part of a wait.
pub(super) fn spread(wait: Duration, chance: f64) -> Duration {
    wait.mul_f64(chance.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chance_is_spread_over_its_range() {
        let drawn: Vec<f64> = (0..1_000).map(|_| chance()).collect();
        assert!(drawn.iter().all(|number| (0.0..=1.0).contains(number)));
        let high = drawn.iter().filter(|number| **number > 0.5).count();
        assert!((300..700).contains(&high), "{high} of 1,000 are above a half");
    }
}
