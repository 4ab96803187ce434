//! An open store: its connections, its writers, its clock.

#[cfg(feature = "postgres")]
mod near;
mod observed;
mod outage;
mod probe;
mod unbroken;
mod versioned_transaction;

use std::{fmt, ops::Deref, path::PathBuf, sync::Arc, time::Duration};

use domain::{
    ApiKeys, Artists, AuditLog, BulkLoad, Changes, Clock, GenerationRollups, Generations,
    RepositoryError, ResearchSources, SimilarArtists, StyleProfiles, StyleVectors, Timestamp,
};
use futures::future::join_all;
#[cfg(feature = "postgres")]
use sea_orm::sqlx::{self, Postgres, Transaction};
use sea_orm::{
    AccessMode, ConnectionTrait, DatabaseConnection, DatabaseTransaction, EntityTrait,
    IsolationLevel, PaginatorTrait, SqliteTransactionMode, Statement, TransactionOptions,
    TransactionTrait,
};
use tokio::{
    runtime::Handle,
    sync::{Semaphore, SemaphorePermit, watch},
};

#[cfg(feature = "postgres")]
use near::Near;
pub(crate) use outage::Away;
use outage::{Outage, Turn};
pub use probe::Probe;
pub(crate) use unbroken::unbroken;
pub(crate) use versioned_transaction::VersionedTransaction;

use crate::{
    api_keys::SeaApiKeys,
    artists::SeaArtists,
    audit_log::SeaAuditLog,
    bulk_load::SeaBulkLoad,
    changes::SeaChanges,
    connect::{self, PoolLimits},
    entity::style_profile,
    error::Failure,
    generations::{Partitions, Recorder, SeaGenerations},
    group_commit::GroupCommit,
    query_statistics::{Operation, QueryCounts, QueryStatistics, Table},
    research_sources::SeaResearchSources,
    rollups::{Accounts, SeaGenerationRollups},
    similar_artists::SeaSimilarArtists,
    slow_statements::SlowStatements,
    style_profiles::{Save, SeaStyleProfiles, rows},
    style_vectors::SeaStyleVectors,
};
#[cfg(feature = "postgres")]
use crate::{
    connect::ForReads,
    vector_index::{Remembered, SearchedIndex, VectorIndex},
};

/// Which database a store lies in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// PostgreSQL with pgvector.
    Postgres,
    /// SQLite, in a file of its own.
    Sqlite,
}

/// The use of a store's connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PoolUse {
    /// Connections at work.
    pub active: u32,
    /// Connections open and free.
    pub idle: u32,
    /// Connections that may be open.
    pub most: u32,
    /// Connections open beside the pool for short reads of any thread.
    pub reading: u32,
    /// Connections open beside the pool, each for reads of one thread.
    pub near: u32,
}

/// An open store. Clones share its connections.
#[derive(Clone)]
pub struct Store {
    shared: Arc<Shared>,
}

/// How long a thread may be kept from answering for what would only make it faster.
#[cfg(feature = "postgres")]
const MOMENT: Duration = Duration::from_millis(500);

/// Reads through so many connections at once.
async fn read_through(connections: &DatabaseConnection, count: u32, patience: Duration) {
    let nobody = [""];
    let reads = (0..count).map(|_| rows(connections, &nobody));
    let _ = tokio::time::timeout(patience, join_all(reads)).await;
}

/// Connections that a reader may use.
pub(crate) struct Nearest<'a> {
    database: DatabaseConnection,
    _turn: Option<SemaphorePermit<'a>>,
}

impl Deref for Nearest<'_> {
    type Target = DatabaseConnection;

    fn deref(&self) -> &DatabaseConnection {
        &self.database
    }
}

struct Shared {
    database: DatabaseConnection,
    apart: DatabaseConnection,
    /// The connections to a server that are for short reads alone.
    #[cfg(feature = "postgres")]
    reading: Option<DatabaseConnection>,
    #[cfg(feature = "postgres")]
    near: Near,
    backend: Backend,
    limits: PoolLimits,
    writers: Semaphore,
    readers: Semaphore,
    queries: QueryCounts,
    slow_statements: Option<Arc<SlowStatements>>,
    outage: Outage,
    commits: watch::Sender<()>,
    recordings: watch::Sender<()>,
    recorders: GroupCommit<Recorder>,
    saves: GroupCommit<Save>,
    partitions: Partitions,
    runtime: Option<Handle>,
    #[cfg(feature = "postgres")]
    searched_index: Remembered,
    clock: Arc<dyn Clock>,
}

