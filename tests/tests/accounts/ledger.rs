//! What callers were told, held against what is stored.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use domain::{ArtistKey, ArtistName, Generation, Timestamp};
use serde_json::Value;

use crate::{
    post::{Entry, Known, Post},
    violation::{Rule, Violation},
};

/// What the caller of a request was told in the end.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    /// It is recorded, as this.
    Acknowledged(Vec<Known>),
    /// It is not recorded.
    Refused,
    /// Nothing, and the caller gave up.
    Unknown,
}

/// A request, and what its caller was told in the end.
#[derive(Debug, Clone)]
pub(crate) struct Told {
    pub(crate) post: Post,
    pub(crate) fate: Fate,
    /// When it was first sent, and when its caller was told.
    pub(crate) period: (Timestamp, Timestamp),
}

/// Everything that was told, and who was removed since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Ledger {
    pub(crate) told: Vec<Told>,
    pub(crate) removed: BTreeSet<ArtistKey>,
}

/// Which entry of which request an entry says it is.
type Place = (u64, usize);

impl Ledger {
    /// Every promise that is broken by what is stored.
    pub(crate) fn check(&self, stored: &[Generation]) -> Vec<Violation> {
        let mut violations = Vec::new();
        let mut found: HashMap<Place, Vec<&Generation>> = HashMap::new();
        for generation in stored {
            match place(generation) {
                Some(place) => found.entry(place).or_default().push(generation),
                None => violations
                    .push(Rule::NothingIsMadeUp.broken(format!("nobody has sent {generation:?}"))),
            }
        }
        for told in &self.told {
            self.check_one(told, &mut found, &mut violations);
        }
        for ((post, place), generations) in BTreeMap::from_iter(found) {
            violations.push(Rule::NothingIsMadeUp.broken(format!(
                "post {post} has no place {place}, and {} are stored there",
                generations.len()
            )));
        }
        violations
    }

    fn check_one(
        &self,
        told: &Told,
        found: &mut HashMap<Place, Vec<&Generation>>,
        violations: &mut Vec<Violation>,
    ) {
        let Told { post, fate, period } = told;
        let number = post.number;
        let mut there = 0;
        for (place, entry) in post.entries.iter().enumerate() {
            let generations = found.remove(&(number, place)).unwrap_or_default();
            let at = format!("entry {place} of post {number}");
            if 1 < generations.len() {
                let ids: Vec<_> = generations.iter().map(|it| it.id.to_string()).collect();
                violations.push(Rule::NothingCountsTwice.broken(format!("{at} is {ids:?}")));
            }
            let Some(generation) = generations.first() else {
                if matches!(fate, Fate::Acknowledged(_)) {
                    violations.push(Rule::NothingIsLost.broken(format!("{at} was acknowledged")));
                }
                continue;
            };
            there += 1;
            if matches!(fate, Fate::Refused) {
                violations.push(Rule::NothingIsMadeUp.broken(format!("{at} was refused")));
            }
            let known = match fate {
                Fate::Acknowledged(known) => known.get(place),
                Fate::Refused | Fate::Unknown => None,
            };
            if let Some(how) = self.alteration(entry, known, *period, generation) {
                violations.push(Rule::NothingIsAltered.broken(format!("{at}: {how}")));
            }
        }
        if there != 0 && there != post.entries.len() {
            let all = post.entries.len();
            violations.push(
                Rule::ArraysAreWhole.broken(format!("{there} of {all} entries of post {number}")),
            );
        }
    }

    /// How what is stored is not what was sent, and what its caller was told.
    fn alteration(
        &self,
        entry: &Entry,
        known: Option<&Known>,
        (sent, told): (Timestamp, Timestamp),
        stored: &Generation,
    ) -> Option<String> {
        let Generation { id, artist, created_at, details } = stored;
        let own = entry.artist.as_ref().filter(|artist| !self.removed.contains(artist.key()));
        if *details != entry.details {
            return Some(format!("{details:?} is stored of {:?}", entry.details));
        }
        if artist.as_ref().map(ArtistName::as_str) != own.map(ArtistName::as_str) {
            return Some(format!("{artist:?} is stored, not {own:?}"));
        }
        let own_id = known.map(|known| known.id).or(entry.id);
        if own_id.is_some_and(|own| own != *id) {
            return Some(format!("{id} is stored, not {own_id:?}"));
        }
        let own_time = known.map(|known| known.created_at).or(entry.created_at);
        if own_time.is_some_and(|own| own != *created_at) {
            return Some(format!("{created_at} is stored, not {own_time:?}"));
        }
        // Who gave up may have been served later.
        let end = if known.is_some() { told } else { *created_at };
        let is_now = sent <= *created_at && *created_at <= end;
        (entry.created_at.is_none() && !is_now)
            .then(|| format!("{created_at} is not between {sent} and {told}"))
    }
}

/// Which entry this says it is.
fn place(generation: &Generation) -> Option<Place> {
    let number = |name| generation.details.user_params.members().get(name).and_then(Value::as_u64);
    Some((number("post")?, usize::try_from(number("place")?).ok()?))
}

#[cfg(test)]
#[path = "ledger/tests.rs"]
mod tests;
