//! How the drum feel of who was found compares with what was searched for.

use std::{collections::HashMap, fmt::Write as _};

use cache::Freshness;
use domain::{ArtistKey, DrumFeel, Neighbours, RepositoryError};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{freshness::Served, state::State};

/// How everybody plays who was found.
#[derive(Debug)]
pub(super) struct Feels {
    by_artist: HashMap<ArtistKey, DrumFeel>,
    /// How that is known; `None` when nobody was found.
    pub(super) served: Option<Served>,
}

impl Feels {
    /// The drum feel of everybody in these answers, asked for at once.
    pub(super) async fn of(
        state: &State,
        answers: impl IntoIterator<Item = &Neighbours>,
        freshness: Freshness,
    ) -> Result<Self, RepositoryError> {
        let found = answers.into_iter().flat_map(|answer| &answer.neighbours);
        let mut keys: Vec<ArtistKey> = found.map(|found| found.artist.key().clone()).collect();
        keys.sort_unstable();
        keys.dedup();
        let reads = state.style_profiles.read_many(&keys, freshness).await?;
        let served = reads.iter().map(Served::of).reduce(Served::resting_on);
        let feels = keys
            .into_iter()
            .zip(reads)
            .filter_map(|(key, read)| Some((key, *read.value?.profile.quantitative_params.feel())));
        Ok(Self { by_artist: feels.collect(), served })
    }

    /// How an artist compares with a target; nothing when its profile was removed meanwhile.
    pub(super) fn compare(&self, artist: &ArtistKey, target: &DrumFeel) -> Option<ExplanationView> {
        Some(ExplanationView::between(target, self.by_artist.get(artist)?))
    }
}

/// The mean of several drum feels; nothing when there is none.
pub(super) fn mean(feels: &[DrumFeel]) -> Option<DrumFeel> {
    let (first, others) = feels.split_first()?;
    #[expect(clippy::cast_precision_loss, reason = "a few feels")]
    let count = feels.len() as f64;
    let of = |number: fn(&DrumFeel) -> f64| {
        others.iter().fold(number(first), |sum, feel| sum + number(feel)) / count
    };
    Some(DrumFeel {
        tempo_min: of(|feel| feel.tempo_min),
        tempo_max: of(|feel| feel.tempo_max),
        tempo_avg: of(|feel| feel.tempo_avg),
        swing_percent: of(|feel| feel.swing_percent),
        ghost_note_prob: of(|feel| feel.ghost_note_prob),
        syncopation_level: of(|feel| feel.syncopation_level),
        velocity_mean: of(|feel| feel.velocity_mean),
        velocity_std: of(|feel| feel.velocity_std),
    })
}

/// How the artist's drum feel differs: its numbers minus those of whom it was found for, to two decimals.
#[derive(Debug, Clone, PartialEq, Serialize, ToSchema)]
#[schema(as = Explanation, example = json!({
    "tempo_bpm": 6.5,
    "slowest_tempo_bpm": 2.0,
    "fastest_tempo_bpm": 18.0,
    "swing_percent": -3.2,
    "ghost_notes_percent": 12.0,
    "syncopation_percent": 0.0,
    "velocity": 4.1,
    "dynamics": -1.5,
    "summary": "6.5 BPM faster, 3.2 % of a beat straighter, 12 points more ghost notes, 4.1 louder, dynamics 1.5 narrower"
}))]
pub(super) struct ExplanationView {
    /// Mean tempo, in beats per minute: above 0 faster.
    tempo_bpm: f64,
    /// Slowest tempo, in beats per minute.
    slowest_tempo_bpm: f64,
    /// Fastest tempo, in beats per minute.
    fastest_tempo_bpm: f64,
    /// Where the second of two eighths falls, in percent of the beat: above 0 later, with more swing.
    swing_percent: f64,
    /// Ghost notes among snare notes, in percentage points: above 0 more of them.
    ghost_notes_percent: f64,
    /// Syncopation on a scale of 0 to 100: above 0 more.
    syncopation_percent: f64,
    /// Mean MIDI velocity, on its scale of 0 to 127: above 0 louder.
    velocity: f64,
    /// Standard deviation of MIDI velocity: above 0 more dynamic.
    dynamics: f64,
    /// The differences in words, those that one decimal shows.
    summary: String,
}

