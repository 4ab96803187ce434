//! What research found, in numbers.

/// Drum-feel parameters whose values have been checked.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct QuantitativeParams(DrumFeel);

impl QuantitativeParams {
    /// The fastest tempo, in beats per minute.
    pub const MAX_TEMPO: f64 = 1_000.0;

    /// The values.
    #[must_use]
    pub const fn feel(&self) -> &DrumFeel {
        &self.0
    }
}

/// Drum-feel parameters as somebody states them.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct DrumFeel {
    /// Slowest tempo in beats per minute, above 0.
    pub tempo_min: f64,
    /// Fastest tempo in beats per minute, at most 1000.
    pub tempo_max: f64,
    /// Mean tempo in beats per minute, from `tempo_min` to `tempo_max`.
    pub tempo_avg: f64,
    /// Where the second of two eighths falls, in percent of the beat: 50 straight, 66.7 triplet; 0 to 100.
    pub swing_percent: f64,
    /// How likely a snare note is a ghost note, 0 to 1.
    pub ghost_note_prob: f64,
    /// How syncopated the playing is, 0 to 1.
    pub syncopation_level: f64,
    /// Mean MIDI velocity, 0 to 127.
    pub velocity_mean: f64,
    /// Standard deviation of MIDI velocity, 0 to 127.
    pub velocity_std: f64,
}

impl DrumFeel {
    /// Databases do not agree on the sign of zero, and it says nothing.
    fn without_signed_zeros(self) -> Self {
        let Self {
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent,
            ghost_note_prob,
            syncopation_level,
            velocity_mean,
            velocity_std,
        } = self;
        Self {
            tempo_min,
            tempo_max,
            tempo_avg,
            swing_percent: swing_percent + 0.0,
            ghost_note_prob: ghost_note_prob + 0.0,
            syncopation_level: syncopation_level + 0.0,
            velocity_mean: velocity_mean + 0.0,
            velocity_std: velocity_std + 0.0,
        }
    }
}

impl TryFrom<DrumFeel> for QuantitativeParams {
    type Error = InvalidQuantitativeParams;

    fn try_from(feel: DrumFeel) -> Result<Self, Self::Error> {
        let tempo = "above 0 and at most 1000";
        let is_tempo = |value: f64| 0.0 < value && value <= Self::MAX_TEMPO;
        let share = "from 0 to 1";
        let velocity = "from 0 to 127";
        let mut violations = Vec::new();
        let mut require = |holds: bool, field: &'static str, must: &'static str| {
            if !holds {
                violations.push(ParamViolation { field, must });
            }
        };

        require(is_tempo(feel.tempo_min), "tempo_min", tempo);
        require(is_tempo(feel.tempo_max), "tempo_max", tempo);
        require(is_tempo(feel.tempo_avg), "tempo_avg", tempo);
        if is_tempo(feel.tempo_min) && is_tempo(feel.tempo_max) {
            require(feel.tempo_min <= feel.tempo_max, "tempo_min", "at most tempo_max");
            if is_tempo(feel.tempo_avg) && feel.tempo_min <= feel.tempo_max {
                let between = feel.tempo_min <= feel.tempo_avg && feel.tempo_avg <= feel.tempo_max;
                require(between, "tempo_avg", "from tempo_min to tempo_max");
            }
        }
        require((0.0..=100.0).contains(&feel.swing_percent), "swing_percent", "from 0 to 100");
        require((0.0..=1.0).contains(&feel.ghost_note_prob), "ghost_note_prob", share);
        require((0.0..=1.0).contains(&feel.syncopation_level), "syncopation_level", share);
        require((0.0..=127.0).contains(&feel.velocity_mean), "velocity_mean", velocity);
        require((0.0..=127.0).contains(&feel.velocity_std), "velocity_std", velocity);

        if violations.is_empty() {
            Ok(Self(feel.without_signed_zeros()))
        } else {
            Err(InvalidQuantitativeParams { violations })
        }
    }
}

/// Parameters out of range: every one that is, in the order of [`DrumFeel`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("drum-feel parameters are out of range")]
pub struct InvalidQuantitativeParams {
    /// At least one.
    pub violations: Vec<ParamViolation>,
}

/// One parameter out of range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{field} must be {must}")]
pub struct ParamViolation {
    /// Name of the field of [`DrumFeel`].
    pub field: &'static str,
    /// What it must be, to follow "must be".
    pub must: &'static str,
}

#[cfg(test)]
mod tests {
    use super::*;

    const POCKET: DrumFeel = DrumFeel {
        tempo_min: 82.0,
        tempo_max: 104.0,
        tempo_avg: 92.0,
        swing_percent: 56.5,
        ghost_note_prob: 0.4,
        syncopation_level: 0.5,
        velocity_mean: 78.0,
        velocity_std: 18.0,
    };

    fn fields(feel: DrumFeel) -> Vec<&'static str> {
        QuantitativeParams::try_from(feel)
            .map_err(|error| {
                error.violations.into_iter().map(|violation| violation.field).collect()
            })
            .err()
            .unwrap_or_default()
    }

    #[test]
    fn zero_has_no_sign() {
        let params =
            QuantitativeParams::try_from(DrumFeel { swing_percent: -0.0, ..POCKET }).unwrap();

        assert!(params.feel().swing_percent.is_sign_positive());
    }

    #[test]
    fn names_every_parameter_out_of_range() {
        assert!(fields(POCKET).is_empty());
        for (feel, expected) in [
            (DrumFeel { tempo_min: -1.0, ..POCKET }, vec!["tempo_min"]),
            (DrumFeel { tempo_min: 105.0, ..POCKET }, vec!["tempo_min"]),
            (DrumFeel { tempo_avg: 81.0, ..POCKET }, vec!["tempo_avg"]),
            (DrumFeel { tempo_max: f64::INFINITY, ..POCKET }, vec!["tempo_max"]),
            (DrumFeel { swing_percent: 100.1, ..POCKET }, vec!["swing_percent"]),
            (
                DrumFeel { ghost_note_prob: 1.1, syncopation_level: f64::NAN, ..POCKET },
                vec!["ghost_note_prob", "syncopation_level"],
            ),
            (
                DrumFeel { velocity_mean: 128.0, velocity_std: -0.5, ..POCKET },
                vec!["velocity_mean", "velocity_std"],
            ),
        ] {
            assert_eq!(fields(feel), expected, "{feel:?}");
        }
    }
}
