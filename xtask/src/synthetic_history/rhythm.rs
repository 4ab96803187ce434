//! When people generate: by day rather than at night, and less on weekends.

use time::{Date, Weekday};

use super::midnight;

const MICROS_OF_HOUR: u64 = 3_600_000_000;

/// How busy each hour of a day is, in UTC.
const HOURS: [u32; 24] =
    [14, 10, 8, 6, 5, 6, 10, 20, 38, 60, 78, 88, 82, 84, 95, 100, 98, 92, 84, 78, 70, 56, 38, 22];

/// How busy a day is.
const fn of_day(weekday: Weekday) -> u32 {
    match weekday {
        Weekday::Monday => 90,
        Weekday::Tuesday | Weekday::Wednesday => 100,
        Weekday::Thursday => 98,
        Weekday::Friday => 84,
        Weekday::Saturday => 45,
        Weekday::Sunday => 40,
    }
}

/// How generations spread over a stretch of time.
#[derive(Debug, Clone)]
pub(super) struct Rhythm {
    since_micros: i64,
    /// For each hour how busy it is, and all before it.
    hours: Vec<u64>,
}

impl Rhythm {
    pub(super) fn between(since: Date, until: Date) -> anyhow::Result<Self> {
        let mut hours = Vec::new();
        let mut all = 0;
        let mut day = since;
        while day < until {
            for hour in HOURS {
                all += u64::from(hour * of_day(day.weekday()));
                hours.push(all);
            }
            match day.next_day() {
                Some(next) => day = next,
                None => break,
            }
        }
        Ok(Self { since_micros: midnight(since)?, hours })
    }

    /// When a generation was made, in microseconds since 1970. Later ones were made later: each has a share of all that
    /// is going on, and lies somewhere in it.
    pub(super) fn moment(&self, number: u64, of: u64, somewhere: u64) -> i64 {
        let all = self.hours.last().copied().unwrap_or(1);
        // In parts of 2^32 of the unit of `hours`, so that those of a busy microsecond differ too.
        let share = (u128::from(number) << 32) | u128::from(somewhere >> 32);
        let place = share * u128::from(all) / u128::from(of.max(1));
        let whole = u64::try_from(place >> 32).unwrap_or(u64::MAX);
        let hour = self.hours.partition_point(|&up_to_here| up_to_here <= whole);
        let before = hour.checked_sub(1).and_then(|it| self.hours.get(it)).copied().unwrap_or(0);
        let busy = self.hours.get(hour).map_or(1, |&it| it - before);
        let within = place - (u128::from(before) << 32);
        let within = (within * u128::from(MICROS_OF_HOUR) / u128::from(busy)) >> 32;
        let micros = u128::from(MICROS_OF_HOUR) * (hour as u128) + within;
        self.since_micros.saturating_add(i64::try_from(micros).unwrap_or(i64::MAX))
    }
}
