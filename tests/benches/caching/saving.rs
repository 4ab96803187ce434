//! What a save costs with caches in front of the store.

use std::{sync::Arc, time::Instant};

use anyhow::{Context, ensure};
use cache::{
    Bounds, CachedStyleProfiles, Feed, Redis, RedisSettings, RedisStyleProfiles, SharedProfiles,
};
use domain::{Expected, NewStyleProfile, StyleProfile, StyleProfiles};
use groovebase_tests::fixture::{Fixture, Postgres};

use crate::{
    artists::Artists,
    measured::{median, micros, say, verdict},
    redis_hit::redis_url,
};

const SAVES: usize = 400;

pub(crate) async fn run(fixture: &Postgres, artists: &Artists) -> anyhow::Result<()> {
    let settings = RedisSettings {
        prefix: format!("bench-{}", std::process::id()),
        ..RedisSettings::new(redis_url()?)
    };
    let shared: Arc<dyn SharedProfiles> =
        Arc::new(RedisStyleProfiles::new(Redis::open(&settings)?));
    let bare = fixture.store().style_profiles();
    let feed = Feed::start(fixture.store().changes(), Bounds::default());
    feed.confirm().await?;
    let cached: CachedStyleProfiles =
        CachedStyleProfiles::new(fixture.store().style_profiles(), feed, Some(shared), 1 << 27);
    let profiles = fixture.store().style_profiles().find_many(&artists.keys[..SAVES]).await?;

    let (mut without, mut with) = (Vec::new(), Vec::new());
    for profile in profiles.into_iter().flatten() {
        let new = renewed(&profile);
        let began = Instant::now();
        bare.save(&new, Expected::Any, &domain::Author::at_the_command_line()).await?;
        without.push(micros(began.elapsed()));
        let began = Instant::now();
        let saved =
            cached.save(&new, Expected::Any, &domain::Author::at_the_command_line()).await?;
        with.push(micros(began.elapsed()));
        let read = cached.at_hand(new.artist.key()).context("own write")?;
        ensure!(read.value.is_some_and(|it| it.profile.version == saved.profile.version));
    }
    let (without, with) = (median(without) / 1e3, median(with) / 1e3);
    say(&format!("a save: {without:.3} ms, with caches in front {with:.3} ms"));
    verdict("what invalidation adds to a save, median", with - without, 1.0, " ms");
    Ok(())
}

fn renewed(profile: &StyleProfile) -> NewStyleProfile {
    NewStyleProfile {
        artist: profile.artist.clone(),
        text_description: profile.text_description.clone(),
        quantitative_params: profile.quantitative_params,
        embedding: profile.embedding.clone(),
        midi_templates: profile.midi_templates.clone(),
        confidence: profile.confidence,
        sources_count: profile.sources_count,
    }
}
