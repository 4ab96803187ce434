//! What a key opens.

use std::{fmt, str::FromStr};

/// A part of what the service does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scope {
    /// Asking for what there is.
    Read,
    /// Changing artists, profiles and sources.
    Write,
    /// Recording generations.
    Generate,
    /// Keys and the audit log, and everything else too.
    Admin,
}

impl Scope {
    /// Every scope, in the order in which they are written.
    pub const ALL: [Self; 4] = [Self::Read, Self::Write, Self::Generate, Self::Admin];

    /// The scope's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Generate => "generate",
            Self::Admin => "admin",
        }
    }

    const fn bit(self) -> u8 {
        match self {
            Self::Read => 1,
            Self::Write => 2,
            Self::Generate => 4,
            Self::Admin => 8,
        }
    }
}

impl FromStr for Scope {
    type Err = UnknownScope;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::ALL.into_iter().find(|scope| scope.as_str() == text).ok_or(UnknownScope)
    }
}

impl fmt::Display for Scope {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.as_str())
    }
}

/// A text that is no [`Scope`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a scope is read, write, generate or admin")]
pub struct UnknownScope;

/// One scope or more.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Scopes(u8);

impl Scopes {
    /// One scope alone.
    #[must_use]
    pub const fn of(scope: Scope) -> Self {
        Self(scope.bit())
    }

    /// These scopes; one that is given twice counts once.
    ///
    /// # Errors
    ///
    /// When there is none: such a key would open nothing.
    pub fn new(scopes: impl IntoIterator<Item = Scope>) -> Result<Self, NoScope> {
        match scopes.into_iter().fold(0, |bits, scope| bits | scope.bit()) {
            0 => Err(NoScope),
            bits => Ok(Self(bits)),
        }
    }

    /// Whether whoever has these may do what needs this one.
    #[must_use]
    pub const fn allow(self, needed: Scope) -> bool {
        self.0 & (needed.bit() | Scope::Admin.bit()) != 0
    }

    /// The scopes, in the order in which they are written.
    pub fn iter(self) -> impl Iterator<Item = Scope> {
        Scope::ALL.into_iter().filter(move |scope| self.0 & scope.bit() != 0)
    }
}

/// Writes them with commas between, in one order.
impl fmt::Display for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.iter().map(Scope::as_str).collect();
        formatter.write_str(&names.join(","))
    }
}

impl fmt::Debug for Scopes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

/// Reads what [`Scopes`] are written as.
impl FromStr for Scopes {
    type Err = UnknownScopes;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let scopes: Vec<Scope> = text.split(',').map(str::parse).collect::<Result<_, _>>()?;
        Ok(Self::new(scopes)?)
    }
}

/// No scope at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a key has at least one scope: read, write, generate or admin")]
pub struct NoScope;

/// A text that is no [`Scopes`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum UnknownScopes {
    /// One of them is none.
    #[error(transparent)]
    Unknown(#[from] UnknownScope),
    /// There is none.
    #[error(transparent)]
    None(#[from] NoScope),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn admin_includes_every_other_and_no_other_includes_any() {
        for needed in Scope::ALL {
            assert!(Scopes::of(Scope::Admin).allow(needed));
            for one in [Scope::Read, Scope::Write, Scope::Generate] {
                assert_eq!(Scopes::of(one).allow(needed), one == needed);
            }
        }
    }

    #[test]
    fn are_read_as_they_are_written() {
        let both = Scopes::new([Scope::Generate, Scope::Read, Scope::Read]).unwrap();

        assert_eq!(both.to_string(), "read,generate");
        assert_eq!("generate,read".parse(), Ok(both));
        assert!(both.allow(Scope::Read) && !both.allow(Scope::Write));
        assert_eq!(Scopes::new([]), Err(NoScope));
        assert!("".parse::<Scopes>().is_err() && "read,root".parse::<Scopes>().is_err());
    }
}
