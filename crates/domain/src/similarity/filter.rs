//! Who a search looks at.

use std::hash::{Hash, Hasher};

use crate::{Confidence, DrumFeel, QuantitativeParams, ResearchStatus};

/// What an artist must be for a search to look at it. All conditions hold together.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SearchFilter {
    /// Where research about the artist stands: one of these, or anywhere if there are none.
    pub statuses: Vec<ResearchStatus>,
    /// How far the profile can be trusted at least.
    pub least_confidence: Option<Confidence>,
    /// Where the drum-feel parameters lie.
    pub ranges: Vec<FeelRange>,
}

impl SearchFilter {
    /// No condition at all.
    pub const EVERYBODY: Self =
        Self { statuses: Vec::new(), least_confidence: None, ranges: Vec::new() };

    /// Whether there is no condition.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.statuses.is_empty() && self.least_confidence.is_none() && self.ranges.is_empty()
    }

    /// Whether an artist like this is looked at.
    #[must_use]
    pub fn admits(&self, status: ResearchStatus, confidence: Confidence, feel: &DrumFeel) -> bool {
        (self.statuses.is_empty() || self.statuses.contains(&status))
            && self.least_confidence.is_none_or(|least| least <= confidence)
            && self.ranges.iter().all(|range| range.contains(feel))
    }
}

impl Eq for SearchFilter {}

impl Hash for SearchFilter {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { statuses, least_confidence, ranges } = self;
        statuses.hash(state);
        // Neither is ever not a number, and zeros have no sign.
        least_confidence.map(|least| least.get().to_bits()).hash(state);
        for FeelRange { parameter, from, to } in ranges {
            (parameter, from.to_bits(), to.to_bits()).hash(state);
        }
    }
}

/// From where to where a drum-feel parameter lies, both ends included.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct FeelRange {
    parameter: FeelParameter,
    from: f64,
    to: f64,
}

impl FeelRange {
    /// The range from one end to the other.
    ///
    /// # Errors
    ///
    /// When an end is not a finite number, or they are the wrong way round.
    pub fn new(parameter: FeelParameter, from: f64, to: f64) -> Result<Self, InvalidFeelRange> {
        if !(from.is_finite() && to.is_finite()) {
            return Err(InvalidFeelRange::NotFinite);
        }
        if to < from {
            return Err(InvalidFeelRange::Inverted);
        }
        // Adding zero turns -0 into 0.
        Ok(Self { parameter, from: from + 0.0, to: to + 0.0 })
    }

    /// Which parameter.
    #[must_use]
    pub const fn parameter(&self) -> FeelParameter {
        self.parameter
    }

    /// The lower end.
    #[must_use]
    pub const fn from(&self) -> f64 {
        self.from
    }

    /// The upper end.
    #[must_use]
    pub const fn to(&self) -> f64 {
        self.to
    }

    fn contains(&self, feel: &DrumFeel) -> bool {
        (self.from..=self.to).contains(&self.parameter.of(feel))
    }
}

/// Why numbers make no [`FeelRange`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidFeelRange {
    /// An end is infinite or no number.
    #[error("both ends of a range must be finite numbers")]
    NotFinite,
    /// It ends below its beginning.
    #[error("a range must not end below its beginning")]
    Inverted,
}

/// One of the numbers of [`DrumFeel`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FeelParameter {
    /// [`DrumFeel::tempo_min`]
    TempoMin,
    /// [`DrumFeel::tempo_max`]
    TempoMax,
    /// [`DrumFeel::tempo_avg`]
    TempoAvg,
    /// [`DrumFeel::swing_percent`]
    SwingPercent,
    /// [`DrumFeel::ghost_note_prob`]
    GhostNoteProb,
    /// [`DrumFeel::syncopation_level`]
    SyncopationLevel,
    /// [`DrumFeel::velocity_mean`]
    VelocityMean,
    /// [`DrumFeel::velocity_std`]
    VelocityStd,
}

impl FeelParameter {
    /// Every parameter, in the order of [`DrumFeel`].
    pub const ALL: [Self; 8] = [
        Self::TempoMin,
        Self::TempoMax,
        Self::TempoAvg,
        Self::SwingPercent,
        Self::GhostNoteProb,
        Self::SyncopationLevel,
        Self::VelocityMean,
        Self::VelocityStd,
    ];

