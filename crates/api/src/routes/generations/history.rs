//! Which part of a history to list.

use domain::{GenerationStatus, HistoryCursor, HistoryFilter, Limit, Provider};

use super::Period;
use crate::parameters::{FromParameters, Parameters};

/// Which part of a history to list.
#[derive(Debug)]
pub(super) struct HistoryParameters {
    pub(super) filter: HistoryFilter,
    pub(super) cursor: Option<HistoryCursor>,
    pub(super) limit: Limit<100>,
}

impl FromParameters for HistoryParameters {
    fn from_parameters(parameters: &mut Parameters) -> Option<Self> {
        let filter = HistoryFilter {
            provider: parameters.optional("provider", |text| Provider::try_from(text)),
            status: parameters.optional("status", |text| GenerationStatus::try_from(text)),
            range: Period::from_parameters(parameters).range(),
        };
        let cursor = parameters.optional("cursor", HistoryCursor::parse);
        Some(Self { filter, cursor, limit: parameters.limit(10)? })
    }
}
