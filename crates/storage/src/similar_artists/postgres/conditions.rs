//! What a filter says, in SQL.

use domain::{FeelParameter, SearchFilter};
use sea_orm::sqlx::{Postgres, QueryBuilder};

/// Joins the artist `a` of the profile `p`, if the filter looks at it, and begins the conditions.
pub(super) fn push_conditions(query: &mut QueryBuilder<Postgres>, filter: &SearchFilter) {
    let SearchFilter { statuses, least_confidence, ranges } = filter;
    if !statuses.is_empty() {
        query.push(" JOIN artists a ON a.id = p.artist_id");
    }
    query.push(" WHERE true");
    if !statuses.is_empty() {
        let statuses: Vec<&str> = statuses.iter().map(|status| status.as_str()).collect();
        query.push(" AND a.research_status = ANY(").push_bind(statuses).push(")");
    }
    if let Some(least) = least_confidence {
        query.push(" AND p.confidence_score >= ").push_bind(least.get());
    }
    for range in ranges {
        query
            .push(" AND p.")
            .push(column(range.parameter()))
            .push(" BETWEEN ")
            .push_bind(range.from())
            .push(" AND ")
            .push_bind(range.to());
    }
}

const fn column(parameter: FeelParameter) -> &'static str {
    match parameter {
        FeelParameter::TempoMin => "tempo_min",
        FeelParameter::TempoMax => "tempo_max",
        FeelParameter::TempoAvg => "tempo_avg",
        FeelParameter::SwingPercent => "swing_percent",
        FeelParameter::GhostNoteProb => "ghost_note_prob",
        FeelParameter::SyncopationLevel => "syncopation_level",
        FeelParameter::VelocityMean => "velocity_mean",
        FeelParameter::VelocityStd => "velocity_std",
    }
}
