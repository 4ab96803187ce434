//! What filters look at, by column.

use domain::{
    Confidence, DrumFeel, FeelParameter, QuantitativeParams, ResearchStatus, SearchFilter,
};
use hashbrown::{HashMap, hash_map::Entry};

use super::bits::Bits;

/// What filters look at in one artist.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Fact {
    status: ResearchStatus,
    confidence: f64,
    /// In the order of [`FeelParameter::ALL`].
    feel: [f64; FeelParameter::ALL.len()],
}

impl Fact {
    pub(super) fn new(
        status: ResearchStatus,
        confidence: Confidence,
        params: &QuantitativeParams,
    ) -> Self {
        let feel: &DrumFeel = params.feel();
        let feel = FeelParameter::ALL.map(|parameter| parameter.of(feel));
        Self { status, confidence: confidence.get(), feel }
    }
}

/// What filters look at in each row of a segment.
#[derive(Debug)]
pub(super) struct Facts {
    statuses: Box<[ResearchStatus]>,
    confidences: Column,
    feel: [Column; FeelParameter::ALL.len()],
}

impl Facts {
    pub(super) fn of(facts: &[Fact]) -> Self {
        let mut parameter = 0..;
        let feel = FeelParameter::ALL.map(|_| {
            let parameter = parameter.next().unwrap_or_default();
            let value = |fact: &Fact| fact.feel.get(parameter).copied().unwrap_or_default();
            Column::of(facts.iter().map(value))
        });
        Self {
            statuses: facts.iter().map(|fact| fact.status).collect(),
            confidences: Column::of(facts.iter().map(|fact| fact.confidence)),
            feel,
        }
    }

    /// What filters look at in one row.
    pub(super) fn row(&self, row: usize) -> Option<Fact> {
        let mut feel = [0.0; FeelParameter::ALL.len()];
        for (value, column) in feel.iter_mut().zip(&self.feel) {
            *value = column.value(row)?;
        }
        let status = *self.statuses.get(row)?;
        Some(Fact { status, confidence: self.confidences.value(row)?, feel })
    }

    /// Clears the rows that a filter does not admit: see [`SearchFilter::admits`].
    pub(super) fn sift(&self, filter: &SearchFilter, rows: &mut Bits) {
        let SearchFilter { statuses, least_confidence, ranges } = filter;
        if !statuses.is_empty() {
            rows.retain(|row| {
                self.statuses.get(row).is_some_and(|status| statuses.contains(status))
            });
        }
        if let Some(least) = least_confidence {
            self.confidences.sift(rows, |confidence| least.get() <= confidence);
        }
        for range in ranges {
            for (parameter, column) in FeelParameter::ALL.iter().zip(&self.feel) {
                if *parameter == range.parameter() {
                    column.sift(rows, |value| range.from() <= value && value <= range.to());
                }
            }
        }
    }

    /// How many bytes they take.
    pub(super) fn bytes(&self) -> usize {
        let feel: usize = self.feel.iter().map(Column::bytes).sum();
        size_of_val::<[ResearchStatus]>(&self.statuses) + self.confidences.bytes() + feel
    }
}

/// A number for each row. Where few numbers occur they are written once, and for each row which one it is.
#[derive(Debug)]
enum Column {
    /// At most 2^8.
    Few { values: Box<[f64]>, rows: Box<[u8]> },
    /// At most 2^16, and fewer than there are rows.
    Many { values: Box<[f64]>, rows: Box<[u16]> },
    /// Whatever they are.
    Any(Box<[f64]>),
}

