//! All generations of a period in figures.

use std::collections::BTreeMap;

use cache::{Dimensions, GroupSums};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    Period, Which,
    figures::{FiguresView, PercentilesView, sum},
};
use crate::{
    parameters::{FromParameters, Parameters},
    problem::Problem,
    reading::Answered,
    state::State,
};

/// What to show in figures.
#[derive(Debug)]
pub(super) struct StatisticsParameters {
    period: Period,
    which: Which,
}

impl FromParameters for StatisticsParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let period = Period::from_parameters(parameters);
        Some(Self { period, which: Which::from_parameters(parameters) })
    }
}

/// Generations in figures, and who made them.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Statistics, example = json!({
    "from": "2026-11-01T00:00:00Z",
    "to": null,
    "total_generations": 1_204,
    "completed": 1_190,
    "failed": 12,
    "cancelled": 2,
    "avg_generation_time_ms": 1_850.5,
    "p50_generation_time_ms": 1_760,
    "p95_generation_time_ms": 3_552,
    "p99_generation_time_ms": 6_208,
    "total_cost_usd": 15.0125,
    "avg_cost_per_generation": 0.012_510_417,
    "priced_generations": 1_200,
    "unpriced_generations": 4,
    "tokens": {
        "used": 2_889_600, "input": 2_287_600, "output": 602_000, "cache_read": 0, "cache_write": 0, "reasoning": 0
    },
    "provider_usage": {"anthropic": 800, "template": 404},
    "cached_artists": 87,
    "percentiles": {"exact": false, "relative_error": 0.015_625}
}))]
pub(super) struct StatisticsView {
    /// When the first of them may have been made; null when that was not asked for.
    #[schema(format = DateTime)]
    pub(super) from: Option<String>,
    /// Before when the last of them was made; null when that was not asked for.
    #[schema(format = DateTime)]
    pub(super) to: Option<String>,
    /// The figures.
    #[serde(flatten)]
    pub(super) figures: FiguresView,
    /// How many each provider made.
    pub(super) provider_usage: BTreeMap<String, u64>,
    /// How many artists have a profile now, whatever was asked for.
    pub(super) cached_artists: u64,
    /// What percentiles can be trusted for.
    pub(super) percentiles: PercentilesView,
}

impl StatisticsView {
    pub(super) async fn find(
        state: &State,
        parameters: StatisticsParameters,
    ) -> Result<Answered<Self>, Problem> {
        let StatisticsParameters { period, which } = parameters;
        let exact = which.exact;
        let by_provider = Dimensions { provider: true, ..Dimensions::default() };
        let Answered { value: parts, from } =
            which.sum_up(state, vec![period.range()], by_provider).await?;
        let cached_artists = state.cached_artists().await?;

        let all = sum(parts.iter().flatten());
        let mut provider_usage = BTreeMap::new();
        for GroupSums { provider, sums, .. } in parts.iter().flatten() {
            if let Some(provider) = provider {
                *provider_usage.entry(provider.to_string()).or_default() += sums.generations;
            }
        }
        let view = Self {
            from: period.from.map(|time| time.to_string()),
            to: period.to.map(|time| time.to_string()),
            figures: FiguresView::from(&*all),
            provider_usage,
            cached_artists,
            percentiles: PercentilesView::of(exact, [&*all]),
        };
        Ok(Answered { value: view, from })
    }
}
