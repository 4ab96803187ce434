//! What a search is answered with.

use std::time::Instant;

use cache::SimilarRead;
use domain::{DrumFeel, Exactness, Metric, Neighbour, Neighbours, SearchMode};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    explanation::{ExplanationView, Feels},
    target::LikeUnlike,
    wishes::MetricBody,
};
use crate::problem::EntryProblemBody;

/// Who plays like an artist.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimilarArtists, example = json!({
    "artist": "J Dilla",
    "similar_artists": [{"name": "Questlove", "similarity": 0.914}, {"name": "Karriem Riggins", "similarity": 0.887}],
    "exactness": {"mode": "exact", "compared": 1_204, "as_of_version": 42, "took_us": 380}
}))]
pub(super) struct SimilarArtistsView {
    /// The artist's name as it was first stored.
    pub(super) artist: String,
    /// What closeness means, when it is not the cosine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MetricBody>, required = false)]
    pub(super) metric: Option<&'static str>,
    /// The closest first, ties by name; as many as asked for, or as exist.
    pub(super) similar_artists: Vec<NeighbourView>,
    /// How they were found.
    pub(super) exactness: ExactnessView,
}

/// Who is close to an embedding, or plays like some artists and unlike others.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimilarSearchResult, example = json!({
    "like": ["J Dilla", "Questlove"],
    "unlike": ["John Bonham"],
    "similar_artists": [{"name": "Karriem Riggins", "similarity": 0.871}],
    "exactness": {"mode": "exact", "compared": 1_204, "as_of_version": 42, "took_us": 420}
}))]
pub(super) struct SearchResultView {
    /// Whom they are like, by the names that were first stored; not for an embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    like: Option<Vec<String>>,
    /// Whom they are unlike; not for an embedding.
    #[serde(skip_serializing_if = "Option::is_none")]
    unlike: Option<Vec<String>>,
    /// What closeness means, when it is not the cosine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MetricBody>, required = false)]
    metric: Option<&'static str>,
    /// The closest first, ties by name; nobody whom they are like or unlike.
    similar_artists: Vec<NeighbourView>,
    /// How they were found.
    exactness: ExactnessView,
}

impl SearchResultView {
    /// The answer to a search that is around no artist, or around several.
    pub(super) fn new(
        artists: Option<LikeUnlike>,
        metric: Metric,
        similar_artists: Vec<NeighbourView>,
        exactness: ExactnessView,
    ) -> Self {
        let (like, unlike) = match artists {
            Some(LikeUnlike { like, unlike, feel: _, served: _ }) => (Some(like), Some(unlike)),
            None => (None, None),
        };
        let shown =
            |names: Vec<domain::ArtistName>| names.iter().map(ToString::to_string).collect();
        Self {
            like: like.map(shown),
            unlike: unlike.map(shown),
            metric: told(metric),
            similar_artists,
            exactness,
        }
    }
}

/// Who plays like each of several artists.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimilarBatchResult, example = json!({
    "results": [
        {"artist": "J Dilla", "similar_artists": [{"name": "Questlove", "similarity": 0.914}]},
        {"artist": "Nobody", "error": {
            "type": "urn:groovebase:problem:artist_not_found", "title": "The artist is not known", "status": 404,
            "detail": "Artist 'Nobody' not found in database", "error": "artist_not_found"
        }}
    ],
    "exactness": {"mode": "exact", "compared": 1_204, "as_of_version": 42, "took_us": 950}
}))]
pub(super) struct BatchResultView {
    /// What closeness means, when it is not the cosine.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<MetricBody>, required = false)]
    pub(super) metric: Option<&'static str>,
    /// One for each artist, in the order asked for.
    pub(super) results: Vec<EntryView>,
    /// What holds for every result; null when there is none to search for.
    pub(super) exactness: Option<ExactnessView>,
}

