//! Clients that are too slow: whoever neither takes an answer nor sends another request is cut off.
//!
//! The HTTP server limits how long the first head of a connection may take, and how long an idle connection is kept. It
//! limits neither how long a client takes to read an answer nor how long a later head takes to arrive.

use std::{
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actix_web::{dev::Extensions, rt::net::TcpStream};

/// The connections there are.
#[derive(Clone)]
pub struct Connections(Arc<Watched>);

struct Watched {
    all: Mutex<Vec<Weak<Watch>>>,
    patience: Duration,
    began: Instant,
    cut: AtomicU64,
}

/// What is known of one connection. It ends with it.
#[derive(Clone)]
pub struct ConnectionWatch(Arc<Watch>, Connections);

struct Watch {
    /// A second handle, so that the connection can be ended from here.
    #[cfg(unix)]
    socket: std::net::TcpStream,
    requests: AtomicUsize,
    /// When the last request was answered, or the connection was made, in milliseconds since the beginning.
    since_ms: AtomicU64,
}

/// A request that is being answered: as long as there is one, it is not the client who is slow.
pub(crate) struct UnderWay(ConnectionWatch);

impl Connections {
    /// Connections whose clients have so long to take an answer and send the next request.
    #[must_use]
    pub fn new(patience: Duration) -> Self {
        Self(Arc::new(Watched {
            all: Mutex::default(),
            patience,
            began: Instant::now(),
            cut: AtomicU64::new(0),
        }))
    }

    /// Watches over a new connection, if it is one of TCP.
    #[cfg(unix)]
    pub fn note(&self, connection: &dyn std::any::Any, about: &mut Extensions) {
        use std::os::fd::AsFd;

        let Some(stream) = connection.downcast_ref::<TcpStream>() else { return };
        let Ok(socket) = stream.as_fd().try_clone_to_owned() else {
            // Descriptors have run out. Whoever could not be cut off could stay for good, and take one more each time.
            drop(socket2::SockRef::from(stream).shutdown(std::net::Shutdown::Both));
            return;
        };
        let watch = Arc::new(Watch {
            socket: socket.into(),
            requests: AtomicUsize::new(0),
            since_ms: AtomicU64::new(self.now_ms()),
        });
        self.lock().push(Arc::downgrade(&watch));
        about.insert(ConnectionWatch(watch, self.clone()));
    }

    /// Elsewhere the server's own limits have to do.
    #[cfg(not(unix))]
    pub fn note(&self, _: &dyn std::any::Any, _: &mut Extensions) {}

    /// How many were cut off.
    #[must_use]
    pub fn cut(&self) -> u64 {
        self.0.cut.load(Ordering::Relaxed)
    }

    /// Cuts off who is too slow, over and over.
    pub async fn watch(self) {
        let pause = (self.0.patience / 4).clamp(Duration::from_millis(10), Duration::from_secs(1));
        loop {
            tokio::time::sleep(pause).await;
            self.sweep();
        }
    }

    fn sweep(&self) {
        let patience = u64::try_from(self.0.patience.as_millis()).unwrap_or(u64::MAX);
        let (now, mut slow) = (self.now_ms(), Vec::new());
        self.lock().retain(|watch| {
            let Some(watch) = watch.upgrade() else { return false };
            let is_slow = watch.requests.load(Ordering::Acquire) == 0
                && patience <= now.saturating_sub(watch.since_ms.load(Ordering::Acquire));
            if is_slow {
                slow.push(watch);
            }
            !is_slow
        });
        for watch in slow {
            self.0.cut.fetch_add(1, Ordering::Relaxed);
            watch.cut();
        }
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.0.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<Weak<Watch>>> {
        self.0.all.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl ConnectionWatch {
    pub(crate) fn begin(&self) -> UnderWay {
        self.0.requests.fetch_add(1, Ordering::AcqRel);
        UnderWay(self.clone())
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        let ConnectionWatch(watch, connections) = &self.0;
        watch.since_ms.store(connections.now_ms(), Ordering::Release);
        watch.requests.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Watch {
    #[cfg(unix)]
    fn cut(&self) {
        // It may have ended by itself.
        drop(self.socket.shutdown(std::net::Shutdown::Both));
    }

    #[cfg(not(unix))]
    fn cut(&self) {}
}
