//! A row of the report: what was measured beside what, and whether that is what was promised.

use std::fmt;

use serde::Serialize;

use super::{figures::Figures, pairs::Pairs};

/// One question, answered.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Row {
    /// What `--only` knows it by.
    pub(crate) name: &'static str,
    /// What was measured, for people.
    pub(crate) what: String,
    /// The medians of all turns.
    pub(crate) subject: Figures,
    /// What it was held against, for people.
    pub(crate) against: String,
    /// The medians of that.
    pub(crate) limit: Figures,
    /// What was promised.
    pub(crate) promises: Vec<Promise>,
}

/// Something that was promised, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub(crate) struct Promise {
    /// What of the row, such as `rate`.
    pub(crate) of: &'static str,
    /// How much it is.
    pub(crate) measured: f64,
    /// How much it has to be.
    pub(crate) bound: Bound,
    /// What both are numbers of.
    pub(crate) unit: Unit,
}

/// Where a number has to lie.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Bound {
    /// There or above.
    AtLeast(f64),
    /// There or below.
    AtMost(f64),
}

/// What a number counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Unit {
    /// Parts of the limit.
    OfLimit,
    /// Milliseconds.
    Milliseconds,
    /// Millions of bytes.
    Megabytes,
    /// Hundredths.
    Percent,
}

impl Promise {
    /// A promise, and what was measured of it, if anything was.
    pub(crate) fn new(of: &'static str, measured: Option<f64>, bound: Bound, unit: Unit) -> Self {
        Self { of, measured: measured.unwrap_or(f64::NAN), bound, unit }
    }

    /// A promise about what the subject of pairs has of their limit.
    pub(crate) fn of_limit(
        of: &'static str,
        pairs: &Pairs,
        figure: fn(&Figures) -> Option<f64>,
        bound: Bound,
    ) -> Self {
        Self::new(of, pairs.ratio(figure), bound, Unit::OfLimit)
    }

    /// Whether it was kept. What could not be measured was not.
    pub(crate) fn is_met(&self) -> bool {
        match self.bound {
            Bound::AtLeast(least) => least <= self.measured,
            Bound::AtMost(most) => self.measured <= most,
        }
    }
}

impl Row {
    /// Whether every promise was kept.
    pub(crate) fn is_met(&self) -> bool {
        self.promises.iter().all(Promise::is_met)
    }
}

/// As it was promised, such as `rate ≥ 0.80 ×`.
impl fmt::Display for Promise {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, bound) = match self.bound {
            Bound::AtLeast(least) => ('≥', least),
            Bound::AtMost(most) => ('≤', most),
        };
        write!(formatter, "{} {sign} {}", self.of, self.unit.written(bound))
    }
}

impl Unit {
    /// A number with what it counts.
    pub(crate) fn written(self, number: f64) -> String {
        match self {
            Self::OfLimit => format!("{number:.2} ×"),
            Self::Milliseconds => format!("{number:.2} ms"),
            Self::Megabytes => format!("{number:.0} MB"),
            Self::Percent => format!("{number:.1} %"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn promise(measured: f64, bound: Bound) -> Promise {
        Promise { of: "rate", measured, bound, unit: Unit::OfLimit }
    }

    #[test]
    fn bounds_belong_to_what_is_promised() {
        assert!(promise(0.8, Bound::AtLeast(0.8)).is_met());
        assert!(!promise(0.79, Bound::AtLeast(0.8)).is_met());
        assert!(promise(2.0, Bound::AtMost(2.0)).is_met());
        assert!(!promise(2.01, Bound::AtMost(2.0)).is_met());
    }

    #[test]
    fn what_could_not_be_measured_is_not_met() {
        assert!(!promise(f64::NAN, Bound::AtLeast(0.8)).is_met());
        assert!(!promise(f64::NAN, Bound::AtMost(0.8)).is_met());
    }

    #[test]
    fn one_broken_promise_fails_a_row() {
        let promises = vec![promise(0.9, Bound::AtLeast(0.8)), promise(2.5, Bound::AtMost(2.0))];
        let row = Row {
            name: "profile-hit",
            what: String::new(),
            subject: Figures::default(),
            against: String::new(),
            limit: Figures::default(),
            promises,
        };

        assert!(!row.is_met());
        assert_eq!(row.promises[1].to_string(), "rate ≤ 2.00 ×");
    }
}
