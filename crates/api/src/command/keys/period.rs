//! A length of time, as people write it.

use std::str::FromStr;

/// A whole number of seconds, minutes, hours or days, such as `90d`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Period {
    seconds: u64,
}

impl Period {
    /// Ten thousand years are for ever.
    const MOST_SECONDS: u64 = 3_650_000 * 86_400;

    pub(super) const fn micros(self) -> u64 {
        self.seconds * 1_000_000
    }
}

impl FromStr for Period {
    type Err = InvalidPeriod;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let number = text.trim_end_matches(|unit: char| unit.is_ascii_alphabetic());
        let unit = match text.strip_prefix(number) {
            Some("s") => 1,
            Some("m") => 60,
            Some("h") => 3_600,
            Some("d") => 86_400,
            Some(_) | None => return Err(InvalidPeriod),
        };
        // A number may be read with a sign, which says nothing here.
        if !number.bytes().all(|digit| digit.is_ascii_digit()) {
            return Err(InvalidPeriod);
        }
        let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit));
        seconds
            .filter(|seconds| *seconds <= Self::MOST_SECONDS)
            .map(|seconds| Self { seconds })
            .ok_or(InvalidPeriod)
    }
}

/// A text that is no [`Period`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "must be a whole number with s, m, h or d behind it, such as 90d, and no more than 3650000d"
)]
pub(super) struct InvalidPeriod;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_number_and_a_unit() {
        let seconds = |text: &str| text.parse::<Period>().map(|period| period.seconds);

        assert_eq!(seconds("0s"), Ok(0));
        assert_eq!(seconds("90m"), Ok(5_400));
        assert_eq!(seconds("1h"), Ok(3_600));
        assert_eq!(seconds("3650000d"), Ok(Period::MOST_SECONDS));
        for wrong in ["", "d", "1", "-1d", "+1d", "1.5h", "1 d", "1w", "1dd", "3650001d", "1é"] {
            assert_eq!(seconds(wrong), Err(InvalidPeriod), "{wrong}");
        }
    }
}
