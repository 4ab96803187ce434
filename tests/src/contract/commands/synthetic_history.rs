//! Histories that never were, in real stores.

use anyhow::ensure;
use domain::TimeRange;
use time::{Date, Month};
use xtask::synthetic_history::{History, Settings, SyntheticHistory, load};

use super::generations::{exported, loaded};
use crate::{
    account,
    fixture::{Fixture, Sqlite},
};

fn history() -> anyhow::Result<SyntheticHistory> {
    let until = Date::from_calendar_date(2026, Month::November, 21)?;
    SyntheticHistory::new(Settings { rows: 2_500, artists: 30, months: 3, until, seed: 1 })
}

/// It goes in as it was made, is not doubled, and does not mix with another history unasked.
pub async fn a_synthetic_history_can_be_loaded(fixture: &impl Fixture) -> anyhow::Result<()> {
    let (store, history) = (fixture.store(), history()?);
    let mut told = 0;

    let first = load(store, &history, History::MustBeEmpty, |it| told = it.generations).await?;
    let text = exported(store, TimeRange::ALL).await?;
    let refused = load(store, &history, History::MustBeEmpty, |_| ()).await;
    let again = load(store, &history, History::MayGrow, |_| ()).await?;

    ensure!((first.generations, first.artists, told) == (2_500, 30, 2_500), "{first:?}");
    ensure!(0 < first.failed && 0 < first.cancelled && 0 < first.unpriced, "{first:?}");
    ensure!((again.generations, again.artists) == (2_500, 0), "{again:?}");
    ensure!(refused.is_err_and(|error| error.to_string().contains("--append")));
    ensure!(exported(store, TimeRange::ALL).await? == text);
    ensure!(text.lines().all(|line| line.contains("\"synthetic\":true")));
    let totals = account::totals(store).await?;
    ensure!(totals.generations == 2_500, "{totals:?}");
    ensure!(totals.priced + first.unpriced == 2_500, "{totals:?}");
    // Nothing is left for readers to add up.
    ensure!(store.generation_rollups().fold().await? == 0);

    // The lines say the same.
    let other = Sqlite::open().await?;
    loaded(other.store(), &text).await?;
    let imported = exported(other.store(), TimeRange::ALL).await?;
    other.close().await?;
    ensure!(imported == text);
    Ok(())
}
