//! PostgreSQL's own index: which plan searches have, what they find in it, and building it beside everything else.

#[path = "vector_index/builds.rs"]
mod builds;
#[path = "vector_index/commands.rs"]
mod commands;
#[path = "vector_index/exactness.rs"]
mod exactness;
#[path = "vector_index/plans.rs"]
mod plans;

use anyhow::Context;
use domain::{
    ArtistName, Confidence, DrumFeel, Embedding, Engine, FeelParameter, FeelRange, Limit,
    Neighbours, NewStyleProfile, ProfileRecord, QuantitativeParams, Search, SearchFilter,
};
use groovebase_tests::{
    fixture::{Fixture, Postgres},
    given,
};
use sea_orm::{ConnectOptions, ConnectionTrait, DatabaseConnection, Statement};
use storage::{Store, VectorIndexKind};

/// Artists who lie around centres as those of a genre do, with a tempo that tells each apart.
struct Crowd(Vec<NewStyleProfile>);

impl Crowd {
    fn new(count: u64) -> anyhow::Result<Self> {
        Self::around_centres(count, 40, 0.6)
    }

    fn around_centres(count: u64, centres: u64, spread: f32) -> anyhow::Result<Self> {
        let profiles = (0..count).map(|number| {
            let centre = given::embedding(number % centres)?;
            let own = given::embedding(1_000 + number)?;
            let numbers = centre.as_slice().iter().zip(own.as_slice());
            let numbers: Vec<f32> = numbers.map(|(centre, own)| centre + spread * own).collect();
            profile(number, Embedding::try_from(numbers)?)
        });
        Ok(Self(profiles.collect::<anyhow::Result<_>>()?))
    }

    async fn load(&self, store: &Store) -> anyhow::Result<()> {
        for batch in self.0.chunks(1_000) {
            let records = batch.iter().map(|profile| ProfileRecord::Profile {
                profile: Box::new(profile.clone()),
                sources: Vec::new(),
            });
            store.bulk_load().load(records.collect(), &given::author()).await?;
        }
        Ok(store.bulk_load().finish().await?)
    }

    fn embedding(&self, number: usize) -> anyhow::Result<&Embedding> {
        self.0.get(number).and_then(|profile| profile.embedding.as_ref()).context("no such artist")
    }

    /// A search around one of them, that it is not to find itself.
    fn search(&self, number: usize, engine: Engine) -> anyhow::Result<Search> {
        let profile = self.0.get(number).context("no such artist")?;
        Ok(Search {
            except: vec![profile.artist.key().clone()],
            engine,
            ..Search::around(self.embedding(number)?.clone(), Limit::new(10)?)
        })
    }

    /// What comparing everything in double precision finds.
    fn closest(&self, search: &Search) -> Vec<(ArtistName, f64)> {
        let Search { target, except, limit, metric, filter, engine: _ } = search;
        let admitted = self.0.iter().filter(|profile| {
            let feel = profile.quantitative_params.feel();
            filter.admits(domain::ResearchStatus::Cached, profile.confidence, feel)
                && !except.contains(profile.artist.key())
        });
        let mut closest: Vec<(ArtistName, f64)> = admitted
            .filter_map(|profile| {
                let score = metric.score(target, profile.embedding.as_ref()?);
                Some((profile.artist.clone(), score))
            })
            .collect();
        closest.sort_by(|one, other| {
            other.1.total_cmp(&one.1).then_with(|| one.0.key().cmp(other.0.key()))
        });
        closest.truncate(limit.get().into());
        closest
    }
}

fn profile(number: u64, embedding: Embedding) -> anyhow::Result<NewStyleProfile> {
    let profile = given::profile(&format!("Artist {number:05}"), "late")?;
    let feel = DrumFeel {
        tempo_min: 20.0,
        tempo_max: 300.0,
        tempo_avg: 40.0 + f64::from(u32::try_from(number % 20_000)?) / 100.0,
        ..*profile.quantitative_params.feel()
    };
    Ok(NewStyleProfile {
        quantitative_params: QuantitativeParams::try_from(feel)?,
        confidence: Confidence::try_from(f64::from(u32::try_from(number % 10)?) / 10.0)?,
        embedding: Some(embedding),
        ..profile
    })
}

/// Only artists with numbers in this range.
fn numbered(from: u32, to: u32) -> anyhow::Result<SearchFilter> {
    let tempo = |number: u32| 40.0 + f64::from(number) / 100.0;
    let range = FeelRange::new(FeelParameter::TempoAvg, tempo(from), tempo(to))?;
    Ok(SearchFilter { ranges: vec![range], ..SearchFilter::EVERYBODY })
}

fn names(found: &Neighbours) -> Vec<&str> {
    found.neighbours.iter().map(|neighbour| neighbour.artist.as_str()).collect()
}

/// Artists whom a search by an index of some kind is made among.
async fn indexed(count: u64, kind: VectorIndexKind) -> anyhow::Result<(Postgres, Crowd)> {
    let fixture = Postgres::open().await?;
    let crowd = Crowd::new(count)?;
    crowd.load(fixture.store()).await?;
    fixture.store().vector_index().build(kind, &mut |_| ()).await?;
    Ok((fixture, crowd))
}

/// One value that a person at a prompt would read.
async fn read<T: sea_orm::TryGetable>(fixture: &Postgres, sql: &str) -> anyhow::Result<T> {
    let database = by_hand(fixture).await?;
    let statement = Statement::from_string(database.get_database_backend(), sql);
    let row = database.query_one_raw(statement).await?.context("no row")?;
    let value = row.try_get_by_index(0)?;
    database.close().await?;
    Ok(value)
}

#[expect(clippy::disallowed_methods, reason = "stands for tools that know nothing of the store")]
async fn by_hand(fixture: &Postgres) -> anyhow::Result<DatabaseConnection> {
    let mut options = ConnectOptions::new(fixture.url());
    options.max_connections(1).sqlx_logging(false);
    Ok(sea_orm::Database::connect(options).await?)
}
