//! A history of generations that never were, as busy people would have left it: for development, tests and benches.
//!
//! Every generation follows from the settings and its number alone, its identity included. So any part of a history can
//! be made again, one at a time and in any order, and recording it again counts nothing twice. All of it is marked:
//! `user_params.synthetic` is `true`, and artists are called `Synthetic Artist 00042`.

mod chance;
mod details;
mod load;
mod model;
mod rhythm;

use anyhow::{Context as _, ensure};
use domain::{ArtistName, GenerationId, NewGeneration, Timestamp};
use time::{Date, Month, OffsetDateTime, Time};
use uuid::Uuid;

use self::{chance::Chance, rhythm::Rhythm};

pub use load::{History, Loading, load};

/// Of a thousand generations, how many are without an artist.
const WITHOUT_ARTIST: u64 = 50;

/// What a history is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How many generations.
    pub rows: u64,
    /// How many artists, of whom the second is half as often asked for as the first, the third a third, and so on.
    pub artists: u32,
    /// How many months of the calendar it takes.
    pub months: u32,
    /// The day that it ends before, in UTC.
    pub until: Date,
    /// Another number is another history.
    pub seed: u64,
}

/// A history, made as it is asked for.
#[derive(Debug, Clone)]
pub struct SyntheticHistory {
    settings: Settings,
    /// All settings in one number.
    key: u64,
    names: Vec<ArtistName>,
    /// For each artist, how often it is asked for, and everybody before it.
    popularity: Vec<f64>,
    rhythm: Rhythm,
}

impl SyntheticHistory {
    /// The history with these settings.
    ///
    /// # Errors
    ///
    /// When there are no artists or more than a million, or it would begin before 1970.
    pub fn new(settings: Settings) -> anyhow::Result<Self> {
        let Settings { rows, artists, months, until, seed } = settings;
        ensure!((1..=1_000_000).contains(&artists), "there are 1 to 1000000 artists");
        let since = months_before(until, months)?;
        ensure!(1970 <= since.year(), "a history begins in 1970 or later");
        ensure!(since < until, "a history has at least one month");

        let mut names = Vec::new();
        let mut popularity = Vec::new();
        let mut all = 0.0;
        for number in 1..=artists {
            let name = format!("Synthetic Artist {number:05}");
            names.push(ArtistName::try_from(name.as_str())?);
            all += 1.0 / f64::from(number);
            popularity.push(all);
        }
        let days = [since, until].map(|day| day.to_julian_day().unsigned_abs());
        let [since_day, until_day] = days.map(u64::from);
        let key = [rows, u64::from(artists), since_day, until_day]
            .into_iter()
            .fold(seed, |key, setting| Chance::of(key, setting).number());
        Ok(Self { settings, key, names, popularity, rhythm: Rhythm::between(since, until)? })
    }

    /// Its settings.
    #[must_use]
    pub const fn settings(&self) -> Settings {
        self.settings
    }

    /// Its artists, the most popular first.
    #[must_use]
    pub fn artists(&self) -> &[ArtistName] {
        &self.names
    }

    /// The generation with this number, counted from 0; the first is the oldest.
    ///
    /// # Errors
    ///
    /// When there is none.
    pub fn generation(&self, number: u64) -> anyhow::Result<NewGeneration> {
        ensure!(number < self.settings.rows, "there is no generation {number}");
        let mut chance = Chance::of(self.key, number);
        let micros = self.rhythm.moment(number, self.settings.rows, chance.number());
        let created_at = Timestamp::from_unix_micros(micros)?;
        let id = identity(created_at, chance.number(), chance.number());
        let artist =
            if chance.is(WITHOUT_ARTIST) { None } else { Some(self.artist(&mut chance)?.clone()) };
        let details = details::of(number, &mut chance)?;
        Ok(NewGeneration { id, artist, created_at: Some(created_at), details })
    }

    /// All generations, the oldest first.
    pub fn generations(&self) -> impl Iterator<Item = anyhow::Result<NewGeneration>> {
        (0..self.settings.rows).map(|number| self.generation(number))
    }

    fn artist(&self, chance: &mut Chance) -> anyhow::Result<&ArtistName> {
        let all = self.popularity.last().copied().unwrap_or_default();
        let wanted = chance.part() * all;
        let place = self.popularity.partition_point(|&up_to_here| up_to_here <= wanted);
        self.names.get(place).or(self.names.last()).context("a history has artists")
    }
}

/// An identity of version 7, as [`GenerationId::generate`] would have made it at that time.
fn identity(created_at: Timestamp, high: u64, low: u64) -> GenerationId {
    let millis = u128::from(created_at.unix_micros().unsigned_abs() / 1_000);
    let random = (u128::from(high) << 64) | u128::from(low);
    let version = 7 << 76;
    let variant = 2 << 62;
    let chosen = random & !(0xffff_ffff_ffff << 80) & !(0xf << 76) & !(3 << 62);
    GenerationId::from_uuid(Uuid::from_u128((millis << 80) | version | variant | chosen))
}

/// The same day of an earlier month, or the last day of that month if it has no such day.
fn months_before(day: Date, months: u32) -> anyhow::Result<Date> {
    let month = i64::from(day.year()) * 12 + i64::from(u8::from(day.month())) - 1;
    let earlier = month - i64::from(months);
    let year = i32::try_from(earlier.div_euclid(12))?;
    let month = Month::try_from(u8::try_from(earlier.rem_euclid(12) + 1)?)?;
    Ok(Date::from_calendar_date(year, month, day.day().min(month.length(year)))?)
}

/// Midnight in UTC, in microseconds since 1970.
fn midnight(day: Date) -> anyhow::Result<i64> {
    let midnight = OffsetDateTime::new_utc(day, Time::MIDNIGHT);
    Ok(i64::try_from(midnight.unix_timestamp_nanos() / 1_000)?)
}

#[cfg(test)]
mod tests;
