//! From lines to batches, on a thread of its own, so that reading and writing overlap.

use std::{
    collections::HashSet,
    io::{self, BufRead},
    thread,
};

use tokio::sync::mpsc::{Receiver, Sender, channel};

use super::{
    BadLine, Entry, Numbered, OnError, Reason, Record,
    lines::{Line, Lines, MAX_LINE_BYTES},
};

/// A batch ends here even if it has few lines, so that memory stays bounded.
const MAX_BATCH_BYTES: usize = 8 << 20;

/// What the reading thread has to say, in the order of the lines.
#[derive(Debug)]
pub(super) enum Reading<T> {
    /// Lines to write.
    Batch(Batch<T>),
    /// A line that cannot be loaded, and whether reading stops there.
    Bad { bad: BadLine, stops: bool },
    /// The input failed after this line.
    Failed { line: u64, source: io::Error },
    /// The input is at its end, which is after so many lines.
    End { line: u64 },
}

/// Lines to write in one transaction. No key is in it twice.
#[derive(Debug)]
pub(super) struct Batch<T> {
    pub(super) records: Vec<Numbered<T>>,
    /// The members that were left out, line by line.
    pub(super) unknown: Vec<String>,
    /// The number of the first line.
    pub(super) first: u64,
    /// The number of the last line.
    pub(super) last: u64,
    /// How many bytes of the input lie up to there.
    pub(super) bytes: u64,
}

impl<T> Default for Batch<T> {
    fn default() -> Self {
        Self { records: Vec::new(), unknown: Vec::new(), first: 0, last: 0, bytes: 0 }
    }
}

/// Starts to read. Reading stops by itself when nobody listens any more.
///
/// The thread is not the runtime's, which would wait for it: it may sit in front of an idle terminal.
pub(super) fn read<R: BufRead + Send + 'static, T: Record>(
    input: R,
    on_error: OnError,
    batch_lines: usize,
) -> io::Result<Receiver<Reading<T>>> {
    // One batch is being written, one waits, one is being made.
    let (sender, receiver) = channel(1);
    let mut batcher: Batcher<R, T> = Batcher {
        lines: Lines::new(input, MAX_LINE_BYTES),
        on_error,
        batch_lines,
        batch: Batch::default(),
        batch_bytes: 0,
        keys: HashSet::new(),
        sender,
    };
    // Nobody listening is no failure.
    let work = move || drop(batcher.run());
    thread::Builder::new().name("import".to_owned()).spawn(work)?;
    Ok(receiver)
}

struct Batcher<R, T: Record> {
    lines: Lines<R>,
    on_error: OnError,
    batch_lines: usize,
    batch: Batch<T>,
    batch_bytes: usize,
    keys: HashSet<T::Key>,
    sender: Sender<Reading<T>>,
}

struct NobodyListens;

impl<R: BufRead, T: Record> Batcher<R, T> {
    fn run(&mut self) -> Result<(), NobodyListens> {
        let last = loop {
            let (read, length) = match self.lines.next() {
                Ok(Some(Line::Whole(line))) if line.trim_ascii().is_empty() => continue,
                Ok(Some(Line::Whole(line))) => (T::read(line).map_err(Reason::Invalid), line.len()),
                Ok(Some(Line::TooLong)) => (Err(Reason::TooLong), 0),
                Ok(None) => break Reading::End { line: self.lines.number() },
                Err(source) => break Reading::Failed { line: self.lines.number(), source },
            };
            match read {
                Ok(entry) => self.add(entry, length)?,
                Err(reason) => {
                    let bad = BadLine { line: self.lines.number(), reason };
                    match self.on_error {
                        OnError::Stop => break Reading::Bad { bad, stops: true },
                        OnError::Skip => self.send(Reading::Bad { bad, stops: false })?,
                    }
                }
            }
        };
        self.flush()?;
        self.send(last)
    }

