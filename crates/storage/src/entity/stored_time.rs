//! A point in time as each backend keeps it.

use domain::Timestamp;
use sea_orm::{
    ColIdx, QueryResult, TryGetError, TryGetable, Value,
    sea_query::{ArrayType, ColumnType, Nullable, ValueType, ValueTypeErr},
};
use time::OffsetDateTime;

use crate::{error::Failure, store::Backend};

/// `timestamptz` in PostgreSQL; microseconds since 1970 in SQLite, where drivers' text does not sort by time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum StoredTime {
    WithTimeZone(OffsetDateTime),
    UnixMicros(i64),
}

impl StoredTime {
    pub(crate) fn new(backend: Backend, timestamp: Timestamp) -> Self {
        match backend {
            Backend::Postgres => Self::WithTimeZone(timestamp.into()),
            Backend::Sqlite => Self::UnixMicros(timestamp.unix_micros()),
        }
    }

    /// The time so many microseconds after 1970, which need not be a [`Timestamp`].
    pub(crate) fn at_micros(backend: Backend, micros: i64) -> Result<Self, Failure> {
        match backend {
            Backend::Postgres => {
                OffsetDateTime::from_unix_timestamp_nanos(i128::from(micros) * 1_000)
                    .map(Self::WithTimeZone)
                    .map_err(Failure::corrupt)
            }
            Backend::Sqlite => Ok(Self::UnixMicros(micros)),
        }
    }

    /// Microseconds after 1970.
    pub(crate) fn unix_micros(self) -> i64 {
        match self {
            Self::WithTimeZone(time) => {
                let micros = time.unix_timestamp_nanos().div_euclid(1_000);
                micros.try_into().unwrap_or(i64::MAX)
            }
            Self::UnixMicros(micros) => micros,
        }
    }

    pub(crate) fn timestamp(self) -> Result<Timestamp, Failure> {
        match self {
            Self::WithTimeZone(time) => Timestamp::try_from(time),
            Self::UnixMicros(micros) => Timestamp::from_unix_micros(micros),
        }
        .map_err(Failure::corrupt)
    }
}

impl From<StoredTime> for Value {
    fn from(time: StoredTime) -> Self {
        match time {
            StoredTime::WithTimeZone(time) => time.into(),
            StoredTime::UnixMicros(micros) => micros.into(),
        }
    }
}

impl TryGetable for StoredTime {
    fn try_get_by<I: ColIdx>(row: &QueryResult, index: I) -> Result<Self, TryGetError> {
        #[cfg(feature = "sqlite")]
        if row.try_as_sqlite_row().is_some() {
            return i64::try_get_by(row, index).map(Self::UnixMicros);
        }
        OffsetDateTime::try_get_by(row, index).map(Self::WithTimeZone)
    }
}

impl ValueType for StoredTime {
    fn try_from(value: Value) -> Result<Self, ValueTypeErr> {
        match value {
            Value::TimeDateTimeWithTimeZone(Some(time)) => Ok(Self::WithTimeZone(time)),
            Value::BigInt(Some(micros)) => Ok(Self::UnixMicros(micros)),
            _ => Err(ValueTypeErr),
        }
    }

    fn type_name() -> String {
        "StoredTime".to_owned()
    }

    fn array_type() -> ArrayType {
        ArrayType::TimeDateTimeWithTimeZone
    }

    fn column_type() -> ColumnType {
        ColumnType::TimestampWithTimeZone
    }
}

impl Nullable for StoredTime {
    fn null() -> Value {
        Value::TimeDateTimeWithTimeZone(None)
    }
}
