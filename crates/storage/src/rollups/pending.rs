//! What is recorded, but not folded.

use std::collections::HashMap;

use domain::{ArtistId, GenerationKind, Quarter, Sums, Timestamp};
use sea_orm::prelude::Uuid;

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

/// Whose sums are in a row: nobody's have an identity of zeros, because a key has no null.
pub(crate) fn stored_artist(artist: Option<ArtistId>) -> Uuid {
    artist.map_or(Uuid::nil(), ArtistId::as_uuid)
}

/// The reverse of [`stored_artist`].
pub(super) fn read_artist(stored: Uuid) -> Option<ArtistId> {
    (!stored.is_nil()).then(|| ArtistId::from_uuid(stored))
}
