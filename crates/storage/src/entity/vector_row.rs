//! What searches look at in an artist, from the columns of three tables.
//!
//! There may be as many rows as artists, so they are read from the driver by position, and nothing is copied on the way.

use domain::{
    ArtistName, Confidence, DrumFeel, Embedding, QuantitativeParams, ResearchStatus, StyleVector,
};
use sea_orm::sqlx::{self, Row};

use super::artist::artist_name;
use crate::error::Failure;

/// What a [`VectorRow`] begins with, of an artist `a`, its profile `p` and its embedding `e`.
pub(crate) const VECTOR_COLUMNS: &str = "a.version, a.name_key, a.name, a.research_status,
     p.confidence_score, p.tempo_min, p.tempo_max, p.tempo_avg, p.swing_percent,
     p.ghost_note_prob, p.syncopation_level, p.velocity_mean, p.velocity_std, e.embedding";

/// A row that begins with [`VECTOR_COLUMNS`], which are read by their places.
///
/// Without an artist all after the key are null; without an embedding, or a profile, the embedding is.
pub(crate) trait VectorRow {
    fn integer(&self, column: usize) -> Result<i64, sqlx::Error>;
    fn number(&self, column: usize) -> Result<f64, sqlx::Error>;
    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error>;
    fn vector(&self, column: usize) -> Result<Option<Vec<f32>>, sqlx::Error>;

    /// The artist's version.
    fn version(&self) -> Result<i64, Failure> {
        Ok(self.integer(0)?)
    }

    /// What the row is kept under.
    fn name_key(&self) -> &str {
        // SQLite takes bytes for a text that are none. They are no key either.
        self.text(1).ok().flatten().unwrap_or_default()
    }

    /// Whether there is an artist.
    fn is_present(&self) -> bool {
        !matches!(self.text(3), Ok(None))
    }

    /// The artist and its vector, unless it has none.
    ///
    /// # Errors
    ///
    /// When one of them cannot be, because somebody wrote it by hand.
    fn compared(&self) -> Result<(ArtistName, Option<StyleVector>), Failure> {
        Ok((self.artist()?, self.style_vector()?))
    }

    /// The artist's name.
    ///
    /// # Errors
    ///
    /// When it is none, or one that leads to another key than the row is kept under.
    fn artist(&self) -> Result<ArtistName, Failure> {
        let name = artist_name(self.text(2)?.unwrap_or_default())?;
        if name.key().as_str() == self.name_key() {
            Ok(name)
        } else {
            Err(Failure::corrupt(MisplacedName))
        }
    }

    /// The vector, unless the artist has none.
    ///
    /// # Errors
    ///
    /// When it, or something beside it, cannot be.
    fn style_vector(&self) -> Result<Option<StyleVector>, Failure> {
        let Some(numbers) = self.vector(13)? else { return Ok(None) };
        let status: ResearchStatus =
            self.text(3)?.unwrap_or_default().parse().map_err(Failure::corrupt)?;
        let feel = DrumFeel {
            tempo_min: self.number(5)?,
            tempo_max: self.number(6)?,
            tempo_avg: self.number(7)?,
            swing_percent: self.number(8)?,
            ghost_note_prob: self.number(9)?,
            syncopation_level: self.number(10)?,
            velocity_mean: self.number(11)?,
            velocity_std: self.number(12)?,
        };
        Ok(Some(StyleVector {
            embedding: Embedding::try_from(numbers).map_err(Failure::corrupt)?,
            research_status: status,
            confidence: Confidence::try_from(self.number(4)?).map_err(Failure::corrupt)?,
            quantitative_params: QuantitativeParams::try_from(feel).map_err(Failure::corrupt)?,
        }))
    }
}

#[derive(Debug, thiserror::Error)]
#[error("the name of an artist is not what its key was made from")]
struct MisplacedName;

#[cfg(feature = "postgres")]
impl VectorRow for sqlx::postgres::PgRow {
    fn integer(&self, column: usize) -> Result<i64, sqlx::Error> {
        self.try_get(column)
    }

    fn number(&self, column: usize) -> Result<f64, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
        self.try_get(column)
    }

    fn vector(&self, column: usize) -> Result<Option<Vec<f32>>, sqlx::Error> {
        let vector: Option<sea_orm::prelude::PgVector> = self.try_get(column)?;
        Ok(vector.map(Vec::from))
    }
}

#[cfg(feature = "sqlite")]
impl VectorRow for sqlx::sqlite::SqliteRow {
    fn integer(&self, column: usize) -> Result<i64, sqlx::Error> {
        self.try_get(column)
    }

    fn number(&self, column: usize) -> Result<f64, sqlx::Error> {
        self.try_get(column)
    }

    fn text(&self, column: usize) -> Result<Option<&str>, sqlx::Error> {
        self.try_get(column)
    }

    fn vector(&self, column: usize) -> Result<Option<Vec<f32>>, sqlx::Error> {
        let bytes: Option<&[u8]> = self.try_get(column)?;
        Ok(bytes.map(super::stored_vector::numbers))
    }
}
