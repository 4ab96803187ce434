//! The readers of bodies, for the fuzz targets; no build but theirs has them.

use domain::{Id, NewGeneration, NewResearchSource, TimeRange};

use super::{artists, generations::NewGenerationBody, keys, similar_artists};
use crate::{batch::Batch, json, source_body::SourceBody};

pub use artists::read_any as artist;
pub use keys::read_any as key;
pub use similar_artists::{read_any as search, read_any_batch as batch_of_searches};

/// Reads one generation or several; those without an identity get one.
#[must_use]
pub fn generations(body: &[u8]) -> Option<Vec<NewGeneration>> {
    let Batch { items, form: _ } = json::read(body, |node| {
        Batch::read(node, 1_000, |node| NewGenerationBody::read(node, TimeRange::ALL))
    })
    .ok()?;
    let recorded = |body: NewGenerationBody| {
        let id = body.id.unwrap_or_else(Id::generate);
        body.into_generation(id)
    };
    Some(items.into_iter().map(recorded).collect())
}

/// Reads one source or several.
#[must_use]
pub fn sources(body: &[u8]) -> Option<Vec<NewResearchSource>> {
    let read = json::read(body, |node| Batch::read(node, 1_000, SourceBody::read));
    read.ok().map(|Batch { items, form: _ }| items)
}
