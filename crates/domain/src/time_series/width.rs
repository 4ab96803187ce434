//! How wide the buckets of a series are.

/// A unit of local time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum BucketWidth {
    /// An hour of the local clock. One that is repeated when clocks are put back counts twice.
    Hour,
    /// A local date, which lasts 23 to 25 hours where clocks are turned by one.
    Day,
    /// Monday to Sunday, as in ISO 8601.
    Week,
    /// A month of the Gregorian calendar, which is also used before it was introduced.
    Month,
}

impl BucketWidth {
    /// Every width, narrowest first.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// The width's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "hour",
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

impl std::str::FromStr for BucketWidth {
    type Err = UnknownBucketWidth;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|width| width.as_str() == text).ok_or(UnknownBucketWidth)
    }
}

/// A text that names no [`BucketWidth`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a bucket is one of hour, day, week, month")]
pub struct UnknownBucketWidth;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_lead_to_widths() {
        for width in BucketWidth::ALL {
            assert_eq!(width.as_str().parse(), Ok(width));
        }
        for text in ["", "Hour", "hours", "year", " day"] {
            assert_eq!(text.parse::<BucketWidth>(), Err(UnknownBucketWidth), "{text:?}");
        }
    }
}
