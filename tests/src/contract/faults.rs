//! Faults: what fails, fails in time and altogether.

use std::time::Duration;

use anyhow::ensure;
use domain::{Expected, ProfileRecord, RepositoryError, Version};
use futures::future::join_all;
use storage::PoolLimits;

use crate::{
    fixture::{self, Fixture},
    given,
};

/// A save is one transaction: when its last write is refused, nothing of it is there.
pub async fn a_save_that_fails_late_changes_nothing(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let known = given::profile("J Dilla", "late")?;
    let before =
        fixture.style_profiles().save(&known, Expected::Any, &given::author()).await?.profile;
    fixture.refuse_embeddings().await?;

    let replacement = given::profile("J Dilla", "later")?;
    let stranger = given::profile("Tony Allen", "rolling")?;
    let replaced =
        fixture.style_profiles().save(&replacement, Expected::Any, &given::author()).await;
    let made = fixture.style_profiles().save(&stranger, Expected::Any, &given::author()).await;
    let record =
        ProfileRecord::Profile { profile: Box::new(stranger.clone()), sources: Vec::new() };
    let loaded = fixture.bulk_load().load(vec![record], &given::author()).await;

    ensure!(matches!(replaced, Err(RepositoryError::Internal(_))), "{replaced:?}");
    ensure!(made.is_err() && loaded.is_err(), "{made:?} {loaded:?}");
    ensure!(fixture.style_profiles().find(known.artist.key()).await?.as_ref() == Some(&before));
    ensure!(fixture.artists().find(stranger.artist.key()).await?.is_none());
    let changes = store.changes().since(Version::ZERO, 10).await?;
    ensure!(changes.last().is_some_and(|last| last.version() == before.version), "{changes:?}");
    Ok(())
}

/// What the database refuses is refused to whoever brought it, and not to those who wait for the same commit.
pub async fn a_save_that_fails_fails_nobody_else(fixture: &impl Fixture) -> anyhow::Result<()> {
    let profiles = fixture.style_profiles();
    fixture.refuse_embeddings().await?;
    let names = ["AC/DC", "J Dilla", "Nobody", "Tony Allen", "坂本龍一"];
    let wanted = names.iter().enumerate().map(|(number, name)| {
        let mut new = given::profile(name, "late")?;
        new.embedding = new.embedding.filter(|_| number % 2 == 1);
        Ok(new)
    });
    let wanted = wanted.collect::<anyhow::Result<Vec<_>>>()?;

    let writers = fixture.block_writers().await?;
    let author = given::author();
    let saves = wanted.iter().map(|new| profiles.save(new, Expected::Any, &author));
    // All of them wait before anybody can write.
    let (saves, released) = tokio::join!(join_all(saves), writers.rollback());
    released?;

    for (new, saved) in wanted.iter().zip(saves) {
        let found = profiles.find(new.artist.key()).await?;
        if new.embedding.is_none() {
            ensure!(found == Some(saved?.profile));
        } else {
            ensure!(matches!(saved, Err(RepositoryError::Internal(_))), "{saved:?}");
            ensure!(found.is_none(), "{found:?}");
        }
    }
    Ok(())
}

/// A write behind a writer that does not end is given up, and goes through once the other has ended.
pub async fn a_blocked_write_fails_in_time(fixture: &impl Fixture) -> anyhow::Result<()> {
    // Long enough for a commit on a disk that everybody else is writing to.
    let statement_timeout = Duration::from_secs(2);
    let limits = PoolLimits { kept: 0, most: 4, statement_timeout, ..PoolLimits::default() };
    let hasty = fixture::store_with(fixture.url(), &limits).await?;
    let profiles = fixture.repositories_of(&hasty).style_profiles;
    let new = given::profile("J Dilla", "late")?;
    let blocker = fixture.block_writers().await?;

    let refused = profiles.save(&new, Expected::Any, &given::author()).await;
    let read = profiles.find(new.artist.key()).await;
    blocker.rollback().await?;
    let saved = profiles.save(&new, Expected::Any, &given::author()).await;
    hasty.close().await;

    ensure!(matches!(refused, Err(RepositoryError::Unavailable(_))), "{refused:?}");
    ensure!(matches!(read, Ok(None)), "readers go on: {read:?}");
    ensure!(matches!(&saved, Ok(saved) if saved.created), "{saved:?}");
    Ok(())
}
