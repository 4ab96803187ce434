//! What the person at the terminal is told.
//!
//! Results go to standard output, so that they can be piped and evaluated; everything else goes
//! to standard error.

use std::io::{self, Write as _};

/// Prints a line of the result.
pub(crate) fn say(line: &str) {
    // A reader that went away, as `head` does, is no reason to fail.
    drop(writeln!(io::stdout().lock(), "{line}"));
}

/// Prints a remark on what is going on.
pub(crate) fn note(line: &str) {
    drop(writeln!(io::stderr().lock(), "{line}"));
}
