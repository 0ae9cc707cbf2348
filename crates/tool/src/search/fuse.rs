//! Joins several orders of the same things into one.

use std::collections::BTreeMap;

/// How little the first places count before the next ones: what the authors of the method use (Cormack and others, 2009).
const EVEN: f64 = 60.0;

/// Joins rankings by reciprocal rank: each thing counts by its places, whatever the scores behind them mean.
pub fn fuse(rankings: &[Vec<usize>], most: usize) -> Vec<usize> {
    let mut scores: BTreeMap<usize, f64> = BTreeMap::new();
    for ranking in rankings {
        for (place, thing) in ranking.iter().enumerate() {
            *scores.entry(*thing).or_default() += 1.0 / (EVEN + place as f64 + 1.0);
        }
    }
    let mut joined: Vec<(usize, f64)> = scores.into_iter().collect();
    joined.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    joined.into_iter().take(most).map(|(thing, _)| thing).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_both_find_comes_first() {
        assert_eq!(fuse(&[vec![4, 1, 2], vec![3, 1, 0]], 3), [1, 3, 4]);
        assert_eq!(fuse(&[vec![4, 1]], 9), [4, 1]);
        assert_eq!(fuse(&[], 9), [0; 0]);
    }
}
