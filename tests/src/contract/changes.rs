//! The change feed: every change, in the order of commits, once.

use std::{
    collections::{BTreeMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use anyhow::{Context, ensure};
use domain::{Change, ChangeFollower, Changes, Expected, ProfileRecord, ResearchStatus, Version};
use futures::FutureExt;
use tokio::time::timeout;

use crate::{fixture::Fixture, given};

async fn all_since(changes: &dyn Changes, mut version: Version) -> anyhow::Result<Vec<Change>> {
    let mut all = Vec::new();
    loop {
        let some = changes.since(version, 7).await?;
        let last = some.len() < 7;
        version = some.last().map_or(version, Change::version);
        all.extend(some);
        if last {
            return Ok(all);
        }
    }
}

async fn latest(changes: &dyn Changes) -> anyhow::Result<Version> {
    Ok(all_since(changes, Version::ZERO).await?.last().map_or(Version::ZERO, Change::version))
}

/// Artist, profile and embedding are one unit, and whatever changes one of them moves its version.
pub async fn every_change_moves_the_version(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let (artists, profiles, changes) = (store.artists(), store.style_profiles(), store.changes());
    let new = given::profile("J Dilla", "late")?;
    let key = new.artist.key();
    ensure!(all_since(&*changes, Version::ZERO).await?.is_empty());

    let created = artists.find_or_create(&new.artist, &given::author()).await?.artist.version;
    let found = artists.find_or_create(&new.artist, &given::author()).await?.artist.version;
    let status = artists
        .set_status(key, ResearchStatus::Researching, &given::author())
        .await?
        .context("exists")?
        .version;
    let saved = profiles.save(&new, Expected::Any, &given::author()).await?.profile.version;
    let replaced = profiles.save(&new, Expected::Any, &given::author()).await?.profile.version;
    profiles.remove(key, Expected::Any, &given::author()).await?;
    let bare = artists.find(key).await?.context("exists")?.version;
    artists.remove(key, &given::author()).await?;
    let removed = latest(&*changes).await?;

    ensure!(created == found, "reading moves nothing");
    let versions = [Version::ZERO, created, status, saved, replaced, bare, removed];
    ensure!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    Ok(())
}

/// Of each artist the latest state, oldest change first, in pages.
pub async fn tells_the_latest_state_in_order(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let changes = store.changes();
    for number in 0..20 {
        store
            .artists()
            .find_or_create(&given::name(&format!("Artist {number:02}"))?, &given::author())
            .await?;
    }
    let middle = latest(&*changes).await?;
    store
        .style_profiles()
        .save(&given::profile("Artist 03", "late")?, Expected::Any, &given::author())
        .await?;
    store.artists().remove(&given::key("Artist 05")?, &given::author()).await?;
    store.artists().remove(&given::key("Artist 07")?, &given::author()).await?;
    store.artists().find_or_create(&given::name("artist 07")?, &given::author()).await?;

    let recent = all_since(&*changes, middle).await?;
    let everything = all_since(&*changes, Version::ZERO).await?;

    let told: Vec<String> = recent
        .iter()
        .map(|change| match change {
            Change::Present { artist, has_profile: true, .. } => format!("{artist} with profile"),
            Change::Present { artist, has_profile: false, .. } => artist.to_string(),
            Change::Removed { key, .. } => format!("no {key}"),
            Change::Unnamed { .. } => "unnamed".to_owned(),
        })
        .collect();
    ensure!(
        told == ["Artist 03 with profile", "no artist 05", "no artist 07", "artist 07"],
        "{told:?}"
    );
    ensure!(everything.is_sorted_by(|one, next| one.version() < next.version()));
    ensure!(everything.len() == 17 + recent.len(), "{}", everything.len());
    ensure!(changes.since(latest(&*changes).await?, 10).await?.is_empty());
    Ok(())
}

/// Triggers see what nobody told the store.
pub async fn counts_edits_by_hand(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let changes = store.changes();
    for name in ["J Dilla", "Tony Allen"] {
        store
            .style_profiles()
            .save(&given::profile(name, name)?, Expected::Any, &given::author())
            .await?;
    }

    for (edit, expected) in [
        ("UPDATE artists SET confidence_score = 0.5 WHERE name_key = 'j dilla'", "J Dilla true"),
        (
            "UPDATE style_profiles SET swing_percent = 50 WHERE artist_id = (SELECT id FROM artists WHERE name_key = 'tony allen')",
            "Tony Allen true",
        ),
        (
            "DELETE FROM style_embeddings WHERE artist_id = (SELECT id FROM artists WHERE name_key = 'j dilla')",
            "J Dilla true",
        ),
        (
            "DELETE FROM style_profiles WHERE artist_id = (SELECT id FROM artists WHERE name_key = 'j dilla')",
            "J Dilla false",
        ),
        ("UPDATE artists SET version = 0 WHERE name_key = 'tony allen'", "Tony Allen true"),
        ("DELETE FROM artists WHERE name_key = 'j dilla'", "removed j dilla"),
    ] {
        let before = latest(&*changes).await?;
        fixture.by_hand(edit).await?;
        let told: Vec<String> = all_since(&*changes, before)
            .await?
            .iter()
            .map(|change| match change {
                Change::Present { artist, has_profile, .. } => format!("{artist} {has_profile}"),
                Change::Removed { key, .. } => format!("removed {key}"),
                Change::Unnamed { .. } => "unnamed".to_owned(),
            })
            .collect();
        ensure!(told == [expected], "{edit}: {told:?}");
    }
    Ok(())
}

/// A person may write what is no name. The feed says that there is something and goes on.
pub async fn a_name_that_is_none_hides_no_other(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    for name in ["J Dilla", "Tony Allen"] {
        store.artists().find_or_create(&given::name(name)?, &given::author()).await?;
    }
    let before = latest(&*store.changes()).await?;

    fixture
        .by_hand(
            "UPDATE artists SET name = 'By\u{7}Hand', name_key = 'by\u{7}hand' WHERE name_key = 'j dilla'",
        )
        .await?;
    fixture
        .by_hand("UPDATE artists SET confidence_score = 0.5 WHERE name_key = 'tony allen'")
        .await?;
    let told = all_since(&*store.changes(), before).await?;

    ensure!(
        matches!(
            told.as_slice(),
            [Change::Removed { .. }, Change::Unnamed { .. }, Change::Present { .. }]
        ),
        "{told:?}"
    );
    Ok(())
}

/// Not even for an artist that was removed and made again.
pub async fn never_uses_a_version_twice(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let changes = store.changes();
    let new = given::profile("J Dilla", "late")?;
    let mut versions = HashSet::new();

    for _ in 0..10 {
        let saved = store
            .style_profiles()
            .save(&new, Expected::Any, &given::author())
            .await?
            .profile
            .version;
        ensure!(versions.insert(saved), "{saved} again");
        store.artists().remove(new.artist.key(), &given::author()).await?;
        let removed = latest(&*changes).await?;
        ensure!(versions.insert(removed), "{removed} again");
    }
    Ok(())
}

/// Whoever reads the feed while many write never meets a version below one that it has seen, and misses none.
pub async fn commit_order_is_version_order(fixture: &impl Fixture) -> anyhow::Result<()> {
    const WRITERS: usize = 8;
    const ROUNDS: usize = 25;
    let done = Arc::new(AtomicBool::new(false));
    let follower = tokio::spawn({
        let changes = fixture.store().changes();
        let done = Arc::clone(&done);
        async move {
            let mut applied = Version::ZERO;
            let mut state: BTreeMap<String, Version> = BTreeMap::new();
            loop {
                // Read before asking, so that the last round asks after all writers ended.
                let last_round = done.load(Ordering::SeqCst);
                for change in all_since(&*changes, applied).await? {
                    applied = change.version();
                    match change {
                        Change::Present { version, artist, .. } => {
                            state.insert(artist.key().to_string(), version);
                        }
                        Change::Removed { key, .. } => {
                            state.remove(key.as_str());
                        }
                        Change::Unnamed { .. } => {}
                    }
                }
                if last_round {
                    return anyhow::Ok(state);
                }
                tokio::task::yield_now().await;
            }
        }
    });
    // Half of the writers go through a second store, as another instance would.
    let other = fixture.another_store().await?;
    let writers: Vec<_> = (0..WRITERS)
        .map(|writer| {
            let store = if writer % 2 == 0 { fixture.store().clone() } else { other.clone() };
            tokio::spawn(async move {
                for round in 0..ROUNDS {
                    let artist = format!("Artist {}", (writer + round) % 5);
                    if (writer + round) % 4 == 3 {
                        store.artists().remove(&given::key(&artist)?, &given::author()).await?;
                    } else {
                        let new = given::profile(&artist, &format!("{writer} {round}"))?;
                        store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
                    }
                }
                anyhow::Ok(())
            })
        })
        .collect();

    for writer in writers {
        writer.await??;
    }
    done.store(true, Ordering::SeqCst);
    let followed = follower.await??;
    other.close().await;

    // A change that was committed below a version already applied would be missing here.
    let mut stored = BTreeMap::new();
    for number in 0..5 {
        let key = given::key(&format!("Artist {number}"))?;
        if let Some(artist) = fixture.store().artists().find(&key).await? {
            stored.insert(key.to_string(), artist.version);
        }
    }
    ensure!(followed == stored, "followed {followed:?}, stored {stored:?}");
    Ok(())
}

/// Of an artist and of a profile, what a removal returns is what the feed tells.
pub async fn a_removal_tells_its_version(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let changes = store.changes();
    let new = given::profile("J Dilla", "late")?;
    let key = new.artist.key();
    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;

    let bare = store
        .style_profiles()
        .remove(key, Expected::Any, &given::author())
        .await?
        .context("was there")?;
    let told_bare = changes.since(Version::ZERO, 10).await?;
    let removed = store.artists().remove(key, &given::author()).await?.context("was there")?;
    let told_removed = changes.since(Version::ZERO, 10).await?;

    ensure!(
        matches!(told_bare.as_slice(), [Change::Present { version, has_profile: false, .. }] if *version == bare),
        "{bare}, {told_bare:?}"
    );
    ensure!(
        told_removed == [Change::Removed { version: removed, key: key.clone() }],
        "{removed}, {told_removed:?}"
    );
    ensure!(store.artists().remove(key, &given::author()).await?.is_none(), "gone already");
    Ok(())
}

/// A follower is another way to the same feed.
pub async fn a_follower_tells_the_same(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let changes = store.changes();
    let mut follower = changes.follow().await?;
    for name in given::DIFFICULT_NAMES {
        store
            .style_profiles()
            .save(&given::profile(name, name)?, Expected::Any, &given::author())
            .await?;
    }
    store.artists().find_or_create(&given::name("Nobody's profile")?, &given::author()).await?;
    store.artists().remove(&given::key("AC/DC")?, &given::author()).await?;

    let everything = changes.since(Version::ZERO, 100).await?;

    ensure!(everything.len() == given::DIFFICULT_NAMES.len() + 1, "{everything:?}");
    for version in [Version::ZERO].into_iter().chain(everything.iter().map(Change::version)) {
        for limit in [1, 5, 100] {
            let followed = follower.since(version, limit).await?;
            let told = changes.since(version, limit).await?;
            ensure!(followed == told, "since {version}, {limit}: {followed:?} is not {told:?}");
        }
    }
    Ok(())
}

/// How long a hint may take here. It is there in milliseconds; a machine under load may need longer.
const HINT_WITHIN: Duration = Duration::from_secs(10);

/// Waits for hints until the feed has moved past `known`, and returns where it is then.
async fn hinted_past(
    follower: &mut Box<dyn ChangeFollower>,
    known: Version,
) -> anyhow::Result<Version> {
    let moved = async {
        loop {
            follower.hint().await?;
            // A hint may come for nothing; the feed itself tells what there is.
            if let Some(last) = follower.since(known, 100).await?.last() {
                return anyhow::Ok(last.version());
            }
        }
    };
    timeout(HINT_WITHIN, moved).await.context("no hint in time")?
}

/// Whoever commits: the same store, in whatever way, another instance, or a person at a prompt.
pub async fn a_follower_hears_of_every_commit(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let other = fixture.another_store().await?;
    let new = given::profile("J Dilla", "late")?;
    let key = new.artist.key();
    let mut follower = store.changes().follow().await?;
    let mut known = Version::ZERO;

    store.style_profiles().save(&new, Expected::Any, &given::author()).await?;
    known = hinted_past(&mut follower, known).await.context("own save")?;
    store.artists().set_status(key, ResearchStatus::Researching, &given::author()).await?;
    known = hinted_past(&mut follower, known).await.context("own status")?;
    let record = ProfileRecord::Profile {
        profile: Box::new(given::profile("Tony Allen", "rolling")?),
        sources: Vec::new(),
    };
    store.bulk_load().load(vec![record], &given::author()).await?;
    known = hinted_past(&mut follower, known).await.context("own bulk load")?;
    other.style_profiles().save(&new, Expected::Any, &given::author()).await?;
    known = hinted_past(&mut follower, known).await.context("save through another store")?;
    fixture.by_hand("UPDATE artists SET confidence_score = 0.25").await?;
    known = hinted_past(&mut follower, known).await.context("edit by hand")?;
    other.artists().remove(key, &given::author()).await?;
    hinted_past(&mut follower, known).await.context("removal through another store")?;

    other.close().await;
    Ok(())
}

/// A hint that is given up, begun or not, is no reason to miss the next one or to lose the connection.
pub async fn hints_that_nobody_waited_for_lose_nothing(
    fixture: &impl Fixture,
) -> anyhow::Result<()> {
    let store = fixture.store();
    let other = fixture.another_store().await?;
    let mut follower = store.changes().follow().await?;
    let mut known = Version::ZERO;

    for round in 0..20 {
        let new = given::profile("J Dilla", &format!("round {round}"))?;
        let writer = if round % 2 == 0 { store } else { &other };
        for _ in 0..50 {
            drop(follower.hint().now_or_never());
        }
        writer.style_profiles().save(&new, Expected::Any, &given::author()).await?;
        let mut heard = false;
        for patience in 0..50 {
            if let Ok(hint) = timeout(Duration::from_micros(patience), follower.hint()).await {
                hint?;
                heard = true;
            }
        }
        if !heard {
            timeout(HINT_WITHIN, follower.hint()).await.context("no hint in time")??;
        }
        known = follower.since(known, 10).await?.last().context("saved")?.version();
    }

    let saved = store.style_profiles().find(&given::key("J Dilla")?).await?.context("saved")?;
    ensure!(known == saved.version, "{known} is known, {} is stored", saved.version);
    other.close().await;
    Ok(())
}

/// States are equal as long as nothing is committed, and never again once anything was: of artists, of the account, or by
/// hand, in this store or another one.
pub async fn a_follower_tells_states_apart(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let other = fixture.another_store().await?;
    let mut follower = store.changes().follow().await?;
    ensure!(follower.state().is_none(), "nothing was asked");
    let mut state = async || {
        follower.since(Version::ZERO, 100).await?;
        follower.state().context("a state")
    };
    let mut seen = vec![state().await?];
    let mut moved = async |what: &str| {
        let now = state().await?;
        ensure!(!seen.contains(&now), "{what}: {now:?} was told before");
        seen.push(now);
        anyhow::Ok(())
    };

    let author = given::author();
    let new = given::profile("J Dilla", "late")?;
    store.style_profiles().save(&new, Expected::Any, &author).await?;
    moved("own save").await?;
    other.generations().record(vec![given::generation("template")?], &author).await?;
    moved("a generation through another store").await?;
    store.generations().record(vec![given::generation("template")?], &author).await?;
    moved("own generation").await?;
    store.generation_rollups().fold().await?;
    moved("a fold").await?;
    fixture.by_hand("UPDATE generation_history SET model = 'by hand'").await?;
    moved("an edit by hand").await?;
    other.artists().remove(new.artist.key(), &author).await?;
    moved("a removal through another store").await?;

    // On a server others may commit to databases of their own in between, which moves the state too.
    let unmoved = async {
        while state().await? != state().await? {}
        anyhow::Ok(())
    };
    timeout(HINT_WITHIN, unmoved).await.context("the state never rests")??;
    other.close().await;
    Ok(())
}
