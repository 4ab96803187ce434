//! What can be asked.

use domain::{ArtistId, Label, Provider, TimeRange};

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
    /// Whether to tell artists apart. That, and whatever asks about one artist, reads the generations themselves.
    pub by_artist: bool,
    /// Whether percentiles must be exact, which reads the generations themselves too.
    pub exact_times: bool,
}
