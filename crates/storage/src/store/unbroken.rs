//! What a driver must not be interrupted in.

use tracing::Instrument;

use crate::error::Failure;

/// Does work in a task of its own, which goes on when whoever waits for it leaves.
pub(crate) async fn unbroken<T, E>(
    work: impl Future<Output = Result<T, E>> + Send + 'static,
) -> Result<T, Failure>
where
    T: Send + 'static,
    E: Send + 'static,
    Failure: From<E>,
{
    Ok(tokio::spawn(work.in_current_span()).await.map_err(Failure::unavailable)??)
}
