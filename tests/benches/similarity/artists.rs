//! Artists to measure with: those of a file, and as many more that lie close to them.

use std::fs;

use anyhow::Context;
use async_trait::async_trait;
use domain::{
    ArtistId, ArtistKey, ArtistName, Change, ChangeFollower, Changes, Confidence, DrumFeel,
    Embedding, Id, Limit, NewStyleProfile, ProfileRecord, QuantitativeParams, RepositoryError,
    ResearchStatus, Search, StyleVector, StyleVectors, VectorChange, Version,
};
use fastrand::Rng;
use groovebase_tests::given;
use serde_json::Value;

/// How many are made up when there is no file.
const MADE_UP: usize = 10_000;

/// How far a perturbed embedding lies from the one it was made of, as a share of its length.
const NOISE: f64 = 0.2;

/// As many artists as anybody wants; the same number is always the same artist.
#[derive(Clone)]
pub(crate) struct Artists {
    known: std::sync::Arc<[(Embedding, QuantitativeParams)]>,
    pub(crate) origin: &'static str,
}

impl Artists {
    #[expect(clippy::disallowed_methods, reason = "the one place where the bench reads it")]
    pub(crate) fn read() -> anyhow::Result<Self> {
        let Ok(file) = std::env::var("GROOVEBASE_BENCH_ARTISTS") else {
            let params = given::profile("J Dilla", "late")?.quantitative_params;
            let made_up = |seed| anyhow::Ok((given::embedding(seed)?, params));
            let known = (0..MADE_UP as u64).map(made_up).collect::<anyhow::Result<_>>()?;
            return Ok(Self { known, origin: "made up" });
        };
        let text = fs::read_to_string(&file).with_context(|| file.clone())?;
        let known = text.lines().map(read).collect::<anyhow::Result<_>>()?;
        Ok(Self { known, origin: "from a file" })
    }

    /// How many are not perturbed.
    pub(crate) fn known(&self) -> usize {
        self.known.len()
    }

    pub(crate) fn name(number: usize) -> anyhow::Result<ArtistName> {
        Ok(ArtistName::try_from(format!("Artist {number}").as_str())?)
    }

    /// Where an artist lies.
    pub(crate) fn embedding(&self, number: usize) -> Embedding {
        let (original, _) = self.original(number);
        if number < self.known.len() {
            return original.clone();
        }
        let mut random = Rng::with_seed(number as u64);
        // The sum of four uniform numbers is close enough to normal; its variance is a third.
        let share = NOISE * original.length() / (Embedding::DIMENSIONS as f64 / 3.0).sqrt();
        let mut noise = || share * (0..4).map(|_| random.f64() - 0.5).sum::<f64>();
        #[expect(clippy::cast_possible_truncation, reason = "noise")]
        let numbers: Vec<f32> =
            original.as_slice().iter().map(|&it| (f64::from(it) + noise()) as f32).collect();
        Embedding::try_from(numbers).unwrap_or_else(|_| original.clone())
    }

    fn original(&self, number: usize) -> &(Embedding, QuantitativeParams) {
        &self.known[number % self.known.len()]
    }

    fn vector(&self, number: usize) -> StyleVector {
        StyleVector {
            embedding: self.embedding(number),
            research_status: ResearchStatus::Cached,
            confidence: Confidence::NONE,
            quantitative_params: self.original(number).1,
        }
    }

    /// The search that an artist's own page makes.
    pub(crate) fn search(&self, number: usize, limit: u16) -> anyhow::Result<Search> {
        Ok(Search {
            except: vec![Self::key(number)?],
            ..Search::around(self.embedding(number), Limit::new(limit)?)
        })
    }

    pub(crate) fn key(number: usize) -> anyhow::Result<ArtistKey> {
        Ok(Self::name(number)?.key().clone())
    }

    /// What an import of these artists stores.
    pub(crate) fn record(&self, number: usize) -> anyhow::Result<ProfileRecord> {
        let (_, quantitative_params) = self.original(number);
        let profile = NewStyleProfile {
            embedding: Some(self.embedding(number)),
            quantitative_params: *quantitative_params,
            ..given::profile(Self::name(number)?.as_str(), "plays drums")?
        };
        Ok(ProfileRecord::Profile { profile: Box::new(profile), sources: Vec::new() })
    }
}

fn read(line: &str) -> anyhow::Result<(Embedding, QuantitativeParams)> {
    let line: Value = serde_json::from_str(line)?;
    let number = |value: &Value| value.as_f64().context("a number");
    let numbers = line["embedding"].as_array().context("an embedding")?;
    #[expect(clippy::cast_possible_truncation, reason = "embeddings are single precision")]
    let numbers: Vec<f32> =
        numbers.iter().map(|it| Ok(number(it)? as f32)).collect::<anyhow::Result<_>>()?;
    let feel = |name: &str| number(&line["quantitative_params"][name]);
    let params = QuantitativeParams::try_from(DrumFeel {
        tempo_min: feel("tempo_min")?,
        tempo_max: feel("tempo_max")?,
        tempo_avg: feel("tempo_avg")?,
        swing_percent: feel("swing_percent")?,
        ghost_note_prob: feel("ghost_note_prob")?,
        syncopation_level: feel("syncopation_level")?,
        velocity_mean: feel("velocity_mean")?,
        velocity_std: feel("velocity_std")?,
    })?;
    Ok((Embedding::try_from(numbers)?, params))
}

/// A store that holds nothing and makes up so many artists on demand.
#[derive(Clone)]
pub(crate) struct Endless {
    pub(crate) artists: Artists,
    pub(crate) count: usize,
}

impl Endless {
    /// The numbers of the artists that changed after this version: artist 0 has version 1.
    fn numbers(&self, version: Version, limit: u32) -> impl Iterator<Item = (usize, Version)> {
        let first = usize::try_from(version.number()).unwrap_or(usize::MAX);
        let last = first.saturating_add(limit as usize).min(self.count);
        (first..last).map(|number| (number, Version::new(number as u64 + 1)))
    }
}

#[async_trait]
impl StyleVectors for Endless {
    async fn since(
        &self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<VectorChange>, RepositoryError> {
        let present = |(number, version)| {
            let vector = self.artists.vector(number);
            match Artists::name(number) {
                Ok(artist) => VectorChange::Present { version, artist, vector },
                Err(_) => VectorChange::Unnamed { version },
            }
        };
        Ok(self.numbers(version, limit).map(present).collect())
    }
}

#[async_trait]
impl Changes for Endless {
    async fn since(&self, version: Version, limit: u32) -> Result<Vec<Change>, RepositoryError> {
        let present = |(number, version)| match Artists::name(number) {
            Ok(artist) => {
                let id: ArtistId = Id::generate();
                Change::Present { version, id, artist, has_profile: true }
            }
            Err(_) => Change::Unnamed { version },
        };
        Ok(self.numbers(version, limit).map(present).collect())
    }

    async fn follow(&self) -> Result<Box<dyn ChangeFollower>, RepositoryError> {
        Ok(Box::new(self.clone()))
    }
}

#[async_trait]
impl ChangeFollower for Endless {
    async fn since(
        &mut self,
        version: Version,
        limit: u32,
    ) -> Result<Vec<Change>, RepositoryError> {
        Changes::since(self, version, limit).await
    }

    async fn hint(&mut self) -> Result<(), RepositoryError> {
        std::future::pending().await
    }
}
