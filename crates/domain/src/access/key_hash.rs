//! What a store keeps of a secret.

use std::fmt;

/// A keyed hash of a key's secret: 32 bytes that nobody gets the secret from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct KeyHash([u8; Self::BYTES]);

impl KeyHash {
    /// How long a hash is.
    pub const BYTES: usize = 32;

    /// The hash with these bytes.
    #[must_use]
    pub const fn new(bytes: [u8; Self::BYTES]) -> Self {
        Self(bytes)
    }

    /// The hash's bytes. Compare them in constant time where a stranger could measure it.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; Self::BYTES] {
        &self.0
    }
}

impl TryFrom<&[u8]> for KeyHash {
    type Error = InvalidKeyHash;

    fn try_from(bytes: &[u8]) -> Result<Self, Self::Error> {
        bytes.try_into().map(Self).map_err(|_| InvalidKeyHash { bytes: bytes.len() })
    }
}

/// Shows nothing of it: a hash belongs into no log.
impl fmt::Debug for KeyHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHash(..)")
    }
}

/// Bytes that are no [`KeyHash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the hash of a key has {expected} bytes, not {bytes}", expected = KeyHash::BYTES)]
pub struct InvalidKeyHash {
    /// How many there are.
    pub bytes: usize,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_never_shown() {
        let hash = KeyHash::try_from([171; 32].as_slice()).unwrap();

        assert_eq!(format!("{hash:?}"), "KeyHash(..)");
        assert_eq!(KeyHash::try_from([1; 31].as_slice()), Err(InvalidKeyHash { bytes: 31 }));
    }
}