impl Store {
    pub(crate) fn new(
        mut database: DatabaseConnection,
        backend: Backend,
        limits: &PoolLimits,
        clock: Arc<dyn Clock>,
    ) -> Self {
        // Writers wait for each other inside the database; a few may hold connections meanwhile, the rest wait here,
        // so that readers always find one. SQLite has one writer, and its own waiting is a poll.
        let writers = match backend {
            Backend::Postgres => usize::try_from(limits.most.div_ceil(4)).unwrap_or(1).max(1),
            Backend::Sqlite => 1,
        };
        // To open a connection takes as long as many short reads, and whoever opens one waits for it. So those share what is
        // kept open, and leave the rest to what may take longer.
        let readers = usize::try_from(limits.readers(backend)).unwrap_or(1);
        let slow_statements = observed::watch_for_slow(&mut database, backend, limits);
        #[cfg(feature = "postgres")]
        let reading = (backend == Backend::Postgres && limits.for_reads().most != 0).then(|| {
            observed::reading(&database, limits, limits.for_reads(), slow_statements.as_ref())
        });
        Self {
            shared: Arc::new(Shared {
                #[cfg(feature = "postgres")]
                reading,
                apart: connect::apart(&database, backend, limits),
                #[cfg(feature = "postgres")]
                near: Near::new(limits),
                database,
                backend,
                limits: limits.clone(),
                writers: Semaphore::new(writers),
                readers: Semaphore::new(readers),
                queries: QueryCounts::default(),
                slow_statements,
                outage: Outage::new(),
                commits: watch::Sender::new(()),
                recordings: watch::Sender::new(()),
                recorders: GroupCommit::default(),
                saves: GroupCommit::default(),
                partitions: Partitions::default(),
                runtime: Handle::try_current().ok(),
                #[cfg(feature = "postgres")]
                searched_index: Remembered::default(),
                clock,
            }),
        }
    }

    /// Which database this is.
    #[must_use]
    pub fn backend(&self) -> Backend {
        self.shared.backend
    }

    /// Whether the database is on another machine, as far as its address tells, and connections to it are not encrypted.
    pub async fn is_readable_on_the_way(&self) -> Result<bool, RepositoryError> {
        Ok(connect::is_readable_on_the_way(self).await?)
    }

    /// Counts the artists that have a profile.
    pub async fn count_profiles(&self) -> Result<u64, RepositoryError> {
        let count = || async { Ok(style_profile::Entity::find().count(self.database()).await?) };
        self.retry(Operation::Count, Table::StyleProfiles, count).await
    }

    /// The time, by the clock that the store was opened with.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The time by the earlier of two clocks, this machine's and the server's: for what cannot be undone and must not be
    /// done too early.
    pub async fn earlier_now(&self) -> Result<Timestamp, RepositoryError> {
        let here = self.now();
        let there = match self.backend() {
            Backend::Postgres => {
                self.retry(Operation::Find, Table::GenerationHistory, || self.server_time()).await?
            }
            Backend::Sqlite => here,
        };
        Ok(here.min(there))
    }

    async fn server_time(&self) -> Result<Timestamp, Failure> {
        let statement = Statement::from_string(
            self.database().get_database_backend(),
            "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint",
        );
        let row = self.database().query_one_raw(statement).await?;
        let micros = row.map(|row| row.try_get_by_index(0)).transpose()?.unwrap_or(i64::MIN);
        Timestamp::from_unix_micros(micros).map_err(Failure::corrupt)
    }

    /// How the connections are used at this moment.
    #[must_use]
    pub fn pool_use(&self) -> PoolUse {
        let (size, idle) = match self.backend() {
            #[cfg(feature = "postgres")]
            Backend::Postgres => {
                let pools = [self.database()].into_iter().chain(&self.shared.reading);
                let pools = pools.map(DatabaseConnection::get_postgres_connection_pool);
                pools
                    .fold((0, 0), |(size, idle), pool| (size + pool.size(), idle + pool.num_idle()))
            }
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => {
                let pool = self.database().get_sqlite_connection_pool();
                (pool.size(), pool.num_idle())
            }
            #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
            _ => (0, 0),
        };
        let idle = u32::try_from(idle).unwrap_or(u32::MAX);
        PoolUse {
            active: size.saturating_sub(idle),
            idle,
            most: self.shared.limits.most,
            #[cfg(feature = "postgres")]
            reading: self
                .shared
                .reading
                .as_ref()
                .map_or(0, |reading| reading.get_postgres_connection_pool().size()),
            #[cfg(not(feature = "postgres"))]
            reading: 0,
            #[cfg(feature = "postgres")]
            near: self.shared.near.count(),
            #[cfg(not(feature = "postgres"))]
            near: 0,
        }
    }

