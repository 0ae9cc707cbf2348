//! [`Vectors`]: finds by meaning.

/// The vectors of tools, in the tools' order, each of the length 1. A tool without one is not found.
#[derive(Clone, Debug, Default)]
pub struct Vectors(Vec<Option<std::sync::Arc<[f32]>>>);

impl Vectors {
    /// Vectors in the order of their tools.
    pub fn new(vectors: Vec<Option<std::sync::Arc<[f32]>>>) -> Self {
        Self(vectors)
    }

    /// The tools whose vectors are nearest to that of a query, the nearest first. Vectors of other dimensions are passed over.
    pub fn nearest(&self, query: &[f32], most: usize) -> Vec<usize> {
        let known = self.0.iter().enumerate().filter_map(|(tool, vector)| Some((tool, vector.as_deref()?)));
        let near = known
            .filter(|(_, vector)| vector.len() == query.len())
            .map(|(tool, vector)| (tool, product(vector, query)));
        let mut near: Vec<(usize, f32)> = near.collect();
        near.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        near.into_iter().take(most).map(|(tool, _)| tool).collect()
    }
}

/// The product of two vectors, of whole blocks at a time: one sum after the other would wait for each addition.
fn product(one: &[f32], other: &[f32]) -> f32 {
    let (ones, rest) = one.as_chunks::<16>();
    let (others, other_rest) = other.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for (a, b) in ones.iter().zip(others) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum += a * b;
        }
    }
    let rest: f32 = rest.iter().zip(other_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_nearest_comes_first() {
        let vectors = [Some([1.0, 0.0]), None, Some([0.0, 1.0]), Some([0.6, 0.8])];
        let vectors =
            Vectors::new(vectors.map(|vector| vector.map(|numbers| numbers.to_vec().into())).to_vec());
        assert_eq!(vectors.nearest(&[0.0, 1.0], 2), [2, 3]);
        assert_eq!(vectors.nearest(&[0.0, 1.0, 0.0], 2), [0; 0]);
        let numbers = |count: u16| (0..count).map(f32::from).collect::<Vec<_>>();
        assert_eq!(product(&numbers(35), &numbers(35)), 13_685.0);
    }
}
