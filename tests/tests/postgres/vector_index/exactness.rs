//! Comparing everything gives what double precision gives, whatever single precision makes of it.

use anyhow::ensure;
use domain::{Embedding, Engine, Limit, Metric, Search, SearchFilter, SearchMode};
use groovebase_tests::{
    fixture::{Fixture, Postgres},
    given,
};

use super::{Crowd, numbered, profile};

/// Every search around some of a crowd, with each metric, finds exactly what comparing by hand finds.
async fn agree(crowd: &Crowd, targets: &[Embedding]) -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    crowd.load(fixture.store()).await?;
    let except: Vec<_> =
        crowd.0.iter().take(3).map(|profile| profile.artist.key().clone()).collect();
    let filters = [SearchFilter::EVERYBODY, numbered(10, 120)?];
    let similar = fixture.store().similar_artists();

    for target in targets {
        for metric in Metric::ALL {
            for limit in [1, 7, 20] {
                for filter in &filters {
                    let search = Search {
                        metric,
                        except: except.clone(),
                        filter: filter.clone(),
                        engine: Engine::Exact,
                        ..Search::around(target.clone(), Limit::new(limit)?)
                    };
                    let found = similar.nearest(&search).await?;
                    let closest = crowd.closest(&search);

                    ensure!(
                        found.neighbours.len() == closest.len(),
                        "{metric:?} {}",
                        found.neighbours.len()
                    );
                    for (found, (artist, score)) in found.neighbours.iter().zip(&closest) {
                        ensure!(
                            found.artist == *artist && found.score.to_bits() == score.to_bits(),
                            "{metric:?} {limit}: {found:?} instead of {artist:?} at {score}"
                        );
                    }
                    let admitted = if filter.is_empty() { crowd.0.len() } else { 111 };
                    ensure!(found.exactness.mode == SearchMode::Exact);
                    ensure!(found.exactness.compared == admitted as u64, "{:?}", found.exactness);
                }
            }
        }
    }
    fixture.close().await
}

fn scaled(embedding: &Embedding, factor: f32) -> anyhow::Result<Embedding> {
    let numbers = embedding.as_slice().iter().map(|number| number * factor);
    Ok(Embedding::try_from(numbers.collect::<Vec<f32>>())?)
}

/// A crowd of one embedding, each a little beside it.
fn nearly_equal(count: u64, spread: f32, length: f32) -> anyhow::Result<Crowd> {
    let centre = given::embedding(3)?;
    let profiles = (0..count).map(|number| {
        let own = given::embedding(500 + number)?;
        let numbers = centre.as_slice().iter().zip(own.as_slice());
        let numbers = numbers.map(|(centre, own)| length * (centre + spread * own));
        profile(number, Embedding::try_from(numbers.collect::<Vec<f32>>())?)
    });
    Ok(Crowd(profiles.collect::<anyhow::Result<_>>()?))
}

#[tokio::test(flavor = "multi_thread")]
async fn for_a_crowd() -> anyhow::Result<()> {
    let crowd = Crowd::new(300)?;

    agree(&crowd, &[crowd.embedding(8)?.clone(), given::embedding(77)?]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn for_nearly_equal_embeddings() -> anyhow::Result<()> {
    for spread in [1e-7, 3e-6] {
        let crowd = nearly_equal(200, spread, 1.0)?;
        agree(&crowd, &[crowd.embedding(50)?.clone(), given::embedding(3)?]).await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn for_equal_embeddings() -> anyhow::Result<()> {
    let crowd = nearly_equal(200, 0.0, 1.0)?;

    agree(&crowd, &[given::embedding(3)?]).await
}

#[tokio::test(flavor = "multi_thread")]
async fn for_tiny_and_huge_embeddings() -> anyhow::Result<()> {
    for length in [2e-15, 9e14] {
        let crowd = nearly_equal(150, 1e-6, length)?;
        let target = given::embedding(3)?;
        agree(
            &crowd,
            &[crowd.embedding(5)?.clone(), scaled(&target, 1.1e-15)?, scaled(&target, 9e14)?],
        )
        .await?;
    }
    Ok(())
}

#[tokio::test(flavor = "multi_thread")]
async fn for_embeddings_of_every_length() -> anyhow::Result<()> {
    let profiles = (0..200_u64).map(|number| {
        let power = i32::try_from(number % 29)? - 14;
        profile(number, scaled(&given::embedding(number)?, 10_f32.powi(power))?)
    });
    let crowd = Crowd(profiles.collect::<anyhow::Result<_>>()?);

    agree(&crowd, &[given::embedding(3)?, scaled(&given::embedding(9)?, 1e-14)?]).await
}

/// What cannot be compared takes nobody's place.
#[tokio::test(flavor = "multi_thread")]
async fn beside_what_somebody_wrote_by_hand() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let crowd = Crowd::new(60)?;
    crowd.load(fixture.store()).await?;
    let target = crowd.embedding(0)?.clone();
    // The ten closest by far, under names that lead elsewhere.
    fixture
        .by_hand(
            "UPDATE style_embeddings SET embedding = (SELECT embedding FROM style_embeddings JOIN artists ON id = artist_id \
              WHERE name = 'Artist 00000') WHERE artist_id IN (SELECT id FROM artists WHERE name LIKE 'Artist 0001%'); \
             UPDATE artists SET name = 'Somebody else' || name WHERE name LIKE 'Artist 0001%';",
        )
        .await?;
    let sound = Crowd(
        crowd
            .0
            .into_iter()
            .filter(|profile| !profile.artist.as_str().starts_with("Artist 0001"))
            .collect(),
    );

    for metric in Metric::ALL {
        let search = Search { metric, ..Search::around(target.clone(), Limit::LARGEST) };
        let found = fixture.store().similar_artists().nearest(&search).await?;
        let closest = sound.closest(&search);
        ensure!(found.neighbours.len() == 20, "{metric:?} {}", found.neighbours.len());
        for (found, (artist, _)) in found.neighbours.iter().zip(&closest) {
            ensure!(found.artist == *artist, "{metric:?}: {found:?} instead of {artist:?}");
        }
    }
    fixture.close().await
}

/// The server would count it, and no number tells how close it is.
#[tokio::test(flavor = "multi_thread")]
async fn a_vector_of_zeros_counts_nowhere() -> anyhow::Result<()> {
    let fixture = Postgres::open().await?;
    let crowd = Crowd::new(60)?;
    crowd.load(fixture.store()).await?;
    let target = crowd.embedding(0)?.clone();
    fixture
        .by_hand(
            "ALTER TABLE style_embeddings DROP CONSTRAINT ck_style_embeddings_embedding; \
             UPDATE style_embeddings SET embedding = array_fill(0, ARRAY[384])::vector \
             WHERE artist_id IN (SELECT id FROM artists WHERE name LIKE 'Artist 0001%')",
        )
        .await?;

    for metric in Metric::ALL {
        for limit in [3, 20] {
            let limit = Limit::new(limit)?;
            let search = Search { metric, ..Search::around(target.clone(), limit) };
            let found = fixture.store().similar_artists().nearest(&search).await?;
            ensure!(found.exactness.mode == SearchMode::Exact);
            ensure!(found.exactness.compared == 50, "{metric:?}: {:?}", found.exactness);
            ensure!(found.neighbours.len() == usize::from(limit.get()), "{metric:?}");
        }
    }
    fixture.close().await
}
