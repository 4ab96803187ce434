//! Consecutive stretches of local time, which statistics over time are counted in.
//!
//! Everything follows from one rule, so that no instant is in two buckets or in none.
//! A day, week or month begins at the first instant at which the local clock shows its first
//! midnight or anything later, and ends where the next one begins: a midnight that is skipped or
//! repeated moves nothing else, and a date that is skipped as a whole has no bucket.
//! An hour is a stretch of instants that share local date, hour and offset from UTC: where clocks
//! are turned within an hour, its bucket ends there and another begins.

mod calendar;
mod local_buckets;
mod range;
mod width;
mod zone;

use local_buckets::LocalBuckets;

pub use range::{InvalidTimeRange, TimeRange};
pub use width::{BucketWidth, UnknownBucketWidth};
pub use zone::{UnknownZone, Zone};

use crate::Timestamp;

/// One stretch of a series.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bucket {
    /// The part of the range that was asked for which is in this bucket. Never empty.
    pub range: TimeRange,
    /// Where the bucket begins, even if that is before the range that was asked for; the first
    /// instant of the year 1 if it begins before that.
    pub starts_at: Timestamp,
    /// What the local clock shows where the bucket begins, as RFC 3339 with the offset from UTC,
    /// such as `2026-03-29T00:00:00+01:00`; in UTC the offset is `+00:00`.
    ///
    /// Different buckets of a series have different texts as long as offsets are whole minutes.
    /// Others (mean solar time, mostly of the 19th century) are rounded to minutes, for RFC 3339
    /// has no seconds there: then only [`Bucket::starts_at`] is exact.
    /// Where the local date has left the year 9999, it is the time in UTC with `Z`.
    pub local_start: String,
}

/// Cuts a range into local buckets: in order, without gaps, and together exactly the range.
///
/// An empty range has none. The time this takes grows with the buckets that it returns and with
/// the changes of offset among them, not with `most`.
///
/// # Errors
///
/// When there are more than `most`.
pub fn buckets(
    range: TimeRange,
    width: BucketWidth,
    zone: &Zone,
    most: usize,
) -> Result<Vec<Bucket>, TooManyBuckets> {
    if range.is_empty() {
        return Ok(Vec::new());
    }
    let within = LocalBuckets::containing(range.from_micros(), width, zone)
        .take_while(|local| local.from < range.to_micros());

    let mut buckets = Vec::new();
    for local in within {
        if buckets.len() == most {
            return Err(TooManyBuckets { most });
        }
        buckets.push(Bucket {
            range: TimeRange::clipped(
                local.from.max(range.from_micros()),
                local.to.min(range.to_micros()),
            ),
            starts_at: range::nearest(local.from),
            local_start: calendar::rfc3339(local.from, local.offset),
        });
    }
    Ok(buckets)
}

/// The range of the last `count` local buckets, up to the end of the one that contains `now`.
///
/// [`buckets`] cuts it into exactly `count`. It begins with the year 1 if there are fewer, and is
/// empty if `count` is 0. The time this takes grows with `count`.
#[must_use]
pub fn last_buckets(now: Timestamp, width: BucketWidth, count: u32, zone: &Zone) -> TimeRange {
    // A bucket lasts no longer, but for changes of offset; all of these together can add no more
    // than lies between two offsets, which is less than 52 hours.
    let longest = match width {
        BucketWidth::Hour => calendar::HOUR,
        BucketWidth::Day => calendar::DAY,
        BucketWidth::Week => 7 * calendar::DAY,
        BucketWidth::Month => 31 * calendar::DAY,
    };
    let now = now.unix_micros();
    let early = now
        .saturating_sub(longest.saturating_mul(i64::from(count)))
        .saturating_sub(3 * calendar::DAY)
        .max(TimeRange::ALL.from_micros());

    let until_now =
        LocalBuckets::containing(early, width, zone).take_while(|local| local.from <= now).count();
    let skipped = until_now.saturating_sub(usize::try_from(count).unwrap_or(usize::MAX));
    let from =
        LocalBuckets::containing(early, width, zone).nth(skipped).map_or(early, |first| first.from);
    let to = LocalBuckets::containing(now, width, zone).next().map_or(now, |last| last.to);
    TimeRange::clipped(from, to)
}

/// A range has more buckets than are allowed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time range has more than {most} buckets of this width")]
pub struct TooManyBuckets {
    /// How many are allowed.
    pub most: usize,
}

#[cfg(test)]
mod tests;
