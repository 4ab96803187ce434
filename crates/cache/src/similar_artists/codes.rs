//! Embeddings in 8 bits a number, and how wrong that makes them.

use domain::Embedding;
use numkong::Dot;

/// How many numbers an embedding has.
pub(super) const DIMENSIONS: usize = Embedding::DIMENSIONS;

/// The numbers of an embedding.
pub(super) type Numbers = [f32; DIMENSIONS];

/// The direction of an embedding: multiplied by a scale, about its numbers at length 1. From -127 to 127.
pub(super) type Codes = [i8; DIMENSIONS];

/// The largest code. -128 is none, so that codes lie evenly around 0.
const LARGEST: f64 = 127.0;

/// A small number that is added to this, 1.5 * 2^52, is rounded to a whole one, by a processor of any kind.
const WHOLE: f64 = 6_755_399_441_055_744.0;

/// More than what rounding in double precision can add to a residual.
const ROUNDING: f64 = 1e-12;

/// What is known of an embedding besides its codes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Measures {
    /// What codes are multiplied by.
    pub(super) scale: f32,
    /// How long the difference is between the direction and what its codes say, at most.
    pub(super) error: f32,
    /// [`Embedding::length`]
    pub(super) length: f64,
}

/// The codes of an embedding.
pub(super) fn code(embedding: &Embedding) -> (Codes, Measures) {
    let length = embedding.length();
    let direction = embedding.numbers().map(|number| f64::from(number) / length);
    let largest = direction.iter().fold(0.0, |largest: f64, number| largest.max(number.abs()));
    #[expect(clippy::cast_possible_truncation, reason = "between 0.0004 and 0.008")]
    let scale = ((largest / LARGEST) as f32).next_up();
    let step = f64::from(scale);

    let mut codes = [0; DIMENSIONS];
    let mut residual = 0.0;
    for (code, number) in codes.iter_mut().zip(direction) {
        let rounded = (number / step + WHOLE) - WHOLE;
        // The scale was rounded up, so this is a whole number from -127 to 127.
        #[expect(clippy::cast_possible_truncation, reason = "see above")]
        {
            *code = rounded as i8;
        }
        let wrong = number - rounded * step;
        residual += wrong * wrong;
    }
    #[expect(clippy::cast_possible_truncation, reason = "below 1, and rounded up")]
    let error = ((residual.sqrt() + ROUNDING) as f32).next_up();
    (codes, Measures { scale, error, length })
}

/// The inner product of codes: an exact number, the same from every processor.
pub(super) fn dot(one: &Codes, other: &Codes) -> i32 {
    i8::dot(one, other).unwrap_or_else(|| plain_dot(one, other))
}

/// The same without the library, for what it refuses.
pub(super) fn plain_dot(one: &[i8], other: &[i8]) -> i32 {
    one.iter().zip(other).map(|(&one, &other)| i32::from(one) * i32::from(other)).sum()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn products_of_extreme_codes_are_exact() {
        let alternating = |even: i8, odd: i8| {
            let mut codes = [even; DIMENSIONS];
            codes.iter_mut().skip(1).step_by(2).for_each(|code| *code = odd);
            codes
        };
        let extremes =
            [alternating(127, 127), alternating(-127, -127), alternating(127, -127), [0; 384]];

        for one in &extremes {
            for other in &extremes {
                assert_eq!(dot(one, other), plain_dot(one, other));
            }
        }
        assert_eq!(dot(&extremes[0], &extremes[1]), -127 * 127 * 384);
    }

    fn codes() -> impl Strategy<Value = Codes> {
        proptest::collection::vec(-127_i8..=127, DIMENSIONS)
            .prop_map(|codes| codes.try_into().unwrap())
    }

    proptest! {
        #[test]
        fn products_are_exact(one in codes(), other in codes()) {
            prop_assert_eq!(dot(&one, &other), plain_dot(&one, &other));
        }

        #[test]
        fn the_error_is_never_understated(
            numbers in proptest::collection::vec(-1.0_f32..1.0, DIMENSIONS),
            exponent in -14..14,
        ) {
            let numbers: Vec<f32> =
                numbers.iter().map(|number| number * 10.0_f32.powi(exponent)).collect();
            let Ok(embedding) = Embedding::try_from(numbers) else { return Ok(()) };

            let (codes, measures) = code(&embedding);

            let residual: f64 = codes
                .iter()
                .zip(embedding.numbers())
                .map(|(&code, &number)| {
                    let decoded = f64::from(code) * f64::from(measures.scale);
                    (f64::from(number) / embedding.length() - decoded).powi(2)
                })
                .sum();
            prop_assert!(residual.sqrt() <= f64::from(measures.error));
            prop_assert!(measures.error < 0.04);
        }
    }
}
