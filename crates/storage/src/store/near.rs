//! Connections near whoever reads.
//!
//! A connection is driven by the runtime that opened it, and those of the pool are opened by whoever came first. In a service
//! each thread has a runtime of its own, and reads through a connection of another one wait until that thread has woken up,
//! for each answer of the server. So each runtime of one thread opens a few connections of its own, for reads; while they are
//! all in use, others serve that any runtime may use.

use std::{
    future::pending,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use sea_orm::DatabaseConnection;
use tokio::runtime::{Handle, Id, RuntimeFlavor};

use crate::connect::PoolLimits;

/// Of how many connections in the pool each comes with one more for each runtime.
const POOLED_FOR_EACH: u32 = 15;

/// As many of one runtime as help: one that reads, and one that is being given back by the read before.
const MOST: u32 = 2;

/// Small pools by runtime.
pub(super) struct Near {
    most: u32,
    /// Runtimes with a pool at most: together they open no more than the other pool.
    most_runtimes: usize,
    pools: Pools,
}

/// Nothing once they are closed.
type Pools = Arc<Mutex<Option<Vec<(Id, Pool)>>>>;

/// Held by a task, so that the pool goes when the runtime ends: nothing else would close its connections.
struct WithRuntime(Pools, Id);

impl Drop for WithRuntime {
    fn drop(&mut self) {
        let Self(pools, runtime) = self;
        if let Some(pools) = &mut *pools.lock().unwrap_or_else(PoisonError::into_inner) {
            pools.retain(|(of, _)| of != runtime);
        }
    }
}

#[derive(Clone)]
struct Pool {
    database: DatabaseConnection,
    /// Whether another connection is being opened.
    opens: Arc<AtomicBool>,
}

impl Near {
    pub(super) fn new(limits: &PoolLimits) -> Self {
        let most = (limits.most / POOLED_FOR_EACH).min(MOST);
        let most_runtimes = usize::try_from(limits.most / most.max(1)).unwrap_or(usize::MAX);
        Self { most, most_runtimes, pools: Arc::new(Mutex::new(Some(Vec::new()))) }
    }

    /// A connection of this runtime, if one is free; `open` makes a pool of so many.
    pub(super) fn free(
        &self,
        open: impl FnOnce(u32) -> DatabaseConnection,
    ) -> Option<DatabaseConnection> {
        let (runtime, pool) = self.pool(open)?;
        let connections = pool.database.get_postgres_connection_pool();
        if 0 < connections.num_idle() {
            return Some(pool.database);
        }
        // Nobody waits for it who could read through another one meanwhile.
        if connections.size() < self.most && !pool.opens.swap(true, Ordering::Relaxed) {
            let (connections, opens) = (connections.clone(), pool.opens);
            runtime.spawn(async move {
                drop(connections.acquire().await);
                opens.store(false, Ordering::Relaxed);
            });
        }
        None
    }

    /// The connections of this runtime, free or not yet opened, and how many they are at most.
    pub(super) fn all(
        &self,
        open: impl FnOnce(u32) -> DatabaseConnection,
    ) -> Option<(DatabaseConnection, u32)> {
        let (_, pool) = self.pool(open)?;
        Some((pool.database, self.most))
    }

    fn pool(&self, open: impl FnOnce(u32) -> DatabaseConnection) -> Option<(Handle, Pool)> {
        if self.most == 0 {
            return None;
        }
        let runtime = Handle::try_current().ok()?;
        // One of many threads has connections that any of them drives.
        if runtime.runtime_flavor() != RuntimeFlavor::CurrentThread {
            return None;
        }
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let pools = pools.as_mut()?;
        let runtime_id = runtime.id();
        let known = pools.iter().find(|(of, _)| *of == runtime_id);
        let pool = if let Some((_, pool)) = known {
            pool.clone()
        } else {
            if self.most_runtimes <= pools.len() {
                return None;
            }
            let with_runtime = WithRuntime(Arc::clone(&self.pools), runtime_id);
            runtime.spawn(async move {
                let _with_runtime = with_runtime;
                pending::<()>().await;
            });
            let pool = Pool { database: open(self.most), opens: Arc::default() };
            pools.push((runtime_id, pool.clone()));
            pool
        };
        Some((runtime, pool))
    }

    /// How many connections are open.
    pub(super) fn count(&self) -> u32 {
        let pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        let size = |(_, pool): &(Id, Pool)| pool.database.get_postgres_connection_pool().size();
        pools.iter().flatten().map(size).sum()
    }

    /// There are none any more. Whoever reads through one goes on.
    pub(super) fn take(&self) -> Vec<DatabaseConnection> {
        let mut pools = self.pools.lock().unwrap_or_else(PoisonError::into_inner);
        pools.take().into_iter().flatten().map(|(_, pool)| pool.database).collect()
    }
}
