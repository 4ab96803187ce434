//! Where statistics and histories are read: in a database for reading, if there is one, else where everything is written.
//!
//! Each of both has sums in memory of its own, which are positions of its own folds. So an answer is all of it as of one
//! moment of one database, and a replica that is behind makes answers older, never wrong.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{http::header::HeaderName, web::Bytes};
use cache::{
    Answers, AnswersStatus, Feed, GenerationStatistics, GroupSums, StatisticsQuestion,
    StatisticsStatus,
};
use domain::{
    ArtistId, Generations, HistoryCursor, HistoryFilter, HistoryPage, Limit, RepositoryError,
};
use storage::{QueryStatistics, Store};

use crate::{causes::with_causes, state::Connections};

/// Which part of the memory for statistics keeps answers as they were sent. The rest keeps sums.
const ANSWERS_PART: u64 = 4;

/// Says where an answer was read, where that is not obvious.
pub const X_READ_FROM: HeaderName = HeaderName::from_static("x-read-from");

/// How long the database for reading is left alone after it failed.
const REST: Duration = Duration::from_secs(5);

/// A database that has not answered for so long counts as unreachable.
const PATIENCE: Duration = Duration::from_secs(2);

/// An answer, and where it was read.
#[derive(Debug)]
pub struct Answered<T> {
    /// The answer.
    pub value: T,
    /// Where it was read; `None` where there is one database only.
    pub from: Option<ReadFrom>,
}

/// One of two databases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadFrom {
    /// The one that is written to.
    Database,
    /// The one for reading, which may be a replica.
    ReadDatabase,
}

impl ReadFrom {
    /// What the header says.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Database => "database",
            Self::ReadDatabase => "read_database",
        }
    }
}

/// How the database for reading does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReadDatabaseStatus {
    /// How its connections are used.
    pub connections: Connections,
    /// How many questions it answered.
    pub answered: u64,
    /// How many questions were answered by the other one in its place.
    pub fallbacks: u64,
    /// Whether it is left alone because it failed a moment ago.
    pub resting: bool,
}

/// Statistics and histories.
pub struct Reading {
    database: Source,
    answers: Answers<Bytes>,
    read_database: Option<ReadDatabase>,
}

struct Source {
    statistics: GenerationStatistics,
    generations: Arc<dyn Generations>,
}

struct ReadDatabase {
    source: Source,
    store: Store,
    answered: AtomicU64,
    fallbacks: AtomicU64,
    failed: Failed,
}

impl Reading {
    /// Reads in the store, or in another one for reading as long as that answers.
    #[must_use]
    pub fn new(store: &Store, feed: Feed, read_store: Option<Store>, memory_bytes: u64) -> Self {
        // What is read in the store while the other one is away is not worth the memory.
        let memory = if read_store.is_some() { 0 } else { memory_bytes };
        // The feed is that of the store, and knows nothing of the other one.
        let answers_memory = memory / ANSWERS_PART;
        let read_database = read_store.map(|store| ReadDatabase {
            source: Source::of(&store, memory_bytes),
            store,
            answered: AtomicU64::new(0),
            fallbacks: AtomicU64::new(0),
            failed: Failed::default(),
        });
        Self {
            database: Source::of(store, memory - answers_memory),
            answers: Answers::new(feed, answers_memory),
            read_database,
        }
    }

    /// An answer as it is sent, worked out by reading here; or the one that was sent before, as long as nothing was
    /// committed since. The question has everything that the answer depends on, but for what is stored.
    pub async fn answer<E>(
        &self,
        question: &str,
        work_out: impl AsyncFnOnce() -> Result<Answered<Bytes>, E>,
    ) -> Result<Answered<Bytes>, E> {
        if self.read_database.is_some() {
            return work_out().await;
        }
        let work_out = async || Ok(work_out().await?.value);
        Ok(Answered { value: self.answers.answer(question, work_out).await?, from: None })
    }

    /// What generations took.
    pub async fn statistics(
        &self,
        question: &StatisticsQuestion,
    ) -> Result<Answered<Vec<Vec<GroupSums>>>, RepositoryError> {
        self.ask(async |source| source.statistics.answer(question).await).await
    }

