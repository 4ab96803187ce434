//! The index in which PostgreSQL looks up neighbours: what there is, and building another one while everybody goes on
//! reading and writing.

mod builder;
mod catalog;
mod parameters;
mod searched;

use std::fmt;

use domain::{RepositoryError, Search};

use builder::Builder;
pub(crate) use parameters::SearchSettings;
pub(crate) use searched::{Remembered, SearchedIndex};

use crate::{
    error::Failure,
    similar_artists,
    store::{Backend, Store},
};

/// Who is told how far a build is.
type Progress<'a> = dyn FnMut(BuildProgress) + Send + 'a;

/// The vector index of a store.
///
/// Whatever is done to it, searches are answered meanwhile: from the index there was, or by comparing everything.
#[derive(Debug, Clone)]
pub struct VectorIndex(pub(crate) Store);

impl VectorIndex {
    /// What there is, and what is under way.
    pub async fn status(&self) -> Result<VectorIndexStatus, VectorIndexError> {
        match self.0.backend() {
            Backend::Postgres => Ok(catalog::status(&self.0).await?),
            Backend::Sqlite => Err(VectorIndexError::Unmanaged),
        }
    }

    /// Builds an index for the rows there are, beside the one in use, and puts it in the place of any other, except those
    /// that somebody made by hand.
    ///
    /// A failure leaves what was in use; so does giving up waiting, which the server notices within a second or so.
    /// What is left over of a build then is removed by the next one.
    pub async fn build(
        &self,
        kind: VectorIndexKind,
        progress: &mut Progress<'_>,
    ) -> Result<(), VectorIndexError> {
        match self.0.backend() {
            Backend::Postgres => Builder::begin(&self.0).await?.build(kind, progress).await,
            Backend::Sqlite => Err(VectorIndexError::Unmanaged),
        }
    }

    /// Removes the vector index and what is left over of builds, and says how many that were. What somebody made by hand
    /// stays.
    pub async fn remove(&self) -> Result<usize, VectorIndexError> {
        match self.0.backend() {
            Backend::Postgres => Builder::begin(&self.0).await?.remove().await,
            Backend::Sqlite => Err(VectorIndexError::Unmanaged),
        }
    }

    /// How the database would answer a search, in the words of its `EXPLAIN (FORMAT JSON)`.
    pub async fn plan(&self, search: &Search) -> Result<serde_json::Value, VectorIndexError> {
        match self.0.backend() {
            Backend::Postgres => Ok(similar_artists::plan(&self.0, search).await?),
            Backend::Sqlite => Err(VectorIndexError::Unmanaged),
        }
    }

    /// Builds the index in use once more if it was built here and has been outgrown, and says of which kind it is then.
    pub(crate) async fn rebuild_if_outgrown(
        &self,
    ) -> Result<Option<VectorIndexKind>, VectorIndexError> {
        Builder::begin(&self.0).await?.rebuild_if_outgrown().await
    }
}

/// How a vector index finds neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum VectorIndexKind {
    /// Lists around centres that are found when it is built. Small and quick to build; it finds less the more the rows
    /// change.
    IvfFlat,
    /// A graph of neighbours that grows with the rows. Finds more in less time, and makes writing slower.
    Hnsw,
}

impl VectorIndexKind {
    /// Every kind.
    pub const ALL: [Self; 2] = [Self::IvfFlat, Self::Hnsw];

    /// The kind's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::IvfFlat => "ivfflat",
            Self::Hnsw => "hnsw",
        }
    }
}

/// What an index was built with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum VectorIndexParameters {
    /// Of [`VectorIndexKind::IvfFlat`].
    IvfFlat {
        /// How many lists there are.
        lists: u32,
    },
    /// Of [`VectorIndexKind::Hnsw`].
    Hnsw {
        /// How many neighbours each row is linked to in a layer, at most.
        m: u32,
        /// Among how many candidates those were chosen.
        ef_construction: u32,
    },
}

impl VectorIndexParameters {
    /// Of which kind the index is.
    #[must_use]
    pub const fn kind(self) -> VectorIndexKind {
        match self {
            Self::IvfFlat { .. } => VectorIndexKind::IvfFlat,
            Self::Hnsw { .. } => VectorIndexKind::Hnsw,
        }
    }
}

impl fmt::Display for VectorIndexParameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::IvfFlat { lists } => write!(formatter, "lists = {lists}"),
            Self::Hnsw { m, ef_construction } => {
                write!(formatter, "m = {m}, ef_construction = {ef_construction}")
            }
        }
    }
}

/// The vector indexes of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VectorIndexStatus {
    /// How many embeddings there are now.
    pub rows: u64,
    /// The index that searches use; `None` when every embedding is compared.
    pub in_use: Option<StoredVectorIndex>,
    /// Others: builds that did not come to their end, and what somebody made by hand.
    pub others: Vec<StoredVectorIndex>,
    /// The build that is under way.
    pub building: Option<BuildProgress>,
}

/// One vector index.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredVectorIndex {
    /// Its name in the database.
    pub name: String,
    /// What it was built with.
    pub parameters: VectorIndexParameters,
    /// Whether somebody made it under another name than those that are given here. It is searched, and left alone.
    pub made_by_hand: bool,
    /// Whether its build came to its end.
    pub valid: bool,
    /// How many rows there were then; `None` if it was not built by [`VectorIndex::build`].
    pub rows_when_built: Option<u64>,
    /// How much room it takes.
    pub size_bytes: u64,
    /// Whether the rows have become so many that it should be built anew.
    pub outgrown: bool,
}

/// How far a build is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuildProgress {
    /// What is done now, in the words of the server.
    pub phase: String,
    /// How much of that is done, if the server knows.
    pub percent: Option<u8>,
}

/// Why nothing can be said about, or done to, the vector index.
#[derive(Debug, thiserror::Error)]
pub enum VectorIndexError {
    /// The store is on SQLite.
    #[error("SQLite has no vector index; searches there compare every embedding")]
    Unmanaged,
    /// One build at a time.
    #[error("another build of the vector index is under way")]
    Busy,
    /// The role that is connected may not change the schema, of which an index is a part.
    #[error(
        "only the owner of the table style_embeddings may build or remove its indexes, and this role is not"
    )]
    NotOwner,
    /// The database failed.
    #[error(transparent)]
    Repository(#[from] RepositoryError),
}

impl From<Failure> for VectorIndexError {
    fn from(failure: Failure) -> Self {
        Self::Repository(failure.into())
    }
}
