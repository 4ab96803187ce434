//! The one clock of a run.

use std::time::Instant;

use super::Moment;

/// The one clock of a run: monotonic, and the same for all threads.
#[derive(Debug, Clone, Copy)]
pub struct Stopwatch(Instant);

impl Stopwatch {
    /// Begins a run now.
    #[must_use]
    pub fn start() -> Self {
        Self(Instant::now())
    }

    /// The moment that it is now.
    #[must_use]
    pub fn now(&self) -> Moment {
        // Enough for 584 years.
        Moment::from_nanos(u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX))
    }
}
