//! Names that do not meet, and passwords that nobody guesses.

use std::{fmt::Write as _, fs::File, io::Read as _};

use anyhow::Context as _;

/// Returns twice as many hexadecimal digits as there are bytes, at random.
pub(super) fn hex<const BYTES: usize>() -> anyhow::Result<String> {
    let mut bytes = [0; BYTES];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .context("cannot read /dev/urandom")?;
    let mut digits = String::with_capacity(2 * BYTES);
    for byte in bytes {
        write!(digits, "{byte:02x}")?;
    }
    Ok(digits)
}