    fn add(&mut self, entry: Entry<T>, length: usize) -> Result<(), NobodyListens> {
        let Entry { record, mut unknown } = entry;
        let key = record.key();
        let full = self.batch_lines <= self.batch.records.len()
            || MAX_BATCH_BYTES < self.batch_bytes + length;
        if full || self.keys.contains(&key) {
            self.flush()?;
        }
        self.keys.insert(key);
        if self.batch.records.is_empty() {
            self.batch.first = self.lines.number();
        }
        self.batch_bytes += length;
        self.batch.records.push(Numbered { line: self.lines.number(), record });
        self.batch.unknown.append(&mut unknown);
        self.batch.last = self.lines.number();
        self.batch.bytes = self.lines.bytes();
        Ok(())
    }

    fn flush(&mut self) -> Result<(), NobodyListens> {
        self.keys.clear();
        self.batch_bytes = 0;
        let batch = std::mem::take(&mut self.batch);
        if batch.records.is_empty() { Ok(()) } else { self.send(Reading::Batch(batch)) }
    }

    fn send(&self, reading: Reading<T>) -> Result<(), NobodyListens> {
        self.sender.blocking_send(reading).map_err(|_| NobodyListens)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use domain::ProfileRecord;

    use super::*;

    fn readings(input: impl Into<Vec<u8>>, on_error: OnError, batch_lines: usize) -> Vec<String> {
        let mut receiver =
            read::<_, ProfileRecord>(Cursor::new(input.into()), on_error, batch_lines).unwrap();
        let mut readings = Vec::new();
        while let Some(reading) = receiver.blocking_recv() {
            readings.push(match reading {
                Reading::Batch(batch) => {
                    let artists = batch.records.iter().map(|it| it.record.artist().as_str());
                    format!("{} to line {}", artists.collect::<Vec<_>>().join(" "), batch.last)
                }
                Reading::Bad { bad, .. } => format!("bad {}", bad.line),
                Reading::Failed { line, .. } => format!("failed after {line}"),
                Reading::End { line } => format!("end after {line}"),
            });
        }
        readings
    }

    fn artists(names: &str) -> String {
        let lines = names.split(' ').map(|name| format!("{{\"artist\": \"{name}\"}}"));
        lines.collect::<Vec<_>>().join("\n") + "\n"
    }

    #[test]
    fn fills_batches_and_sends_the_rest() {
        assert_eq!(
            readings(artists("a b c d e"), OnError::Stop, 2),
            ["a b to line 2", "c d to line 4", "e to line 5", "end after 5"]
        );
        assert_eq!(readings("\n \r\n", OnError::Stop, 2), ["end after 2"]);
    }

    #[test]
    fn ends_a_batch_before_an_artist_comes_again() {
        assert_eq!(
            readings(artists("a b A"), OnError::Stop, 9),
            ["a b to line 2", "A to line 3", "end after 3"]
        );
    }

    #[test]
    fn sends_the_lines_before_a_bad_one_and_stops() {
        let input = format!("{}{{\n{}", artists("a b"), artists("c"));

        assert_eq!(readings(input, OnError::Stop, 9), ["a b to line 2", "bad 3"]);
    }

    #[test]
    fn goes_on_after_a_bad_line_when_asked_to() {
        let input = format!("{}{{\n\n{}", artists("a b"), artists("c"));

        assert_eq!(readings(input, OnError::Skip, 9), ["bad 3", "a b c to line 5", "end after 5"]);
    }

    #[test]
    fn bounds_a_batch_by_bytes() {
        let long = |name: &str| {
            let template = "x".repeat(MAX_BATCH_BYTES / 2);
            format!(
                r#"{{"artist": "{name}", "text_description": "t", "confidence_score": 1,
                "quantitative_params": {{"tempo_min": 80, "tempo_max": 102, "tempo_avg": 91.5,
                "swing_percent": 62, "ghost_note_prob": 0.4, "syncopation_level": 0.7,
                "velocity_mean": 84, "velocity_std": 18}}, "midi_templates": ["{template}"]}}"#
            )
            .replace('\n', "")
        };
        let input = format!("{}\n{}\n", long("a"), long("b"));

        assert_eq!(
            readings(input, OnError::Stop, 9),
            ["a to line 1", "b to line 2", "end after 2"]
        );
    }
}
