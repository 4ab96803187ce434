//! An embedding as each backend keeps it.

use domain::Embedding;
use sea_orm::{
    ColIdx, QueryResult, TryGetError, TryGetable, Value,
    prelude::PgVector,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};

use crate::{error::Failure, store::Backend};

/// `vector(384)` in PostgreSQL; little-endian single-precision numbers in a BLOB in SQLite.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum StoredVector {
    Vector(PgVector),
    Bytes(Vec<u8>),
}

impl StoredVector {
    #[cfg_attr(
        not(feature = "sqlite"),
        expect(dead_code, reason = "PostgreSQL takes columns as arrays")
    )]
    pub(crate) fn new(backend: Backend, embedding: &Embedding) -> Self {
        match backend {
            Backend::Postgres => Self::Vector(PgVector::from(embedding.as_slice().to_vec())),
            Backend::Sqlite => {
                let bytes = embedding.as_slice().iter().map(|number| number.to_le_bytes());
                Self::Bytes(bytes.collect::<Vec<_>>().into_flattened())
            }
        }
    }

    pub(crate) fn embedding(self) -> Result<Embedding, Failure> {
        let numbers = match self {
            Self::Vector(vector) => vector.into(),
            Self::Bytes(bytes) => numbers(&bytes),
        };
        Embedding::try_from(numbers).map_err(Failure::corrupt)
    }
}

/// The numbers of a BLOB.
pub(crate) fn numbers(bytes: &[u8]) -> Vec<f32> {
    let (numbers, _) = bytes.as_chunks::<4>();
    numbers.iter().map(|&number| f32::from_le_bytes(number)).collect()
}

impl From<StoredVector> for Value {
    fn from(vector: StoredVector) -> Self {
        match vector {
            StoredVector::Vector(vector) => Self::Vector(Some(vector)),
            StoredVector::Bytes(bytes) => Self::Bytes(Some(bytes)),
        }
    }
}

impl TryGetable for StoredVector {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        #[cfg(feature = "sqlite")]
        if row.try_as_sqlite_row().is_some() {
            return Vec::<u8>::try_get_by(row, index).map(Self::Bytes);
        }
        PgVector::try_get_by(row, index).map(Self::Vector)
    }
}

impl ValueType for StoredVector {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::Vector(Some(vector)) => Ok(Self::Vector(vector)),
            Value::Bytes(Some(bytes)) => Ok(Self::Bytes(bytes)),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "StoredVector".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::Bytes
    }

    fn column_type() -> ColumnType {
        ColumnType::Vector(None)
    }
}

impl Nullable for StoredVector {
    fn null() -> Value {
        Value::Bytes(None)
    }
}
