//! What is asked of the database, how long it takes, and how it fails.
//!
//! Counted are operations of the repositories, each attempt by itself, from the call to its end: with the wait for a
//! connection and for the turn to write, since that is what a caller feels. The pool tells how much of it is waiting.

mod counts;

use std::time::Duration;

pub(crate) use counts::QueryCounts;

/// What is done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Operation {
    /// Counting rows.
    Count,
    /// Looking up one by its key or identity.
    Find,
    /// Looking up several at once.
    FindMany,
    /// Reading one page of many.
    Page,
    /// Looking for names that are like another one.
    Suggest,
    /// Making what is not there yet.
    Create,
    /// Writing what may be there already.
    Save,
    /// Changing what is there.
    Update,
    /// Removing.
    Remove,
    /// Adding to what is there.
    Add,
    /// Recording what happened.
    Record,
    /// Searching for the closest.
    Search,
    /// Asking what changed.
    Changes,
    /// Loading a batch.
    Load,
    /// Tidying up after many batches.
    FinishLoad,
    /// Reading sums.
    ReadSums,
    /// Folding pending sums.
    Fold,
    /// Comparing sums with what they are of.
    Verify,
    /// Making sums anew.
    Rebuild,
    /// Dropping what is old.
    Retire,
    /// Making room for what will come.
    Prepare,
}

impl Operation {
    /// Every operation.
    pub const ALL: [Self; 21] = [
        Self::Count,
        Self::Find,
        Self::FindMany,
        Self::Page,
        Self::Suggest,
        Self::Create,
        Self::Save,
        Self::Update,
        Self::Remove,
        Self::Add,
        Self::Record,
        Self::Search,
        Self::Changes,
        Self::Load,
        Self::FinishLoad,
        Self::ReadSums,
        Self::Fold,
        Self::Verify,
        Self::Rebuild,
        Self::Retire,
        Self::Prepare,
    ];

    /// The operation's name as metrics, traces and the log have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Count => "count",
            Self::Find => "find",
            Self::FindMany => "find_many",
            Self::Page => "page",
            Self::Suggest => "suggest",
            Self::Create => "create",
            Self::Save => "save",
            Self::Update => "update",
            Self::Remove => "remove",
            Self::Add => "add",
            Self::Record => "record",
            Self::Search => "search",
            Self::Changes => "changes",
            Self::Load => "load",
            Self::FinishLoad => "finish_load",
            Self::ReadSums => "read_sums",
            Self::Fold => "fold",
            Self::Verify => "verify",
            Self::Rebuild => "rebuild",
            Self::Retire => "retire",
            Self::Prepare => "prepare",
        }
    }
}

/// What it is done to: the table that gives the operation its name, though it may read others too.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Table {
    /// `artists`, and those that were removed.
    Artists,
    /// `style_profiles`.
    StyleProfiles,
    /// `style_embeddings`.
    StyleEmbeddings,
    /// `research_sources`.
    ResearchSources,
    /// `generation_history`.
    GenerationHistory,
    /// `generation_rollups` and everything else that sums lie in.
    GenerationRollups,
    /// `api_keys`.
    ApiKeys,
    /// `audit_log`.
    AuditLog,
}

impl Table {
    /// Every table.
    pub const ALL: [Self; 8] = [
        Self::Artists,
        Self::StyleProfiles,
        Self::StyleEmbeddings,
        Self::ResearchSources,
        Self::GenerationHistory,
        Self::GenerationRollups,
        Self::ApiKeys,
        Self::AuditLog,
    ];

    /// The table's name in the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Artists => "artists",
            Self::StyleProfiles => "style_profiles",
            Self::StyleEmbeddings => "style_embeddings",
            Self::ResearchSources => "research_sources",
            Self::GenerationHistory => "generation_history",
            Self::GenerationRollups => "generation_rollups",
            Self::ApiKeys => "api_keys",
            Self::AuditLog => "audit_log",
        }
    }
}

/// How an attempt failed. That a write contradicts what its caller expects is an answer and no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum QueryError {
    /// A statement, a connection, a lock or the turn to write took too long.
    Timeout,
    /// The connection broke, or the database refuses to work for now.
    Unavailable,
    /// A key is taken, or a row that is pointed to is not there.
    Conflict,
    /// The database undid the transaction because of another one.
    Serialization,
    /// There is no room left to write to.
    Full,
    /// What is stored breaks a rule of the domain.
    Corrupt,
    /// The caller went away before the end.
    Cancelled,
    /// Anything else.
    Other,
}

impl QueryError {
    /// Every kind of failure.
    pub const ALL: [Self; 8] = [
        Self::Timeout,
        Self::Unavailable,
        Self::Conflict,
        Self::Serialization,
        Self::Full,
        Self::Corrupt,
        Self::Cancelled,
        Self::Other,
    ];

    /// The failure's name as metrics and traces have it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Timeout => "timeout",
            Self::Unavailable => "unavailable",
            Self::Conflict => "conflict",
            Self::Serialization => "serialization",
            Self::Full => "full",
            Self::Corrupt => "corrupt",
            Self::Cancelled => "cancelled",
            Self::Other => "other",
        }
    }
}

/// What was counted since the store was opened.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct QueryStatistics {
    /// How long operations took, for each pair that occurred.
    pub durations: Vec<QueryDurations>,
    /// How operations failed, for each pair that occurred.
    pub errors: Vec<QueryErrors>,
}

impl QueryStatistics {
    /// The same with what was asked of another database.
    #[must_use]
    pub fn with(mut self, others: Self) -> Self {
        for other in others.durations {
            let known = |it: &&mut QueryDurations| {
                (it.operation, it.table) == (other.operation, other.table)
            };
            if let Some(known) = self.durations.iter_mut().find(known) {
                for (bucket, more) in known.buckets.iter_mut().zip(other.buckets) {
                    *bucket += more;
                }
                known.total += other.total;
            } else {
                self.durations.push(other);
            }
        }
        for other in others.errors {
            let known =
                |it: &&mut QueryErrors| (it.operation, it.error) == (other.operation, other.error);
            if let Some(known) = self.errors.iter_mut().find(known) {
                known.number += other.number;
            } else {
                self.errors.push(other);
            }
        }
        self
    }
}

/// How long the attempts at one operation took.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryDurations {
    /// The operation.
    pub operation: Operation,
    /// Its table.
    pub table: Table,
    /// Attempts that took no longer than the bound at the same place, and longer than the one before; the last are those
    /// that took longer than every bound.
    pub buckets: [u64; Self::BOUNDS.len() + 1],
    /// All of them together.
    pub total: Duration,
}

impl QueryDurations {
    /// Upper bounds: from a lookup in an embedded file to a statement's time limit.
    pub const BOUNDS: [Duration; 15] = [
        Duration::from_micros(100),
        Duration::from_micros(250),
        Duration::from_micros(500),
        Duration::from_millis(1),
        Duration::from_micros(2_500),
        Duration::from_millis(5),
        Duration::from_millis(10),
        Duration::from_millis(25),
        Duration::from_millis(50),
        Duration::from_millis(100),
        Duration::from_millis(250),
        Duration::from_millis(500),
        Duration::from_secs(1),
        Duration::from_secs(5),
        Duration::from_secs(30),
    ];
}

/// How often one operation failed in one way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct QueryErrors {
    /// The operation.
    pub operation: Operation,
    /// How it failed.
    pub error: QueryError,
    /// How often.
    pub number: u64,
}
