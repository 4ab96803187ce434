//! Where an artist lies among others.

use std::{fmt, sync::Arc};

/// A vector of [`Embedding::DIMENSIONS`] finite numbers with a length (Euclidean norm) from 1e-15 to 1e15.
///
/// It is kept as it was given, not scaled. The bounds on its length keep every product that a search forms within
/// single precision. Clones share the numbers.
#[derive(Clone, PartialEq)]
pub struct Embedding(Arc<[f32; Self::DIMENSIONS]>);

impl Embedding {
    /// How many numbers there are: what all-MiniLM-L6-v2 yields.
    pub const DIMENSIONS: usize = 384;

    const SHORTEST: f64 = 1e-15;
    const LONGEST: f64 = 1e15;

    /// The numbers.
    #[must_use]
    pub fn as_slice(&self) -> &[f32] {
        self.0.as_slice()
    }

    /// Cosine of the angle between two embeddings, computed in double precision: 1 alike, 0 unrelated, -1 opposite.
    #[must_use]
    pub fn cosine(&self, other: &Self) -> f64 {
        let mut dot = 0.0;
        for (&mine, &theirs) in self.0.iter().zip(other.0.iter()) {
            dot += f64::from(mine) * f64::from(theirs);
        }
        (dot / (self.length() * other.length())).clamp(-1.0, 1.0)
    }

    /// The length up to rounding, since the numbers are added in eight rows that a processor can add at once.
    fn rough_length(&self) -> f64 {
        let mut rows = [0.0; 8];
        for numbers in self.0.as_chunks::<8>().0 {
            for (row, &number) in rows.iter_mut().zip(numbers) {
                *row += f64::from(number) * f64::from(number);
            }
        }
        rows.iter().sum::<f64>().sqrt()
    }

    fn length(&self) -> f64 {
        self.0.iter().map(|&number| f64::from(number).powi(2)).sum::<f64>().sqrt()
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = InvalidEmbedding;

    fn try_from(numbers: Vec<f32>) -> Result<Self, Self::Error> {
        let found = numbers.len();
        if let Some(index) = numbers.iter().position(|number| !number.is_finite()) {
            return Err(InvalidEmbedding::NotFinite { index });
        }
        let numbers: [f32; Self::DIMENSIONS] =
            numbers.try_into().map_err(|_| InvalidEmbedding::WrongDimension { found })?;
        let embedding = Self(Arc::new(numbers));
        if embedding.0.iter().all(|&number| number == 0.0) {
            return Err(InvalidEmbedding::Zero);
        }
        if (Self::SHORTEST..=Self::LONGEST).contains(&embedding.rough_length()) {
            Ok(embedding)
        } else {
            Err(InvalidEmbedding::OutOfScale)
        }
    }
}

impl fmt::Debug for Embedding {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "Embedding({:?}, ..)", self.0.first())
    }
}

/// Why numbers are no [`Embedding`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidEmbedding {
    /// More or fewer numbers than [`Embedding::DIMENSIONS`].
    #[error("an embedding has 384 numbers, this one has {found}")]
    WrongDimension {
        /// How many there are.
        found: usize,
    },
    /// An infinite number, one too large for single precision, or none at all.
    #[error("number {index} of the embedding is not a finite single-precision number")]
    NotFinite {
        /// Which one, counted from 0.
        index: usize,
    },
    /// Every number is zero, so the vector has no direction.
    #[error("an embedding must not be all zeros")]
    Zero,
    /// Too short or too long to compare in single precision.
    #[error("the length of an embedding must lie between 1e-15 and 1e15")]
    OutOfScale,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_has_no_direction_in_384_dimensions() {
        let with = |index: usize, number: f32| {
            let mut numbers = vec![0.0; 384];
            numbers[index] = number;
            Embedding::try_from(numbers)
        };

        assert!(with(3, 1.0).is_ok());
        assert_eq!(
            Embedding::try_from(vec![1.0; 383]),
            Err(InvalidEmbedding::WrongDimension { found: 383 })
        );
        assert_eq!(Embedding::try_from(vec![-0.0; 384]), Err(InvalidEmbedding::Zero));
        assert_eq!(with(7, f32::NAN), Err(InvalidEmbedding::NotFinite { index: 7 }));
        assert_eq!(with(7, f32::INFINITY), Err(InvalidEmbedding::NotFinite { index: 7 }));
        assert_eq!(with(7, 1e-40), Err(InvalidEmbedding::OutOfScale));
        assert_eq!(with(7, 1e16), Err(InvalidEmbedding::OutOfScale));
    }

    #[test]
    fn cosine_ignores_length() {
        let one = Embedding::try_from(vec![1.0; 384]).unwrap();
        let scaled = Embedding::try_from(vec![2e10; 384]).unwrap();
        let opposite = Embedding::try_from(vec![-1e-10; 384]).unwrap();

        assert!((one.cosine(&scaled) - 1.0).abs() < 1e-12);
        assert!((one.cosine(&opposite) + 1.0).abs() < 1e-12);
    }
}
