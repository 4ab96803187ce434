//! Dates of the Gregorian calendar, counted from 1970-01-01.
//!
//! Local dates go a day beyond the years of a [`Timestamp`](crate::Timestamp), and the month after
//! the last one is needed, too; the crates for dates stop short of that.

use super::range;

/// A second in microseconds.
pub(super) const SECOND: i64 = 1_000_000;
/// An hour in microseconds.
pub(super) const HOUR: i64 = 3_600 * SECOND;
/// A day of 24 hours in microseconds.
pub(super) const DAY: i64 = 24 * HOUR;

/// The date of a day, as months since January of the year 0 and the day of the month from 1.
///
/// Years begin in March here, so that the day which comes and goes is a year's last.
const fn date(day: i64) -> (i64, i64) {
    const DAYS_OF_400_YEARS: i64 = 146_097;
    // Between 0000-03-01 and 1970-01-01.
    let day = day + 719_468;
    let (era, day) = (day.div_euclid(DAYS_OF_400_YEARS), day.rem_euclid(DAYS_OF_400_YEARS));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    // From March on, months are 31 and 30 days long in turns, but each fifth is as the first.
    let month = (5 * day + 2) / 153;
    ((era * 400 + year) * 12 + month + 2, day - (153 * month + 2) / 5 + 1)
}

/// The first day of a month, which is counted from January of the year 0.
pub(super) const fn first_of(month: i64) -> i64 {
    let (year, month) = ((month - 2).div_euclid(12), (month - 2).rem_euclid(12));
    365 * year + year.div_euclid(4) - year.div_euclid(100)
        + year.div_euclid(400)
        + (153 * month + 2) / 5
        - 719_468
}

/// The month of a day, counted from January of the year 0.
pub(super) const fn month_of(day: i64) -> i64 {
    date(day).0
}

/// The Monday on or before a day.
pub(super) const fn monday_of(day: i64) -> i64 {
    // 1970-01-01 was a Thursday.
    day - (day + 3).rem_euclid(7)
}

/// What a clock shows which is `offset` microseconds ahead of UTC.
pub(super) fn rfc3339(unix_micros: i64, offset: i64) -> String {
    let local = unix_micros + offset;
    let (month, day) = date(local.div_euclid(DAY));
    let (year, month) = (month.div_euclid(12), month.rem_euclid(12) + 1);
    if !(0..=9_999).contains(&year) {
        return range::nearest(unix_micros).to_string();
    }
    let second = local.rem_euclid(DAY) / SECOND;
    let ahead = (offset.abs() / SECOND + 30) / 60;
    // An offset of -00:00 would say that it is not known.
    let sign = if offset < 0 && ahead != 0 { "-" } else { "+" };

    // A series has thousands of these; with `format!` it would take twice as long.
    let mut text = String::with_capacity("2026-11-21T08:30:00+01:00".len());
    for (pair, separator) in [
        (year / 100, ""),
        (year % 100, "-"),
        (month, "-"),
        (day, "T"),
        (second / 3_600, ":"),
        (second / 60 % 60, ":"),
        (second % 60, sign),
        (ahead / 60, ":"),
        (ahead % 60, ""),
    ] {
        let digits = [pair / 10, pair % 10];
        text.extend(digits.into_iter().filter_map(digit));
        text.push_str(separator);
    }
    text
}

fn digit(number: i64) -> Option<char> {
    char::from_digit(u32::try_from(number).ok()?, 10)
}

#[cfg(test)]
mod tests {
    use time::{Date, Month};

    use super::*;

    #[test]
    fn agrees_with_another_calendar_on_every_day() {
        let epoch = Date::from_calendar_date(1970, Month::January, 1).unwrap().to_julian_day();
        let mut other = Date::from_calendar_date(-1, Month::January, 1).unwrap();
        while let Some(next) = other.next_day() {
            let day = i64::from(other.to_julian_day() - epoch);
            let month = i64::from(other.year()) * 12 + i64::from(u8::from(other.month())) - 1;
            let monday = day - i64::from(other.weekday().number_days_from_monday());

            assert_eq!(date(day), (month, i64::from(other.day())), "{other}");
            assert_eq!(first_of(month), day + 1 - i64::from(other.day()), "{other}");
            assert_eq!(monday_of(day), monday, "{other}");
            other = next;
        }

        let (month, day) = date(i64::from(other.to_julian_day() - epoch) + 1);
        assert_eq!((month, day), (120_000, 1));
        assert_eq!(date(first_of(120_001)), (120_001, 1));
    }

    #[test]
    fn writes_offsets_in_minutes() {
        let written = |seconds: i64| rfc3339(0, seconds * SECOND);

        assert_eq!(written(0), "1970-01-01T00:00:00+00:00");
        assert_eq!(written(20_700), "1970-01-01T05:45:00+05:45");
        assert_eq!(written(-12_600), "1969-12-31T20:30:00-03:30");
        assert_eq!(written(3_208), "1970-01-01T00:53:28+00:53");
        assert_eq!(written(-29), "1969-12-31T23:59:31+00:00");
        assert_eq!(written(-30), "1969-12-31T23:59:30-00:01");
    }

    #[test]
    fn writes_utc_after_the_last_local_year() {
        let last = range::TimeRange::ALL.to_micros() - SECOND;
        assert_eq!(rfc3339(last, 0), "9999-12-31T23:59:59+00:00");
        assert_eq!(rfc3339(last, HOUR), "9999-12-31T23:59:59Z");
    }
}
