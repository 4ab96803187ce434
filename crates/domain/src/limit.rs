//! How many results a caller wants.

/// A count of wanted results, 1 to `MAX`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Limit<const MAX: u16>(u16);

impl<const MAX: u16> Limit<MAX> {
    /// The largest limit.
    pub const LARGEST: Self = Self(MAX);

    /// The limit with this number.
    ///
    /// # Errors
    ///
    /// When it is 0 or above `MAX`; nothing is clamped.
    pub const fn new(number: u16) -> Result<Self, LimitOutOfRange> {
        if 1 <= number && number <= MAX {
            Ok(Self(number))
        } else {
            Err(LimitOutOfRange { max: MAX })
        }
    }

    /// The limit's number.
    #[must_use]
    pub const fn get(self) -> u16 {
        self.0
    }
}

/// A limit outside its range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("limit must be a whole number from 1 to {max}")]
pub struct LimitOutOfRange {
    /// The largest limit that is allowed.
    pub max: u16,
}
