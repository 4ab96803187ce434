//! Secrets and their hashes.

use std::fmt;

use domain::{KeyHash, KeySecret, KeyText, PublicKeyId};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// Hashes the secrets of keys (HMAC-SHA-256), and makes new ones.
///
/// Whoever reads the stored hashes cannot try out secrets without the access secret that they are keyed with; with another
/// access secret no key is right.
#[derive(Clone)]
pub struct KeyHasher {
    keyed: Hmac<Sha256>,
}

/// A key that nobody has yet.
#[derive(Debug, Clone)]
pub struct FreshKey {
    /// For its owner.
    pub text: KeyText,
    /// For the store.
    pub hash: KeyHash,
}

impl KeyHasher {
    /// The shortest access secret, in characters.
    pub const LEAST_CHARS: usize = 32;

    /// A hasher with this access secret.
    ///
    /// # Errors
    ///
    /// When it is too short to be one.
    pub fn new(access_secret: &str) -> Result<Self, InvalidAccessSecret> {
        if access_secret.chars().count() < Self::LEAST_CHARS {
            return Err(InvalidAccessSecret);
        }
        let keyed = Hmac::new_from_slice(access_secret.as_bytes());
        Ok(Self { keyed: keyed.map_err(|_| InvalidAccessSecret)? })
    }

    /// Makes a key from random bytes of the operating system.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn fresh_key(&self) -> Result<FreshKey, NoRandomness> {
        let (mut id, mut secret) = ([0; 8], [0; 32]);
        getrandom::fill(&mut id)
            .and_then(|()| getrandom::fill(&mut secret))
            .map_err(|error| NoRandomness(Box::new(error)))?;
        let secret = KeySecret::from_random(secret);
        let hash = self.hash(&secret);
        Ok(FreshKey { text: KeyText::new(PublicKeyId::from_random(id), secret), hash })
    }

    /// Makes an access secret from random bytes of the operating system: letters and digits.
    ///
    /// # Errors
    ///
    /// When it has none.
    pub fn random_secret() -> Result<String, NoRandomness> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes).map_err(|error| NoRandomness(Box::new(error)))?;
        let secret = KeySecret::from_random(bytes);
        Ok(secret.expose().iter().copied().map(char::from).collect())
    }

    pub(super) fn hash(&self, secret: &KeySecret) -> KeyHash {
        let mut keyed = self.keyed.clone();
        keyed.update(secret.expose());
        KeyHash::new(keyed.finalize().into_bytes().into())
    }
}

impl fmt::Debug for KeyHasher {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("KeyHasher(..)")
    }
}

/// An access secret that is too short. It is not repeated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an access secret has at least {least} characters", least = KeyHasher::LEAST_CHARS)]
pub struct InvalidAccessSecret;

/// The operating system gave no random bytes.
#[derive(Debug, thiserror::Error)]
#[error("the operating system gave no random bytes")]
pub struct NoRandomness(#[source] Box<dyn std::error::Error + Send + Sync>);

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    #[test]
    fn the_same_secret_has_another_hash_under_another_access_secret() {
        let hasher = KeyHasher::new(SECRET).unwrap();
        let other = KeyHasher::new(&SECRET.to_uppercase()).unwrap();
        let FreshKey { text, hash } = hasher.fresh_key().unwrap();

        assert_eq!(hasher.hash(text.secret()), hash);
        assert_ne!(other.hash(text.secret()), hash);
    }

    #[test]
    fn hashes_as_the_standard_says() {
        // Checked with Python: hmac.new(SECRET, b'0' * 43, 'sha256').
        let hash = KeyHasher::new(SECRET).unwrap().hash(&KeySecret::from_random([0; 32]));

        let expected = [
            222, 223, 218, 1, 196, 136, 172, 101, 97, 241, 170, 170, 221, 177, 235, 69, 22, 221,
            239, 162, 139, 8, 164, 8, 235, 82, 162, 123, 249, 210, 218, 225,
        ];
        assert_eq!(hash.as_bytes(), &expected);
    }

    #[test]
    fn no_two_keys_are_alike() {
        let hasher = KeyHasher::new(SECRET).unwrap();
        let (one, other) = (hasher.fresh_key().unwrap(), hasher.fresh_key().unwrap());

        assert_ne!(one.text.public_id(), other.text.public_id());
        assert_ne!(one.hash, other.hash);
    }

    #[test]
    fn an_access_secret_is_long_and_never_shown() {
        assert!(KeyHasher::new(&SECRET[1..]).is_err());
        assert_eq!(format!("{:?}", KeyHasher::new(SECRET).unwrap()), "KeyHasher(..)");
    }
}
