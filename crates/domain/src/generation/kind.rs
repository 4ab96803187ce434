//! What statistics tell generations apart by.

use super::{GenerationStatus, Label, Provider};

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
