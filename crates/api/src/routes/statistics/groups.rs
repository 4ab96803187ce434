//! What generations are told apart by, and the figures of each group.

use std::{
    borrow::Cow,
    cmp::Reverse,
    collections::{HashMap, HashSet},
    str::FromStr,
};

use cache::{Dimensions, GroupSums};
use domain::Sums;
use serde::Serialize;
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{ObjectBuilder, RefOr, Schema, Type},
};

use super::figures::{FiguresView, sum};

/// How many artists have a group of their own. Whoever else there is goes into one group.
const MOST_ARTISTS: usize = 100;

/// What generations are told apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Grouping {
    Provider,
    Model,
    Artist,
    Status,
}

impl Grouping {
    const ALL: [Self; 4] = [Self::Provider, Self::Model, Self::Artist, Self::Status];

    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Provider => "provider",
            Self::Model => "model",
            Self::Artist => "artist",
            Self::Status => "status",
        }
    }

    /// What has to be told apart for it.
    pub(super) const fn dimensions(self) -> Dimensions {
        Dimensions {
            artist: matches!(self, Self::Artist),
            provider: matches!(self, Self::Provider),
            model: matches!(self, Self::Model),
            status: matches!(self, Self::Status),
        }
    }

    /// The group that a part belongs to.
    fn group_of(self, part: &GroupSums) -> Group {
        let name = match self {
            Self::Provider => part.provider.as_ref().map(ToString::to_string),
            Self::Model => part.model.as_ref().map(ToString::to_string),
            Self::Artist => part.artist.as_ref().map(ToString::to_string),
            Self::Status => part.status.map(|status| status.to_string()),
        };
        name.map_or(Group::Nameless, Group::Named)
    }
}

impl FromStr for Grouping {
    type Err = UnknownGrouping;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or(UnknownGrouping)
    }
}

#[derive(Debug, thiserror::Error)]
#[error("must be one of provider, model, artist, status")]
pub(super) struct UnknownGrouping;

/// How a grouping is documented.
pub(super) struct GroupingBody;

impl PartialSchema for GroupingBody {
    fn schema() -> RefOr<Schema> {
        let words = Grouping::ALL.map(Grouping::as_str);
        ObjectBuilder::new().schema_type(Type::String).enum_values(Some(words)).into()
    }
}

impl ToSchema for GroupingBody {
    fn name() -> Cow<'static, str> {
        "Grouping".into()
    }
}

/// A group, in the order in which groups of one size are told.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) enum Group {
    /// Those that have this name in common.
    Named(String),
    /// Those that have none: no model that is known, or no artist, perhaps not any more.
    Nameless,
    /// Those of everybody who is not told by name.
    Others,
}

/// The figures of one bucket: all of it, and each group if groups are told apart.
#[derive(Debug)]
pub(super) struct Counted<'a> {
    pub(super) all: Cow<'a, Sums>,
    groups: Vec<(Group, Cow<'a, Sums>)>,
}

impl<'a> Counted<'a> {
    /// The figures of each bucket, from the parts that it consists of. All buckets have the same artists by name.
    pub(super) fn of(buckets: &'a [Vec<GroupSums>], grouping: Option<Grouping>) -> Vec<Self> {
        let by_name = match grouping {
            Some(Grouping::Artist) => Some(most_active(buckets)),
            Some(Grouping::Provider | Grouping::Model | Grouping::Status) | None => None,
        };
        let group_of = |part: &GroupSums| {
            let group = grouping?.group_of(part);
            let is_told = match (&group, &by_name) {
                (Group::Named(name), Some(by_name)) => by_name.contains(name),
                (Group::Named(_) | Group::Nameless | Group::Others, _) => true,
            };
            Some(if is_told { group } else { Group::Others })
        };
        buckets.iter().map(|parts| Self::of_bucket(parts, group_of)).collect()
    }

