//! Lines that cannot be loaded.

use std::fmt;

use domain::{ArtistName, GenerationId};

use crate::{json::InvalidDocument, violation::Violation};

/// How many of a line's violations are told.
const MOST_TOLD: usize = 5;

/// Why a line was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadLine {
    /// Which line, counted from 1.
    pub line: u64,
    /// What is wrong with it.
    pub reason: Reason,
}

/// What is wrong with a line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Reason {
    /// It is longer than [`MAX_LINE_BYTES`](super::MAX_LINE_BYTES).
    TooLong,
    /// It is no JSON, or does not describe what is imported.
    Invalid(InvalidDocument),
    /// It names an artist that is not stored.
    UnknownArtist(ArtistName),
    /// It has the identity of a generation that is recorded with something else in it.
    TakenGeneration(GenerationId),
}

/// Writes one clause; violations with the JSON pointer to their place.
impl fmt::Display for Reason {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => {
                write!(formatter, "is longer than {} MiB", super::MAX_LINE_BYTES >> 20)
            }
            // The text is one line, so that the reader's own line number says nothing.
            Self::Invalid(InvalidDocument::Malformed { line: _, column, reason }) => {
                write!(formatter, "malformed JSON at column {column}: {reason}")
            }
            Self::Invalid(InvalidDocument::Violations(violations)) => told(formatter, violations),
            Self::UnknownArtist(artist) => write!(formatter, "/artist: '{artist}' is not known"),
            Self::TakenGeneration(id) => {
                write!(formatter, "/id: {id} is recorded with something else in it")
            }
        }
    }
}

fn told(formatter: &mut fmt::Formatter<'_>, violations: &[Violation]) -> fmt::Result {
    for (index, violation) in violations.iter().take(MOST_TOLD).enumerate() {
        if index != 0 {
            formatter.write_str("; ")?;
        }
        match violation.pointer() {
            Some(pointer) if !pointer.is_empty() => {
                write!(formatter, "{pointer}: {}", violation.detail())?;
            }
            _ => formatter.write_str(violation.detail())?,
        }
    }
    match violations.len().saturating_sub(MOST_TOLD) {
        0 => Ok(()),
        more => write!(formatter, "; and {more} more"),
    }
}
