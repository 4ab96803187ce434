//! What the tests begin with.

use std::sync::Arc;

use domain::{
    ArtistId, ArtistName, GenerationKind, GenerationStatus, Label, Provider, RepositoryError,
    TimeRange,
};
use groovebase_cache::{Dimensions, StatisticsQuestion};

use super::store::Made;

/// A quarter of an hour, in microseconds.
pub(crate) const QUARTER: i64 = 15 * 60 * 1_000_000;

/// One of some artists.
pub(crate) fn artist(number: u8) -> (ArtistId, ArtistName) {
    let id = format!("00000000-0000-7000-8000-0000000000{number:02x}").parse().unwrap();
    (id, ArtistName::try_from(format!("Artist {number}").as_str()).unwrap())
}

pub(crate) fn provider(name: &str) -> Provider {
    Provider::try_from(name).unwrap()
}

pub(crate) fn model(name: &str) -> Label {
    Label::try_from(name).unwrap()
}

pub(crate) fn kind(
    provider: &str,
    model: Option<&str>,
    status: GenerationStatus,
) -> GenerationKind {
    GenerationKind { provider: self::provider(provider), model: model.map(self::model), status }
}

/// One of many kinds.
pub(crate) fn numbered(number: u8) -> GenerationKind {
    kind("openai", Some(&format!("model {number}")), GenerationStatus::Completed)
}

/// A kind of which there are no generations.
pub(crate) fn nothing() -> GenerationKind {
    kind("nothing", Some("nothing"), GenerationStatus::Cancelled)
}

/// A generation in the middle of a quarter.
pub(crate) fn made_in(quarter: i64, time_ms: u32) -> Made {
    Made {
        at: quarter * QUARTER + QUARTER / 2,
        artist: None,
        kind: kind("openai", Some("gpt-5"), GenerationStatus::Completed),
        time_ms,
        cost: Some(time_ms),
    }
}

/// Whole quarters.
pub(crate) fn quarters(from: i64, to: i64) -> TimeRange {
    TimeRange::clipped(from * QUARTER, to * QUARTER)
}

/// What tells kinds apart.
pub(crate) const BY_KIND: Dimensions =
    Dimensions { artist: false, provider: true, model: true, status: true };

/// A question about every kind in some whole quarters.
pub(crate) fn about(ranges: &[(i64, i64)]) -> StatisticsQuestion {
    StatisticsQuestion {
        ranges: ranges.iter().map(|&(from, to)| quarters(from, to)).collect(),
        dimensions: BY_KIND,
        ..StatisticsQuestion::default()
    }
}

pub(crate) fn unavailable() -> RepositoryError {
    RepositoryError::Unavailable(Arc::new(std::io::Error::other("away")))
}
