//! What can be asked, and what is answered.

use std::sync::Arc;

use domain::{ArtistId, ArtistName, GenerationStatus, Label, Provider, Sums, TimeRange};

/// A question about generations: what they took together, in each of some ranges of time.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct StatisticsQuestion {
    /// When they were made. Ranges may overlap.
    pub ranges: Vec<TimeRange>,
    /// Whose they are, or anybody's.
    pub artist: Option<ArtistId>,
    /// Who generated, or anybody.
    pub provider: Option<Provider>,
    /// With which model, or any and none.
    pub model: Option<Label>,
    /// What to tell generations apart by. The fewer, the less there is to add up.
    pub dimensions: Dimensions,
    /// Whether percentiles must be exact, which reads the generations themselves.
    pub exact_times: bool,
}

/// What generations are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[expect(clippy::struct_excessive_bools, reason = "each dimension is there or not")]
pub struct Dimensions {
    /// Whose they are. That, and whatever asks about one artist, reads the generations themselves.
    pub artist: bool,
    /// Who generated.
    pub provider: bool,
    /// With which model.
    pub model: bool,
    /// How they ended. How many failed or were cancelled is among the sums in any case.
    pub status: bool,
}

/// What generations took together that have everything in common that they are told apart by.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GroupSums {
    /// Whose they are; `None` if nobody's, somebody's who was removed, or if artists are not told apart.
    pub artist: Option<ArtistName>,
    /// Who generated; `None` if providers are not told apart.
    pub provider: Option<Provider>,
    /// With which model; `None` if that is not known, or if models are not told apart.
    pub model: Option<Label>,
    /// How they ended; `None` if that is not told apart.
    pub status: Option<GenerationStatus>,
    /// What they took; shared, since it may be kept as well.
    pub sums: Arc<Sums>,
}
