//! Recording generations so that the same request can be sent again, and saying which entry is in the way.

use domain::{ArtistName, GenerationId, Id, NewGeneration, RepositoryError};

use super::NewGenerationBody;
use crate::{
    batch::Form,
    idempotency::{IDEMPOTENCY_KEY, IdempotencyKey},
    problem::{Code, Problem},
    state::State,
    violation::Violation,
};

/// What has to be remembered of generations that are handed to a store, to tell what it refused.
pub(super) struct Recording {
    form: Form,
    key: Option<IdempotencyKey>,
    entries: Vec<Entry>,
}

struct Entry {
    id: GenerationId,
    has_own_id: bool,
    artist: Option<ArtistName>,
}

impl Recording {
    /// Gives each entry its identity: its own, the one that follows from the key, or a new one.
    pub(super) fn of(
        bodies: Vec<NewGenerationBody>,
        form: Form,
        key: Option<IdempotencyKey>,
    ) -> (Self, Vec<NewGeneration>) {
        let mut entries = Vec::with_capacity(bodies.len());
        let mut generations = Vec::with_capacity(bodies.len());
        for (index, body) in bodies.into_iter().enumerate() {
            let has_own_id = body.id.is_some();
            let id = body
                .id
                .or_else(|| key.as_ref().map(|key| key.identity(index)))
                .unwrap_or_else(Id::generate);
            entries.push(Entry { id, has_own_id, artist: body.artist.clone() });
            generations.push(body.into_generation(id));
        }
        (Self { form, key, entries }, generations)
    }

    /// What to answer when the store did not record them.
    pub(super) async fn refusal(&self, state: &State, error: RepositoryError) -> Problem {
        match error {
            RepositoryError::UnknownArtist(artist) => {
                let index =
                    self.entries.iter().position(|entry| entry.artist.as_ref() == Some(&artist));
                let pointer = format!("{}/artist", self.form.pointer(index.unwrap_or_default()));
                let place = Violation::at_pointer(pointer, "is not known");
                state.unknown_artist(&artist).await.at(place)
            }
            RepositoryError::TakenGeneration(id) => self.taken(id),
            error => Problem::from(error),
        }
    }

    /// An identity is recorded with something else in it, or stands in several entries that differ: each is a place.
    fn taken(&self, id: GenerationId) -> Problem {
        let bearers = || self.entries.iter().enumerate().filter(move |(_, entry)| entry.id == id);
        let problem = match &self.key {
            Some(key) if bearers().all(|(_, entry)| !entry.has_own_id) => Problem::new(
                Code::Conflict,
                format!("something else is recorded under the {IDEMPOTENCY_KEY} '{key}'"),
            ),
            Some(_) | None => Problem::generation_taken(id),
        };
        bearers().fold(problem, |problem, (index, entry)| {
            let place = self.form.pointer(index);
            problem.at(if entry.has_own_id {
                Violation::at_pointer(
                    format!("{place}/id"),
                    "is the identity of another generation",
                )
            } else {
                Violation::at_pointer(place, "is not what the key was used for")
            })
        })
    }
}
