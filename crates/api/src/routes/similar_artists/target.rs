//! Around whom a search is, by what is stored about them.

use cache::Freshness;
use domain::{ArtistKey, ArtistName, DrumFeel, Embedding, StyleProfile};

use super::{body::Centre, explanation};
use crate::{
    freshness::Served,
    problem::{Code, Problem},
    state::State,
    violation::Violation,
};

/// An artist to search around.
#[derive(Debug)]
pub(super) struct Target {
    /// The name as it was first stored.
    pub(super) artist: ArtistName,
    pub(super) embedding: Embedding,
    pub(super) feel: DrumFeel,
}

impl Target {
    /// The artist of this name, and how that is known; or what to answer instead.
    pub(super) async fn find(
        state: &State,
        artist: &ArtistName,
        freshness: Freshness,
    ) -> Result<(Self, Served), Problem> {
        let read = state.style_profiles.read(artist.key(), freshness).await?;
        let served = Served::of(&read);
        let target = match read.value {
            Some(cached) => Self::of(&cached.profile),
            None => Err(state.no_profile(artist).await),
        };
        target.map(|target| (target, served)).map_err(|problem| problem.served(served))
    }

    /// The artists of these names, each or what is wrong with it, and how that is known.
    pub(super) async fn find_each(
        state: &State,
        artists: &[ArtistName],
        freshness: Freshness,
    ) -> Result<(Vec<Result<Self, Problem>>, Option<Served>), Problem> {
        let keys: Vec<ArtistKey> = artists.iter().map(|artist| artist.key().clone()).collect();
        let reads = state.style_profiles.read_many(&keys, freshness).await?;
        let served = reads.iter().map(Served::of).reduce(Served::resting_on);
        let mut targets = Vec::with_capacity(artists.len());
        for (artist, read) in artists.iter().zip(reads) {
            let target = match read.value {
                Some(cached) => Self::of(&cached.profile),
                None => Err(state.no_profile_among_many(artist).await),
            };
            match target {
                Err(problem) if problem.code().status().is_server_error() => return Err(problem),
                target => targets.push(target),
            }
        }
        Ok((targets, served))
    }

    fn of(profile: &StyleProfile) -> Result<Self, Problem> {
        let artist = &profile.artist;
        match &profile.embedding {
            Some(embedding) => Ok(Self {
                artist: artist.clone(),
                embedding: embedding.clone(),
                feel: *profile.quantitative_params.feel(),
            }),
            None => Err(Problem::embedding_missing(artist)),
        }
    }
}

/// What a search is around that is not around one artist.
#[derive(Debug)]
pub(super) struct Around {
    pub(super) embedding: Embedding,
    /// Who is part of the question, and no answer.
    pub(super) except: Vec<ArtistKey>,
    /// Whom it is like and unlike; `None` for an embedding.
    pub(super) artists: Option<LikeUnlike>,
}

/// Artists to be like and unlike.
#[derive(Debug)]
pub(super) struct LikeUnlike {
    /// Names as they were first stored.
    pub(super) like: Vec<ArtistName>,
    /// The same.
    pub(super) unlike: Vec<ArtistName>,
    /// The mean of those to be like.
    pub(super) feel: DrumFeel,
    /// How all of them are known.
    pub(super) served: Served,
}

impl Around {
    /// Looks up whoever is named.
    pub(super) async fn of(
        state: &State,
        centre: Centre,
        freshness: Freshness,
    ) -> Result<Self, Problem> {
        match centre {
            Centre::Embedding(embedding) => {
                Ok(Self { embedding, except: Vec::new(), artists: None })
            }
            Centre::Artists { like, unlike } => {
                Self::artists(state, &like, &unlike, freshness).await
            }
        }
    }

    async fn artists(
        state: &State,
        like: &[ArtistName],
        unlike: &[ArtistName],
        freshness: Freshness,
    ) -> Result<Self, Problem> {
        let named = [like, unlike].concat();
        let (found, served) = Target::find_each(state, &named, freshness).await?;
        let places = (0..like.len())
            .map(|index| format!("/like/{index}"))
            .chain((0..unlike.len()).map(|index| format!("/unlike/{index}")));
        let mut found = everybody(state, &named, places, found).await?;
        let unlike = found.split_off(like.len());
        let like = found;

        let feels: Vec<DrumFeel> = like.iter().map(|target| target.feel).collect();
        let (Some(feel), Some(served)) = (explanation::mean(&feels), served) else {
            return Err(cancelled_out());
        };
        let embeddings = |targets: &[Target]| -> Vec<Embedding> {
            targets.iter().map(|target| target.embedding.clone()).collect()
        };
        let embedding = domain::direction(&embeddings(&like), &embeddings(&unlike))
            .map_err(|_| cancelled_out())?;
        let names =
            |targets: Vec<Target>| targets.into_iter().map(|target| target.artist).collect();
        Ok(Self {
            embedding,
            except: named.iter().map(|artist| artist.key().clone()).collect(),
            artists: Some(LikeUnlike { like: names(like), unlike: names(unlike), feel, served }),
        })
    }
}

/// Everybody who was named, or the first problem with the places of all.
async fn everybody(
    state: &State,
    named: &[ArtistName],
    places: impl Iterator<Item = String>,
    found: Vec<Result<Target, Problem>>,
) -> Result<Vec<Target>, Problem> {
    let mut targets = Vec::with_capacity(found.len());
    let mut first: Option<Problem> = None;
    for ((artist, place), found) in named.iter().zip(places).zip(found) {
        let problem = match found {
            Ok(target) => {
                targets.push(target);
                continue;
            }
            Err(problem) => problem,
        };
        let violation = Violation::at_pointer(place, problem.detail());
        let told = match first.take() {
            Some(first) => first,
            None if problem.code() == Code::ArtistNotFound => state.unknown_artist(artist).await,
            None => problem,
        };
        first = Some(told.at(violation));
    }
    first.map_or(Ok(targets), Err)
}

fn cancelled_out() -> Problem {
    let told = "the artists cancel out, so that there is no direction to look in";
    Problem::of_violations(Code::InvalidBody, vec![Violation::at_pointer("/like", told)])
}
