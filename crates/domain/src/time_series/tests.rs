//! What is promised about [`buckets`] and [`last_buckets`].

use std::collections::BTreeSet;

use jiff::{
    civil::{Date, DateTime},
    tz::{TimeZone, TimeZoneDatabase},
};
use proptest::{prelude::*, sample::select};

use super::{
    BucketWidth::{Day, Hour, Month, Week},
    *,
};

fn zone(name: &str) -> Zone {
    Zone::try_from(name).unwrap()
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn range(from: &str, to: &str) -> TimeRange {
    TimeRange::new(at(from), at(to)).unwrap()
}

/// Where the buckets begin, in local time.
fn starts(width: BucketWidth, name: &str, from: &str, to: &str) -> Vec<String> {
    let buckets = buckets(range(from, to), width, &zone(name), 1_000).unwrap();
    buckets.into_iter().map(|bucket| bucket.local_start).collect()
}

/// How long the buckets are, in minutes.
fn minutes(width: BucketWidth, name: &str, from: &str, to: &str) -> Vec<i64> {
    let buckets = buckets(range(from, to), width, &zone(name), 1_000).unwrap();
    let length = |range: TimeRange| (range.to_micros() - range.from_micros()) / 60_000_000;
    buckets.into_iter().map(|bucket| length(bucket.range)).collect()
}

#[test]
fn days_are_as_long_as_the_clocks_make_them() {
    let spring = ("2026-03-27T23:00:00Z", "2026-03-30T22:00:00Z");
    let autumn = ("2026-10-23T22:00:00Z", "2026-10-26T23:00:00Z");

    assert_eq!(
        starts(Day, "Europe/Berlin", spring.0, spring.1),
        ["2026-03-28T00:00:00+01:00", "2026-03-29T00:00:00+01:00", "2026-03-30T00:00:00+02:00"]
    );
    assert_eq!(minutes(Day, "Europe/Berlin", spring.0, spring.1), [24 * 60, 23 * 60, 24 * 60]);
    assert_eq!(minutes(Day, "Europe/Berlin", autumn.0, autumn.1), [24 * 60, 25 * 60, 24 * 60]);
}

#[test]
fn ends_are_cut_to_the_range_and_starts_are_not() {
    let asked = range("2026-11-20T12:00:00.5Z", "2026-11-22T00:00:00Z");

    let days = buckets(asked, Day, &zone("Europe/Berlin"), 3).unwrap();

    let first = Bucket {
        range: range("2026-11-20T12:00:00.5Z", "2026-11-20T23:00:00Z"),
        starts_at: at("2026-11-19T23:00:00Z"),
        local_start: "2026-11-20T00:00:00+01:00".to_owned(),
    };
    let last = Bucket {
        range: range("2026-11-21T23:00:00Z", "2026-11-22T00:00:00Z"),
        starts_at: at("2026-11-21T23:00:00Z"),
        local_start: "2026-11-22T00:00:00+01:00".to_owned(),
    };
    assert_eq!(days.len(), 3);
    assert_eq!((&days[0], &days[2]), (&first, &last));
}

#[test]
fn a_day_without_midnight_begins_where_the_clock_was_put_to() {
    assert_eq!(
        starts(Day, "America/Sao_Paulo", "2018-11-03T12:00:00Z", "2018-11-05T12:00:00Z"),
        ["2018-11-03T00:00:00-03:00", "2018-11-04T01:00:00-02:00", "2018-11-05T00:00:00-02:00"]
    );
}

#[test]
fn a_day_with_two_midnights_begins_with_the_first() {
    let november = ("2026-10-31T04:00:00Z", "2026-11-02T05:00:00Z");

    assert_eq!(
        starts(Day, "America/Havana", november.0, november.1),
        ["2026-10-31T00:00:00-04:00", "2026-11-01T00:00:00-04:00"]
    );
    assert_eq!(minutes(Day, "America/Havana", november.0, november.1), [24 * 60, 25 * 60]);
    assert_eq!(
        starts(Month, "America/Havana", november.0, november.1),
        ["2026-10-01T00:00:00-04:00", "2026-11-01T00:00:00-04:00"]
    );
}

#[test]
fn a_day_that_began_does_not_end_when_clocks_return_to_the_one_before() {
    // At 00:01 clocks were put back to 23:01.
    let november = ("2010-11-06T02:30:00Z", "2010-11-08T03:30:00Z");

    assert_eq!(
        starts(Day, "America/St_Johns", november.0, november.1),
        ["2010-11-06T00:00:00-02:30", "2010-11-07T00:00:00-02:30"]
    );
    assert_eq!(minutes(Day, "America/St_Johns", november.0, november.1), [24 * 60, 25 * 60]);
    // Asked in the hour that shows the date before, it is the same day.
    let within = starts(Day, "America/St_Johns", "2010-11-07T02:45:00Z", "2010-11-07T02:46:00Z");
    assert_eq!(within, ["2010-11-07T00:00:00-02:30"]);
    assert_eq!(
        starts(Hour, "America/St_Johns", "2010-11-07T02:00:00Z", "2010-11-07T04:00:00Z"),
        [
            "2010-11-06T23:00:00-02:30",
            "2010-11-07T00:00:00-02:30",
            "2010-11-06T23:01:00-03:30",
            "2010-11-07T00:00:00-03:30"
        ]
    );
}

#[test]
fn a_date_that_was_skipped_has_no_bucket() {
    let new_year = ("2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z");

    assert_eq!(
        starts(Day, "Pacific/Apia", new_year.0, new_year.1),
        ["2011-12-29T00:00:00-10:00", "2011-12-31T00:00:00+14:00", "2012-01-01T00:00:00+14:00"]
    );
    assert_eq!(
        minutes(Week, "Pacific/Apia", "2011-12-26T10:00:00Z", "2012-01-01T10:00:00Z"),
        [6 * 24 * 60]
    );
    let three = last_buckets(at("2012-01-01T00:00:00Z"), Day, 3, &zone("Pacific/Apia"));
    assert_eq!(three, range("2011-12-29T10:00:00Z", "2012-01-01T10:00:00Z"));
}

#[test]
fn a_repeated_hour_is_two_buckets() {
    let autumn = ("2026-10-24T23:00:00Z", "2026-10-25T03:00:00Z");

    assert_eq!(
        starts(Hour, "Europe/Berlin", autumn.0, autumn.1),
        [
            "2026-10-25T01:00:00+02:00",
            "2026-10-25T02:00:00+02:00",
            "2026-10-25T02:00:00+01:00",
            "2026-10-25T03:00:00+01:00"
        ]
    );
    assert_eq!(minutes(Hour, "Europe/Berlin", autumn.0, autumn.1), [60; 4]);
}

#[test]
fn a_skipped_hour_is_none() {
    assert_eq!(
        starts(Hour, "Europe/Berlin", "2026-03-29T00:00:00Z", "2026-03-29T02:00:00Z"),
        ["2026-03-29T01:00:00+01:00", "2026-03-29T03:00:00+02:00"]
    );
}

#[test]
fn hours_are_those_of_the_local_clock() {
    let morning = ("2026-11-21T06:00:00Z", "2026-11-21T07:00:00Z");

    assert_eq!(
        starts(Hour, "Asia/Kolkata", morning.0, morning.1),
        ["2026-11-21T11:00:00+05:30", "2026-11-21T12:00:00+05:30"]
    );
    assert_eq!(minutes(Hour, "Asia/Kolkata", morning.0, morning.1), [30, 30]);
    assert_eq!(
        starts(Hour, "Asia/Kathmandu", morning.0, morning.1),
        ["2026-11-21T11:00:00+05:45", "2026-11-21T12:00:00+05:45"]
    );
    assert_eq!(minutes(Hour, "Asia/Kathmandu", morning.0, morning.1), [15, 45]);
    assert_eq!(starts(Hour, "UTC", morning.0, morning.1), ["2026-11-21T06:00:00+00:00"]);
}

#[test]
fn an_hour_ends_where_clocks_are_turned_within_it() {
    let lord_howe = "Australia/Lord_Howe";
    let spring = ("2026-10-03T14:30:00Z", "2026-10-03T17:00:00Z");
    let autumn = ("2026-04-04T14:00:00Z", "2026-04-04T16:30:00Z");

    assert_eq!(
        starts(Hour, lord_howe, spring.0, spring.1),
        ["2026-10-04T01:00:00+10:30", "2026-10-04T02:30:00+11:00", "2026-10-04T03:00:00+11:00"]
    );
    assert_eq!(minutes(Hour, lord_howe, spring.0, spring.1), [60, 30, 60]);
    assert_eq!(
        starts(Hour, lord_howe, autumn.0, autumn.1),
        ["2026-04-05T01:00:00+11:00", "2026-04-05T01:30:00+10:30", "2026-04-05T02:00:00+10:30"]
    );
    assert_eq!(minutes(Hour, lord_howe, autumn.0, autumn.1), [60, 30, 60]);
}

#[test]
fn weeks_begin_on_monday_and_months_on_the_first() {
    assert_eq!(
        starts(Week, "America/New_York", "2024-12-30T04:59:59Z", "2025-01-06T05:00:00.000001Z"),
        ["2024-12-23T00:00:00-05:00", "2024-12-30T00:00:00-05:00", "2025-01-06T00:00:00-05:00"]
    );
    assert_eq!(
        starts(Month, "Europe/Berlin", "2024-01-31T23:00:00Z", "2024-04-01T00:00:00Z"),
        ["2024-02-01T00:00:00+01:00", "2024-03-01T00:00:00+01:00", "2024-04-01T00:00:00+02:00"]
    );
}

#[test]
fn offsets_with_seconds_are_exact_in_starts_and_rounded_in_text() {
    let day = range("1890-01-01T12:00:00Z", "1890-01-01T13:00:00Z");

    let days = buckets(day, Day, &zone("Europe/Berlin"), 1).unwrap();

    assert_eq!(days[0].starts_at, at("1889-12-31T23:06:32Z"));
    assert_eq!(days[0].local_start, "1890-01-01T00:00:00+00:53");
}

#[test]
fn nothing_has_no_buckets() {
    let nothing = range("2026-11-21T06:00:00Z", "2026-11-21T06:00:00Z");

    for width in BucketWidth::ALL {
        assert_eq!(buckets(nothing, width, &Zone::UTC, 0), Ok(Vec::new()));
    }
}

#[test]
fn more_than_allowed_are_refused() {
    let day = range("2026-11-21T00:00:00Z", "2026-11-22T00:00:00Z");

    assert!(buckets(day, Hour, &Zone::UTC, 24).is_ok());
    assert_eq!(buckets(day, Hour, &Zone::UTC, 23), Err(TooManyBuckets { most: 23 }));
    assert_eq!(buckets(day, Month, &Zone::UTC, 0), Err(TooManyBuckets { most: 0 }));
    assert!(buckets(TimeRange::ALL, Hour, &Zone::UTC, 1_000).is_err());
}

#[test]
fn the_first_and_last_years_have_buckets() {
    let (first, last) = (TimeRange::ALL.from_micros(), TimeRange::ALL.to_micros());
    for name in ["UTC", "Asia/Tokyo", "America/New_York", "Pacific/Apia", "Europe/Berlin"] {
        for width in BucketWidth::ALL {
            let zone = zone(name);
            let early = buckets(TimeRange::clipped(first, first + 1), width, &zone, 1);
            let late = buckets(TimeRange::clipped(last - 1, last), width, &zone, 1);
            let (early, late) = (early.unwrap(), late.unwrap());

            assert_eq!((early.len(), late.len()), (1, 1));
            assert_eq!(early[0].starts_at.unix_micros(), first);
            assert_eq!(late[0].range.to(), None);
            let whole = last_buckets(at("0001-01-02T00:00:00Z"), width, u32::MAX / 1_000, &zone);
            assert_eq!(whole.from_micros(), first);
            let end = last_buckets(late[0].starts_at, width, 1, &zone);
            assert_eq!((end.from(), end.to()), (late[0].starts_at, None));
        }
    }

    let tokyo = zone("Asia/Tokyo");
    let last_day = range("9999-12-31T14:00:00Z", "9999-12-31T16:00:00Z");
    let texts = buckets(last_day, Day, &tokyo, 2).unwrap();
    assert_eq!(texts[0].local_start, "9999-12-31T00:00:00+09:00");
    assert_eq!(texts[1].local_start, "9999-12-31T15:00:00Z");
    assert_eq!(
        starts(Hour, "Europe/Berlin", "9999-12-31T22:30:00Z", "9999-12-31T22:40:00Z"),
        ["9999-12-31T23:00:00+01:00"]
    );
    let first_day =
        starts(Month, "America/New_York", "0001-01-01T00:00:00Z", "0001-01-01T00:00:01Z");
    assert_eq!(first_day, ["0000-12-01T00:00:00-04:56"]);
    let months = buckets(TimeRange::ALL, Month, &Zone::UTC, 9_999 * 12).unwrap();
    assert_eq!(months.len(), 9_999 * 12);
}

#[test]
fn the_last_buckets_end_with_the_present_one() {
    let now = at("2026-10-25T12:34:56.789Z");
    let berlin = zone("Europe/Berlin");
    let last = |width, count| last_buckets(now, width, count, &berlin);

    assert_eq!(last(Hour, 1), range("2026-10-25T12:00:00Z", "2026-10-25T13:00:00Z"));
    assert_eq!(last(Hour, 24), range("2026-10-24T13:00:00Z", "2026-10-25T13:00:00Z"));
    assert_eq!(last(Day, 1), range("2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"));
    assert_eq!(last(Week, 2), range("2026-10-11T22:00:00Z", "2026-10-25T23:00:00Z"));
    assert_eq!(last(Month, 12), range("2025-10-31T23:00:00Z", "2026-10-31T23:00:00Z"));
    assert!(last(Day, 0).is_empty());
}

#[test]
fn the_last_buckets_are_enough_where_the_date_line_moved() {
    // Between this and the beginning, local time fell back by more than a day.
    let (now, anchorage) = (at("1970-01-01T09:59:59Z"), zone("America/Anchorage"));
    for count in [37_300, 37_350, 37_400] {
        let range = last_buckets(now, Day, count, &anchorage);
        let days = buckets(range, Day, &anchorage, usize::MAX).unwrap();

        assert_eq!(days.len(), usize::try_from(count).unwrap());
    }
}

#[test]
fn a_day_begins_with_its_own_offset_even_if_asked_after_a_change() {
    // Clocks were put on at 02:00, at 16:00 in UTC.
    assert_eq!(
        starts(Day, "Australia/Sydney", "2026-10-03T20:00:00Z", "2026-10-03T21:00:00Z"),
        ["2026-10-04T00:00:00+10:00"]
    );
}

/// The latest date that the local clock has shown up to an instant, asked of another
/// implementation of local time.
fn latest_date(rules: &TimeZone, unix_micros: i64) -> Date {
    let clock = |second: i64| -> DateTime {
        rules.to_datetime(jiff::Timestamp::from_second(second).unwrap())
    };
    let second = unix_micros.div_euclid(1_000_000);
    // What precedes the next second includes a transition at this one.
    let turned = rules
        .preceding(jiff::Timestamp::from_second(second + 1).unwrap())
        .map(|transition| transition.timestamp().as_second() - 1)
        .take_while(|before| second - 3 * 86_400 < *before);
    turned.chain([second]).map(|second| clock(second).date()).max().unwrap()
}

/// What all instants of a bucket have in common, and those of no other bucket have.
fn class(rules: &TimeZone, width: BucketWidth, unix_micros: i64) -> (i64, i64, i64) {
    let date = latest_date(rules, unix_micros);
    match width {
        Hour => {
            let second = unix_micros.div_euclid(1_000_000);
            let instant = jiff::Timestamp::from_second(second).unwrap();
            let clock = rules.to_datetime(instant);
            let days = (clock.date() - Date::ZERO).get_days();
            let offset = rules.to_offset(instant).seconds();
            (i64::from(days), i64::from(clock.hour()), i64::from(offset))
        }
        Day => (i64::from(date.year()), i64::from(date.day_of_year()), 0),
        Week => {
            let week = date.iso_week_date();
            (i64::from(week.year()), i64::from(week.week()), 0)
        }
        Month => (i64::from(date.year()), i64::from(date.month()), 0),
    }
}

fn every_zone() -> Vec<String> {
    let database = TimeZoneDatabase::bundled();
    database.available().map(|name| name.to_string()).filter(|name| name != "Factory").collect()
}

/// Checks everything that is promised about the buckets of a range.
fn check(asked: TimeRange, width: BucketWidth, name: &str, picks: &[f64]) {
    let rules = TimeZoneDatabase::bundled().get(name).unwrap();
    let class = |unix_micros| class(&rules, width, unix_micros);
    let buckets = buckets(asked, width, &zone(name), 100_000).unwrap();

    let mut reached = asked.from_micros();
    for bucket in &buckets {
        let (first, starts_at) = (bucket.range.from_micros(), bucket.starts_at.unix_micros());
        assert_eq!(first, reached, "{bucket:?}");
        assert!(!bucket.range.is_empty(), "{bucket:?}");
        assert_eq!(starts_at.max(asked.from_micros()), first, "{bucket:?}");
        reached = bucket.range.to_micros();

        assert_ne!(class(starts_at - 1), class(starts_at), "{bucket:?}");
        assert_eq!(class(starts_at), class(first), "{bucket:?}");
        assert_eq!(class(reached - 1), class(first), "{bucket:?}");
        for pick in picks {
            #[expect(
                clippy::cast_possible_truncation,
                clippy::cast_precision_loss,
                reason = "any will do"
            )]
            let instant = first + ((reached - first - 1) as f64 * pick) as i64;
            assert_eq!(class(instant), class(first), "{bucket:?} at {instant}");
        }

        let start = jiff::Timestamp::from_microsecond(starts_at).unwrap();
        let clock = rules.to_datetime(start);
        assert!(bucket.local_start.starts_with(&clock.to_string()), "{bucket:?}, {clock}");
        let written = start.display_with_offset(rules.to_offset(start)).to_string();
        assert_eq!(bucket.local_start, written);
    }
    assert_eq!(reached, asked.to_micros());

    let classes: BTreeSet<_> =
        buckets.iter().map(|bucket| class(bucket.range.from_micros())).collect();
    assert_eq!(classes.len(), buckets.len());
}

