//! From when to when, as parameters of a query.

use domain::{InvalidTimestamp, TimeRange, Timestamp};
use utoipa::IntoParams;

use crate::parameters::Parameters;

/// A stretch of time, either end of which may be left open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoParams)]
#[into_params(parameter_in = Query)]
pub(super) struct Period {
    /// Only generations that were made at this time (RFC 3339) or later.
    #[param(value_type = Option<String>, format = DateTime, example = "2026-11-01T00:00:00Z")]
    pub(super) from: Option<Timestamp>,
    /// Only generations that were made before this time (RFC 3339).
    #[param(value_type = Option<String>, format = DateTime, example = "2026-12-01T00:00:00Z")]
    pub(super) to: Option<Timestamp>,
}

impl Period {
    /// Takes both ends out of a query and notes what is wrong with them, alone and together.
    pub(super) fn from_parameters(parameters: &mut Parameters) -> Self {
        let from = parameters.optional("from", time);
        let to = parameters.optional("to", time);
        if let (Some(from), Some(to)) = (from, to)
            && to < from
        {
            parameters.refuse("from", "must not be after 'to'");
            parameters.refuse("to", "must not be before 'from'");
        }
        Self { from, to }
    }

    /// All time between the ends.
    pub(super) fn range(self) -> TimeRange {
        let Self { from, to } = self;
        TimeRange::clipped(
            from.map_or(i64::MIN, Timestamp::unix_micros),
            to.map_or(i64::MAX, Timestamp::unix_micros),
        )
    }
}

/// Reads RFC 3339. The `+` of an offset arrives as a space unless it is percent-encoded, which few think of; nothing else
/// can be meant by one there.
fn time(text: &str) -> Result<Timestamp, InvalidTimestamp> {
    text.parse().or_else(|invalid| {
        let (time, offset) = text.rsplit_once(' ').ok_or(invalid)?;
        format!("{time}+{offset}").parse().map_err(|_| invalid)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_an_offset_whose_plus_was_decoded() {
        let utc = "2026-03-28T23:00:00Z".parse();

        assert_eq!(time("2026-03-29T00:00:00+01:00"), utc);
        assert_eq!(time("2026-03-29T00:00:00 01:00"), utc);
        for wrong in ["2026-03-29", "2026-03-29 01:00", "2026-03-29T00:00:00 01", "01:00", " ", ""]
        {
            assert_eq!(time(wrong), Err(InvalidTimestamp::NotRfc3339), "{wrong:?}");
        }
    }
}
