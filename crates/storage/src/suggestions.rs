//! Names that look like another name.

use std::cmp::Ordering;

use domain::ArtistName;
use sea_orm::{
    ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, Func},
};

use crate::{
    entity::artist::{Column, Entity, artist_name},
    error::Failure,
};

/// Names less alike than this are no help.
const LEAST_CLOSENESS: f64 = 0.5;

/// Compares with every name of about the same length, so the answer is the same on every backend.
pub(crate) async fn suggest(
    database: &impl ConnectionTrait,
    artist: &ArtistName,
    limit: usize,
) -> Result<Vec<ArtistName>, Failure> {
    let wanted = artist.key().search_form();
    let chars = i64::try_from(wanted.chars().count()).map_err(Failure::corrupt)?;
    // Beyond these lengths not even a name that holds the other one whole reaches the least closeness.
    let candidates: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Name, Column::NameSearch])
        .filter(
            Expr::expr(Func::char_length(Expr::col(Column::NameSearch)))
                .between(chars / 3, chars * 3 + 1),
        )
        .into_tuple()
        .all(database)
        .await?;

    let mut close: Vec<(f64, &str, &str)> = candidates
        .iter()
        .map(|(name, search)| (closeness(&wanted, search), search.as_str(), name.as_str()))
        .filter(|(closeness, ..)| LEAST_CLOSENESS <= *closeness)
        .collect();
    close.sort_by(|one, other| {
        other
            .0
            .partial_cmp(&one.0)
            .unwrap_or(Ordering::Equal)
            .then_with(|| (one.1, one.2).cmp(&(other.1, other.2)))
    });
    close.into_iter().take(limit).map(|(_, _, name)| artist_name(name)).collect()
}

/// 1 for equal texts, 0 for unrelated ones: edits forgive a slip of the finger, bigrams a missing or swapped word.
fn closeness(one: &str, other: &str) -> f64 {
    strsim::normalized_damerau_levenshtein(one, other).max(strsim::sorensen_dice(one, other))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slips_and_missing_words_are_close() {
        for (typed, meant) in
            [("jdilla", "j dilla"), ("sigur ros", "sigur rso"), ("allen tony", "tony allen")]
        {
            assert!(LEAST_CLOSENESS <= closeness(typed, meant), "{typed} {meant}");
        }
        assert!(closeness("unknown artist", "j dilla") < LEAST_CLOSENESS);
    }
}
