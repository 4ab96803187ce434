//! What the generations of a store took together, without reading each of them.

use async_trait::async_trait;

use crate::{
    ArtistId, ArtistName, GenerationKind, Quarter, QuarterSpan, RepositoryError, Sums, TimeRange,
};

/// Keeps sums over generations, by quarter of an hour and kind, in step with the generations.
///
/// Recording a generation adds it to sums that are *pending*, in the same transaction. Now and then pending sums are
/// *folded* into those by quarter. Each fold has a position; positions ascend in the order in which folds are committed.
/// What is folded and what is pending make up all that is recorded, at any moment.
#[async_trait]
pub trait GenerationRollups: Send + Sync {
    /// Reads what is asked for, all of it as of one moment.
    async fn read(&self, reading: &RollupReading) -> Result<RollupSnapshot, RepositoryError>;

    /// Folds what is pending, at most about 10,000 sums of it. Returns how many pending sums were folded.
    ///
    /// When somebody else is folding at this moment, it leaves that to them and returns 0.
    async fn fold(&self) -> Result<u64, RepositoryError>;
}

/// The number of a fold. They ascend, with gaps.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RollupPosition(pub i64);

/// What to read.
#[derive(Debug, Clone, Default)]
pub struct RollupReading {
    /// Since when changes are wanted, if they are.
    pub since: Option<RollupPosition>,
    /// Over which quarters sums are wanted.
    pub spans: Vec<QuarterSpan>,
    /// What is to be summed up from the generations themselves.
    pub entries: Vec<EntriesReading>,
}

/// Generations to sum up one by one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EntriesReading {
    /// When they were made.
    pub range: TimeRange,
    /// Whose they are, or anybody's.
    pub artist: Option<ArtistId>,
    /// Whether to tell artists apart.
    pub by_artist: bool,
    /// Whether to tell every time exactly, instead of by class.
    pub exact_times: bool,
}

/// What was read, as of one moment.
#[derive(Debug, Clone)]
pub struct RollupSnapshot {
    /// The last fold.
    pub position: RollupPosition,
    /// What was folded since the position that was asked for. `None` if none was, or that position is not known any more:
    /// then sums that were read at it are of no use.
    pub changes: Option<Vec<Rollup>>,
    /// What is recorded, but not folded. It is not part of the sums over [`Self::spans`].
    pub pending: Vec<Rollup>,
    /// What is folded, for each of the [`RollupReading::spans`].
    pub spans: Vec<Vec<(GenerationKind, Sums)>>,
    /// For each of the [`RollupReading::entries`], what was recorded, folded or not.
    ///
    /// Of generations that were dropped because of their age only sums by quarter are left. They count where their
    /// quarter begins, and have no exact times.
    pub entries: Vec<Vec<EntrySums>>,
}

/// Sums over generations of one kind and one quarter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollup {
    /// When they were made.
    pub quarter: Quarter,
    /// What they have in common.
    pub kind: GenerationKind,
    /// What they took.
    pub sums: Sums,
}

/// Sums over generations of one kind, and of one artist if artists were told apart.
#[derive(Debug, Clone, PartialEq)]
pub struct EntrySums {
    /// Whose they are; `None` when they are nobody's, or of artists who were removed since, or artists were not told
    /// apart.
    pub artist: Option<ArtistName>,
    /// What they have in common.
    pub kind: GenerationKind,
    /// What they took.
    pub sums: Sums,
}
