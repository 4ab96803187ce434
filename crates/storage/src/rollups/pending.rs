//! What is recorded, but not folded.

use std::collections::HashMap;

use domain::{ArtistId, GenerationKind, Quarter, Sums, Timestamp};

use super::{Width, cell::Cell};

/// Sums to be added to those that are kept.
#[derive(Debug, Default)]
pub(crate) struct Pending {
    all: HashMap<(i64, GenerationKind), Sums>,
    artists: HashMap<(Option<ArtistId>, i64, GenerationKind), Sums>,
}

impl Pending {
    /// Adds what some generations of one kind took.
    pub(crate) fn add(
        &mut self,
        artist: Option<ArtistId>,
        created_at: Timestamp,
        kind: GenerationKind,
        sums: &Sums,
    ) {
        let month = Width::Month.floor(created_at.unix_micros());
        self.artists.entry((artist, month, kind.clone())).or_default().add(sums);
        let quarter = Quarter::of(created_at).starts_at_micros();
        self.all.entry((quarter, kind)).or_default().add(sums);
    }

    /// The rows of everybody, and those of each artist.
    pub(crate) fn into_cells(self) -> (Vec<Cell>, Vec<(Option<ArtistId>, Cell)>) {
        let all = self.all.into_iter();
        let artists = self.artists.into_iter();
        (
            all.map(|((starts_at, kind), sums)| Cell { starts_at, kind, sums }).collect(),
            artists
                .map(|((artist, starts_at, kind), sums)| (artist, Cell { starts_at, kind, sums }))
                .collect(),
        )
    }
}