    /// An artist's generations.
    pub async fn history(
        &self,
        artist: ArtistId,
        filter: &HistoryFilter,
        after: Option<HistoryCursor>,
        limit: Limit<100>,
    ) -> Result<Answered<HistoryPage>, RepositoryError> {
        self.ask(async |source| source.generations.history(artist, filter, after, limit).await)
            .await
    }

    /// What sums in memory are good for, where questions are asked.
    #[must_use]
    pub fn sums(&self) -> StatisticsStatus {
        match &self.read_database {
            Some(other) => other.source.statistics.status(),
            None => self.database.statistics.status(),
        }
    }

    /// What answers in memory are good for.
    #[must_use]
    pub fn answers(&self) -> AnswersStatus {
        self.answers.status()
    }

    /// How the database for reading does, if there is one.
    #[must_use]
    pub fn status(&self) -> Option<ReadDatabaseStatus> {
        self.read_database.as_ref().map(|other| {
            let storage::PoolUse { active, idle, most, reading: _, near: _ } =
                other.store.pool_use();
            ReadDatabaseStatus {
                connections: Connections { active, idle, most },
                answered: other.answered.load(Ordering::Relaxed),
                fallbacks: other.fallbacks.load(Ordering::Relaxed),
                resting: other.failed.is_recent(),
            }
        })
    }

    /// Asks the database for reading, if there is one, for a sign of life; the answer is how long that took.
    pub async fn probe(&self) -> Option<Option<Duration>> {
        let other = self.read_database.as_ref()?;
        Some(other.store.probe(PATIENCE).await.answer)
    }

    /// What was asked of the database for reading.
    #[must_use]
    pub fn query_statistics(&self) -> QueryStatistics {
        let other = self.read_database.as_ref();
        other.map(|other| other.store.query_statistics()).unwrap_or_default()
    }

    /// Closes the database for reading.
    pub async fn close(&self) {
        if let Some(other) = &self.read_database {
            other.store.close().await;
        }
    }

    /// Whatever fails in the database for reading, such as a replica that has not got a table yet, the other one can;
    /// unless it takes too long.
    async fn ask<T>(
        &self,
        ask: impl AsyncFn(&Source) -> Result<T, RepositoryError>,
    ) -> Result<Answered<T>, RepositoryError> {
        let Some(other) = &self.read_database else {
            return Ok(Answered { value: ask(&self.database).await?, from: None });
        };
        if !other.failed.is_recent() {
            let began = Instant::now();
            match ask(&other.source).await {
                Ok(value) => {
                    other.answered.fetch_add(1, Ordering::Relaxed);
                    if other.failed.end() {
                        tracing::info!("The database for reading answers again");
                    }
                    return Ok(Answered { value, from: Some(ReadFrom::ReadDatabase) });
                }
                // What took up all its time there would take up that of everybody here.
                Err(error) if other.store.statement_timeout() <= began.elapsed() => {
                    return Err(error);
                }
                Err(error) => {
                    if other.failed.begin() {
                        let error = with_causes(&error);
                        tracing::warn!(
                            error,
                            "The database for reading does not answer; statistics and histories are read where \
                             everything is written"
                        );
                    }
                }
            }
        }
        other.fallbacks.fetch_add(1, Ordering::Relaxed);
        Ok(Answered { value: ask(&self.database).await?, from: Some(ReadFrom::Database) })
    }
}

impl Source {
    fn of(store: &Store, memory_bytes: u64) -> Self {
        Self {
            statistics: GenerationStatistics::new(store.generation_rollups(), memory_bytes),
            generations: store.generations(),
        }
    }
}

impl fmt::Debug for Reading {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Reading").field("status", &self.status()).finish_non_exhaustive()
    }
}

/// Whether something failed, and when last.
#[derive(Debug, Default)]
struct Failed(Mutex<Option<Instant>>);

impl Failed {
    fn is_recent(&self) -> bool {
        self.last().is_some_and(|last| last.elapsed() < REST)
    }

    /// Notes a failure; returns whether it is the first.
    fn begin(&self) -> bool {
        self.last().replace(Instant::now()).is_none()
    }

    /// Notes an answer; returns whether it is the first after failures.
    fn end(&self) -> bool {
        self.last().take().is_some()
    }

    fn last(&self) -> MutexGuard<'_, Option<Instant>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
