//! Artists: one a name, listed by key.

use std::collections::HashSet;

use anyhow::{Context, ensure};
use domain::{ArtistFilter, Expected, Limit, ResearchStatus, Search, SearchText, SourceType};

use crate::{fixture::Fixture, given};

/// However a name is typed, it finds the artist, who is shown as first stored.
pub async fn one_name_is_one_artist(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();

    let first = artists.find_or_create(&given::name("Beyonc\u{e9}")?, &given::author()).await?;
    let again =
        artists.find_or_create(&given::name("  BEYONCE\u{301} ")?, &given::author()).await?;
    let found = artists.find(&given::key("beyonc\u{e9}")?).await?;

    ensure!(first.created && !again.created);
    ensure!(first.artist == again.artist, "{first:?} {again:?}");
    ensure!(found.as_ref() == Some(&first.artist), "{found:?}");
    ensure!(first.artist.name.as_str() == "Beyonc\u{e9}");
    ensure!(first.artist.research_status == ResearchStatus::Pending);
    ensure!(
        artists.find(&given::key("Beyonce")?).await?.is_none(),
        "diacritics tell artists apart"
    );
    Ok(())
}

/// Names come back as they went in.
pub async fn keeps_every_real_name(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();
    let longest = "ß".repeat(255);
    let names: Vec<&str> = given::DIFFICULT_NAMES.into_iter().chain([longest.as_str()]).collect();

    for name in &names {
        artists.find_or_create(&given::name(name)?, &given::author()).await?;
    }

    for name in &names {
        let found = artists.find(&given::key(name)?).await?.with_context(|| (*name).to_owned())?;
        ensure!(found.name.as_str() == *name, "{found:?}");
    }
    let all = artists.page(&ArtistFilter::default(), Limit::LARGEST).await?;
    ensure!(all.items.len() == names.len() && all.next.is_none());
    Ok(())
}

/// A hundred concurrent calls for one name make one row.
pub async fn a_hundred_callers_make_one_artist(fixture: &impl Fixture) -> anyhow::Result<()> {
    let calls: Vec<_> = (0..100)
        .map(|call| {
            let artists = fixture.artists();
            let spelling = if call % 2 == 0 { "J Dilla" } else { "j  DILLA" };
            tokio::spawn(async move {
                artists
                    .find_or_create(&given::name(spelling)?, &given::author())
                    .await
                    .map_err(anyhow::Error::from)
            })
        })
        .collect();

    let mut created = 0;
    let mut ids = HashSet::new();
    for call in calls {
        let found = call.await??;
        created += u32::from(found.created);
        ids.insert(found.artist.id);
    }

    ensure!(created == 1 && ids.len() == 1, "{created} created, {} identities", ids.len());
    let all = fixture.artists().page(&ArtistFilter::default(), Limit::LARGEST).await?;
    ensure!(all.items.len() == 1, "{all:?}");
    Ok(())
}

/// Pages follow each other by key, by code point, without gap or repetition.
pub async fn pages_by_key(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();
    for name in given::DIFFICULT_NAMES {
        artists.find_or_create(&given::name(name)?, &given::author()).await?;
    }
    let mut expected: Vec<String> = given::DIFFICULT_NAMES
        .iter()
        .map(|name| Ok(given::key(name)?.to_string()))
        .collect::<anyhow::Result<_>>()?;
    expected.sort();

    let mut filter = ArtistFilter::default();
    let mut keys = Vec::new();
    loop {
        let page = artists.page(&filter, Limit::new(3)?).await?;
        ensure!(page.items.len() <= 3);
        keys.extend(page.items.iter().map(|artist| artist.name.key().to_string()));
        filter.after = page.next;
        if filter.after.is_none() {
            break;
        }
    }

    ensure!(keys == expected, "{keys:?}");
    Ok(())
}

