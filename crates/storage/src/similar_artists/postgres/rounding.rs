//! How far the distances of pgvector can be from those that rank.
//!
//! pgvector multiplies and adds in single precision, in an order of its compiler's choice. A sum of n products is then
//! off by at most n·u of the sum of their absolute values, where u is 2^-24, and for an inner product that sum is at
//! most the product of the two lengths. What gets lost below the smallest number is far less, since no length is below
//! 1e-15. The bounds here are twice what follows from that, which also covers the rounding of double precision.

use domain::{Metric, Search};

/// What a sum of 384 products is off by, twice over: 2 · 384 · 2^-24.
const SUM: f64 = 384.0 / 8_388_608.0;

/// A distance of pgvector, in SQL, and what it can be off by: a share of it, a share of the row's length, and a constant.
#[derive(Debug)]
pub(super) struct Rounding {
    /// What comes between the embedding's column and the target.
    pub(super) operator: &'static str,
    /// The row's length, if that matters.
    pub(super) length: &'static str,
    pub(super) of_distance: f64,
    pub(super) of_length: f64,
    pub(super) at_all: f64,
}

impl Rounding {
    pub(super) fn of(search: &Search) -> Self {
        match search.metric {
            // A sum over the root of two others, where the whole is at most 1.
            Metric::Cosine => Self {
                operator: "<=>",
                length: "0.0::float8",
                of_distance: 0.0,
                of_length: 0.0,
                at_all: 2.0 * SUM,
            },
            // The root of a sum of squares halves what they are off by. Squares of differences below 1e-19 vanish.
            Metric::L2 => Self {
                operator: "<->",
                length: "0.0::float8",
                of_distance: SUM,
                of_length: 0.0,
                at_all: 1e-17,
            },
            Metric::InnerProduct => Self {
                operator: "<#>",
                length: "vector_norm(e.embedding)",
                of_distance: 0.0,
                of_length: SUM * search.target.length(),
                at_all: 0.0,
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::{Embedding, Limit};

    use super::*;

    /// As pgvector computes it.
    fn distance(metric: Metric, one: &Embedding, other: &Embedding) -> f64 {
        let sum = |term: fn(f32, f32) -> f32, one: &Embedding, other: &Embedding| {
            one.as_slice().iter().zip(other.as_slice()).map(|(&x, &y)| term(x, y)).sum::<f32>()
        };
        let dot = |one, other| f64::from(sum(|x, y| x * y, one, other));
        match metric {
            Metric::Cosine => {
                1.0 - (dot(one, other) / (dot(one, one) * dot(other, other)).sqrt())
                    .clamp(-1.0, 1.0)
            }
            Metric::L2 => f64::from(sum(|x, y| (x - y) * (x - y), one, other)).sqrt(),
            Metric::InnerProduct => -dot(one, other),
        }
    }

    #[test]
    fn holds_for_lengths_of_every_size() {
        let embedding = |seed: u32, length: f32| {
            let numbers = (0..384_u32).map(|at| {
                let bits = (at + 1).wrapping_mul(0x9e37_79b9).wrapping_add(seed) >> 8;
                length * (f32::from(u16::try_from(bits % 65_536).unwrap()) / 65_536.0 - 0.3)
            });
            Embedding::try_from(numbers.collect::<Vec<f32>>()).unwrap()
        };

        for metric in Metric::ALL {
            for (one, other) in
                [(1.0, 1.0), (1e-15, 1e-15), (1e13, 1e13), (1e-15, 1e13), (1.0, 1.000_000_1)]
            {
                for seed in [0, 1, 0x8000_0000] {
                    let (target, row) = (embedding(7, one), embedding(7 + seed, other));
                    let search =
                        Search { metric, ..Search::around(target.clone(), Limit::LARGEST) };
                    let found = distance(metric, &target, &row);
                    let exact = match metric {
                        Metric::Cosine => 1.0 - metric.score(&target, &row),
                        Metric::L2 | Metric::InnerProduct => -metric.score(&target, &row),
                    };

                    let rounding = Rounding::of(&search);
                    let bound = rounding.of_distance * found
                        + rounding.of_length * row.length()
                        + rounding.at_all;
                    assert!((found - exact).abs() <= bound, "{metric:?} {one} {other} {seed}");
                }
            }
        }
    }
}
