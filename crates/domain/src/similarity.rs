//! What it means to play alike, and what a search for it asks for.

mod filter;
mod metric;

use std::cmp::Ordering;

use crate::{ArtistKey, Embedding, InvalidEmbedding, Limit};

pub use filter::{FeelParameter, FeelRange, InvalidFeelRange, SearchFilter, UnknownFeelParameter};
pub use metric::{Metric, UnknownMetric};

pub(crate) use metric::dot;

/// A search for the artists whose embeddings are closest to a target.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Search {
    /// Where to look around.
    pub target: Embedding,
    /// Who is never an answer, such as the artist whose embedding the target is.
    pub except: Vec<ArtistKey>,
    /// How many artists are wanted.
    pub limit: Limit<20>,
    /// What closeness means.
    pub metric: Metric,
    /// Who is looked at.
    pub filter: SearchFilter,
    /// How the answer may be found.
    pub engine: Engine,
}

impl Search {
    /// A search by cosine, among all artists, with the engine left to the store.
    #[must_use]
    pub const fn around(target: Embedding, limit: Limit<20>) -> Self {
        Self {
            target,
            except: Vec::new(),
            limit,
            metric: Metric::Cosine,
            filter: SearchFilter::EVERYBODY,
            engine: Engine::Auto,
        }
    }
}

/// How an answer may be found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub enum Engine {
    /// What is fastest at the size of the store; exact wherever that is affordable.
    #[default]
    Auto,
    /// Every embedding is compared, however long that takes.
    Exact,
    /// The store's index chooses what to compare, if it has one that serves the search; every embedding otherwise.
    Approximate,
}

impl Engine {
    /// Every engine.
    pub const ALL: [Self; 3] = [Self::Auto, Self::Exact, Self::Approximate];

    /// The engine's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Exact => "exact",
            Self::Approximate => "approximate",
        }
    }
}

impl std::str::FromStr for Engine {
    type Err = UnknownEngine;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|engine| engine.as_str() == text).ok_or(UnknownEngine)
    }
}

/// A text that names no [`Engine`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an engine is one of auto, exact, approximate")]
pub struct UnknownEngine;

/// The order of answers: the highest score first, ties by key.
#[must_use]
pub fn closest_first(one: (f64, &ArtistKey), other: (f64, &ArtistKey)) -> Ordering {
    // Not by total order: zeros of either sign are as close as each other.
    let by_score = other.0.partial_cmp(&one.0).unwrap_or(Ordering::Equal);
    by_score.then_with(|| one.1.cmp(other.1))
}

/// How much weight what a target is to be unlike has, against what it is to be like.
const AWAY: f64 = 0.5;

/// The direction like some embeddings and unlike others, at length 1.
///
/// It is the mean of the directions to be like, minus half the mean of those to be unlike: Rocchio's relevance feedback
/// (1971) with weights of 1 and 0.5. The lengths of the embeddings do not count.
///
/// # Errors
///
/// [`InvalidEmbedding::Zero`] when they cancel out, or when there is nothing to be like.
pub fn direction(like: &[Embedding], unlike: &[Embedding]) -> Result<Embedding, InvalidEmbedding> {
    if like.is_empty() {
        return Err(InvalidEmbedding::Zero);
    }
    let mut sum = [0.0; Embedding::DIMENSIONS];
    for (embeddings, weight) in [(like, 1.0), (unlike, -AWAY)] {
        for embedding in embeddings {
            #[expect(clippy::cast_precision_loss, reason = "far fewer than 2^52")]
            let share = weight / (embeddings.len() as f64 * embedding.length());
            for (sum, &number) in sum.iter_mut().zip(embedding.as_slice()) {
                *sum += share * f64::from(number);
            }
        }
    }
    let length = sum.iter().map(|number| number * number).sum::<f64>().sqrt();
    // What rounding leaves of directions that cancel out is no direction.
    if length < 1e-6 {
        return Err(InvalidEmbedding::Zero);
    }
    #[expect(clippy::cast_possible_truncation, reason = "the numbers lie between -1 and 1")]
    let numbers: Vec<f32> = sum.iter().map(|number| (number / length) as f32).collect();
    Embedding::try_from(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn axis(index: usize, length: f32) -> Embedding {
        let mut numbers = vec![0.0; 384];
        numbers[index] = length;
        Embedding::try_from(numbers).unwrap()
    }

    #[test]
    fn goes_towards_and_away_from_directions_whatever_their_length() {
        let towards = direction(&[axis(0, 3.0), axis(1, 1e-9)], &[axis(2, 1e9)]).unwrap();

        let cosine = |other: &Embedding| Metric::Cosine.score(&towards, other);
        assert!((cosine(&axis(0, 1.0)) - cosine(&axis(1, 1.0))).abs() < 1e-7);
        assert!((cosine(&axis(2, 1.0)) + cosine(&axis(0, 1.0))).abs() < 1e-7);
        assert!((towards.length() - 1.0).abs() < 1e-6);
    }

    #[test]
    fn has_none_when_nothing_is_left() {
        let cancelled = direction(&[axis(0, 1.0), axis(0, -2.0)], &[]);

        assert_eq!(cancelled, Err(InvalidEmbedding::Zero));
        assert_eq!(direction(&[], &[axis(0, 1.0)]), Err(InvalidEmbedding::Zero));
    }

    #[test]
    fn ranks_by_score_and_then_by_key() {
        let key = |text| ArtistKey::parse(text).unwrap();
        let (first, second) = (key("a"), key("b"));

        for (one, other, expected) in [
            ((0.2, &second), (0.1, &first), Ordering::Less),
            ((-0.2, &first), (-0.1, &second), Ordering::Greater),
            ((0.1, &first), (0.1, &second), Ordering::Less),
            ((0.0, &second), (-0.0, &first), Ordering::Greater),
            ((0.1, &first), (0.1, &first), Ordering::Equal),
        ] {
            assert_eq!(closest_first(one, other), expected, "{one:?} {other:?}");
        }
    }

    #[test]
    fn engines_have_names() {
        for engine in Engine::ALL {
            assert_eq!(engine.as_str().parse(), Ok(engine));
        }
        assert_eq!("fast".parse::<Engine>(), Err(UnknownEngine));
    }
}