impl Column {
    fn of(numbers: impl ExactSizeIterator<Item = f64> + Clone) -> Self {
        let most = numbers.len() / 2;
        let mut positions = HashMap::new();
        let mut values = Vec::new();
        let mut rows = Vec::with_capacity(numbers.len());
        for number in numbers.clone() {
            let Ok(next) = u16::try_from(values.len()) else { return Self::Any(numbers.collect()) };
            let position = match positions.entry(number.to_bits()) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(_) if most <= values.len() => {
                    return Self::Any(numbers.collect());
                }
                Entry::Vacant(place) => {
                    values.push(number);
                    *place.insert(next)
                }
            };
            rows.push(position);
        }
        let values = values.into_boxed_slice();
        match rows.iter().map(|&row| u8::try_from(row)).collect() {
            Ok(rows) => Self::Few { values, rows },
            Err(_) => Self::Many { values, rows: rows.into_boxed_slice() },
        }
    }

    fn value(&self, row: usize) -> Option<f64> {
        match self {
            Self::Few { values, rows } => values.get(usize::from(*rows.get(row)?)).copied(),
            Self::Many { values, rows } => values.get(usize::from(*rows.get(row)?)).copied(),
            Self::Any(values) => values.get(row).copied(),
        }
    }

    /// Clears the rows whose number is not admitted. Each number that occurs is looked at once.
    fn sift(&self, rows: &mut Bits, admits: impl Fn(f64) -> bool) {
        let verdicts = |values: &[f64]| values.iter().map(|&value| admits(value)).collect();
        match self {
            Self::Few { values, rows: positions } => {
                let verdicts: Vec<bool> = verdicts(values);
                rows.retain(|row| at(&verdicts, positions.get(row).copied().map(usize::from)));
            }
            Self::Many { values, rows: positions } => {
                let verdicts: Vec<bool> = verdicts(values);
                rows.retain(|row| at(&verdicts, positions.get(row).copied().map(usize::from)));
            }
            Self::Any(values) => {
                rows.retain(|row| values.get(row).is_some_and(|&value| admits(value)));
            }
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Few { values, rows } => size_of_val::<[f64]>(values) + size_of_val::<[u8]>(rows),
            Self::Many { values, rows } => {
                size_of_val::<[f64]>(values) + size_of_val::<[u16]>(rows)
            }
            Self::Any(values) => size_of_val::<[f64]>(values),
        }
    }
}

fn at(verdicts: &[bool], position: Option<usize>) -> bool {
    position.and_then(|position| verdicts.get(position)).copied().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use domain::FeelRange;
    use proptest::prelude::*;

    use super::*;

    fn params(tempo: f64, swing: f64) -> QuantitativeParams {
        QuantitativeParams::try_from(DrumFeel {
            tempo_min: tempo,
            tempo_max: tempo,
            tempo_avg: tempo,
            swing_percent: swing,
            ghost_note_prob: swing / 100.0,
            syncopation_level: 0.5,
            velocity_mean: swing,
            velocity_std: 18.0,
        })
        .unwrap()
    }

    proptest! {
        #[test]
        fn says_what_the_domain_says(
            artists in proptest::collection::vec((0_usize..4, 0_u8..=4, 1_u16..600, 0_u8..=100), 0..700),
            statuses in proptest::collection::vec(0_usize..4, 0..3),
            least in proptest::option::of(0_u8..=4),
            ranges in proptest::collection::vec((0_usize..8, -5_i16..600, 0_u16..400), 0..3),
        ) {
            let status = |index: usize| ResearchStatus::ALL[index];
            let share = |quarters: u8| Confidence::try_from(f64::from(quarters) / 4.0).unwrap();
            let artists: Vec<_> = artists
                .into_iter()
                .map(|(at, quarters, tempo, swing)| {
                    (status(at), share(quarters), params(f64::from(tempo), f64::from(swing)))
                })
                .collect();
            let filter = SearchFilter {
                statuses: statuses.into_iter().map(status).collect(),
                least_confidence: least.map(share),
                ranges: ranges
                    .into_iter()
                    .map(|(parameter, from, width)| {
                        let from = f64::from(from);
                        let to = from + f64::from(width);
                        FeelRange::new(FeelParameter::ALL[parameter], from, to).unwrap()
                    })
                    .collect(),
            };

            let all: Vec<_> = artists
                .iter()
                .map(|(status, confidence, params)| Fact::new(*status, *confidence, params))
                .collect();
            let facts = Facts::of(&all);
            let mut rows = Bits::all(artists.len());
            facts.sift(&filter, &mut rows);

            for (row, (status, confidence, params)) in artists.iter().enumerate() {
                let admitted = filter.admits(*status, *confidence, params.feel());
                prop_assert_eq!(rows.is_set(row), admitted, "row {}", row);
                prop_assert_eq!(facts.row(row), Some(all[row]));
            }
        }
    }

    #[test]
    fn columns_take_as_little_as_their_numbers_allow() {
        let column =
            |distinct: u32| Column::of((0..10_000).map(move |row| f64::from(row % distinct)));

        assert_eq!(column(100).bytes(), 10_000 + 800);
        assert_eq!(column(1_000).bytes(), 20_000 + 8_000);
        assert_eq!(column(10_000).bytes(), 80_000);
        assert_eq!(column(1_000).value(2_345), Some(345.0));
        assert_eq!(column(10_000).value(2_345), Some(2_345.0));
    }
}
