//! How long the times are over which sums are kept, and which of them make up a range.

use std::ops::RangeInclusive;

const QUARTER: i64 = 15 * 60 * 1_000_000;
const HOUR: i64 = 4 * QUARTER;
const DAY: i64 = 24 * HOUR;

/// How long the time is over which a sum is kept; all of it in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Width {
    Quarter,
    Hour,
    Day,
    Month,
    /// Everything, as if it began in 1970.
    Ever,
}

impl Width {
    /// What sums are kept over for everybody together.
    pub(crate) const OF_ALL: [Self; 4] = [Self::Quarter, Self::Hour, Self::Day, Self::Month];

    /// What sums are kept over for one artist. What is shorter is summed up from the generations.
    pub(crate) const OF_ARTIST: [Self; 2] = [Self::Month, Self::Ever];

    /// The number that stands in the tables.
    pub(crate) const fn stored(self) -> i16 {
        match self {
            Self::Quarter => 1,
            Self::Hour => 2,
            Self::Day => 3,
            Self::Month => 4,
            Self::Ever => 5,
        }
    }

    const fn next(self) -> Option<Self> {
        match self {
            Self::Quarter => Some(Self::Hour),
            Self::Hour => Some(Self::Day),
            Self::Day => Some(Self::Month),
            Self::Month | Self::Ever => None,
        }
    }

    /// The beginning of the time of this width around a point in time, in microseconds after 1970.
    pub(crate) const fn floor(self, micros: i64) -> i64 {
        match self {
            Self::Quarter => micros.div_euclid(QUARTER) * QUARTER,
            Self::Hour => micros.div_euclid(HOUR) * HOUR,
            Self::Day => micros.div_euclid(DAY) * DAY,
            Self::Month => month_start(month(micros)),
            Self::Ever => 0,
        }
    }

    /// Where the next one begins after the one around a point in time.
    pub(crate) const fn end(self, micros: i64) -> i64 {
        match self {
            Self::Quarter => self.floor(micros) + QUARTER,
            Self::Hour => self.floor(micros) + HOUR,
            Self::Day => self.floor(micros) + DAY,
            Self::Month => month_start(month(micros) + 1),
            Self::Ever => i64::MAX,
        }
    }

    /// The first beginning of a time of this width that is not before a point in time.
    pub(crate) const fn ceil(self, micros: i64) -> i64 {
        if self.floor(micros) == micros { micros } else { self.end(micros) }
    }
}

/// Times of one width: from the beginning of the first to the end of the last, in microseconds after 1970.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stretch {
    pub(crate) width: Width,
    pub(crate) micros: RangeInclusive<i64>,
}

/// The longest times that make up a range of whole quarters, at most seven stretches of them.
pub(crate) fn cover(from: i64, to: i64) -> Vec<Stretch> {
    let mut stretches = Vec::with_capacity(7);
    cover_by(Width::Quarter, from, to, &mut stretches);
    stretches
}

fn cover_by(width: Width, from: i64, to: i64, stretches: &mut Vec<Stretch>) {
    if to <= from {
        return;
    }
    let mut add = |from: i64, to: i64| {
        if from < to {
            stretches.push(Stretch { width, micros: from..=to - 1 });
        }
    };
    let Some(wider) = width.next() else { return add(from, to) };
    let (inner_from, inner_to) = (wider.ceil(from), wider.floor(to));
    if inner_to <= inner_from {
        return add(from, to);
    }
    add(from, inner_from);
    add(inner_to, to);
    cover_by(wider, inner_from, inner_to, stretches);
}

/// The months from January of the year 0 to the month of a point in time.
///
/// The calendar's arithmetic begins years in March, so that the odd day comes last; see Howard Hinnant,
/// "chrono-Compatible Low-Level Date Algorithms".
const fn month(micros: i64) -> i64 {
    let days = micros.div_euclid(DAY) + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    (year_of_era + era * 400) * 12 + month_from_march + 2
}

/// When a month begins that [`month`] counted, in microseconds after 1970.
const fn month_start(month: i64) -> i64 {
    let from_march = month - 2;
    let year = from_march.div_euclid(12);
    let month_from_march = from_march.rem_euclid(12);
    let era = year.div_euclid(400);
    let year_of_era = year.rem_euclid(400);
    let day_of_year = (153 * month_from_march + 2) / 5;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    (era * 146_097 + day_of_era - 719_468) * DAY
}

#[cfg(test)]
mod tests {
    use domain::Timestamp;

    use super::*;

    fn micros(time: &str) -> i64 {
        time.parse::<Timestamp>().unwrap().unix_micros()
    }

    #[test]
    fn months_begin_on_the_first() {
        for (time, start, end) in [
            ("1970-01-01T00:00:00Z", "1970-01-01T00:00:00Z", "1970-02-01T00:00:00Z"),
            ("1969-12-31T23:59:59.999999Z", "1969-12-01T00:00:00Z", "1970-01-01T00:00:00Z"),
            ("2024-02-29T12:00:00Z", "2024-02-01T00:00:00Z", "2024-03-01T00:00:00Z"),
            ("1900-02-28T12:00:00Z", "1900-02-01T00:00:00Z", "1900-03-01T00:00:00Z"),
            ("0001-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "0001-02-01T00:00:00Z"),
            ("9999-11-30T23:00:00Z", "9999-11-01T00:00:00Z", "9999-12-01T00:00:00Z"),
        ] {
            assert_eq!(Width::Month.floor(micros(time)), micros(start), "{time}");
            assert_eq!(Width::Month.end(micros(time)), micros(end), "{time}");
        }
    }

    #[test]
    fn the_longest_times_are_taken() {
        let (from, to) = (micros("2026-01-31T22:45:00Z"), micros("2026-04-01T02:00:00Z"));

        let cover = cover(from, to);

        let widths: Vec<Width> = cover.iter().map(|it| it.width).collect();
        let [quarter, hour, later, month] = widths.as_slice() else { panic!("{cover:?}") };
        assert_eq!(
            (quarter, hour, later, month),
            (&Width::Quarter, &Width::Hour, &Width::Hour, &Width::Month)
        );
    }

    #[test]
    fn a_cover_leaves_no_gap_and_repeats_nothing() {
        let start = micros("2023-12-30T00:00:00Z");
        for (from, length) in (0..400).map(|n| (n * 7, 1 + n * n % 9_000)) {
            let (from, to) = (start + from * QUARTER, start + (from + length) * QUARTER);
            let mut parts = cover(from, to);
            parts.sort_by_key(|part| *part.micros.start());
            assert!(parts.len() <= 7);
            let mut reached = from;
            for part in parts {
                assert_eq!(*part.micros.start(), reached);
                reached = part.micros.end() + 1;
            }
            assert_eq!(reached, to);
        }
    }
}