/// A search ignores case and diacritics and takes wildcards as what they are.
pub async fn lists_by_status_and_search(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();
    for name in given::DIFFICULT_NAMES {
        artists.find_or_create(&given::name(name)?, &given::author()).await?;
    }
    artists
        .set_status(&given::key("AC/DC")?, ResearchStatus::Researching, &given::author())
        .await?;
    let listed = async |status: Option<ResearchStatus>,
                        search: Option<&str>|
           -> anyhow::Result<Vec<String>> {
        let search = search.map(SearchText::try_from).transpose()?;
        let page =
            artists.page(&ArtistFilter { status, search, after: None }, Limit::LARGEST).await?;
        Ok(page.items.iter().map(|artist| artist.name.to_string()).collect())
    };

    for (search, expected) in [
        ("SIGUR ROS", "Sigur Rós"),
        ("beyonce", "Beyoncé"),
        ("0%", "50% Off"),
        ("b_c", "a\\b_c?d#e&f=g"),
        ("\\b", "a\\b_c?d#e&f=g"),
        ("本龍", "坂本龍一"),
        ("тролль", "Мумий Тролль"),
        ("'", "O'Jays; DROP TABLE artists"),
        ("jays;", "O'Jays; DROP TABLE artists"),
    ] {
        let found = listed(None, Some(search)).await?;
        ensure!(found == [expected], "{search}: {found:?}");
    }
    ensure!(listed(Some(ResearchStatus::Researching), None).await? == ["AC/DC"]);
    ensure!(listed(Some(ResearchStatus::Failed), None).await?.is_empty());
    ensure!(listed(Some(ResearchStatus::Pending), Some("ac/dc")).await?.is_empty());
    Ok(())
}

/// The status is the caller's to set.
pub async fn notes_where_research_stands(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();
    let before = artists.find_or_create(&given::name("J Dilla")?, &given::author()).await?.artist;

    for status in ResearchStatus::ALL {
        let after = artists
            .set_status(before.name.key(), status, &given::author())
            .await?
            .context("exists")?;
        ensure!(after.research_status == status && before.version < after.version, "{after:?}");
    }

    ensure!(
        artists
            .set_status(&given::key("Nobody")?, ResearchStatus::Failed, &given::author())
            .await?
            .is_none()
    );
    Ok(())
}

/// An artist goes with profile, embedding and sources; its generations stay.
pub async fn removes_all_but_the_account(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let saved = store
        .style_profiles()
        .save(&given::profile("J Dilla", "late")?, Expected::Any, &given::author())
        .await?
        .profile;
    store
        .research_sources()
        .add(saved.artist_id, vec![given::source(SourceType::Paper, "u")?], &given::author())
        .await?;
    let mut generation = given::generation("openai")?;
    generation.artist = Some(saved.artist.clone());
    let recorded = store.generations().record(vec![generation], &given::author()).await?;

    let removed = fixture
        .artists()
        .remove(saved.artist.key(), &given::author())
        .await?
        .context("was there")?;
    let again = fixture.artists().remove(saved.artist.key(), &given::author()).await?;

    ensure!(saved.version < removed && again.is_none(), "{removed}, again {again:?}");
    ensure!(fixture.artists().find(saved.artist.key()).await?.is_none());
    ensure!(fixture.style_profiles().find(saved.artist.key()).await?.is_none());
    ensure!(
        store
            .research_sources()
            .page(saved.artist_id, None, None, Limit::LARGEST)
            .await?
            .items
            .is_empty()
    );
    let nearest = store
        .similar_artists()
        .nearest(&Search::around(given::embedding(1)?, Limit::LARGEST))
        .await?;
    ensure!(nearest.neighbours.is_empty());
    let id = recorded.first().context("recorded")?.id;
    let kept = store.generations().find(id).await?.context("kept")?;
    ensure!(kept.artist.is_none(), "{kept:?}");
    Ok(())
}

/// The closest names come first, and strangers not at all.
pub async fn suggests_what_looks_alike(fixture: &impl Fixture) -> anyhow::Result<()> {
    let artists = fixture.artists();
    for name in given::DIFFICULT_NAMES {
        artists.find_or_create(&given::name(name)?, &given::author()).await?;
    }

    for (typed, meant) in [
        ("jdilla", "J Dilla"),
        ("sigurros", "Sigur Rós"),
        ("beyonse", "Beyoncé"),
        ("坂本竜一", "坂本龍一"),
    ] {
        let suggested = artists.suggest(&given::name(typed)?, 3).await?;
        ensure!(
            suggested.first().is_some_and(|name| name.as_str() == meant),
            "{typed}: {suggested:?}"
        );
    }
    ensure!(artists.suggest(&given::name("Unknown Artist")?, 3).await?.is_empty());
    Ok(())
}
