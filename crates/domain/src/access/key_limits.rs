//! How much a key may ask for.

/// How much whoever has a key may ask for. What is `None` is as the service is set up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct KeyLimits {
    /// Requests a second in the long run.
    pub requests_per_second: Option<Quota>,
    /// Requests at once.
    pub burst: Option<Quota>,
    /// Requests in any hour.
    pub requests_per_hour: Option<Quota>,
}

/// A number of requests, 1 to [`Quota::MOST`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota(u32);

impl Quota {
    /// The largest quota.
    pub const MOST: u32 = 1_000_000_000;

    /// The quota's number.
    #[must_use]
    pub const fn get(self) -> u32 {
        self.0
    }
}

impl TryFrom<u64> for Quota {
    type Error = InvalidQuota;

    fn try_from(number: u64) -> Result<Self, Self::Error> {
        match u32::try_from(number) {
            Ok(number) if (1..=Self::MOST).contains(&number) => Ok(Self(number)),
            Ok(_) | Err(_) => Err(InvalidQuota),
        }
    }
}

impl std::str::FromStr for Quota {
    type Err = InvalidQuota;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        text.parse::<u64>().map_err(|_| InvalidQuota)?.try_into()
    }
}

/// A number that is no [`Quota`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("must be a whole number from 1 to {most}", most = Quota::MOST)]
pub struct InvalidQuota;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_at_least_one() {
        assert_eq!(Quota::try_from(0), Err(InvalidQuota));
        assert_eq!("1".parse::<Quota>().map(Quota::get), Ok(1));
        assert_eq!(Quota::try_from(1_000_000_000).map(Quota::get), Ok(Quota::MOST));
        assert_eq!(Quota::try_from(1_000_000_001), Err(InvalidQuota));
        assert_eq!("-1".parse::<Quota>(), Err(InvalidQuota));
    }
}