    /// The parameter's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TempoMin => "tempo_min",
            Self::TempoMax => "tempo_max",
            Self::TempoAvg => "tempo_avg",
            Self::SwingPercent => "swing_percent",
            Self::GhostNoteProb => "ghost_note_prob",
            Self::SyncopationLevel => "syncopation_level",
            Self::VelocityMean => "velocity_mean",
            Self::VelocityStd => "velocity_std",
        }
    }

    /// From where to where its values lie, both included; every profile is within these.
    #[must_use]
    pub const fn bounds(self) -> (f64, f64) {
        match self {
            Self::TempoMin | Self::TempoMax | Self::TempoAvg => {
                (0.0, QuantitativeParams::MAX_TEMPO)
            }
            Self::SwingPercent => (0.0, 100.0),
            Self::GhostNoteProb | Self::SyncopationLevel => (0.0, 1.0),
            Self::VelocityMean | Self::VelocityStd => (0.0, 127.0),
        }
    }

    /// The parameter's value.
    #[must_use]
    pub const fn of(self, feel: &DrumFeel) -> f64 {
        match self {
            Self::TempoMin => feel.tempo_min,
            Self::TempoMax => feel.tempo_max,
            Self::TempoAvg => feel.tempo_avg,
            Self::SwingPercent => feel.swing_percent,
            Self::GhostNoteProb => feel.ghost_note_prob,
            Self::SyncopationLevel => feel.syncopation_level,
            Self::VelocityMean => feel.velocity_mean,
            Self::VelocityStd => feel.velocity_std,
        }
    }
}

impl std::str::FromStr for FeelParameter {
    type Err = UnknownFeelParameter;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL
            .into_iter()
            .find(|parameter| parameter.as_str() == text)
            .ok_or(UnknownFeelParameter)
    }
}

/// A text that names no [`FeelParameter`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "a parameter is one of tempo_min, tempo_max, tempo_avg, swing_percent, ghost_note_prob, syncopation_level, \
     velocity_mean, velocity_std"
)]
pub struct UnknownFeelParameter;

#[cfg(test)]
mod tests {
    use super::*;

    const FEEL: DrumFeel = DrumFeel {
        tempo_min: 82.0,
        tempo_max: 104.0,
        tempo_avg: 92.0,
        swing_percent: 56.5,
        ghost_note_prob: 0.4,
        syncopation_level: 0.5,
        velocity_mean: 78.0,
        velocity_std: 18.0,
    };

    #[test]
    fn every_condition_counts() {
        let sure = Confidence::try_from(0.5).unwrap();
        let range = |from, to| FeelRange::new(FeelParameter::TempoAvg, from, to).unwrap();
        let admits = |filter: SearchFilter| filter.admits(ResearchStatus::Cached, sure, &FEEL);
        let everybody = SearchFilter::EVERYBODY;

        assert!(everybody.is_empty() && admits(everybody.clone()));
        assert!(admits(SearchFilter { ranges: vec![range(92.0, 92.0)], ..everybody.clone() }));
        assert!(admits(SearchFilter { least_confidence: Some(sure), ..everybody.clone() }));
        let statuses = vec![ResearchStatus::Failed, ResearchStatus::Cached];
        assert!(admits(SearchFilter { statuses, ..everybody.clone() }));

        let ranges = vec![range(0.0, 100.0), range(92.5, 100.0)];
        assert!(!admits(SearchFilter { ranges, ..everybody.clone() }));
        let surer = Confidence::try_from(0.6).unwrap();
        assert!(!admits(SearchFilter { least_confidence: Some(surer), ..everybody.clone() }));
        let statuses = vec![ResearchStatus::Failed];
        assert!(!admits(SearchFilter { statuses, ..everybody }));
    }

    #[test]
    fn ranges_have_two_ends_in_order() {
        let range = |from, to| FeelRange::new(FeelParameter::VelocityStd, from, to);

        assert_eq!(range(2.0, 1.0), Err(InvalidFeelRange::Inverted));
        assert_eq!(range(f64::NAN, 1.0), Err(InvalidFeelRange::NotFinite));
        assert_eq!(range(0.0, f64::INFINITY), Err(InvalidFeelRange::NotFinite));
        assert!(range(-0.0, 0.0).is_ok_and(|range| range.from().is_sign_positive()));
    }

    #[test]
    fn names_lead_to_parameters() {
        for parameter in FeelParameter::ALL {
            assert_eq!(parameter.as_str().parse(), Ok(parameter));
        }
        assert_eq!("tempo".parse::<FeelParameter>(), Err(UnknownFeelParameter));
        assert!((FeelParameter::SwingPercent.of(&FEEL) - 56.5).abs() < f64::EPSILON);
    }

    #[test]
    fn bounds_are_those_of_profiles() {
        let widest = |end: fn((f64, f64)) -> f64| {
            let of = |parameter: FeelParameter| end(parameter.bounds());
            QuantitativeParams::try_from(DrumFeel {
                tempo_min: of(FeelParameter::TempoMin).max(f64::MIN_POSITIVE),
                tempo_max: of(FeelParameter::TempoMax).max(f64::MIN_POSITIVE),
                tempo_avg: of(FeelParameter::TempoAvg).max(f64::MIN_POSITIVE),
                swing_percent: of(FeelParameter::SwingPercent),
                ghost_note_prob: of(FeelParameter::GhostNoteProb),
                syncopation_level: of(FeelParameter::SyncopationLevel),
                velocity_mean: of(FeelParameter::VelocityMean),
                velocity_std: of(FeelParameter::VelocityStd),
            })
        };

        assert!(widest(|(least, _)| least).is_ok() && widest(|(_, most)| most).is_ok());
        let beyond = widest(|(_, most)| most.next_up()).unwrap_err();
        assert_eq!(beyond.violations.len(), FeelParameter::ALL.len());
    }
}
