//! Building an index beside the one in use.
//!
//! It is built under a name of its own, without keeping anybody from writing, takes its final name in one transaction,
//! and then the others are dropped. At whatever point that ends, one valid index is left if there was one before, and
//! the next build removes the rest.

use std::time::Duration;

use sea_orm::sqlx::{self, AssertSqlSafe, PgConnection};

use super::{Progress, VectorIndexError, VectorIndexKind, VectorIndexParameters, catalog};
use crate::{connect::unhurried, error::Failure, store::Store};

/// The first of the two keys of the advisory lock on builds; the second is the identity of the table.
const LOCK_CLASS: i32 = i32::from_be_bytes(*b"gbvi");

const BUILDING: &str = "idx_embedding_building";
const REPLACED: &str = "idx_embedding_replaced";

/// How often progress is asked for.
const EVERY: Duration = Duration::from_millis(250);

/// A connection that may build, and nobody else meanwhile.
pub(super) struct Builder {
    store: Store,
    connection: PgConnection,
}

impl Builder {
    pub(super) async fn begin(store: &Store) -> Result<Self, VectorIndexError> {
        let mut connection = unhurried(store).await?;
        let locked: bool = sqlx::query_scalar(
            "SELECT pg_try_advisory_lock($1, 'style_embeddings'::regclass::oid::integer)",
        )
        .bind(LOCK_CLASS)
        .fetch_one(&mut connection)
        .await
        .map_err(Failure::from)?;
        if !locked {
            return Err(VectorIndexError::Busy);
        }
        Ok(Self { store: store.clone(), connection })
    }

    /// Builds an index and puts it in the place of any other of ours.
    pub(super) async fn build(
        &mut self,
        kind: VectorIndexKind,
        progress: &mut Progress<'_>,
    ) -> Result<(), VectorIndexError> {
        self.ensure_owner().await?;
        self.drop_indexes(|name| matches!(name, BUILDING | REPLACED)).await?;
        let rows = catalog::rows(&mut self.connection).await?;
        let parameters = VectorIndexParameters::for_rows(kind, rows);
        self.prepare(parameters, rows).await?;
        if let Err(failure) = self.create(parameters, progress).await {
            // Workers share their memory, of which a container may have little.
            if !failure.lacks_resources() {
                return Err(failure.into());
            }
            tracing::warn!(error = %failure, "Building the vector index again, without parallel workers");
            self.drop_indexes(|name| name == BUILDING).await?;
            self.run("SET max_parallel_maintenance_workers = 0").await?;
            self.create(parameters, progress).await?;
        }
        self.put_into_place(kind, rows).await?;
        self.store.forget_searched_index();
        self.drop_indexes(|name| name != name_of(kind)).await?;
        Ok(())
    }

    /// Builds the index in use anew if it has been outgrown.
    pub(super) async fn rebuild_if_outgrown(
        &mut self,
    ) -> Result<Option<VectorIndexKind>, VectorIndexError> {
        let rows = catalog::rows(&mut self.connection).await?;
        let indexes = catalog::indexes(&mut self.connection, rows).await?;
        let in_use = indexes.into_iter().find(|index| index.valid);
        let in_use = in_use.filter(|index| index.outgrown && !index.made_by_hand);
        let Some(outgrown) = in_use else { return Ok(None) };
        let kind = outgrown.parameters.kind();
        self.ensure_owner().await?;
        tracing::info!(
            kind = kind.as_str(),
            rows_when_built = outgrown.rows_when_built,
            rows,
            "The vector index has been outgrown and is built anew"
        );
        self.build(kind, &mut |_| ()).await?;
        Ok(Some(kind))
    }

    /// Removes every index of ours.
    pub(super) async fn remove(&mut self) -> Result<usize, VectorIndexError> {
        self.ensure_owner().await?;
        let removed = self.drop_indexes(|_| true).await?;
        self.store.forget_searched_index();
        Ok(removed)
    }

