//! One table per file: the row, then its mapping to the domain.

use sea_orm::{DbErr, QueryResult, TryGetable};

use crate::error::Failure;

pub(crate) mod api_key;
pub(crate) mod artist;
pub(crate) mod audit_record;
pub(crate) mod generation;
pub(crate) mod removed_artist;
pub(crate) mod research_source;
mod stored_time;
mod stored_vector;
pub(crate) mod style_embedding;
pub(crate) mod style_profile;
mod vector_row;

pub(crate) use stored_time::StoredTime;
pub(crate) use stored_vector::StoredVector;
pub(crate) use vector_row::{VECTOR_COLUMNS, VectorRow};

/// One column of a row, by its place: to find many by their names takes longer than to read them.
pub(crate) fn get<T: TryGetable>(row: &QueryResult, column: usize) -> Result<T, Failure> {
    T::try_get_by(row, column).map_err(|error| Failure::from(DbErr::from(error)))
}
