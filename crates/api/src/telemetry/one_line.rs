//! Lines of the log that stay one line, whatever is in them.
//!
//! What somebody sent may hold line ends, terminal controls, and characters that turn the order of text around. Neither
//! format of the log escapes all of them: JSON leaves the controls beyond ASCII as they are, and pretty lines leave line
//! ends.

use std::{
    borrow::Cow,
    fmt::Write as _,
    io::{self, Write},
};

use tracing::Metadata;
use tracing_subscriber::fmt::MakeWriter;

/// How a character is written that must not be there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Escapes {
    /// As JSON does.
    Json,
    /// As Rust does.
    Plain,
    /// The same, with colours left in place. What somebody sent has no escape characters by then: the formatter sees to it.
    Coloured,
}

/// Makes writers that write one line an event.
#[derive(Debug, Clone)]
pub(super) struct OneLine<M> {
    inner: M,
    escapes: Escapes,
}

impl<M> OneLine<M> {
    pub(super) const fn new(inner: M, escapes: Escapes) -> Self {
        Self { inner, escapes }
    }
}

impl<'a, M: MakeWriter<'a>> MakeWriter<'a> for OneLine<M> {
    type Writer = Line<M::Writer>;

    fn make_writer(&'a self) -> Self::Writer {
        Line { inner: self.inner.make_writer(), escapes: self.escapes }
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> Self::Writer {
        Line { inner: self.inner.make_writer_for(metadata), escapes: self.escapes }
    }
}

/// Writes one event, which comes in one piece.
#[derive(Debug)]
pub(super) struct Line<W> {
    inner: W,
    escapes: Escapes,
}

impl<W: Write> Write for Line<W> {
    fn write(&mut self, event: &[u8]) -> io::Result<usize> {
        let text = String::from_utf8_lossy(event);
        self.inner.write_all(self.escapes.of(&text).as_bytes())?;
        Ok(event.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

impl Escapes {
    /// An event's text as one line.
    fn of(self, text: &str) -> Cow<'_, str> {
        let line = text.strip_suffix('\n').unwrap_or(text);
        if !line.chars().any(is_unwelcome) {
            return Cow::Borrowed(text);
        }
        let mut escaped = String::with_capacity(2 * text.len());
        for (index, character) in line.char_indices() {
            let is_colour = self == Self::Coloured
                && character == '\u{1b}'
                && line.get(index..).is_some_and(begins_with_colour);
            if is_colour || !is_unwelcome(character) {
                escaped.push(character);
            } else {
                self.escape(character, &mut escaped);
            }
        }
        escaped.push_str(text.get(line.len()..).unwrap_or_default());
        Cow::Owned(escaped)
    }

    fn escape(self, character: char, escaped: &mut String) {
        match self {
            // None of them is beyond 16 bits. Writing to a string cannot fail.
            Self::Json => drop(write!(escaped, "\\u{:04x}", u32::from(character))),
            Self::Plain | Self::Coloured => escaped.extend(character.escape_default()),
        }
    }
}

/// Controls, what ends a line, and what turns the order of text around.
fn is_unwelcome(character: char) -> bool {
    character.is_control()
        || matches!(
            character,
            '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
        )
}

/// Whether a text begins with what sets a colour, and nothing else: `ESC [ 2 ; 32 m`.
fn begins_with_colour(text: &str) -> bool {
    let Some(rest) = text.strip_prefix("\u{1b}[") else { return false };
    let rest =
        rest.trim_start_matches(|character: char| character.is_ascii_digit() || character == ';');
    rest.starts_with('m')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_harmless_is_left_alone() {
        let text = "{\"message\":\"Sigur Rós \\n 坂本龍一\"}\n";

        for escapes in [Escapes::Json, Escapes::Plain, Escapes::Coloured] {
            assert!(matches!(escapes.of(text), Cow::Borrowed(same) if same == text));
        }
    }

    #[test]
    fn an_event_is_one_line() {
        let text = "a\nb\r\u{1b}[2J\u{7f}\u{85}\u{202e}\u{200f}\u{61c}\u{2028}z\n";

        assert_eq!(
            Escapes::Plain.of(text),
            "a\\nb\\r\\u{1b}[2J\\u{7f}\\u{85}\\u{202e}\\u{200f}\\u{61c}\\u{2028}z\n"
        );
        assert_eq!(Escapes::Json.of("\"\u{7f}\u{9b}\u{2066}\"\n"), "\"\\u007f\\u009b\\u2066\"\n");
    }

    #[test]
    fn colours_stay_where_there_are_any() {
        let text = "\u{1b}[2;32mINFO\u{1b}[0m \u{1b}[2J\u{1b}]0;x\u{7}\n";

        let escaped = Escapes::Coloured.of(text);

        assert_eq!(escaped, "\u{1b}[2;32mINFO\u{1b}[0m \\u{1b}[2J\\u{1b}]0;x\\u{7}\n");
    }
}
