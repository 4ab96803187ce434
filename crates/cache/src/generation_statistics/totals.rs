//! What generations took together, from many sums of the same groups.

use std::sync::Arc;

use domain::{ArtistName, GenerationKind, GenerationStatus, Label, Provider, Sums};
use hashbrown::HashMap;

use super::{
    question::{Dimensions, GroupSums, StatisticsQuestion},
    sums::Group,
};

/// Collects what a question is about. Nothing is copied before it is added up.
pub(super) struct Totals<'a> {
    question: &'a StatisticsQuestion,
    parts: HashMap<Place<'a>, Vec<Part<'a>>>,
}

/// What some of them took.
#[derive(Clone, Copy)]
enum Part<'a> {
    Kept(&'a Arc<Sums>),
    Read(&'a Sums),
}

/// What is told apart; the rest is `None`.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Place<'a> {
    artist: Option<&'a ArtistName>,
    provider: Option<&'a Provider>,
    model: Option<&'a Label>,
    status: Option<GenerationStatus>,
}

impl<'a> Totals<'a> {
    pub(super) fn of(question: &'a StatisticsQuestion) -> Self {
        Self { question, parts: HashMap::new() }
    }

    /// Adds what generations of an artist and a kind took, unless the question is about others.
    pub(super) fn add(
        &mut self,
        artist: Option<&'a ArtistName>,
        kind: &'a GenerationKind,
        sums: &'a Sums,
    ) {
        let GenerationKind { provider, model, status } = kind;
        let (provider, model) = (Some(provider), model.as_ref());
        self.add_at(Place { artist, provider, model, status: Some(*status) }, Part::Read(sums));
    }

    /// Adds what a group took of which everything is told that the question is about, unless it is about others.
    pub(super) fn add_group(&mut self, group: &'a Group, sums: &'a Arc<Sums>) {
        let Group { provider, model, status } = group;
        let (provider, model) = (provider.as_ref(), model.as_ref());
        self.add_at(Place { artist: None, provider, model, status: *status }, Part::Kept(sums));
    }

    fn add_at(&mut self, place: Place<'a>, part: Part<'a>) {
        // All else that a question says was said to the store, and shapes what it answered.
        let StatisticsQuestion { provider, model, dimensions, .. } = self.question;
        let is_asked_for = provider.as_ref().is_none_or(|asked| Some(asked) == place.provider)
            && model.as_ref().is_none_or(|asked| Some(asked) == place.model);
        if is_asked_for {
            let Dimensions { artist, provider, model, status } = *dimensions;
            let place = Place {
                artist: place.artist.filter(|_| artist),
                provider: place.provider.filter(|_| provider),
                model: place.model.filter(|_| model),
                status: place.status.filter(|_| status),
            };
            self.parts.entry(place).or_default().push(part);
        }
    }

    /// What each group took, sorted by all that they are told apart by, without those that have no generations.
    pub(super) fn into_sums(self) -> Vec<GroupSums> {
        let mut totals: Vec<_> = self
            .parts
            .into_iter()
            .map(|(Place { artist, provider, model, status }, parts)| GroupSums {
                artist: artist.cloned(),
                provider: provider.cloned(),
                model: model.cloned(),
                status,
                sums: sum(&parts),
            })
            .filter(|total| total.sums.generations != 0)
            .collect();
        totals.sort_unstable_by(|left, right| place(left).cmp(&place(right)));
        totals
    }
}

fn sum(parts: &[Part<'_>]) -> Arc<Sums> {
    if let [Part::Kept(only)] = *parts {
        return Arc::clone(only);
    }
    let parts: Vec<&Sums> = parts
        .iter()
        .map(|part| match *part {
            Part::Kept(sums) => &**sums,
            Part::Read(sums) => sums,
        })
        .collect();
    Arc::new(Sums::sum(&parts))
}

fn place(
    total: &GroupSums,
) -> (Option<&str>, Option<&Provider>, Option<&Label>, Option<GenerationStatus>) {
    let GroupSums { artist, provider, model, status, sums: _ } = total;
    let artist = artist.as_ref().map(|artist| artist.key().as_str());
    (artist, provider.as_ref(), model.as_ref(), *status)
}
