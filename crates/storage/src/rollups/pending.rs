//! What is recorded, but not folded.

use std::collections::HashMap;

use domain::{ArtistId, GenerationKind, Quarter, Sums, Timestamp};
use sea_orm::{ConnectionTrait, Value, prelude::Uuid};

use super::{
    Width,
    cell::{CELL, Cell},
};
use crate::{error::Failure, insert::insert, store::Backend};

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

    /// Writes the rows that the next fold takes away.
    pub(crate) async fn insert(
        self,
        database: &impl ConnectionTrait,
        backend: Backend,
    ) -> Result<(), Failure> {
        let all = self
            .all
            .into_iter()
            .map(|((starts_at, kind), sums)| Cell { starts_at, kind, sums }.values(backend))
            .collect::<Result<Vec<_>, _>>()?;
        insert(database, backend, ("generation_rollup_pending", CELL, ""), all).await?;

        let artists = self
            .artists
            .into_iter()
            .map(|((artist, starts_at, kind), sums)| {
                let cell = Cell { starts_at, kind, sums }.values(backend)?;
                Ok([Value::from(stored_artist(artist))].into_iter().chain(cell))
            })
            .collect::<Result<Vec<_>, Failure>>()?;
        let columns = format!("artist_id, {CELL}");
        insert(database, backend, ("generation_artist_pending", &columns, ""), artists).await?;
        Ok(())
    }
}

/// Whose sums are in a row: nobody's have an identity of zeros, because a key has no null.
pub(super) fn stored_artist(artist: Option<ArtistId>) -> Uuid {
    artist.map_or(Uuid::nil(), ArtistId::as_uuid)
}

/// The reverse of [`stored_artist`].
pub(super) fn read_artist(stored: Uuid) -> Option<ArtistId> {
    (!stored.is_nil()).then(|| ArtistId::from_uuid(stored))
}
