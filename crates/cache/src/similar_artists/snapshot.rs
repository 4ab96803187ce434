//! The index as it was at one moment.

use std::sync::Arc;

use domain::Version;

use super::{bits::Bits, segment::Segment};

/// Everything that searches look at, as of a version. It never changes; the next one takes its place.
pub(super) struct Snapshot {
    pub(super) pieces: Vec<Piece>,
    /// It holds every change up to this version.
    pub(super) applied: Version,
    /// Snapshots of one number give the same answers.
    pub(super) generation: u64,
    /// How many rows live.
    pub(super) vectors: usize,
}

/// A segment, and which of its rows live.
#[derive(Clone)]
pub(super) struct Piece {
    pub(super) segment: Arc<Segment>,
    pub(super) live: Arc<Bits>,
}

impl Snapshot {
    /// How many rows there are, with those that do not live any more.
    pub(super) fn rows(&self) -> usize {
        self.pieces.iter().map(|piece| piece.segment.len()).sum()
    }
}
