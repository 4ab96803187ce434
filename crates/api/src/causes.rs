//! Why something failed, down to the root, in one line.

use std::error::Error;

/// An error and everything that led to it. Not for callers of the service: it may tell what is inside.
#[must_use]
pub fn with_causes(error: &dyn Error) -> String {
    let mut told = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let text = error.to_string();
        // Some libraries repeat their cause in their own words.
        if !told.ends_with(&text) {
            told.push_str(": ");
            told.push_str(&text);
        }
        cause = error.source();
    }
    told
}

#[cfg(test)]
mod tests {
    use std::io;

    use super::*;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open the door")]
    struct Closed(#[source] Jammed);

    #[derive(Debug, thiserror::Error)]
    #[error("it is jammed: {0}")]
    struct Jammed(#[source] io::Error);

    #[test]
    fn tells_each_cause_once() {
        let error = Closed(Jammed(io::Error::other("rust")));

        assert_eq!(with_causes(&error), "cannot open the door: it is jammed: rust");
    }
}
