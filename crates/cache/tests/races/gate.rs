//! Where calls to a store wait until a test lets them go on.

use tokio::sync::watch;

/// Calls pass when it is open, and wait at it when it is closed: after they have looked, before they answer.
pub(crate) struct Gate {
    open: watch::Sender<bool>,
    waiting: watch::Sender<usize>,
}

impl Default for Gate {
    fn default() -> Self {
        Self { open: watch::Sender::new(true), waiting: watch::Sender::new(0) }
    }
}

impl Gate {
    pub(crate) fn close(&self) {
        self.open.send_replace(false);
    }

    pub(crate) fn open(&self) {
        self.open.send_replace(true);
    }

    /// Waits until so many calls have come to the closed gate since the start.
    pub(crate) async fn reached_by(&self, calls: usize) {
        self.waiting.subscribe().wait_for(|waiting| calls <= *waiting).await.unwrap();
    }

    pub(crate) async fn pass(&self) {
        if !*self.open.borrow() {
            self.waiting.send_modify(|waiting| *waiting += 1);
        }
        self.open.subscribe().wait_for(|open| *open).await.unwrap();
    }
}
