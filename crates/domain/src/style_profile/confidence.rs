//! How far something can be trusted.

/// A share from 0 (a guess) to 1 (certain).
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd)]
pub struct Confidence(f64);

impl Confidence {
    /// No confidence at all.
    pub const NONE: Self = Self(0.0);

    /// The share.
    #[must_use]
    pub const fn get(self) -> f64 {
        self.0
    }
}

impl TryFrom<f64> for Confidence {
    type Error = InvalidConfidence;

    fn try_from(share: f64) -> Result<Self, Self::Error> {
        // Adding zero turns -0 into 0.
        if (0.0..=1.0).contains(&share) { Ok(Self(share + 0.0)) } else { Err(InvalidConfidence) }
    }
}

/// A number that is no [`Confidence`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a number from 0 to 1")]
pub struct InvalidConfidence;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_a_share() {
        for share in [0.0, 0.5, 1.0] {
            assert_eq!(Confidence::try_from(share).map(Confidence::get), Ok(share));
        }
        for share in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(Confidence::try_from(share), Err(InvalidConfidence), "{share}");
        }
    }
}
