//! A sign of life from the database, by the way that every request takes.

use std::time::{Duration, Instant};

use sea_orm::sqlx::{Connection, Database, Pool};

use super::{Backend, Store};

/// What became of a sign of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Probe {
    /// How long a connection of the pool was waited for, and, one that had been idle, for the sign that it still works;
    /// `None` if there was none to be had.
    pub checkout: Option<Duration>,
    /// How long the database took for its answer; `None` without one.
    pub answer: Option<Duration>,
}

impl Store {
    /// Asks the database for a sign of life, which may take so long in all.
    pub async fn probe(&self, patience: Duration) -> Probe {
        let mut probe = Probe { checkout: None, answer: None };
        let asking = async {
            match self.backend() {
                #[cfg(feature = "postgres")]
                Backend::Postgres => {
                    ask(self.database().get_postgres_connection_pool(), &mut probe).await;
                }
                #[cfg(feature = "sqlite")]
                Backend::Sqlite => {
                    ask(self.database().get_sqlite_connection_pool(), &mut probe).await;
                }
                #[cfg(not(all(feature = "postgres", feature = "sqlite")))]
                _ => {}
            }
        };
        // Whatever is known by then is what there is to tell.
        drop(tokio::time::timeout(patience, asking).await);
        probe
    }
}

async fn ask<DB: Database>(pool: &Pool<DB>, probe: &mut Probe) {
    let began = Instant::now();
    let Ok(mut connection) = pool.acquire().await else { return };
    probe.checkout = Some(began.elapsed());
    let began = Instant::now();
    if connection.ping().await.is_ok() {
        probe.answer = Some(began.elapsed());
    }
}
