//! Rows that may be among the closest, ranked by the metric itself.

use domain::Search;
use sea_orm::sqlx::postgres::PgRow;

use super::super::Candidate;
use crate::entity::VectorRow;

/// What a [`VectorRow`] begins with, of an artist `a`, its profile `p` and its embedding `e`.
pub(super) const COLUMNS: &str = "a.version, a.name_key, a.name, a.research_status,
     p.confidence_score, p.tempo_min, p.tempo_max, p.tempo_avg, p.swing_percent,
     p.ghost_note_prob, p.syncopation_level, p.velocity_mean, p.velocity_std, e.embedding";

/// Those that were looked at so far.
#[derive(Debug, Default)]
pub(super) struct Ranked {
    pub(super) candidates: Vec<Candidate>,
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
                let similarity = search.metric.score(&search.target, &vector.embedding);
                self.candidates.push(Candidate { similarity, artist });
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