    fn of_bucket(parts: &'a [GroupSums], group_of: impl Fn(&GroupSums) -> Option<Group>) -> Self {
        let mut groups: HashMap<Group, Vec<&GroupSums>> = HashMap::new();
        for part in parts {
            if let Some(group) = group_of(part) {
                groups.entry(group).or_default().push(part);
            }
        }
        let mut groups: Vec<(Group, Cow<'_, Sums>)> =
            groups.into_iter().map(|(group, parts)| (group, sum(parts))).collect();
        groups.sort_by(|one, other| place(one).cmp(&place(other)));
        Self { all: sum(parts), groups }
    }

    /// The groups to show, if groups are told apart: the largest first, others last.
    pub(super) fn views(&self, grouping: Option<Grouping>) -> Option<Vec<GroupView>> {
        let grouping = grouping?;
        let view = |(group, sums): &(Group, Cow<'_, Sums>)| GroupView::of(grouping, group, sums);
        Some(self.groups.iter().map(view).collect())
    }
}

/// What groups are sorted by: the largest first, ties by name, others last.
fn place<'a>((group, sums): &'a (Group, Cow<'_, Sums>)) -> (bool, Reverse<u64>, &'a Group) {
    (*group == Group::Others, Reverse(sums.generations), group)
}

/// The artists with most generations in all buckets together, ties by name.
fn most_active(buckets: &[Vec<GroupSums>]) -> HashSet<String> {
    let mut counts: HashMap<&str, u64> = HashMap::new();
    for part in buckets.iter().flatten() {
        if let Some(artist) = &part.artist {
            *counts.entry(artist.as_str()).or_default() += part.sums.generations;
        }
    }
    let mut ranked: Vec<(&str, u64)> = counts.into_iter().collect();
    ranked.sort_unstable_by_key(|&(name, count)| (Reverse(count), name));
    ranked.into_iter().take(MOST_ARTISTS).map(|(name, _)| name.to_owned()).collect()
}

/// A group in figures. Exactly one of `provider`, `model`, `artist` and `status` says which.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = GenerationGroup)]
pub(super) struct GroupView {
    #[serde(skip)]
    pub(super) group: Group,
    /// Who generated.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    provider: Option<Name>,
    /// With which model; null when unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    model: Option<Name>,
    /// Whose style was used; null when nobody's or somebody's who was removed since, and null for `others`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    artist: Option<Name>,
    /// How they ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, required = false)]
    status: Option<Name>,
    /// True for the group of all artists but the 100 with most generations in the whole series; otherwise not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    others: Option<bool>,
    /// The figures.
    #[serde(flatten)]
    pub(super) figures: FiguresView,
}

/// What a group is called; null when it has no name.
#[derive(Debug, Clone, Serialize)]
struct Name(Option<String>);

impl GroupView {
    fn of(grouping: Grouping, group: &Group, sums: &Sums) -> Self {
        let (name, others) = match group {
            Group::Named(name) => (Some(name.clone()), None),
            Group::Nameless => (None, None),
            Group::Others => (None, Some(true)),
        };
        let name = |of: Grouping| (of == grouping).then(|| Name(name.clone()));
        Self {
            group: group.clone(),
            provider: name(Grouping::Provider),
            model: name(Grouping::Model),
            artist: name(Grouping::Artist),
            status: name(Grouping::Status),
            others,
            figures: FiguresView::from(sums),
        }
    }
}

#[cfg(test)]
mod tests {
    use domain::ArtistName;

    use super::*;

    fn part(artist: Option<&str>, generations: u64) -> GroupSums {
        GroupSums {
            artist: artist.map(|name| ArtistName::try_from(name).unwrap()),
            provider: None,
            model: None,
            status: None,
            sums: Sums { generations, ..Sums::default() }.into(),
        }
    }

    fn told(counted: &Counted<'_>) -> Vec<(Group, u64)> {
        let told = |(group, sums): &(Group, Cow<'_, Sums>)| (group.clone(), sums.generations);
        counted.groups.iter().map(told).collect()
    }

    fn named(name: &str) -> Group {
        Group::Named(name.to_owned())
    }

    #[test]
    fn the_largest_group_is_first_and_ties_are_by_name() {
        let parts = vec![part(Some("b"), 2), part(None, 2), part(Some("a"), 2), part(Some("c"), 3)];

        let buckets = [parts];
        let counted = Counted::of(&buckets, Some(Grouping::Artist));

        let expected = [(named("c"), 3), (named("a"), 2), (named("b"), 2), (Group::Nameless, 2)];
        assert_eq!(told(&counted[0]), expected);
        assert_eq!(counted[0].all.generations, 9);
    }

    #[test]
    fn beyond_a_hundred_artists_the_rest_is_together_in_every_bucket() {
        let first = (0..102).map(|number| part(Some(&format!("artist {number:03}")), 2)).collect();
        // Who is the largest in one bucket may be among the rest of all.
        let second = vec![part(Some("artist 101"), 1), part(Some("rare"), 1), part(None, 1)];

        let buckets = [first, second];
        let counted = Counted::of(&buckets, Some(Grouping::Artist));

        assert_eq!(told(&counted[0]).len(), 101);
        assert_eq!(told(&counted[0]).last(), Some(&(Group::Others, 4)));
        assert_eq!(
            told(&counted[1]),
            [(named("artist 101"), 1), (Group::Nameless, 1), (Group::Others, 1)]
        );
    }

    #[test]
    fn nothing_is_told_apart_unless_asked_for() {
        let buckets = [vec![part(None, 1)], vec![]];
        let counted = Counted::of(&buckets, None);

        assert!(counted.iter().all(|counted| counted.views(None).is_none()));
        assert_eq!(counted[0].all.generations, 1);
        assert!(Counted::of(&[vec![]], Some(Grouping::Model))[0].groups.is_empty());
    }
}