/// An instant in the years with local time to the second, and sometimes at a transition.
fn instants() -> impl Strategy<Value = i64> {
    const YEAR: i64 = 31_556_952_000_000;
    prop_oneof![
        4 => -170 * YEAR..130 * YEAR,
        1 => -1_900 * YEAR..7_900 * YEAR,
    ]
}

/// The last transition before an instant, or the instant.
fn transition_before(name: &str, unix_micros: i64) -> i64 {
    let rules = TimeZoneDatabase::bundled().get(name).unwrap();
    let instant = jiff::Timestamp::from_microsecond(unix_micros).unwrap();
    rules
        .preceding(instant)
        .next()
        .map_or(unix_micros, |transition| transition.timestamp().as_microsecond())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn every_instant_is_in_the_bucket_of_its_local_time(
        name in select(every_zone()),
        width in select(&BucketWidth::ALL[..]),
        from in instants(),
        buckets in 0..50_i64,
        part in 0..2_592_000_000_000_i64,
        at_transition: bool,
        picks in prop::array::uniform3(0.0..1.0),
    ) {
        let hours = match width { Hour => 1, Day => 24, Week => 7 * 24, Month => 30 * 24 };
        let length = buckets * hours * calendar::HOUR + part % (hours * calendar::HOUR);
        let from = if at_transition {
            transition_before(&name, from) - length / 2
        } else {
            from
        };

        check(TimeRange::clipped(from, from + length), width, &name, &picks);
    }

    #[test]
    fn the_last_buckets_are_as_many_as_asked_for(
        name in select(every_zone()),
        width in select(&BucketWidth::ALL[..]),
        now in instants(),
        count in 1..60_u32,
        at_transition: bool,
    ) {
        let now = if at_transition { transition_before(&name, now) } else { now };
        let now = Timestamp::from_unix_micros(now).unwrap();
        let zone = zone(&name);

        let range = last_buckets(now, width, count, &zone);

        let buckets = buckets(range, width, &zone, usize::MAX).unwrap();
        prop_assert_eq!(buckets.len(), usize::try_from(count).unwrap());
        prop_assert_eq!(buckets[0].starts_at, range.from());
        prop_assert!(buckets[buckets.len() - 1].range.contains(now));
    }

    #[test]
    fn no_range_is_a_panic(
        name in select(every_zone()),
        width in select(&BucketWidth::ALL[..]),
        from: i64,
        to: i64,
        count in 0..100_u32,
    ) {
        let zone = zone(&name);
        let all = TimeRange::ALL.to_micros() - TimeRange::ALL.from_micros();
        let within = |number: i64| TimeRange::ALL.from_micros() + number.rem_euclid(all);

        let _ = buckets(TimeRange::clipped(within(from), within(to)), width, &zone, 100);
        let now = Timestamp::from_unix_micros(within(from)).unwrap();
        let last = last_buckets(now, width, count, &zone);

        prop_assert_eq!(last.contains(now), 0 < count);
    }
}

