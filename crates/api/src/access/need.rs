//! What somebody needs to use a route.

use domain::Scope;

/// What somebody needs to use a route.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Need {
    /// Nothing.
    Public,
    /// A key with this scope, when access is on.
    Scope(Scope),
}
