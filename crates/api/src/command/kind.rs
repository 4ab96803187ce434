//! What files hold.

/// What a file to import, or to export to, is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(super) enum Kind {
    /// Artists with their profiles and sources.
    #[default]
    Profiles,
    /// Generations.
    Generations,
}
