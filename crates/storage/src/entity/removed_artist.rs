//! Table `removed_artists`, written by triggers alone.

use sea_orm::entity::prelude::*;

#[derive(Debug, Clone, PartialEq, Eq, DeriveEntityModel)]
#[sea_orm(table_name = "removed_artists")]
pub(crate) struct Model {
    #[sea_orm(primary_key, auto_increment = false)]
    pub name_key: String,
    pub version: i64,
}

#[derive(Debug, Clone, Copy, EnumIter, DeriveRelation)]
pub(crate) enum Relation {}

impl ActiveModelBehavior for ActiveModel {}
