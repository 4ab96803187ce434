//! The lines of an input, one at a time, however long somebody made them.

use std::io::{self, BufRead, Read};

/// The longest line, in bytes, its end not counted.
pub const MAX_LINE_BYTES: usize = 16 << 20;

/// Reads lines and keeps at most one of them in memory.
pub(super) struct Lines<R> {
    reader: R,
    most: usize,
    buffer: Vec<u8>,
    number: u64,
    bytes: u64,
}

/// One line.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Line<'a> {
    /// All of it, without its end; the first one also without a byte order mark.
    Whole(&'a [u8]),
    /// More than is kept.
    TooLong,
}

impl<R: BufRead> Lines<R> {
    pub(super) const fn new(reader: R, most: usize) -> Self {
        Self { reader, most, buffer: Vec::new(), number: 0, bytes: 0 }
    }

    /// The number of the line that was read last, counted from 1.
    pub(super) const fn number(&self) -> u64 {
        self.number
    }

    /// How many bytes were read so far.
    pub(super) const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// The next line; `None` at the end.
    pub(super) fn next(&mut self) -> io::Result<Option<Line<'_>>> {
        self.buffer.clear();
        // One more for a carriage return and one for the line feed.
        let most = self.most as u64 + 2;
        let read = self.reader.by_ref().take(most).read_until(b'\n', &mut self.buffer)?;
        if read == 0 {
            return Ok(None);
        }
        self.number += 1;
        self.bytes += read as u64;
        if self.buffer.last() != Some(&b'\n') && read as u64 == most {
            self.bytes += self.reader.skip_until(b'\n')? as u64;
            // Not kept for the lines after it.
            self.buffer = Vec::new();
            return Ok(Some(Line::TooLong));
        }
        let line = self.buffer.strip_suffix(b"\n").unwrap_or(&self.buffer);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let line = match line.strip_prefix(b"\xef\xbb\xbf") {
            Some(rest) if self.number == 1 => rest,
            _ => line,
        };
        Ok(Some(if self.most < line.len() { Line::TooLong } else { Line::Whole(line) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(input: &[u8], most: usize) -> Vec<Option<Vec<u8>>> {
        let mut lines = Lines::new(input, most);
        let mut all = Vec::new();
        while let Some(line) = lines.next().unwrap() {
            all.push(match line {
                Line::Whole(line) => Some(line.to_vec()),
                Line::TooLong => None,
            });
        }
        assert_eq!(lines.number(), all.len() as u64);
        assert_eq!(lines.bytes(), input.len() as u64);
        all
    }

    #[test]
    fn ends_lines_at_either_ending_and_at_the_end() {
        let whole = |line: &str| Some(line.as_bytes().to_vec());

        assert_eq!(
            all(b"\xef\xbb\xbfa\r\nb\n\nc", 9),
            [whole("a"), whole("b"), whole(""), whole("c")]
        );
        assert_eq!(all(b"", 9), []);
        assert_eq!(all(b"a\n\xef\xbb\xbfb\n", 9), [whole("a"), whole("\u{feff}b")]);
    }

    #[test]
    fn passes_over_a_line_that_is_too_long() {
        let whole = |line: &str| Some(line.as_bytes().to_vec());

        assert_eq!(all(b"1234\n12345\n1234\r\n", 4), [whole("1234"), None, whole("1234")]);
        assert_eq!(all(b"123456789\n1", 4), [None, whole("1")]);
        assert_eq!(all(b"123456789", 4), [None]);
        assert_eq!(all(b"123456", 4), [None]);
    }
}
