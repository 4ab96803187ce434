//! Money that adds up: whole nano-dollars inside, decimal dollars outside.

use std::{fmt, iter::Sum, ops::Add, str::FromStr};

const NANOS_PER_DOLLAR: i128 = 1_000_000_000;
const DECIMALS: usize = 9;

/// An exact sum of US dollars, counted in nano-dollars.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Money {
    nanos: i128,
}

impl Money {
    /// So many nano-dollars.
    #[must_use]
    pub const fn from_nanos(nanos: i128) -> Self {
        Self { nanos }
    }

    /// The sum in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i128 {
        self.nanos
    }

    /// The sum over a count, rounded half away from zero; `None` for a count of 0.
    #[must_use]
    pub fn mean_over(self, count: u64) -> Option<Self> {
        let count = i128::from(count);
        let whole = self.nanos.checked_div(count)?;
        let rest = (self.nanos % count).abs();
        let nanos = if count <= rest * 2 { whole + self.nanos.signum() } else { whole };
        Some(Self { nanos })
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self { nanos: self.nanos + other.nanos }
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(terms: I) -> Self {
        terms.fold(Self::default(), Add::add)
    }
}

/// Writes decimal dollars without trailing zeros, such as `0.0125` or `3`.
impl fmt::Display for Money {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let sign = if self.nanos < 0 { "-" } else { "" };
        let nanos = self.nanos.unsigned_abs();
        let per_dollar = NANOS_PER_DOLLAR.unsigned_abs();
        let fraction = format!("{:0DECIMALS$}", nanos % per_dollar);
        let fraction = fraction.trim_end_matches('0');
        let point = if fraction.is_empty() { "" } else { "." };
        write!(formatter, "{sign}{}{point}{fraction}", nanos / per_dollar)
    }
}

/// What one generation cost: 0 to 1,000,000 US dollars, to the nano-dollar.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Cost {
    nanos: i64,
}

impl Cost {
    const MAX_NANOS: i64 = 1_000_000_000_000_000;

    /// So many nano-dollars.
    ///
    /// # Errors
    ///
    /// When it is negative or above a million dollars.
    pub const fn from_nanos(nanos: i64) -> Result<Self, InvalidCost> {
        if nanos < 0 {
            Err(InvalidCost::Negative)
        } else if Self::MAX_NANOS < nanos {
            Err(InvalidCost::TooLarge)
        } else {
            Ok(Self { nanos })
        }
    }

    /// The cost in nano-dollars.
    #[must_use]
    pub const fn nanos(self) -> i64 {
        self.nanos
    }
}

impl From<Cost> for Money {
    fn from(cost: Cost) -> Self {
        Self { nanos: i128::from(cost.nanos) }
    }
}

impl fmt::Display for Cost {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Money::from(*self).fmt(formatter)
    }
}

/// Reads a decimal number of dollars as JSON writes it (`0.0125`, `3`, `1.5e-3`), exactly: nothing is rounded.
impl FromStr for Cost {
    type Err = InvalidCost;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (negative, number) =
            text.strip_prefix('-').map_or((false, text), |number| (true, number));
        let (mantissa, exponent) = number.split_once(['e', 'E']).unwrap_or((number, "0"));
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let all_digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        if whole.is_empty()
            || mantissa.ends_with('.')
            || !all_digits(whole)
            || !all_digits(fraction)
        {
            return Err(InvalidCost::NotANumber);
        }
        if exponent.trim_start_matches(['+', '-']).is_empty()
            || !all_digits(exponent.trim_start_matches(['+', '-']))
        {
            return Err(InvalidCost::NotANumber);
        }

        let digits = format!("{whole}{fraction}");
        let digits = digits.trim_start_matches('0');
        let significant = digits.trim_end_matches('0');
        if significant.is_empty() {
            return Ok(Self { nanos: 0 });
        }
        if negative {
            return Err(InvalidCost::Negative);
        }
        // The value is `significant` times ten to the power of `scale` nano-dollars.
        let exponent: i64 = exponent.parse().map_err(|_| InvalidCost::NotANumber)?;
        let trailing =
            i64::try_from(digits.len() - significant.len()).map_err(|_| InvalidCost::TooLarge)?;
        let decimals = i64::try_from(fraction.len()).map_err(|_| InvalidCost::TooManyDecimals)?;
        let scale = exponent
            .checked_add(trailing)
            .and_then(|scale| scale.checked_sub(decimals))
            .and_then(|scale| scale.checked_add(9))
            .ok_or(InvalidCost::TooLarge)?;
        if scale < 0 {
            return Err(InvalidCost::TooManyDecimals);
        }
        let scale = u32::try_from(scale).map_err(|_| InvalidCost::TooLarge)?;
        let nanos = significant
            .parse::<i64>()
            .ok()
            .and_then(|significant| significant.checked_mul(10_i64.checked_pow(scale)?))
            .ok_or(InvalidCost::TooLarge)?;
        Self::from_nanos(nanos)
    }
}

/// Why something is no [`Cost`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidCost {
    /// The text is no decimal number.
    #[error("a cost is a decimal number of dollars")]
    NotANumber,
    /// Below zero.
    #[error("a cost must not be negative")]
    Negative,
    /// Finer than a nano-dollar.
    #[error("a cost has at most nine decimals")]
    TooManyDecimals,
    /// More than a million dollars.
    #[error("a cost is at most 1000000 dollars")]
    TooLarge,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn reads_decimal_dollars_exactly() {
        for (text, nanos) in [
            ("0", 0),
            ("-0.00", 0),
            ("0.1", 100_000_000),
            ("0.000000001", 1),
            ("1e-9", 1),
            ("1.50", 1_500_000_000),
            ("12.5E+1", 125_000_000_000),
            ("0.0000000010", 1),
            ("1000000", 1_000_000_000_000_000),
        ] {
            assert_eq!(text.parse(), Ok(Cost { nanos }), "{text}");
        }
    }

    #[test]
    fn refuses_what_it_cannot_keep_exactly() {
        for (text, error) in [
            ("", InvalidCost::NotANumber),
            (".5", InvalidCost::NotANumber),
            ("5.", InvalidCost::NotANumber),
            ("1,5", InvalidCost::NotANumber),
            ("1e", InvalidCost::NotANumber),
            ("--1", InvalidCost::NotANumber),
            ("1e+-2", InvalidCost::NotANumber),
            ("-0.01", InvalidCost::Negative),
            ("0.0000000001", InvalidCost::TooManyDecimals),
            ("0.10000000000000000001", InvalidCost::TooManyDecimals),
            ("1000000.000000001", InvalidCost::TooLarge),
            ("1e400", InvalidCost::TooLarge),
            ("99999999999999999999999", InvalidCost::TooLarge),
        ] {
            assert_eq!(text.parse::<Cost>(), Err(error), "{text}");
        }
    }

    #[test]
    fn a_mean_is_rounded_to_the_nano_dollar() {
        assert_eq!(Money::from_nanos(5).mean_over(2), Some(Money::from_nanos(3)));
        assert_eq!(Money::from_nanos(4).mean_over(3), Some(Money::from_nanos(1)));
        assert_eq!(Money::from_nanos(4).mean_over(0), None);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(nanos in 0..=Cost::MAX_NANOS) {
            let cost = Cost { nanos };
            prop_assert_eq!(cost.to_string().parse(), Ok(cost));
        }

        #[test]
        fn no_text_is_a_panic(text in "[-+0-9.eE]{0,40}") {
            let _ = text.parse::<Cost>();
        }
    }
}
