//! The index that searches use, remembered: looking it up, and counting what it covers, costs more than a search.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use super::{
    catalog,
    parameters::{self, SearchSettings},
};
use crate::{error::Failure, store::Store};

/// How long it is remembered, unless finding out took long.
const KEPT: Duration = Duration::from_secs(5);

/// Finding out takes at most this share of the time.
const SHARE: u32 = 100;

/// An index that serves searches by cosine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct SearchedIndex {
    /// How many embeddings it covers, as of a few seconds ago.
    pub(crate) rows: u64,
    pub(crate) settings: SearchSettings,
}

impl SearchedIndex {
    async fn look_up(store: &Store) -> Result<Option<Self>, Failure> {
        let mut connection = store.database().get_postgres_connection_pool().acquire().await?;
        let rows = catalog::rows(&mut connection).await?;
        let mut indexes = catalog::indexes(&mut connection, rows).await?;
        indexes.retain(parameters::serves);
        let settings = SearchSettings::new(&indexes, rows);
        Ok((!indexes.is_empty()).then_some(Self { rows, settings }))
    }
}

/// What was found out last.
#[derive(Debug, Default)]
pub(crate) struct Remembered(Mutex<Option<Finding>>);

#[derive(Debug)]
struct Finding {
    index: Option<SearchedIndex>,
    until: Instant,
}

impl Remembered {
    /// The index, if there is one that serves.
    pub(crate) async fn index(&self, store: &Store) -> Result<Option<SearchedIndex>, Failure> {
        if let Recalled::Known(index) = self.recall() {
            return Ok(index);
        }
        let began = Instant::now();
        let index = SearchedIndex::look_up(store).await?;
        let now = Instant::now();
        let until = now + KEPT.max((now - began) * SHARE);
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(Finding { index, until });
        Ok(index)
    }

    /// Forgets it, because it has changed.
    pub(crate) fn forget(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn recall(&self) -> Recalled {
        let mut finding = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(finding) = finding.as_mut() else { return Recalled::Unknown };
        let now = Instant::now();
        if now < finding.until {
            return Recalled::Known(finding.index);
        }
        // Whoever comes first looks it up again; the others go on with what is known.
        finding.until = now + KEPT;
        Recalled::Unknown
    }
}

enum Recalled {
    Known(Option<SearchedIndex>),
    Unknown,
}
