//! Where PostgreSQL keeps generations: in one table for each month, which has to be there before the first of them.

use std::{
    collections::BTreeSet,
    sync::{Mutex, MutexGuard, PoisonError},
};

use domain::NewGeneration;
use sea_orm::{
    ConnectionTrait, Statement,
    prelude::Uuid,
    sea_query::{Alias, Expr, ExprTrait, Query, SelectStatement},
};

use crate::{
    entity::StoredTime,
    error::Failure,
    rollups::Width,
    store::{Backend, Store},
};

/// The months that are known to have a table.
#[derive(Debug, Default)]
pub(crate) struct Partitions {
    known: Mutex<BTreeSet<i64>>,
}

impl Partitions {
    fn known(&self) -> MutexGuard<'_, BTreeSet<i64>> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes the tables for the months of what is to be recorded.
    pub(super) async fn ensure_for(
        &self,
        store: &Store,
        generations: impl IntoIterator<Item = &NewGeneration>,
    ) -> Result<(), Failure> {
        let now = store.now();
        let times = generations.into_iter().map(|new| new.created_at.unwrap_or(now).unix_micros());
        self.ensure(store, times).await
    }

    /// Makes the tables for the months of some times, in microseconds after 1970.
    pub(crate) async fn ensure(
        &self,
        store: &Store,
        times: impl IntoIterator<Item = i64>,
    ) -> Result<(), Failure> {
        if store.backend() != Backend::Postgres {
            return Ok(());
        }
        let months: BTreeSet<i64> =
            times.into_iter().map(|micros| Width::Month.floor(micros)).collect();
        let missing: Vec<i64> = months.difference(&self.known()).copied().collect();
        for month in missing {
            let database = store.database();
            let statement = Statement::from_sql_and_values(
                database.get_database_backend(),
                "SELECT ensure_generation_partition($1)",
                [StoredTime::at_micros(Backend::Postgres, month)?.into()],
            );
            database.query_one_raw(statement).await?;
            self.known().insert(month);
        }
        Ok(())
    }

    /// Forgets what is known, because a table was dropped.
    pub(crate) fn forget(&self) {
        self.known().clear();
    }
}

/// Where the generations with some identities lie.
pub(super) fn positions(ids: impl Iterator<Item = Uuid>) -> SelectStatement {
    Query::select()
        .columns([Alias::new("created_at"), Alias::new("id")])
        .from(Alias::new("generation_ids"))
        .and_where(Expr::col(Alias::new("id")).is_in(ids))
        .to_owned()
}
