//! Research sources: any number an artist.

use anyhow::ensure;
use domain::{Limit, RepositoryError, SourceType};

use crate::{fixture::Fixture, given};

/// What was added comes back, oldest first, by kind and in pages.
pub async fn adds_and_pages(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let artist =
        store.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?.artist.id;
    let sources = store.research_sources();
    let mut added = Vec::new();
    for number in 0..4 {
        let pair = vec![
            given::source(SourceType::Paper, &format!("paper {number}"))?,
            given::source(SourceType::Midi, &format!("midi {number}"))?,
        ];
        added.extend(sources.add(artist, pair, &given::author()).await?);
    }

    let mut found = Vec::new();
    let mut after = None;
    loop {
        let page = sources.page(artist, None, after, Limit::new(3)?).await?;
        ensure!(page.items.len() <= 3);
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            break;
        }
    }
    let papers = sources.page(artist, Some(SourceType::Paper), None, Limit::LARGEST).await?.items;

    ensure!(found == added, "{found:?}");
    ensure!(
        papers.len() == 4
            && papers.iter().all(|paper| paper.source.source_type == SourceType::Paper)
    );
    ensure!(sources.add(artist, Vec::new(), &given::author()).await?.is_empty());
    Ok(())
}

/// Nothing is added to an artist that is gone.
pub async fn refuses_a_removed_artist(fixture: &impl Fixture) -> anyhow::Result<()> {
    let store = fixture.store();
    let artist =
        store.artists().find_or_create(&given::name("J Dilla")?, &given::author()).await?.artist;
    store.artists().remove(artist.name.key(), &given::author()).await?;

    let refused = store
        .research_sources()
        .add(artist.id, vec![given::source(SourceType::Paper, "u")?], &given::author())
        .await;

    ensure!(matches!(refused, Err(RepositoryError::Conflict)), "{refused:?}");
    Ok(())
}
