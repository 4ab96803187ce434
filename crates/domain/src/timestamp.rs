//! Points in time.

use std::{fmt, str::FromStr};

use time::{OffsetDateTime, UtcOffset, format_description::well_known::Rfc3339};

/// A point in time in UTC, to the microsecond (what every backend keeps), in the years 1 to 9999.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp {
    unix_micros: i64,
}

impl Timestamp {
    const MIN_UNIX_MICROS: i64 = -62_135_596_800_000_000;
    const MAX_UNIX_MICROS: i64 = 253_402_300_799_999_999;

    /// The point in time so many microseconds after 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    ///
    /// When it is not in the years 1 to 9999.
    pub const fn from_unix_micros(unix_micros: i64) -> Result<Self, InvalidTimestamp> {
        if Self::MIN_UNIX_MICROS <= unix_micros && unix_micros <= Self::MAX_UNIX_MICROS {
            Ok(Self { unix_micros })
        } else {
            Err(InvalidTimestamp::OutOfRange)
        }
    }

    /// Microseconds since 1970-01-01T00:00:00Z, negative before.
    #[must_use]
    pub const fn unix_micros(self) -> i64 {
        self.unix_micros
    }

    /// So many microseconds later, but no later than the year 9999.
    #[must_use]
    pub const fn saturating_add_micros(self, micros: u64) -> Self {
        let later = self.unix_micros.saturating_add_unsigned(micros);
        if later < Self::MAX_UNIX_MICROS {
            Self { unix_micros: later }
        } else {
            Self { unix_micros: Self::MAX_UNIX_MICROS }
        }
    }
}

impl TryFrom<OffsetDateTime> for Timestamp {
    type Error = InvalidTimestamp;

    /// Cuts off what is finer than a microsecond.
    fn try_from(time: OffsetDateTime) -> Result<Self, Self::Error> {
        let unix_micros = time.unix_timestamp_nanos().div_euclid(1_000);
        i64::try_from(unix_micros)
            .map_err(|_| InvalidTimestamp::OutOfRange)
            .and_then(Self::from_unix_micros)
    }
}

impl From<Timestamp> for OffsetDateTime {
    fn from(timestamp: Timestamp) -> Self {
        // In range by construction; the epoch is never reached.
        Self::from_unix_timestamp_nanos(i128::from(timestamp.unix_micros) * 1_000)
            .unwrap_or(Self::UNIX_EPOCH)
    }
}

/// Reads RFC 3339 with any offset.
impl FromStr for Timestamp {
    type Err = InvalidTimestamp;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let time =
            OffsetDateTime::parse(text, &Rfc3339).map_err(|_| InvalidTimestamp::NotRfc3339)?;
        let utc = time.checked_to_offset(UtcOffset::UTC).ok_or(InvalidTimestamp::OutOfRange)?;
        Self::try_from(utc)
    }
}

/// Writes RFC 3339 in UTC, such as `2026-11-21T08:30:00.25Z`.
impl fmt::Display for Timestamp {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = OffsetDateTime::from(*self).format(&Rfc3339).map_err(|_| fmt::Error)?;
        formatter.write_str(&text)
    }
}

/// Why something is no [`Timestamp`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidTimestamp {
    /// The text has another form.
    #[error("a time is written as RFC 3339, for example 2026-11-21T08:30:00Z")]
    NotRfc3339,
    /// The year is not 1 to 9999.
    #[error("a time lies in the years 1 to 9999")]
    OutOfRange,
}

/// Tells the time, so that tests can set it.
pub trait Clock: Send + Sync {
    /// The present.
    fn now(&self) -> Timestamp;
}

/// The machine's clock.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    fn now(&self) -> Timestamp {
        // Beyond the year 9999 the epoch is as wrong as anything else.
        Timestamp::try_from(OffsetDateTime::now_utc()).unwrap_or(Timestamp { unix_micros: 0 })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_any_offset_and_writes_utc() {
        let timestamp: Timestamp = "2026-11-21T10:00:00.1234567+02:00".parse().unwrap();

        assert_eq!(timestamp.to_string(), "2026-11-21T08:00:00.123456Z");
        assert_eq!(Timestamp::try_from(OffsetDateTime::from(timestamp)), Ok(timestamp));
    }

    #[test]
    fn refuses_other_forms_and_years() {
        for text in ["", "yesterday", "2026-11-21", "2026-13-01T00:00:00Z", "0000-01-01T00:00:00Z"]
        {
            assert!(text.parse::<Timestamp>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn bounds_are_the_years_one_to_9999() {
        for text in ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z"] {
            assert_eq!(text.parse::<Timestamp>().unwrap().to_string(), text);
        }
        assert_eq!(
            "0001-01-01T00:00:00+01:00".parse::<Timestamp>(),
            Err(InvalidTimestamp::OutOfRange)
        );
    }
}
