//! Keeping sums up to date beside a recording of many generations.

use std::{fmt, sync::Arc};

use domain::{GenerationRollups, Generations, Limit, RepositoryError, TimeRange};
use storage::{Accounts, Store};
use tokio::task::JoinHandle;

/// After how many generations sums are folded: nearly as many as one fold takes at most, if no two share a sum.
const EVERY: u64 = 8_000;

/// Enough to see whether there is anything.
const ONE: Limit<1000> = match Limit::new(1) {
    Ok(one) => one,
    Err(_) => Limit::LARGEST,
};

/// Brings the sums up to date that recording leaves pending, which whoever reads sums would otherwise have to read one by
/// one.
///
/// Beside a history that is there already they are folded as they come. Where there was none, summing all of it up at the
/// end takes a small part of the time. A service on the same database folds as well; then there is less to do here.
pub struct Upkeep {
    generations: Arc<dyn Generations>,
    rollups: Arc<dyn GenerationRollups>,
    accounts: Accounts,
    history: Option<History>,
    all: u64,
    since_fold: u64,
    under_way: Option<JoinHandle<()>>,
}

/// What there was before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum History {
    None,
    Some,
}

impl fmt::Debug for Upkeep {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Upkeep").field("all", &self.all).finish_non_exhaustive()
    }
}

impl Upkeep {
    /// The sums of this store.
    #[must_use]
    pub fn of(store: &Store) -> Self {
        Self {
            generations: store.generations(),
            rollups: store.generation_rollups(),
            accounts: store.accounts(),
            history: None,
            all: 0,
            since_fold: 0,
            under_way: None,
        }
    }

    /// Looks what there is, before anything is recorded; does nothing when it has looked already.
    ///
    /// # Errors
    ///
    /// When the store cannot be read.
    pub async fn begin(&mut self) -> Result<(), RepositoryError> {
        if self.history.is_none() {
            let page = self.generations.page(TimeRange::ALL, None, ONE).await?;
            self.history = Some(if page.items.is_empty() { History::None } else { History::Some });
        }
        Ok(())
    }

    /// Notes that so many generations were recorded, and folds beside what goes on when it is time to.
    ///
    /// # Panics
    ///
    /// Outside of a Tokio runtime.
    pub fn recorded(&mut self, generations: u64) {
        self.all += generations;
        self.since_fold += generations;
        let is_idle = self.under_way.as_ref().is_none_or(JoinHandle::is_finished);
        if self.since_fold < EVERY || !is_idle || self.sums_up_at_the_end() {
            return;
        }
        self.since_fold = 0;
        let rollups = self.rollups.clone();
        self.under_way = Some(tokio::spawn(async move {
            // What is not folded now is folded later.
            if let Err(error) = rollups.fold().await {
                tracing::warn!(%error, "Sums over generations cannot be brought up to date now");
            }
        }));
    }

    /// Brings up to date what is left.
    ///
    /// # Errors
    ///
    /// When the store cannot. What is pending is not lost: the service folds it.
    pub async fn finish(&mut self) -> Result<(), RepositoryError> {
        if let Some(under_way) = self.under_way.take() {
            // Whether it succeeded shows below.
            let _ = under_way.await;
        }
        if self.sums_up_at_the_end() {
            self.accounts.rebuild(|_| ()).await?;
        }
        while self.rollups.fold().await? != 0 {}
        Ok(())
    }

    /// A few generations are folded at once in any case.
    fn sums_up_at_the_end(&self) -> bool {
        self.history == Some(History::None) && EVERY <= self.all
    }
}
