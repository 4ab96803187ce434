//! Rows that may be among the closest, ranked by the metric itself.

use domain::{Neighbour, Search};
use sea_orm::sqlx::postgres::PgRow;

use crate::entity::VectorRow;

/// Those that were looked at so far.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    pub(super) candidates: Vec<Neighbour>,
    /// Those that somebody wrote by hand and that cannot be.
    pub(super) incomparable: u64,
}

impl Ranked {
    /// Looks at one more, if it has an artist.
    pub(super) fn take(&mut self, search: &Search, row: &PgRow) {
        if !row.is_present() {
            return;
        }
        match row.compared() {
            Ok((artist, Some(vector))) => {
                let score = search.metric.score(&search.target, &vector.embedding);
                self.candidates.push(Neighbour { artist, score });
            }
            Ok((_, None)) => {}
            Err(_) => self.incomparable += 1,
        }
    }

    /// Says that there are rows that cannot be compared.
    pub(super) fn warn(&self) {
        let rows = self.incomparable;
        if 0 < rows {
            tracing::warn!(rows, "What is stored of some artists cannot be compared");
        }
    }
}
