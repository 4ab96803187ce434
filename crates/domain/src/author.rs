//! Who writes, and for which request.

use std::fmt;

use crate::{ApiKeyId, Label, PublicKeyId};

/// Whoever is behind a write, as it is remembered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// Who.
    pub actor: Actor,
    /// For which request.
    pub request: RequestId,
}

impl Author {
    /// Somebody at the command line, for something that is as good as a request.
    #[must_use]
    pub fn at_the_command_line() -> Self {
        Self { actor: Actor::Command, request: RequestId::generate() }
    }
}

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Actor {
    /// Somebody who did not have to say who they are.
    Anonymous,
    /// Whoever has a key.
    Key {
        /// Which key.
        id: ApiKeyId,
        /// What people know it by.
        public_id: PublicKeyId,
        /// What it is for.
        name: Label,
    },
    /// Somebody at the command line, beside the service.
    Command,
}

impl Actor {
    /// The kind of actor as it is written in every interface.
    #[must_use]
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Anonymous => "anonymous",
            Self::Key { .. } => "key",
            Self::Command => "command",
        }
    }
}

/// The identity of a request: 1 to [`RequestId::MAX_CHARS`] visible ASCII characters.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestId(Box<str>);

impl RequestId {
    /// The longest identity, in characters.
    pub const MAX_CHARS: usize = 128;

    /// A new one.
    #[must_use]
    pub fn generate() -> Self {
        Self(crate::Id::<Self>::generate().to_string().into())
    }

    /// The identity's text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&[u8]> for RequestId {
    type Error = InvalidRequestId;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        let is_usable =
            (1..=Self::MAX_CHARS).contains(&bytes.len()) && bytes.iter().all(u8::is_ascii_graphic);
        match str::from_utf8(bytes) {
            Ok(text) if is_usable => Ok(Self(text.into())),
            Ok(_) | Err(_) => Err(InvalidRequestId),
        }
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

/// Bytes that are no [`RequestId`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the identity of a request has 1 to {max} visible ASCII characters", max = RequestId::MAX_CHARS)]
pub struct InvalidRequestId;
