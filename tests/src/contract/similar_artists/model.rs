//! What is stored, and what a search must find in it.

use std::collections::BTreeMap;

use anyhow::{Context, ensure};
use domain::{
    ArtistKey, ArtistName, Embedding, Metric, Neighbour, Neighbours, NewStyleProfile,
    ProfileRecord, ResearchStatus, Search, SearchMode, SimilarArtists, StyleVector,
};

use crate::{fixture::Fixture, given};

/// What the artists of a store are compared by.
#[derive(Debug, Default)]
pub(crate) struct Model(BTreeMap<ArtistKey, (ArtistName, StyleVector)>);

impl Model {
    /// Fills a store with profiles, as many as there are names.
    pub(crate) async fn filled(
        fixture: &impl Fixture,
        profiles: Vec<NewStyleProfile>,
    ) -> anyhow::Result<Self> {
        let mut model = Self::default();
        let mut records = Vec::with_capacity(profiles.len());
        for profile in profiles {
            model.save(&profile);
            records
                .push(ProfileRecord::Profile { profile: Box::new(profile), sources: Vec::new() });
        }
        fixture.bulk_load().load(records, &given::author()).await?;
        Ok(model)
    }

    /// Notes a profile that was saved.
    pub(crate) fn save(&mut self, profile: &NewStyleProfile) {
        let key = profile.artist.key();
        // The name stays as it was first stored.
        let artist = self.0.remove(key).map_or_else(|| profile.artist.clone(), |(name, _)| name);
        if let Some(embedding) = profile.embedding.clone() {
            let vector = StyleVector {
                embedding,
                research_status: ResearchStatus::Cached,
                confidence: profile.confidence,
                quantitative_params: profile.quantitative_params,
            };
            self.0.insert(key.clone(), (artist, vector));
        }
    }

    /// Notes that an artist cannot be compared any more.
    pub(crate) fn remove(&mut self, key: &ArtistKey) {
        self.0.remove(key);
    }

    /// Notes where research stands.
    pub(crate) fn set_status(&mut self, key: &ArtistKey, status: ResearchStatus) {
        if let Some((_, vector)) = self.0.get_mut(key) {
            vector.research_status = status;
        }
    }

    /// The vector of an artist.
    pub(crate) fn vector(&self, key: &ArtistKey) -> Option<&StyleVector> {
        self.0.get(key).map(|(_, vector)| vector)
    }

    /// Everything that can be compared, by key.
    pub(crate) fn vectors(&self) -> impl Iterator<Item = (&ArtistName, &StyleVector)> + Clone {
        self.0.values().map(|(artist, vector)| (artist, vector))
    }

    /// Every embedding, by key of its artist.
    pub(crate) fn embeddings(&self) -> impl Iterator<Item = &Embedding> {
        self.vectors().map(|(_, vector)| &vector.embedding)
    }

    /// Searches, and checks the answer.
    pub(crate) async fn agrees(
        &self,
        similar: &dyn SimilarArtists,
        search: &Search,
    ) -> anyhow::Result<Neighbours> {
        let answer = similar.nearest(search).await?;
        self.check(search, &answer).with_context(|| format!("{search:?}"))?;
        Ok(answer)
    }

    /// Checks an answer for which everything was compared: the same artists, order and numbers.
    pub(crate) fn check(&self, search: &Search, answer: &Neighbours) -> anyhow::Result<()> {
        let (expected, compared) = self.expected(search);
        let found = &answer.neighbours;
        ensure!(answer.exactness.mode == SearchMode::Exact, "{:?}", answer.exactness);
        ensure!(answer.exactness.compared == compared, "{:?}, not {compared}", answer.exactness);
        ensure!(found.len() == expected.len(), "{} instead of {}", found.len(), expected.len());
        for (found, expected) in found.iter().zip(&expected) {
            ensure!(same(found, expected), "{found:?} instead of {expected:?}");
            let vector = self.vector(found.artist.key()).context("known")?;
            agrees_with_definition(search, &vector.embedding, found.score)?;
        }
        Ok(())
    }

    fn expected(&self, search: &Search) -> (Vec<Neighbour>, u64) {
        let admitted: Vec<_> = self
            .vectors()
            .filter(|(_, vector)| {
                let feel = vector.quantitative_params.feel();
                search.filter.admits(vector.research_status, vector.confidence, feel)
            })
            .collect();
        let mut neighbours: Vec<Neighbour> = admitted
            .iter()
            .filter(|(artist, _)| !search.except.contains(artist.key()))
            .map(|(artist, vector)| Neighbour {
                artist: (*artist).clone(),
                score: search.metric.score(&search.target, &vector.embedding),
            })
            .collect();
        // Stable, and they come by key.
        neighbours.sort_by(|one, other| other.score.total_cmp(&one.score));
        neighbours.truncate(search.limit.get().into());
        (neighbours, admitted.len() as u64)
    }
}

/// Whether two say the same, to the last bit of the score.
pub(crate) fn same(one: &Neighbour, other: &Neighbour) -> bool {
    one.artist.as_str() == other.artist.as_str() && one.score.to_bits() == other.score.to_bits()
}

/// Whether two answers name the same artists in the same order with the same scores.
pub(crate) fn same_neighbours(one: &Neighbours, other: &Neighbours) -> bool {
    let (one, other) = (&one.neighbours, &other.neighbours);
    one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
}

/// Compares a score with the definition of its metric, by the plainest code.
fn agrees_with_definition(search: &Search, other: &Embedding, score: f64) -> anyhow::Result<()> {
    let one: Vec<f64> = search.target.as_slice().iter().map(|&number| number.into()).collect();
    let other: Vec<f64> = other.as_slice().iter().map(|&number| number.into()).collect();
    let product: f64 = one.iter().zip(&other).map(|(one, other)| one * other).sum();
    let norm = |vector: &[f64]| vector.iter().map(|number| number * number).sum::<f64>().sqrt();
    let squares: f64 = one.iter().zip(&other).map(|(one, other)| (one - other).powi(2)).sum();
    let (defined, scale) = match search.metric {
        Metric::Cosine => (product / (norm(&one) * norm(&other)), 1.0),
        Metric::L2 => (-squares.sqrt(), norm(&one) + norm(&other)),
        Metric::InnerProduct => (product, norm(&one) * norm(&other)),
    };
    ensure!((score - defined).abs() <= 1e-12 * scale, "{score:e} where {defined:e} is defined");
    Ok(())
}

/// A profile with this embedding.
pub(crate) fn profile(artist: &str, embedding: Embedding) -> anyhow::Result<NewStyleProfile> {
    Ok(NewStyleProfile { embedding: Some(embedding), ..given::profile(artist, "late")? })
}