/// The answer for one artist of a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SimilarBatchEntry)]
#[serde(untagged)]
pub(super) enum EntryView {
    /// Who plays like it.
    Found {
        /// The artist's name as it was first stored.
        artist: String,
        /// The closest first, ties by name.
        similar_artists: Vec<NeighbourView>,
    },
    /// Why that is not known.
    Failed {
        /// The name that was asked for.
        artist: String,
        /// What is wrong.
        error: EntryProblemBody,
    },
}

/// One artist who plays alike.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Neighbour)]
pub(super) struct NeighbourView {
    /// Who.
    name: String,
    /// The larger, the closer. `cosine`: the cosine of the angle, 1 alike, 0 unrelated, -1 opposite. `l2`:
    /// 1 / (1 + distance), 1 the same. `inner_product`: the inner product.
    similarity: f64,
    /// The Euclidean distance, with the metric `l2`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<f64>, required = false)]
    distance: Option<f64>,
    /// How the drum feel compares, when asked for; null when the artist's profile was removed meanwhile.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ExplanationView>, required = false)]
    explanation: Option<Explained>,
}

/// What an explanation compares.
#[derive(Debug, Clone, Copy)]
pub(super) struct Comparison<'a> {
    /// Those who were found.
    pub(super) feels: &'a Feels,
    /// What they were found for.
    pub(super) target: &'a DrumFeel,
}

/// An explanation; null when there is none any more.
#[derive(Debug, Serialize)]
struct Explained(Option<ExplanationView>);

impl NeighbourView {
    /// Everybody in an answer, each compared if there is something to compare with.
    pub(super) fn all(
        found: &Neighbours,
        metric: Metric,
        comparison: Option<Comparison<'_>>,
    ) -> Vec<Self> {
        found.neighbours.iter().map(|found| Self::of(found, metric, comparison)).collect()
    }

    fn of(found: &Neighbour, metric: Metric, comparison: Option<Comparison<'_>>) -> Self {
        let Neighbour { artist, score } = found;
        let (similarity, distance) = match metric {
            Metric::Cosine | Metric::InnerProduct => (*score, None),
            Metric::L2 => (1.0 / (1.0 - score), Some(0.0 - score)),
        };
        let explanation = comparison
            .map(|Comparison { feels, target }| Explained(feels.compare(artist.key(), target)));
        Self { name: artist.to_string(), similarity, distance, explanation }
    }
}

/// What a search can be trusted for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Exactness)]
pub(super) struct ExactnessView {
    /// `exact` when every embedding was compared, or ruled out by a bound on how close it can be; `approximate` when an
    /// index chose what to compare, and some may be missed.
    #[schema(value_type = String)]
    mode: &'static str,
    /// How many embeddings the search covered: those its filter admits when exact, those in the index when approximate.
    compared: u64,
    /// What was compared includes every change up to this version.
    as_of_version: u64,
    /// How long it took, in microseconds.
    took_us: u64,
}

impl ExactnessView {
    pub(super) fn of(exactness: Exactness, asked: Instant) -> Self {
        let Exactness { mode, compared, as_of } = exactness;
        let took_us = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
        Self { mode: mode.as_str(), compared, as_of_version: as_of.number(), took_us }
    }

    /// What holds for all of these answers: the least of each; nothing without any.
    pub(super) fn of_all(reads: &[SimilarRead], asked: Instant) -> Option<Self> {
        let all = reads.iter().map(|read| read.answer.exactness);
        let least = all.reduce(|one, other| Exactness {
            mode: match (one.mode, other.mode) {
                (SearchMode::Exact, SearchMode::Exact) => SearchMode::Exact,
                (SearchMode::Approximate, _) | (_, SearchMode::Approximate) => {
                    SearchMode::Approximate
                }
            },
            compared: one.compared.min(other.compared),
            as_of: one.as_of.min(other.as_of),
        })?;
        Some(Self::of(least, asked))
    }
}

/// The metric, unless it is the usual one: an answer to a usual search has no more members than it ever had.
pub(super) fn told(metric: Metric) -> Option<&'static str> {
    match metric {
        Metric::Cosine => None,
        Metric::L2 | Metric::InnerProduct => Some(metric.as_str()),
    }
}
