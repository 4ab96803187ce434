//! Where an artist lies among others.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

use crate::similarity::dot;

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

    /// The numbers, with their count in the type.
    #[must_use]
    pub fn numbers(&self) -> &[f32; Self::DIMENSIONS] {
        &self.0
    }

    /// The length (Euclidean norm).
    #[must_use]
    pub fn length(&self) -> f64 {
        dot(&self.0, &self.0).sqrt()
    }

    /// The largest number, without its sign, or one that is not finite if there is any.
    fn largest(&self) -> f32 {
        // Of numbers without a sign the larger one has the larger bits, and those that are not finite have the largest. In
        // rows that a processor can compare at once.
        let mut rows = [0; 16];
        for numbers in self.0.as_chunks::<16>().0 {
            for (row, number) in rows.iter_mut().zip(numbers) {
                *row = number.abs().to_bits().max(*row);
            }
        }
        f32::from_bits(rows.into_iter().fold(0, u32::max))
    }
}

impl Eq for Embedding {}

impl Hash for Embedding {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let mut bytes = [[0; 4]; Self::DIMENSIONS];
        for (bytes, number) in bytes.iter_mut().zip(self.0.iter()) {
            // Adding zero turns -0 into 0, which it equals.
            *bytes = (number + 0.0).to_ne_bytes();
        }
        // At once: hashers take a long time over many small pieces.
        state.write(bytes.as_flattened());
    }
}

impl TryFrom<Vec<f32>> for Embedding {
    type Error = InvalidEmbedding;

    fn try_from(numbers: Vec<f32>) -> Result<Self, Self::Error> {
        Self::try_from(Arc::from(numbers))
    }
}

/// Without a copy of the numbers.
impl TryFrom<Arc<[f32]>> for Embedding {
    type Error = InvalidEmbedding;

    fn try_from(numbers: Arc<[f32]>) -> Result<Self, Self::Error> {
        let embedding = match numbers.try_into() {
            Ok(numbers) => Self(numbers),
            Err(numbers) => {
                return Err(not_finite(&numbers)
                    .unwrap_or(InvalidEmbedding::WrongDimension { found: numbers.len() }));
            }
        };
        // The length is that of the largest number at least, and less than 20 times that, which is quicker to find. A
        // number that is not finite makes either one that is not.
        let largest = f64::from(embedding.largest());
        if (Self::SHORTEST..=Self::LONGEST / 20.0).contains(&largest)
            || (Self::SHORTEST..=Self::LONGEST).contains(&embedding.length())
        {
            return Ok(embedding);
        }
        let numbers = embedding.as_slice();
        Err(not_finite(numbers).unwrap_or(if numbers.iter().all(|&number| number == 0.0) {
            InvalidEmbedding::Zero
        } else {
            InvalidEmbedding::OutOfScale
        }))
    }
}

fn not_finite(numbers: &[f32]) -> Option<InvalidEmbedding> {
    let index = numbers.iter().position(|number| !number.is_finite())?;
    Some(InvalidEmbedding::NotFinite { index })
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
    use std::hash::{BuildHasher as _, BuildHasherDefault, DefaultHasher};

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
        // The length is what counts, not the largest number.
        assert!(Embedding::try_from(vec![1e-16; 384]).is_ok());
        assert!(Embedding::try_from(vec![-5e13; 384]).is_ok());
        assert_eq!(Embedding::try_from(vec![-6e13; 384]), Err(InvalidEmbedding::OutOfScale));
        assert!(with(7, -9e14).is_ok());
    }

    #[test]
    fn equal_embeddings_have_equal_hashes() {
        let hash = |embedding: &Embedding| {
            BuildHasherDefault::<DefaultHasher>::default().hash_one(embedding)
        };
        let mut numbers = vec![0.0; 384];
        numbers[3] = 1.0;
        let one = Embedding::try_from(numbers.clone()).unwrap();
        numbers[4] = -0.0;
        let same = Embedding::try_from(numbers.clone()).unwrap();
        numbers[4] = 1e-20;
        let other = Embedding::try_from(numbers).unwrap();

        assert_eq!((&one, hash(&one)), (&same, hash(&same)));
        assert_ne!((&one, hash(&one)), (&other, hash(&other)));
    }
}
