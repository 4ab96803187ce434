//! What the body of a search states.

use std::collections::HashSet;

use domain::{ArtistName, Embedding};
use utoipa::ToSchema;

use super::wishes::Wishes;
use crate::{
    json::{Members, Node},
    profile_body::read_embedding,
};

/// How many artists a search is like, or unlike, at most.
const MOST_NAMED: usize = 20;

/// How many searches a batch has at most.
const MOST_AT_ONCE: usize = 100;

/// A search around an embedding, or around artists: exactly one of `embedding` and `like` says around what.
#[derive(Debug, ToSchema)]
#[schema(as = SimilarSearch, example = json!({
    "like": ["J Dilla", "Questlove"],
    "unlike": ["John Bonham"],
    "limit": 3,
    "filter": {"status": ["cached"], "min_confidence": 0.5, "tempo_avg": {"from": 80, "to": 110}},
    "explain": true
}))]
pub(super) struct SearchBody {
    /// Where to look around (all-MiniLM-L6-v2).
    #[schema(value_type = Vec<f32>, required = false, min_items = 384, max_items = 384)]
    embedding: Option<Embedding>,
    /// Whom to be like. The search is around the mean of the directions of their embeddings, at length 1.
    #[schema(value_type = Vec<String>, required = false, min_items = 1, max_items = 20)]
    like: Option<Vec<ArtistName>>,
    /// Whom to be unlike: half the mean of their directions is taken away. Only together with `like`.
    #[schema(value_type = Option<Vec<String>>, max_items = 20)]
    unlike: Vec<ArtistName>,
    #[serde(flatten)]
    wishes: Wishes,
}

/// A search around something that is not one artist.
#[derive(Debug)]
pub(super) struct Sought {
    /// Around what.
    pub(super) centre: Centre,
    /// How.
    pub(super) wishes: Wishes,
}

/// What a search is around.
#[derive(Debug)]
pub(super) enum Centre {
    /// An embedding.
    Embedding(Embedding),
    /// The direction like some artists and unlike others, none of whom is named twice.
    Artists {
        /// At least one.
        like: Vec<ArtistName>,
        /// Perhaps none.
        unlike: Vec<ArtistName>,
    },
}

impl SearchBody {
    /// Reads a search and notes everything that is wrong with it.
    pub(super) fn read(node: &Node<'_>) -> Option<Sought> {
        let mut members = node.members()?;
        let (has_embedding, has_like) = (members.has("embedding"), members.has("like"));
        match (has_embedding, has_like) {
            (true, true) => node.member("like").refuse("cannot be given beside 'embedding'"),
            (false, false) => node.refuse::<()>("lacks the member 'embedding' or 'like'"),
            (true, false) | (false, true) => None,
        };
        let embedding =
            given(&mut members, "embedding").map(|node| read_embedding(&node).ok_or(()));
        let like =
            given(&mut members, "like").map(|node| read_names(&node, 1, MOST_NAMED).ok_or(()));
        let unlike = members.optional("unlike");
        if has_embedding && let Some(unlike) = &unlike {
            unlike.refuse::<()>("needs 'like'");
        }
        let unlike = unlike.map_or(Some(Vec::new()), |node| read_names(&node, 0, MOST_NAMED));
        let wishes = Wishes::read(&mut members);
        if has_embedding && wishes.as_ref().is_some_and(|wishes| wishes.explain) {
            node.member("explain").refuse::<()>("needs artists to compare with, not an embedding");
        }
        members.end();

        let body = Self {
            embedding: embedding.transpose().ok()?,
            like: like.transpose().ok()?,
            unlike: unlike?,
            wishes: wishes?,
        };
        body.into_sought(node)
    }

    fn into_sought(self, node: &Node<'_>) -> Option<Sought> {
        let Self { embedding, like, unlike, wishes } = self;
        let centre = match (embedding, like) {
            (Some(embedding), None) => Centre::Embedding(embedding),
            (None, Some(like)) => {
                each_once(node, [("like", &like), ("unlike", &unlike)])?;
                Centre::Artists { like, unlike }
            }
            // Noted already.
            (Some(_), Some(_)) | (None, None) => return None,
        };
        Some(Sought { centre, wishes })
    }
}

/// A search for each of several artists.
#[derive(Debug, ToSchema)]
#[schema(as = SimilarBatch, example = json!({"artists": ["J Dilla", "Tony Allen", "Nobody"], "limit": 2}))]
pub(super) struct BatchBody {
    /// Around whom, one search for each; an artist may be named twice.
    #[schema(value_type = Vec<String>, min_items = 1, max_items = 100)]
    pub(super) artists: Vec<ArtistName>,
    #[serde(flatten)]
    pub(super) wishes: Wishes,
}

impl BatchBody {
    /// Reads a batch and notes everything that is wrong with it.
    pub(super) fn read(node: &Node<'_>) -> Option<Self> {
        let mut members = node.members()?;
        let artists =
            members.required("artists").and_then(|node| read_names(&node, 1, MOST_AT_ONCE));
        let wishes = Wishes::read(&mut members);
        members.end();
        Some(Self { artists: artists?, wishes: wishes? })
    }
}

/// A member that cannot be `null` either.
fn given<'a>(members: &mut Members<'a>, name: &str) -> Option<Node<'a>> {
    if members.has(name) { members.required(name) } else { None }
}

