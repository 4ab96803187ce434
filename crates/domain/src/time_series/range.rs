//! From when to when.

use crate::Timestamp;

/// A stretch of time, its beginning included and its end not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TimeRange {
    // Not `Timestamp`, which cannot say where the last microsecond ends.
    from_micros: i64,
    to_micros: i64,
}

const FIRST: Timestamp = existing(-62_135_596_800_000_000);
const LAST: Timestamp = existing(253_402_300_799_999_999);

#[expect(clippy::panic, reason = "only constants call this, so it would be the build that fails")]
const fn existing(unix_micros: i64) -> Timestamp {
    match Timestamp::from_unix_micros(unix_micros) {
        Ok(timestamp) => timestamp,
        Err(_) => panic!("not in the years 1 to 9999"),
    }
}

impl TimeRange {
    /// Every [`Timestamp`] there is. It ends one microsecond after the last of them.
    pub const ALL: Self =
        Self { from_micros: FIRST.unix_micros(), to_micros: LAST.unix_micros() + 1 };

    /// The range that begins with `from` and ends just before `to`; empty if they are the same.
    ///
    /// # Errors
    ///
    /// When `to` is before `from`.
    pub const fn new(from: Timestamp, to: Timestamp) -> Result<Self, InvalidTimeRange> {
        let (from_micros, to_micros) = (from.unix_micros(), to.unix_micros());
        if to_micros < from_micros {
            return Err(InvalidTimeRange);
        }
        Ok(Self { from_micros, to_micros })
    }

    /// The range between two times in microseconds since 1970-01-01T00:00:00Z, as far as there are
    /// timestamps for it: without what is outside of [`TimeRange::ALL`], and empty if it would end
    /// before it begins.
    #[must_use]
    pub fn clipped(from: i64, to: i64) -> Self {
        let Self { from_micros: first, to_micros: end } = Self::ALL;
        let from_micros = from.clamp(first, end);
        Self { from_micros, to_micros: to.clamp(from_micros, end) }
    }

    /// The first instant of it, if it is not empty.
    #[must_use]
    pub fn from(self) -> Timestamp {
        nearest(self.from_micros)
    }

    /// The first instant after it, or `None` if there is none: it ends as [`TimeRange::ALL`] does.
    #[must_use]
    pub fn to(self) -> Option<Timestamp> {
        Timestamp::from_unix_micros(self.to_micros).ok()
    }

    /// Where it begins, in microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn from_micros(self) -> i64 {
        self.from_micros
    }

    /// Where it ends, itself not included, in microseconds since 1970-01-01T00:00:00Z.
    #[must_use]
    pub const fn to_micros(self) -> i64 {
        self.to_micros
    }

    /// Whether an instant is in it.
    #[must_use]
    pub const fn contains(self, time: Timestamp) -> bool {
        self.from_micros <= time.unix_micros() && time.unix_micros() < self.to_micros
    }

    /// Whether no instant is in it.
    #[must_use]
    pub const fn is_empty(self) -> bool {
        self.from_micros == self.to_micros
    }
}

/// The timestamp that is closest to a time, which may be outside the years 1 to 9999.
pub(super) fn nearest(unix_micros: i64) -> Timestamp {
    Timestamp::from_unix_micros(unix_micros).unwrap_or(if unix_micros < 0 { FIRST } else { LAST })
}

/// A range that ends before it begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time range must not end before it begins")]
pub struct InvalidTimeRange;

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().unwrap()
    }

    #[test]
    fn has_its_beginning_and_not_its_end() {
        let (from, to) = (at("2026-11-21T08:00:00Z"), at("2026-11-21T08:00:00.000001Z"));
        let range = TimeRange::new(from, to).unwrap();

        assert!(range.contains(from) && !range.contains(to) && !range.is_empty());
        assert_eq!((range.from(), range.to()), (from, Some(to)));
        assert_eq!(range.to_micros() - range.from_micros(), 1);
        assert_eq!(TimeRange::new(to, from), Err(InvalidTimeRange));

        let nothing = TimeRange::new(from, from).unwrap();
        assert!(nothing.is_empty() && !nothing.contains(from));
    }

    #[test]
    fn all_has_the_first_and_the_last_timestamp() {
        let (first, last) = (at("0001-01-01T00:00:00Z"), at("9999-12-31T23:59:59.999999Z"));

        assert!(TimeRange::ALL.contains(first) && TimeRange::ALL.contains(last));
        assert_eq!((TimeRange::ALL.from(), TimeRange::ALL.to()), (first, None));
        assert!(Timestamp::from_unix_micros(TimeRange::ALL.from_micros() - 1).is_err());
        assert!(Timestamp::from_unix_micros(TimeRange::ALL.to_micros()).is_err());
    }

    #[test]
    fn numbers_make_a_range_of_timestamps() {
        let end = TimeRange::ALL.to_micros();

        assert_eq!(TimeRange::clipped(i64::MIN, i64::MAX), TimeRange::ALL);
        assert_eq!(TimeRange::clipped(0, 5).to_micros(), 5);
        assert!(TimeRange::clipped(5, 4).is_empty());
        let beyond = TimeRange::clipped(i64::MAX, i64::MAX);
        assert!(beyond.is_empty() && beyond.to_micros() == end);
        assert_eq!(beyond.from(), at("9999-12-31T23:59:59.999999Z"));
    }
}
