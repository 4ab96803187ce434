//! Where local buckets begin and end.

use jiff::{Timestamp, tz::TimeZone};

use super::{
    BucketWidth, Zone,
    calendar::{DAY, HOUR, SECOND, first_of, monday_of, month_of},
};

/// A whole bucket. Times are in microseconds since 1970-01-01T00:00:00Z.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct LocalBucket {
    pub(super) from: i64,
    pub(super) to: i64,
    /// How far local time is ahead of UTC where it begins, in microseconds.
    pub(super) offset: i64,
}

/// The buckets of a zone from one on, in order, without gaps and without end.
pub(super) struct LocalBuckets<'a> {
    starts: Starts<'a>,
    start: Start,
    /// Buckets that end by then are left out.
    earliest: i64,
}

impl<'a> LocalBuckets<'a> {
    /// The bucket that contains an instant, then those that follow.
    pub(super) fn containing(instant: i64, width: BucketWidth, zone: &'a Zone) -> Self {
        let mut starts = Starts::before(instant, width, zone);
        let start = starts.advance();
        Self { starts, start, earliest: instant }
    }
}

impl Iterator for LocalBuckets<'_> {
    type Item = LocalBucket;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            let Start { at: from, offset } = self.start;
            self.start = self.starts.advance();
            let to = self.start.at;
            // A date that was skipped begins with the next one, and is no bucket.
            if from < to && self.earliest < to {
                return Some(LocalBucket { from, to, offset });
            }
        }
    }
}

/// Where a bucket begins, and how far local time is ahead of UTC there.
#[derive(Debug, Clone, Copy)]
struct Start {
    at: i64,
    offset: i64,
}

/// Where buckets begin, in order.
struct Starts<'a> {
    offsets: Offsets<'a>,
    next: Next,
}

enum Next {
    /// The clock hour that begins at this instant.
    Hour { from: i64 },
    /// The bucket whose first local date this is, and how the first date of the one after that
    /// follows from it.
    Date { first: i64, following: ToDate },
}

/// Leads from one local date to another, both as days since 1970-01-01.
type ToDate = fn(i64) -> i64;

impl<'a> Starts<'a> {
    /// Begins with a start that is not after `instant`.
    fn before(instant: i64, width: BucketWidth, zone: &'a Zone) -> Self {
        let (first_of_bucket, following): (ToDate, ToDate) = match width {
            BucketWidth::Hour => return Self::hour_before(instant, zone),
            BucketWidth::Day => (|date| date, |date| date + 1),
            BucketWidth::Week => (monday_of, |monday| monday + 7),
            BucketWidth::Month => {
                (|date| first_of(month_of(date)), |first| first_of(month_of(first) + 1))
            }
        };
        // A date begins when the local clock first shows it, so `instant` is in the bucket of the
        // date that is shown then, or in a later one if clocks were put back since that began.
        let shown = (instant + Offsets::at(instant, zone).offset).div_euclid(DAY);
        let first = first_of_bucket(shown);
        // Up to there, no local clock has shown this date or a later one.
        let offsets = Offsets::at(first * DAY - OFFSETS_ARE_BELOW, zone);
        Self { offsets, next: Next::Date { first, following } }
    }

    fn hour_before(instant: i64, zone: &'a Zone) -> Self {
        // None is longer than an hour, so whichever contains this ends by `instant`.
        let earlier = instant - HOUR;
        let offsets = Offsets::at(earlier, zone);
        let from = offsets.end_of_hour(earlier);
        Self { offsets, next: Next::Hour { from } }
    }

    fn advance(&mut self) -> Start {
        let Self { offsets, next } = self;
        match next {
            Next::Hour { from } => {
                let at = *from;
                while offsets.until <= at {
                    offsets.advance();
                }
                *from = offsets.end_of_hour(at);
                Start { at, offset: offsets.offset }
            }
            Next::Date { first, following } => {
                let midnight = *first * DAY;
                *first = following(*first);
                // Past the offsets with which the clock does not get as far as midnight.
                while offsets.until.saturating_add(offsets.offset) <= midnight {
                    offsets.advance();
                }
                // If the clock was turned past midnight, the date begins where it was.
                Start { at: offsets.since.max(midnight - offsets.offset), offset: offsets.offset }
            }
        }
    }
}

/// More than any offset from UTC, in microseconds.
const OFFSETS_ARE_BELOW: i64 = 26 * HOUR;

/// A stretch of time in which a zone keeps its offset from UTC. All in microseconds.
struct Offsets<'a> {
    rules: &'a TimeZone,
    /// Where the offset came into force, or where the first stretch was entered.
    since: i64,
    /// Where it ceases to be in force, which is never for the last stretch.
    until: i64,
    offset: i64,
    /// The offset after that.
    next_offset: i64,
}

impl<'a> Offsets<'a> {
    /// The stretch that contains an instant.
    fn at(instant: i64, zone: &'a Zone) -> Self {
        let rules = zone.rules();
        let offset = rules.to_offset(timestamp(instant)).seconds();
        let mut offsets = Self {
            rules,
            since: instant,
            until: instant,
            offset: 0,
            next_offset: i64::from(offset) * SECOND,
        };
        offsets.advance();
        offsets
    }

    /// Moves to the stretch that follows.
    fn advance(&mut self) {
        self.since = self.until;
        self.offset = self.next_offset;
        // Some transitions only change what the offset is called.
        let change = self
            .rules
            .following(timestamp(self.since))
            .map(|change| (change.timestamp().as_second(), i64::from(change.offset().seconds())))
            .map(|(second, offset)| (second * SECOND, offset * SECOND))
            .find(|(_, offset)| *offset != self.offset);
        (self.until, self.next_offset) = change.unwrap_or((i64::MAX, self.offset));
    }

    /// Where the clock hour ends that contains an instant of this stretch.
    fn end_of_hour(&self, instant: i64) -> i64 {
        let local = instant + self.offset;
        let full = local - local.rem_euclid(HOUR) + HOUR - self.offset;
        full.min(self.until)
    }
}

/// The whole second that contains an instant; offsets do not change within one.
///
/// The crate's time ends a day before the year 9999 does, on which no zone changes its offset.
fn timestamp(unix_micros: i64) -> Timestamp {
    Timestamp::from_second(unix_micros.div_euclid(SECOND)).unwrap_or(Timestamp::MAX)
}
