//! How often a disk can be waited for, which is what bounds writes that are durable one by one.

use std::{
    fs::File,
    io::Write as _,
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use tempfile::tempfile_in;

use crate::bench::figures::{Figures, millis};

/// A file on a disk.
pub(crate) struct Disk(File);

impl Disk {
    /// On the disk of an embedded database.
    pub(crate) fn beside(url: &str) -> anyhow::Result<Self> {
        let file = Path::new(url.trim_start_matches("sqlite://"));
        Ok(Self(tempfile_in(file.parent().context("the database is in no folder")?)?))
    }

    /// Writes a page and waits until it is durable, again and again.
    pub(crate) fn measure(&self, time: Duration) -> anyhow::Result<Figures> {
        let (mut file, page) = (&self.0, [7; 4_096]);
        let (mut times, began) = (Vec::new(), Instant::now());
        while began.elapsed() < time {
            let one = Instant::now();
            file.write_all(&page)?;
            file.sync_data()?;
            times.push(millis(one.elapsed()));
        }
        #[expect(clippy::cast_precision_loss, reason = "nobody writes 2^53 pages")]
        let rate = times.len() as f64 / began.elapsed().as_secs_f64();
        Ok(Figures { rate: Some(rate), ..Figures::of_times(times) })
    }
}