impl ExplanationView {
    fn between(target: &DrumFeel, found: &DrumFeel) -> Self {
        let difference = |number: fn(&DrumFeel) -> f64| number(found) - number(target);
        let mut view = Self {
            tempo_bpm: cents(difference(|feel| feel.tempo_avg)),
            slowest_tempo_bpm: cents(difference(|feel| feel.tempo_min)),
            fastest_tempo_bpm: cents(difference(|feel| feel.tempo_max)),
            swing_percent: cents(difference(|feel| feel.swing_percent)),
            ghost_notes_percent: cents(100.0 * difference(|feel| feel.ghost_note_prob)),
            syncopation_percent: cents(100.0 * difference(|feel| feel.syncopation_level)),
            velocity: cents(difference(|feel| feel.velocity_mean)),
            dynamics: cents(difference(|feel| feel.velocity_std)),
            summary: String::new(),
        };
        view.summary = view.words();
        view
    }

    fn words(&self) -> String {
        let mut words = String::new();
        for (difference, before, unit, more, less) in [
            (self.tempo_bpm, "", " BPM ", "faster", "slower"),
            (self.swing_percent, "", " % of a beat ", "more swing", "straighter"),
            (self.ghost_notes_percent, "", " points ", "more ghost notes", "fewer ghost notes"),
            (self.syncopation_percent, "", " points ", "more syncopated", "less syncopated"),
            (self.velocity, "", " ", "louder", "softer"),
            (self.dynamics, "dynamics ", " ", "wider", "narrower"),
        ] {
            let shown = (difference * 10.0).round() / 10.0;
            if shown == 0.0 {
                continue;
            }
            let separator = if words.is_empty() { "" } else { ", " };
            let (size, way) = (shown.abs(), if 0.0 < shown { more } else { less });
            // Writing to a string cannot fail.
            let _ = write!(words, "{separator}{before}{size}{unit}{way}");
        }
        if words.is_empty() { "much the same".to_owned() } else { words }
    }
}

/// To two decimals, which hides what binary fractions add; zero without a sign.
fn cents(number: f64) -> f64 {
    (number * 100.0).round() / 100.0 + 0.0
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

    const LOUD: DrumFeel = DrumFeel {
        tempo_min: 84.0,
        tempo_max: 122.0,
        tempo_avg: 98.5,
        swing_percent: 53.3,
        ghost_note_prob: 0.52,
        syncopation_level: 0.5,
        velocity_mean: 82.1,
        velocity_std: 16.5,
    };

    #[test]
    fn differences_are_found_minus_target() {
        let view = ExplanationView::between(&POCKET, &LOUD);

        assert_eq!(
            serde_json::to_value(&view).unwrap(),
            serde_json::to_value(<ExplanationView as utoipa::PartialSchema>::schema()).unwrap()["example"]
        );
    }

    #[test]
    fn words_go_both_ways() {
        let there = ExplanationView::between(&LOUD, &POCKET);

        assert_eq!(
            there.summary,
            "6.5 BPM slower, 3.2 % of a beat more swing, 12 points fewer ghost notes, 4.1 softer, dynamics 1.5 wider"
        );
        let alike = DrumFeel { tempo_avg: 92.04, ..POCKET };
        assert_eq!(ExplanationView::between(&POCKET, &alike).summary, "much the same");
    }

    #[test]
    fn nothing_has_no_sign() {
        let view = ExplanationView::between(&POCKET, &DrumFeel { velocity_std: 17.999, ..POCKET });

        assert!(view.dynamics.is_sign_positive());
    }

    #[test]
    fn a_mean_is_of_each_number() {
        let between = mean(&[POCKET, LOUD]).unwrap();

        assert_eq!((between.tempo_min, between.tempo_max), (83.0, 113.0));
        assert_eq!(mean(&[]), None);
    }
}