    /// How long a statement may take.
    #[must_use]
    pub fn statement_timeout(&self) -> Duration {
        self.limits().statement_timeout
    }

    /// What was asked of the database since the store was opened.
    #[must_use]
    pub fn query_statistics(&self) -> QueryStatistics {
        self.shared.queries.statistics()
    }

    /// Reads through every connection that is kept open, as those who ask for a profile will. The first read on a connection
    /// takes as long as many later ones, because the server looks up tables and types for it and plans.
    ///
    /// This is a hint, and takes no longer than a request waits for a connection: whatever fails here fails again, and is
    /// told, when somebody needs it.
    pub async fn warm_up(&self) {
        let patience = self.limits().acquire_timeout;
        #[cfg(feature = "postgres")]
        if let Some(reading) = &self.shared.reading {
            read_through(reading, self.limits().for_reads().kept, patience).await;
        }
        read_through(self.database(), self.limits().kept, patience).await;
    }

    /// The same for the connections of the runtime that calls, if it is one of those that have some of their own. This takes
    /// no longer than a moment, since nobody may be answered meanwhile.
    #[cfg_attr(
        not(feature = "postgres"),
        expect(clippy::unused_async, reason = "a server is waited for")
    )]
    pub async fn warm_up_near(&self) {
        #[cfg(feature = "postgres")]
        if self.backend() == Backend::Postgres
            && let Some((database, count)) = self.shared.near.all(|most| self.open_near(most))
        {
            read_through(&database, count, MOMENT).await;
        }
    }

    /// Closes every connection, after what is under way.
    pub async fn close(&self) {
        #[cfg(feature = "postgres")]
        let near = self.shared.near.take();
        #[cfg(not(feature = "postgres"))]
        let near = Vec::<DatabaseConnection>::new();
        let readers = [self.reading()];
        for connections in [self.database(), self.apart()].into_iter().chain(readers).chain(&near) {
            if let Err(error) = connections.close_by_ref().await {
                tracing::warn!(%error, "Closing the database connections failed");
            }
        }
    }

    /// The artists.
    #[must_use]
    pub fn artists(&self) -> Arc<dyn Artists> {
        Arc::new(SeaArtists(self.clone()))
    }

    /// The style profiles.
    #[must_use]
    pub fn style_profiles(&self) -> Arc<dyn StyleProfiles> {
        Arc::new(SeaStyleProfiles(self.clone()))
    }

    /// The research sources.
    #[must_use]
    pub fn research_sources(&self) -> Arc<dyn ResearchSources> {
        Arc::new(SeaResearchSources(self.clone()))
    }

    /// The search for similar artists.
    #[must_use]
    pub fn similar_artists(&self) -> Arc<dyn SimilarArtists> {
        Arc::new(SeaSimilarArtists(self.clone()))
    }

    /// The generations.
    #[must_use]
    pub fn generations(&self) -> Arc<dyn Generations> {
        Arc::new(SeaGenerations(self.clone()))
    }

    /// What the generations took together.
    #[must_use]
    pub fn generation_rollups(&self) -> Arc<dyn GenerationRollups> {
        Arc::new(SeaGenerationRollups(self.clone()))
    }

    /// The accounts, for whoever looks after them.
    #[must_use]
    pub fn accounts(&self) -> Accounts {
        Accounts(self.clone())
    }

    /// Learns when generations were recorded through this store or its clones.
    #[must_use]
    pub fn recordings(&self) -> watch::Receiver<()> {
        self.shared.recordings.subscribe()
    }

    /// The API keys.
    #[must_use]
    pub fn api_keys(&self) -> Arc<dyn ApiKeys> {
        Arc::new(SeaApiKeys(self.clone()))
    }

    /// What is remembered of writes.
    #[must_use]
    pub fn audit_log(&self) -> Arc<dyn AuditLog> {
        Arc::new(SeaAuditLog(self.clone()))
    }

    /// The file that an embedded store lies in; `None` for a server, and for a store in memory.
    #[must_use]
    pub fn file(&self) -> Option<PathBuf> {
        match self.backend() {
            Backend::Postgres => None,
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => {
                let pool = self.database().get_sqlite_connection_pool();
                let options = pool.connect_options();
                let file = options.get_filename();
                file.is_file().then(|| file.to_owned())
            }
            #[cfg(not(feature = "sqlite"))]
            Backend::Sqlite => None,
        }
    }

    /// The change feed.
    #[must_use]
    pub fn changes(&self) -> Arc<dyn Changes> {
        Arc::new(SeaChanges(self.clone()))
    }

    /// What searches compare, for whoever keeps it.
    #[must_use]
    pub fn style_vectors(&self) -> Arc<dyn StyleVectors> {
        Arc::new(SeaStyleVectors(self.clone()))
    }

    /// The way to load many profiles at once.
    #[must_use]
    pub fn bulk_load(&self) -> Arc<dyn BulkLoad> {
        Arc::new(SeaBulkLoad(self.clone()))
    }

    /// The index in which the database looks up neighbours.
    #[cfg(feature = "postgres")]
    #[must_use]
    pub fn vector_index(&self) -> VectorIndex {
        VectorIndex(self.clone())
    }

    /// The vector index that serves searches by cosine, if there is one, as of a few seconds ago.
    #[cfg(feature = "postgres")]
    pub(crate) async fn searched_index(&self) -> Result<Option<SearchedIndex>, Failure> {
        self.shared.searched_index.index(self).await
    }

    /// One connection beside the pool, for what must not wait behind requests.
    pub(crate) fn apart(&self) -> &DatabaseConnection {
        &self.shared.apart
    }

    /// Notes that the vector index has changed.
    #[cfg(feature = "postgres")]
    pub(crate) fn forget_searched_index(&self) {
        self.shared.searched_index.forget();
    }

    pub(crate) fn database(&self) -> &DatabaseConnection {
        &self.shared.database
    }

    /// The connections for short reads that any runtime may use.
    fn reading(&self) -> &DatabaseConnection {
        #[cfg(feature = "postgres")]
        if let Some(reading) = &self.shared.reading {
            return reading;
        }
        self.database()
    }

    /// Connections for one short statement that reads: of this runtime if one is free, else of all, for some at a time.
    pub(crate) async fn nearest(&self) -> Result<Nearest<'_>, Failure> {
        let Shared { readers, limits, .. } = self.shared.as_ref();
        if let Some(database) = self.near() {
            return Ok(Nearest { database, _turn: None });
        }
        let turn = tokio::time::timeout(limits.acquire_timeout, readers.acquire())
            .await
            .map_err(Failure::unavailable)?
            .map_err(Failure::unavailable)?;
        // One may have become free meanwhile.
        let database = self.near().unwrap_or_else(|| self.reading().clone());
        Ok(Nearest { database, _turn: Some(turn) })
    }

    fn near(&self) -> Option<DatabaseConnection> {
        match self.backend() {
            #[cfg(feature = "postgres")]
            Backend::Postgres => self.shared.near.free(|most| self.open_near(most)),
            #[cfg(feature = "sqlite")]
            Backend::Sqlite => None,
            #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
            _ => None,
        }
    }

    #[cfg(feature = "postgres")]
    fn open_near(&self, most: u32) -> DatabaseConnection {
        let slow_statements = self.shared.slow_statements.as_ref();
        let share = ForReads { kept: 0, most };
        observed::reading(self.database(), self.limits(), share, slow_statements)
    }

    pub(crate) fn limits(&self) -> &PoolLimits {
        &self.shared.limits
    }

    /// Learns of each commit of a [`VersionedTransaction`] of this store and its clones. A server tells by itself.
    #[cfg(feature = "sqlite")]
    pub(crate) fn commits(&self) -> watch::Receiver<()> {
        self.shared.commits.subscribe()
    }

    pub(crate) fn tell_recorded(&self) {
        self.shared.recordings.send_replace(());
    }

    pub(crate) fn recorders(&self) -> &GroupCommit<Recorder> {
        &self.shared.recorders
    }

    pub(crate) fn saves(&self) -> &GroupCommit<Save> {
        &self.shared.saves
    }

    /// Runs a task where the store was opened: whoever calls later may be a worker whose own runtime ends first.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        match &self.shared.runtime {
            Some(runtime) => drop(runtime.spawn(task)),
            None => drop(tokio::spawn(task)),
        }
    }

    pub(crate) fn partitions(&self) -> &Partitions {
        &self.shared.partitions
    }

    /// Waits for the right to write.
    pub(crate) async fn writer(&self) -> Result<Turn<'_>, Failure> {
        let Shared { outage, writers, limits, .. } = self.shared.as_ref();
        tokio::time::timeout(limits.statement_timeout, outage.enter(writers))
            .await
            .map_err(Failure::unavailable)?
    }

    /// Begins a transaction that writes what has no version.
    pub(crate) async fn begin(&self) -> Result<DatabaseTransaction, Failure> {
        let options = TransactionOptions {
            // A transaction that reads first and writes later would be refused when another one wrote in between.
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let began = self.begin_with(options).await;
        if self.backend() == Backend::Postgres {
            self.note_connection(began.as_ref());
        }
        began
    }

    /// Begins a transaction that reads the account, all of it as of one moment.
    ///
    /// From before that moment to the end of the transaction no month is dropped: its table would be gone at once, and
    /// what is kept of it not be seen.
    pub(crate) async fn begin_reading(&self) -> Result<DatabaseTransaction, Failure> {
        let lock = "LOCK TABLE ONLY generation_history IN ACCESS SHARE MODE";
        self.begin_as_of_one_moment(AccessMode::ReadOnly, lock).await
    }

    /// Begins a transaction that makes sums anew from entries as of one moment. Nobody folds meanwhile, and no month is
    /// dropped.
    pub(crate) async fn begin_summing_up(&self) -> Result<DatabaseTransaction, Failure> {
        let lock = "LOCK TABLE ONLY generation_history IN ACCESS SHARE MODE;
            LOCK TABLE generation_rollup_state IN EXCLUSIVE MODE";
        self.begin_as_of_one_moment(AccessMode::ReadWrite, lock).await
    }

    /// Lets the statements of a transaction take as long as they take: the limit is meant for requests.
    pub(crate) async fn take_time(&self, transaction: &DatabaseTransaction) -> Result<(), Failure> {
        if self.backend() == Backend::Postgres {
            transaction.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        }
        Ok(())
    }

    /// Begins a transaction that takes locks, and then sees everything as of one moment.
    async fn begin_as_of_one_moment(
        &self,
        access: AccessMode,
        lock: &str,
    ) -> Result<DatabaseTransaction, Failure> {
        match (self.backend(), access) {
            (Backend::Postgres, _) => {
                let options = TransactionOptions {
                    isolation_level: Some(IsolationLevel::RepeatableRead),
                    access_mode: Some(access),
                    ..TransactionOptions::default()
                };
                let transaction = self.begin_with(options).await?;
                // The moment is that of the first statement that reads; locking is none.
                transaction.execute_unprepared(lock).await?;
                Ok(transaction)
            }
            (Backend::Sqlite, AccessMode::ReadWrite) => self.begin().await,
            // It is as of one moment from its first statement on.
            (Backend::Sqlite, AccessMode::ReadOnly) => {
                self.begin_with(TransactionOptions::default()).await
            }
        }
    }

    /// Begins a transaction.
    ///
    /// On PostgreSQL the pool takes a connection whose `BEGIN` was interrupted for one without a transaction, and hands
    /// it on: what others then write, and are told to be committed, would be lost with that transaction.
    async fn begin_with(
        &self,
        options: TransactionOptions,
    ) -> Result<DatabaseTransaction, Failure> {
        match self.backend() {
            Backend::Postgres => {
                let database = self.database().clone();
                unbroken(async move { database.begin_with_options(options).await }).await
            }
            Backend::Sqlite => Ok(self.database().begin_with_options(options).await?),
        }
    }

    /// Begins a transaction on PostgreSQL for statements that the ORM has no way to make.
    #[cfg(feature = "postgres")]
    pub(crate) async fn begin_raw(&self) -> Result<Transaction<'static, Postgres>, Failure> {
        let pool = self.database().get_postgres_connection_pool().clone();
        unbroken(async move { pool.begin().await }).await
    }

    /// The same for one that moves versions: from here to its end no other one does.
    #[cfg(feature = "postgres")]
    pub(crate) async fn begin_versioned_raw(
        &self,
    ) -> Result<Transaction<'static, Postgres>, Failure> {
        let began = self.begin_raw().await;
        self.note_connection(began.as_ref());
        let mut transaction = began?;
        sqlx::query("SELECT lock_store_version()").execute(&mut *transaction).await?;
        Ok(transaction)
    }

    /// Begins a transaction that moves versions: from here to its end no other one does.
    ///
    /// The triggers would take the same lock later, but after row locks, and two such writers could wait for each
    /// other.
    pub(crate) async fn begin_versioned(&self) -> Result<VersionedTransaction<'_>, Failure> {
        let transaction = self.begin().await?;
        if self.backend() == Backend::Postgres {
            let lock = Statement::from_string(
                transaction.get_database_backend(),
                "SELECT lock_store_version()",
            );
            transaction.execute_raw(lock).await?;
        }
        Ok(VersionedTransaction::new(transaction, &self.shared.commits))
    }

    /// Notes whether somebody got a connection to the server: writers need not find it out one after the other.
    pub(crate) fn note_connection<T>(&self, outcome: Result<T, &Failure>) {
        self.shared.outage.note(outcome.map(|_| ()));
    }
}

impl fmt::Debug for Store {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Store").field("backend", &self.backend()).finish_non_exhaustive()
    }
}