/// Walks along the changes of offset in all zones, and looks at each kind of change once.
#[test]
fn every_kind_of_change_is_kept() {
    let mut kinds = BTreeSet::new();
    let until = jiff::Timestamp::from_second(2_200_000_000).unwrap();
    for name in every_zone() {
        let rules = TimeZoneDatabase::bundled().get(&name).unwrap();
        let changes = rules.following(jiff::Timestamp::from_second(-5_000_000_000).unwrap());
        for change in changes.take_while(|change| change.timestamp() < until) {
            let second = change.timestamp().as_second();
            let before = rules.to_offset(jiff::Timestamp::from_second(second - 1).unwrap());
            let time_of_day = (second + i64::from(before.seconds())).rem_euclid(86_400);
            if kinds.insert((before, change.offset(), time_of_day)) {
                let around = |hours| {
                    let (middle, part) = (second * 1_000_000, hours * calendar::HOUR);
                    TimeRange::clipped(middle - part, middle + part)
                };
                let at_once = TimeRange::clipped(second * 1_000_000 - 1, second * 1_000_000 + 1);
                let after = TimeRange::clipped(second * 1_000_000, second * 1_000_000 + 1);
                for width in BucketWidth::ALL {
                    check(at_once, width, &name, &[0.0]);
                    check(after, width, &name, &[0.0]);
                }
                check(around(3), Hour, &name, &[0.5]);
                check(around(60), Day, &name, &[0.5]);
                check(around(24 * 10), Week, &name, &[0.5]);
                check(around(24 * 40), Month, &name, &[0.5]);
            }
        }
    }
    assert!(500 < kinds.len(), "{}", kinds.len());
}
