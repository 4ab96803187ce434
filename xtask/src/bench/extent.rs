//! How much is measured.

use std::{path::PathBuf, time::Duration};

use super::load::Pace;

/// How many connections ask where nothing else is said.
const CONNECTIONS: usize = 32;

/// Sizes and times of a run.
#[derive(Debug, Clone)]
pub(crate) struct Extent {
    /// A file of artists, if they are not to be made up.
    pub(crate) from: Option<PathBuf>,
    /// How many artists most scenarios have.
    pub(crate) artists: usize,
    /// How many those have that look at size.
    pub(crate) many: usize,
    /// How many generations a history has.
    pub(crate) generations: u64,
    /// How often what takes long is done.
    pub(crate) long_turns: u32,
    /// How those who ask over HTTP do it.
    pub(crate) pace: Pace,
}

impl Extent {
    /// Enough for figures that can be told.
    pub(crate) fn full(from: Option<PathBuf>) -> Self {
        let pace = Pace { turns: 7, time: Duration::from_secs(2), connections: CONNECTIONS };
        Self { from, artists: 10_000, many: 100_000, generations: 100_000, long_turns: 3, pace }
    }

    /// Enough to see that everything works.
    pub(crate) fn quick(from: Option<PathBuf>) -> Self {
        let pace = Pace { turns: 3, time: Duration::from_millis(300), connections: CONNECTIONS };
        Self { from, artists: 1_000, many: 3_000, generations: 2_000, long_turns: 1, pace }
    }
}
