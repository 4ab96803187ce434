//! Which of many questions a row may answer: one comparison for each, of which a processor makes several at a time.

use domain::Metric;

use super::{
    codes::Measures,
    question::{Question, ROUNDING, ROUNDING_OF_SQUARES},
};

/// So many questions are compared before anybody looks at the outcome.
pub(super) const WIDTH: usize = 8;

/// The upper bound of a score, and the least that it must be, for questions of one metric, with everything divided by what
/// belongs to the question alone:
///
/// `dot * scale * row.product + error * row.error + row.fixed - half * row.square >= least`
///
/// It is never stricter than [`Question::interval`], which decides about those that pass.
pub(super) struct Gauge {
    metric: Metric,
    lanes: Vec<Lane>,
    lengths: Vec<f64>,
}

/// The numbers of [`WIDTH`] questions. What is beyond the last question lets nothing pass.
struct Lane {
    scales: [f64; WIDTH],
    errors: [f64; WIDTH],
    halves: [f64; WIDTH],
    least: [f64; WIDTH],
}

/// The numbers of a row.
#[derive(Debug, Clone, Copy)]
pub(super) struct RowTerms {
    product: f64,
    error: f64,
    fixed: f64,
    square: f64,
}

impl Gauge {
    /// The gauge of these questions, unless their metrics differ. Everything passes until a threshold is raised.
    pub(super) fn of(questions: &[Question]) -> Option<Self> {
        let metric = questions.first()?.search.metric;
        if questions.iter().any(|question| question.search.metric != metric) {
            return None;
        }
        let lane = |questions: &[Question]| {
            let mut lane = Lane {
                scales: [0.0; WIDTH],
                errors: [0.0; WIDTH],
                halves: [0.0; WIDTH],
                least: [f64::INFINITY; WIDTH],
            };
            let Lane { scales, errors, halves, least } = &mut lane;
            let places = scales.iter_mut().zip(errors).zip(halves).zip(least);
            for (question, (((scale, error), half), least)) in questions.iter().zip(places) {
                *scale = question.measures.scale.into();
                *error = question.measures.error.into();
                *half = match metric {
                    Metric::Cosine | Metric::InnerProduct => 0.0,
                    Metric::L2 => 0.5 / question.measures.length,
                };
                *least = f64::NEG_INFINITY;
            }
            lane
        };
        Some(Self {
            metric,
            lanes: questions.chunks(WIDTH).map(lane).collect(),
            lengths: questions.iter().map(|question| question.measures.length).collect(),
        })
    }

    /// Lets only those pass who may score this, or more, with this question.
    pub(super) fn raise(&mut self, question: usize, threshold: f64) {
        let Some(&length) = self.lengths.get(question) else { return };
        let lane = self.lanes.get_mut(question / WIDTH);
        let Some(least) = lane.and_then(|lane| lane.least.get_mut(question % WIDTH)) else {
            return;
        };
        *least = match self.metric {
            Metric::Cosine => threshold,
            Metric::InnerProduct => threshold / length,
            Metric::L2 => {
                let farthest = threshold * threshold;
                0.5 * (length * length * (1.0 - 2.0 * ROUNDING_OF_SQUARES) - farthest) / length
            }
        };
    }

    /// What the gauge needs of a row.
    pub(super) fn terms(&self, row: Measures) -> RowTerms {
        let error = f64::from(row.error);
        let cosine = RowTerms {
            product: row.scale.into(),
            error: 1.0 + error,
            fixed: error + 2.0 * ROUNDING,
            square: 0.0,
        };
        match self.metric {
            Metric::Cosine => cosine,
            Metric::InnerProduct | Metric::L2 => {
                let RowTerms { product, error, fixed, square: _ } = cosine;
                RowTerms {
                    product: product * row.length,
                    error: error * row.length,
                    fixed: fixed * row.length,
                    square: row.length * row.length * (1.0 - 2.0 * ROUNDING_OF_SQUARES),
                }
            }
        }
    }

    /// Whether one of the questions of a lane may be answered by a row, given its products with all of them.
    #[inline]
    pub(super) fn passes(&self, lane: usize, dots: &[i32; WIDTH], row: RowTerms) -> bool {
        self.lanes.get(lane).is_none_or(|lane| lane.passes(dots, row))
    }
}

impl Lane {
    #[inline]
    fn passes(&self, dots: &[i32; WIDTH], row: RowTerms) -> bool {
        let Self { scales, errors, halves, least } = self;
        let mut passes = false;
        for ((((dot, scale), error), half), least) in
            dots.iter().zip(scales).zip(errors).zip(halves).zip(least)
        {
            let most = f64::from(*dot) * scale * row.product + error * row.error + row.fixed
                - half * row.square;
            passes |= *least <= most;
        }
        passes
    }
}

#[cfg(test)]
mod tests {
    use domain::{Embedding, Limit, Search};
    use proptest::prelude::*;

    use super::*;
    use crate::similar_artists::codes::{code, dot};

    fn embeddings() -> impl Strategy<Value = Embedding> {
        (proptest::collection::vec(-1.0_f32..1.0, 384), -14..14).prop_filter_map(
            "some length",
            |(numbers, exponent)| {
                let scaled = numbers.iter().map(|number| number * 10.0_f32.powi(exponent));
                Embedding::try_from(scaled.collect::<Vec<_>>()).ok()
            },
        )
    }

    proptest! {
        #[test]
        fn lets_pass_who_may_score_enough_and_hardly_anybody_else(
            targets in proptest::collection::vec(embeddings(), 1..6),
            rows in proptest::collection::vec(embeddings(), 1..6),
            metric in proptest::sample::select(&Metric::ALL),
        ) {
            for target in &targets {
                let search = Search { metric, ..Search::around(target.clone(), Limit::LARGEST) };
                let question = Question::new(search, 0);
                let mut gauge = Gauge::of(std::slice::from_ref(&question)).unwrap();
                // Twins are the ones that are hard to tell apart.
                for (codes, measures) in rows.iter().chain(&targets).map(code) {
                    let mut dots = [0; WIDTH];
                    dots[0] = dot(&question.codes, &codes);
                    let upper = question.interval(dots[0], measures).upper;
                    let squares = question.measures.length.powi(2) + measures.length.powi(2);
                    let more = match metric {
                        Metric::Cosine => upper + 1e-6,
                        Metric::InnerProduct => upper + 1e-6 * squares,
                        Metric::L2 if upper * upper < 1e-6 * squares => f64::INFINITY,
                        Metric::L2 => upper * 0.999,
                    };

                    gauge.raise(0, upper);
                    prop_assert!(gauge.passes(0, &dots, gauge.terms(measures)));
                    gauge.raise(0, more);
                    prop_assert_eq!(
                        gauge.passes(0, &dots, gauge.terms(measures)),
                        more.is_infinite() && metric == Metric::L2
                    );
                }
            }
        }
    }
}
