//! Names that look like another name.

use domain::ArtistName;
use sea_orm::{
    ConnectionTrait, EntityTrait, ExprTrait, QueryFilter, QuerySelect,
    sea_query::{Expr, Func},
};

use crate::{
    entity::artist::{Column, Entity, artist_name},
    error::Failure,
};

/// Compares with every name of about the same length, so the answer is the same on every backend.
pub(crate) async fn suggest(
    database: &impl ConnectionTrait,
    artist: &ArtistName,
    limit: usize,
) -> Result<Vec<ArtistName>, Failure> {
    let lengths = ArtistName::lengths_alike(artist.key().search_form().chars().count());
    let (least, most) = lengths.into_inner();
    let bound = |chars| i64::try_from(chars).map_err(Failure::corrupt);
    let candidates: Vec<(String, String)> = Entity::find()
        .select_only()
        .columns([Column::Name, Column::NameSearch])
        .filter(
            Expr::expr(Func::char_length(Expr::col(Column::NameSearch)))
                .between(bound(least)?, bound(most)?),
        )
        .into_tuple()
        .all(database)
        .await?;

    let names = artist.closest(candidates.iter().map(|(name, form)| (form, name)), limit);
    names.into_iter().map(|name| artist_name(name)).collect()
}
