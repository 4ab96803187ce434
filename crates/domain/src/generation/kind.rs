//! What statistics tell generations apart by.

use super::{GenerationStatus, Provider};
use crate::Label;

/// What statistics tell generations apart by, besides time and artist.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GenerationKind {
    /// Who generated.
    pub provider: Provider,
    /// With which model, if known.
    pub model: Option<Label>,
    /// How it ended.
    pub status: GenerationStatus,
}
