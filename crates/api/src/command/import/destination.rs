//! What lines become, and where that goes.

use std::{fmt, hash::Hash};

use domain::RepositoryError;

use super::{BadLine, OnError};
use crate::json::InvalidDocument;

/// What a line becomes.
pub trait Record: fmt::Debug + Sized + Send + 'static {
    /// What no two lines of one batch have in common.
    type Key: Eq + Hash + Send;

    /// Reads one line.
    fn read(line: &[u8]) -> Result<Entry<Self>, InvalidDocument>;

    /// What the line shares with others that say something of the same.
    fn key(&self) -> Self::Key;
}

/// A line that was understood.
#[derive(Debug)]
pub struct Entry<T> {
    /// What is to be loaded.
    pub record: T,
    /// Members that mean nothing here, and are left out.
    pub unknown: Vec<String>,
}

/// A record and the line that it was read from.
#[derive(Debug)]
pub struct Numbered<T> {
    /// Which line, counted from 1.
    pub line: u64,
    /// What it says.
    pub record: T,
}

/// Where records go, batch by batch.
pub trait Destination: Send {
    /// What goes there.
    type Record: Record;
    /// What is counted there.
    type Counts: Counts;

    /// Writes a batch, in which no key is twice, and adds what that did to `counts`.
    ///
    /// Only the store can tell that some lines cannot be loaded. With [`OnError::Skip`] all others are written, with
    /// [`OnError::Stop`] those before the first of them.
    fn load(
        &mut self,
        batch: Vec<Numbered<Self::Record>>,
        on_error: OnError,
        counts: &mut Self::Counts,
    ) -> impl Future<Output = Result<Loaded, RepositoryError>> + Send;

    /// Brings up to date what the store derives from what was written.
    fn finish(&mut self) -> impl Future<Output = Result<(), RepositoryError>> + Send;
}

/// What became of a batch.
#[derive(Debug)]
pub struct Loaded {
    /// How many of its lines are stored.
    pub written: u64,
    /// Those that cannot be, in their order; with [`OnError::Stop`] at most one.
    pub refused: Vec<BadLine>,
}

/// What lines did to a store.
pub trait Counts: fmt::Debug + Default + Send {
    /// The counts, with words that go after each.
    fn listed(&self) -> Vec<(u64, &'static str)>;
}