    /// Before anything is begun, because a build ends with what only the owner may do.
    async fn ensure_owner(&mut self) -> Result<(), VectorIndexError> {
        let is_owner: bool = sqlx::query_scalar(
            "SELECT pg_has_role(relowner, 'USAGE') FROM pg_class WHERE oid = 'style_embeddings'::regclass",
        )
        .fetch_one(&mut self.connection)
        .await
        .map_err(Failure::from)?;
        if is_owner { Ok(()) } else { Err(VectorIndexError::NotOwner) }
    }

    /// Gives the build what it needs.
    async fn prepare(
        &mut self,
        parameters: VectorIndexParameters,
        rows: u64,
    ) -> Result<(), Failure> {
        let mebibytes = parameters.build_mebibytes(rows);
        self.run(format!("SET maintenance_work_mem = '{mebibytes}MB'")).await?;
        // When nobody waits for it any more, the server gives up. Not every system can tell it that.
        let told = self.run("SET client_connection_check_interval = '1s'").await;
        if let Err(error) = told {
            tracing::debug!(%error, "The server cannot watch the connection during a build");
        }
        Ok(())
    }

    async fn create(
        &mut self,
        parameters: VectorIndexParameters,
        progress: &mut Progress<'_>,
    ) -> Result<(), Failure> {
        let kind = parameters.kind().as_str();
        let create = format!(
            "CREATE INDEX CONCURRENTLY {BUILDING} ON style_embeddings
             USING {kind} (embedding vector_cosine_ops) WITH ({parameters})"
        );
        let pool = self.store.database().get_postgres_connection_pool();
        let create = sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut self.connection);
        tokio::pin!(create);
        loop {
            tokio::select! {
                created = &mut create => return created.map(|_| ()).map_err(Failure::from),
                () = tokio::time::sleep(EVERY) => {}
            }
            // A build is not given up because nobody can say how far it is.
            let Ok(mut connection) = pool.acquire().await else { continue };
            if let Ok(Some(made)) = catalog::progress(&mut connection).await {
                progress(made);
            }
        }
    }

    /// Names the index that was built, and what it was built over, all at once.
    async fn put_into_place(&mut self, kind: VectorIndexKind, rows: u64) -> Result<(), Failure> {
        let name = name_of(kind);
        let comment = catalog::comment(rows);
        self.run(format!(
            "BEGIN;
             ALTER INDEX IF EXISTS {name} RENAME TO {REPLACED};
             ALTER INDEX {BUILDING} RENAME TO {name};
             COMMENT ON INDEX {name} IS '{comment}';
             COMMIT"
        ))
        .await
    }

    /// Drops those of our indexes that have such a name, and says how many that were.
    async fn drop_indexes(&mut self, is_dropped: impl Fn(&str) -> bool) -> Result<usize, Failure> {
        let mut indexes = catalog::indexes(&mut self.connection, 0).await?;
        indexes.retain(|index| !index.made_by_hand && is_dropped(&index.name));
        for index in &indexes {
            self.run(format!("DROP INDEX CONCURRENTLY IF EXISTS {}", index.name)).await?;
        }
        Ok(indexes.len())
    }

    async fn run(&mut self, statement: impl Into<String>) -> Result<(), Failure> {
        sqlx::raw_sql(AssertSqlSafe(statement.into())).execute(&mut self.connection).await?;
        Ok(())
    }
}

/// Whether an index of this name was made here, or by the schema.
pub(super) fn is_ours(name: &str) -> bool {
    matches!(name, BUILDING | REPLACED) || VectorIndexKind::ALL.map(name_of).contains(&name)
}

const fn name_of(kind: VectorIndexKind) -> &'static str {
    match kind {
        VectorIndexKind::IvfFlat => "idx_embedding_ivfflat",
        VectorIndexKind::Hnsw => "idx_embedding_hnsw",
    }
}
