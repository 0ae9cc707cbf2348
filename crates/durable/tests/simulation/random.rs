//! Chance that can be repeated.

/// A generator of pseudo-random numbers (SplitMix64).
#[derive(Clone, Debug)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(crate) fn draw(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        mix(self.0)
    }

    /// A number below `end`, which is not 0.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        (self.draw() % end as u64) as usize
    }

    pub(crate) fn between(&mut self, least: i64, most: i64) -> i64 {
        least + (self.draw() % (most - least + 1) as u64) as i64
    }

    /// True `in_thousand` times in a thousand.
    pub(crate) fn chance(&mut self, in_thousand: u64) -> bool {
        self.draw() % 1_000 < in_thousand
    }
}

fn mix(mut z: u64) -> u64 {
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

/// Folds a text into a number.
pub(crate) fn fold(sum: u64, text: &str) -> u64 {
    text.bytes().fold(mix(sum ^ 0x51_7c), |sum, byte| mix(sum ^ u64::from(byte)))
}
