//! Somebody asking for the end.

use std::io;

use futures::{Stream, stream};

/// An item for each time the process is asked to end, from here on: by Ctrl-C, and on Unix by `SIGTERM` too.
///
/// Neither ends the process by itself any more.
///
/// # Errors
///
/// When the system does not let the process listen.
#[cfg(unix)]
pub(super) fn interrupts() -> io::Result<impl Stream<Item = ()> + Unpin> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(stream::poll_fn(move |context| {
        let asked = interrupt.poll_recv(context);
        if asked.is_ready() { asked } else { terminate.poll_recv(context) }
    }))
}

/// An item for each time the process is asked to end by Ctrl-C, which does not end it by itself any more.
///
/// # Errors
///
/// When the system does not let the process listen.
#[cfg(windows)]
pub(super) fn interrupts() -> io::Result<impl Stream<Item = ()> + Unpin> {
    let mut interrupt = tokio::signal::windows::ctrl_c()?;
    Ok(stream::poll_fn(move |context| interrupt.poll_recv(context)))
}

#[cfg(not(any(unix, windows)))]
compile_error!("there is no way to learn that the process should end");