fn read_names(node: &Node<'_>, least: usize, most: usize) -> Option<Vec<ArtistName>> {
    let nodes = node.elements()?;
    if nodes.len() < least || most < nodes.len() {
        let told = format!("must name {least} to {most} artists, not {}", nodes.len());
        return node.refuse(told);
    }
    // Each is read, so that everything wrong is found.
    let names: Vec<Option<ArtistName>> = nodes
        .iter()
        .map(|node| node.checked(ArtistName::try_from(node.text()?.as_str())))
        .collect();
    names.into_iter().collect()
}

/// Refuses an artist who is named twice, be it in one list or in both.
fn each_once(node: &Node<'_>, lists: [(&str, &[ArtistName]); 2]) -> Option<()> {
    let mut named = HashSet::new();
    let mut once = Some(());
    for (list, artists) in lists {
        for (index, artist) in artists.iter().enumerate() {
            if !named.insert(artist.key()) {
                let place = node.member(list).member(&index.to_string());
                once = place.refuse(format!("'{artist}' is named already"));
            }
        }
    }
    once
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};
    use utoipa::PartialSchema;

    use super::*;
    use crate::json::{self, InvalidDocument};

    fn search(body: &Value) -> Result<Sought, InvalidDocument> {
        json::read(body.to_string().as_bytes(), SearchBody::read)
    }

    fn batch(body: &Value) -> Result<BatchBody, InvalidDocument> {
        json::read(body.to_string().as_bytes(), BatchBody::read)
    }

    #[test]
    fn a_search_is_around_an_embedding_or_artists() {
        let around = search(&json!({"embedding": vec![0.5; 384]})).unwrap();
        let Sought { centre: Centre::Embedding(embedding), .. } = around else {
            panic!("got {around:?}");
        };
        assert_eq!(embedding.as_slice(), [0.5; 384]);

        let around = search(&json!({"like": ["A", "B"], "unlike": ["C"], "limit": 1})).unwrap();
        let Sought { centre: Centre::Artists { like, unlike }, .. } = around else {
            panic!("got {around:?}");
        };
        assert_eq!((like.len(), unlike.len()), (2, 1));
    }

    #[test]
    fn every_wrong_search_is_told() {
        let numbers = |index: usize, value: Value| {
            let mut numbers = vec![json!(0.5); 384];
            numbers[index] = value;
            Value::from(numbers)
        };
        let twenty_one: Vec<String> = (0..21).map(|index| index.to_string()).collect();
        for (body, expected) in [
            (json!({}), "lacks the member 'embedding' or 'like'"),
            (json!({"embedding": null}), "/embedding: must be an array, not null"),
            (json!({"like": null}), "/like: must be an array, not null"),
            (json!({"embedding": [1]}), "/embedding: an embedding has 384 numbers, this one has 1"),
            (
                json!({"embedding": numbers(7, json!(1e39))}),
                "/embedding/7: is too large a number for single precision",
            ),
            (
                json!({"embedding": numbers(3, Value::Null), "limit": 0}),
                "/embedding/3: must be a number, not null; /limit: must be a whole number from 1 to 20",
            ),
            (json!({"embedding": vec![0; 384]}), "/embedding: an embedding must not be all zeros"),
            (
                json!({"embedding": [1], "like": []}),
                "/like: cannot be given beside 'embedding'; /embedding: an embedding has 384 numbers, this one has 1; \
                 /like: must name 1 to 20 artists, not 0",
            ),
            (
                json!({"embedding": numbers(0, json!(1)), "unlike": ["A"], "explain": true}),
                "/unlike: needs 'like'; /explain: needs artists to compare with, not an embedding",
            ),
            (json!({"unlike": ["A"]}), "lacks the member 'embedding' or 'like'"),
            (
                json!({"like": ["A", "", 7], "unlike": "B", "more": 1}),
                "/like/1: an artist name must not be empty; /like/2: must be a string, not a number; \
                 /unlike: must be an array, not a string; /more: is not a known member",
            ),
            (
                json!({"like": ["A", "B", " a"], "unlike": ["b", "C"]}),
                "/like/2: 'a' is named already; /unlike/0: 'b' is named already",
            ),
            (json!({"like": twenty_one}), "/like: must name 1 to 20 artists, not 21"),
            (
                json!({"like": ["A"], "unlike": twenty_one}),
                "/unlike: must name 0 to 20 artists, not 21",
            ),
        ] {
            assert_eq!(search(&body).unwrap_err().to_string(), expected, "{body}");
        }
    }

    #[test]
    fn a_batch_names_1_to_100() {
        let named = |count: usize| json!({"artists": vec!["A"; count]});

        assert_eq!(batch(&named(100)).unwrap().artists.len(), 100);
        for count in [0, 101] {
            assert_eq!(
                batch(&named(count)).unwrap_err().to_string(),
                format!("/artists: must name 1 to 100 artists, not {count}")
            );
        }
        assert_eq!(batch(&json!({})).unwrap_err().to_string(), "lacks the member 'artists'");
        assert_eq!(
            batch(&json!({"artists": ["A", null], "metric": "cos"})).unwrap_err().to_string(),
            "/artists/1: must be a string, not null; /metric: a metric is one of cosine, l2, inner_product"
        );
    }

    #[test]
    fn reads_the_documented_examples() {
        let example = |schema: Value| schema["example"].clone();

        let documented = serde_json::to_value(SearchBody::schema()).unwrap();
        assert!(search(&example(documented)).is_ok());
        let documented = serde_json::to_value(BatchBody::schema()).unwrap();
        assert!(batch(&example(documented)).is_ok());
    }
}
