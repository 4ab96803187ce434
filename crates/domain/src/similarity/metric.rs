//! How close two embeddings are.

use crate::Embedding;

/// A measure of closeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Metric {
    /// The cosine of the angle; lengths do not count.
    #[default]
    Cosine,
    /// The Euclidean distance.
    L2,
    /// The inner product.
    InnerProduct,
}

impl Metric {
    /// Every metric.
    pub const ALL: [Self; 3] = [Self::Cosine, Self::L2, Self::InnerProduct];

    /// The metric's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Cosine => "cosine",
            Self::L2 => "l2",
            Self::InnerProduct => "inner_product",
        }
    }

    /// How close two embeddings are, in double precision. The larger, the closer: the cosine (1 alike, 0 unrelated, -1
    /// opposite), minus the distance (0 the same), or the inner product.
    ///
    /// Every engine ranks by this one function, so that all give the same numbers in the same order.
    #[must_use]
    pub fn score(self, one: &Embedding, other: &Embedding) -> f64 {
        self.score_of(one.numbers(), one.length(), other.numbers(), other.length())
    }

    /// The same for whoever keeps embeddings in another shape, with their [`Embedding::length`].
    #[must_use]
    pub fn score_of(
        self,
        one: &[f32; Embedding::DIMENSIONS],
        one_length: f64,
        other: &[f32; Embedding::DIMENSIONS],
        other_length: f64,
    ) -> f64 {
        match self {
            Self::Cosine => (dot(one, other) / (one_length * other_length)).clamp(-1.0, 1.0),
            Self::L2 => -summed(one, other, |one, other| (one - other) * (one - other)).sqrt(),
            Self::InnerProduct => dot(one, other),
        }
    }
}

/// The inner product in double precision.
pub(crate) fn dot(one: &[f32; Embedding::DIMENSIONS], other: &[f32; Embedding::DIMENSIONS]) -> f64 {
    summed(one, other, |one, other| one * other)
}

/// Adds up in eight rows that a processor can add at once, and in one order whatever the processor.
fn summed(
    one: &[f32; Embedding::DIMENSIONS],
    other: &[f32; Embedding::DIMENSIONS],
    term: impl Fn(f64, f64) -> f64,
) -> f64 {
    let mut rows = [0.0; 8];
    for (one, other) in one.as_chunks::<8>().0.iter().zip(other.as_chunks::<8>().0) {
        for ((row, &one), &other) in rows.iter_mut().zip(one).zip(other) {
            *row += term(f64::from(one), f64::from(other));
        }
    }
    rows.iter().sum()
}

impl std::str::FromStr for Metric {
    type Err = UnknownMetric;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|metric| metric.as_str() == text).ok_or(UnknownMetric)
    }
}

/// A text that names no [`Metric`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a metric is one of cosine, l2, inner_product")]
pub struct UnknownMetric;

#[cfg(test)]
mod tests {
    use super::*;

    fn near(found: f64, expected: f64) -> bool {
        (found - expected).abs() <= 1e-12 * expected.abs().max(1.0)
    }

    #[test]
    fn scores_follow_the_definitions() {
        let one = Embedding::try_from(vec![1.0; 384]).unwrap();
        let double = Embedding::try_from(vec![2.0; 384]).unwrap();
        let opposite = Embedding::try_from(vec![-1.0; 384]).unwrap();

        for (metric, with_double, with_opposite) in [
            (Metric::Cosine, 1.0, -1.0),
            (Metric::L2, -384.0_f64.sqrt(), -(4.0 * 384.0_f64).sqrt()),
            (Metric::InnerProduct, 768.0, -384.0),
        ] {
            assert!(near(metric.score(&one, &double), with_double), "{metric:?}");
            assert!(near(metric.score(&one, &opposite), with_opposite), "{metric:?}");
            assert_eq!(
                metric.score(&one, &double).to_bits(),
                metric.score(&double, &one).to_bits()
            );
            assert_eq!(metric.as_str().parse(), Ok(metric));
        }
        assert_eq!("manhattan".parse::<Metric>(), Err(UnknownMetric));
    }

    #[test]
    fn twins_are_at_no_distance() {
        let one = Embedding::try_from(vec![0.3; 384]).unwrap();

        assert!(Metric::L2.score(&one, &one.clone()).abs() < f64::MIN_POSITIVE);
    }
}
