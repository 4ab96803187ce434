//! A server that is known to be away.

use std::sync::atomic::{AtomicBool, Ordering};

use tokio::sync::{Semaphore, SemaphorePermit};

use crate::error::Failure;

/// Whether nobody could get a connection the last time that somebody tried.
///
/// Each writer would wait for a connection until its time is up, and the next one behind it. While the server is known to
/// be away one at a time tries, and the others are told at once.
#[derive(Debug)]
pub(super) struct Outage {
    is_known: AtomicBool,
    trying: Semaphore,
}

/// The right to write. Hold it until the transaction has ended.
#[derive(Debug)]
pub(crate) struct Turn<'store> {
    _writer: SemaphorePermit<'store>,
    _trying: Option<SemaphorePermit<'store>>,
}

#[derive(Debug, thiserror::Error)]
#[error("the database does not let anybody in, and somebody is trying already")]
pub(crate) struct Away;

impl Outage {
    pub(super) const fn new() -> Self {
        Self { is_known: AtomicBool::new(false), trying: Semaphore::const_new(1) }
    }

    /// Waits for a turn at the semaphore of the writers, unless there is no use in waiting.
    pub(super) async fn enter<'store>(
        &'store self,
        writers: &'store Semaphore,
    ) -> Result<Turn<'store>, Failure> {
        let trying = if self.is_known() {
            Some(self.trying.try_acquire().map_err(|_| Failure::unavailable(Away))?)
        } else {
            None
        };
        let writer = writers.acquire().await.map_err(Failure::unavailable)?;
        // Whoever had the turn before may have found it out.
        if trying.is_none() && self.is_known() {
            return Err(Failure::unavailable(Away));
        }
        Ok(Turn { _writer: writer, _trying: trying })
    }

    /// Notes whether somebody got a connection.
    pub(super) fn note(&self, began: Result<(), &Failure>) {
        match began {
            Ok(()) => self.is_known.store(false, Ordering::Relaxed),
            Err(failure) if failure.is_without_connection() => {
                self.is_known.store(true, Ordering::Relaxed);
            }
            // The server answered, if only that something is there already.
            Err(failure) if failure.is_taken() => self.is_known.store(false, Ordering::Relaxed),
            // Also a connection that broke: the next one may be well.
            Err(_) => {}
        }
    }

    fn is_known(&self) -> bool {
        self.is_known.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use sea_orm::SqlxError;

    use super::*;

    #[tokio::test]
    async fn one_tries_and_the_others_are_told_at_once() {
        let (outage, writers) = (Outage::new(), Semaphore::new(3));
        let no_connection = Failure::from(SqlxError::PoolTimedOut);
        let broken = Failure::from(SqlxError::Protocol("broken".into()));

        outage.note(Err(&broken));
        let before = outage.enter(&writers).await;
        outage.note(Err(&no_connection));
        let trying = outage.enter(&writers).await;
        let other = outage.enter(&writers).await;
        drop(trying.unwrap());
        let next = outage.enter(&writers).await;
        outage.note(Ok(()));
        let after = outage.enter(&writers).await;

        assert!(before.is_ok() && next.is_ok() && after.is_ok());
        assert!(other.is_err());
    }

    #[tokio::test]
    async fn whoever_waited_behind_a_failure_is_told_too() {
        let (outage, writers) = (Outage::new(), Semaphore::new(1));
        let first = outage.enter(&writers).await.unwrap();
        let mut second = Box::pin(outage.enter(&writers));
        tokio::select! {
            biased;
            _ = &mut second => panic!("there is no turn"),
            () = std::future::ready(()) => {}
        }

        outage.note(Err(&Failure::from(SqlxError::PoolTimedOut)));
        drop(first);

        assert!(second.await.is_err());
    }
}
