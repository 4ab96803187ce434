//! The log in a file. Whoever logs leaves a line and goes on; a thread writes it.

mod rotating;

use std::{
    collections::VecDeque,
    io, mem,
    path::Path,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use domain::SystemClock;
use tracing_subscriber::fmt::MakeWriter;

use self::rotating::RotatingFile;
pub(super) use self::rotating::Rotation;

/// So much may wait to be written. When a disk is slower than that, lines are lost rather than requests held up.
const MOST_WAITING_BYTES: usize = 16 * 1024 * 1024;

/// How long the end waits for what is still to be written.
const CLOSING: Duration = Duration::from_secs(5);

/// Where lines are left for the file.
#[derive(Debug, Clone)]
pub(super) struct LogFile(Arc<Queue>);

/// The thread that writes them. It is told to end, and waited for, by [`LogFileThread::finish`].
#[derive(Debug)]
pub(super) struct LogFileThread {
    queue: Arc<Queue>,
    thread: JoinHandle<()>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: Mutex<Waiting>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    lost: u64,
    ending: bool,
    ended: bool,
}

impl LogFile {
    /// Opens the file and starts to write.
    pub(super) fn open(path: &Path, rotation: Rotation) -> io::Result<(Self, LogFileThread)> {
        let mut file = RotatingFile::open(path, rotation, Arc::new(SystemClock))?;
        let queue = Arc::new(Queue::default());
        let shared = Arc::clone(&queue);
        let thread = std::thread::Builder::new()
            .name("log-file".to_owned())
            .spawn(move || shared.write_all(&mut file))?;
        Ok((Self(Arc::clone(&queue)), LogFileThread { queue, thread }))
    }
}

impl LogFileThread {
    /// Has everything written that was logged before, and ends. A disk that does not answer is not waited for long.
    pub(super) fn finish(self) {
        let Self { queue, thread } = self;
        queue.waiting().ending = true;
        queue.changed.notify_all();
        let (waiting, _) = queue
            .changed
            .wait_timeout_while(queue.waiting(), CLOSING, |waiting| !waiting.ended)
            .unwrap_or_else(PoisonError::into_inner);
        let ended = waiting.ended;
        drop(waiting);
        if ended {
            drop(thread.join());
        }
    }
}

impl Queue {
    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn leave(&self, line: &[u8]) {
        let mut waiting = self.waiting();
        if MOST_WAITING_BYTES < waiting.bytes + line.len() {
            waiting.lost += 1;
            return;
        }
        waiting.bytes += line.len();
        waiting.lines.push_back(line.to_vec());
        drop(waiting);
        self.changed.notify_all();
    }

    fn write_all(&self, file: &mut RotatingFile) {
        let mut outage = Outage::default();
        loop {
            let is_idle = |waiting: &mut Waiting| waiting.lines.is_empty() && !waiting.ending;
            let mut waiting = self
                .changed
                .wait_while(self.waiting(), is_idle)
                .unwrap_or_else(PoisonError::into_inner);
            if waiting.lines.is_empty() {
                waiting.ended = true;
                drop(waiting);
                self.changed.notify_all();
                return;
            }
            let lines = mem::take(&mut waiting.lines);
            waiting.bytes = 0;
            let lost = mem::take(&mut waiting.lost);
            drop(waiting);
            outage.lost += lost;
            for line in lines {
                outage.note(file.write(&line));
            }
        }
    }
}

/// What could not be written.
#[derive(Debug, Default)]
struct Outage {
    lost: u64,
    is_told: bool,
}

impl Outage {
    /// Tells of the first line that cannot be written, and of the first one that can again. Standard error hears of it
    /// too; the file hears of the outage when it is over.
    fn note(&mut self, written: io::Result<()>) {
        match written {
            Ok(()) if self.lost == 0 => {}
            Ok(()) => {
                let lost = mem::take(self).lost;
                tracing::warn!(lost, "Lines of the log are missing in its file");
            }
            Err(error) => {
                self.lost += 1;
                if !mem::replace(&mut self.is_told, true) {
                    tracing::error!(%error, "The log file cannot be written");
                }
            }
        }
    }
}

impl<'a> MakeWriter<'a> for LogFile {
    type Writer = Leaving<'a>;

    fn make_writer(&'a self) -> Self::Writer {
        Leaving(&self.0)
    }
}

/// Leaves what is written, which is one line at a time.
pub(super) struct Leaving<'a>(&'a Queue);

impl io::Write for Leaving<'_> {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.0.leave(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::{fs, io::Write};

    use super::*;

    #[test]
    fn what_was_logged_before_the_end_is_in_the_file() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.log");
        let (log, thread) = LogFile::open(&path, Rotation::default()).unwrap();

        for line in 0..10_000 {
            log.make_writer().write_all(format!("{line}\n").as_bytes()).unwrap();
        }
        thread.finish();

        let written = fs::read_to_string(&path).unwrap();
        assert!(written.lines().map(|line| line.parse::<i32>().unwrap()).eq(0..10_000));
    }

    #[test]
    fn a_disk_that_is_too_slow_costs_lines_and_no_memory() {
        let queue = Queue::default();
        let line = vec![b'x'; 1_000_000];

        for _ in 0..20 {
            queue.leave(&line);
        }

        let waiting = queue.waiting();
        assert_eq!((waiting.lines.len(), waiting.lost), (16, 4));
    }

    #[test]
    fn a_full_disk_is_told_once_and_counted() {
        let full = || Err(io::Error::from(io::ErrorKind::StorageFull));
        let mut outage = Outage::default();

        outage.note(full());
        outage.note(full());
        assert_eq!((outage.lost, outage.is_told), (2, true));
        outage.note(Ok(()));
        assert_eq!((outage.lost, outage.is_told), (0, false));
    }
}
