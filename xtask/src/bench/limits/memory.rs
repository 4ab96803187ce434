//! How fast memory is read, which is what bounds a scan.

use std::{
    hint::black_box,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::bench::figures::{median, millis};

/// For how long it is read again and again.
const TIME: Duration = Duration::from_millis(200);

/// As many bytes as a scan reads.
pub(crate) struct Memory(Vec<u64>);

impl Memory {
    pub(crate) fn of(bytes: usize) -> Self {
        Self((0..).take(bytes / size_of::<u64>()).collect())
    }

    /// How many milliseconds one core takes to read all of it, in the middle.
    pub(crate) fn scan_ms(&self) -> anyhow::Result<f64> {
        let (mut times, began) = (Vec::new(), Instant::now());
        while began.elapsed() < TIME {
            times.push(self.scan());
        }
        median(times).context("memory was not read")
    }

    fn scan(&self) -> f64 {
        let began = Instant::now();
        // Side by side, so that no addition waits for the one before.
        let mut lanes = [0_u64; 32];
        for numbers in self.0.as_chunks::<32>().0 {
            for (lane, number) in lanes.iter_mut().zip(numbers) {
                *lane ^= number;
            }
        }
        black_box(lanes);
        millis(began.elapsed())
    }
}
