//! Who may ask for what: API keys, and what they open.

mod key_hash;
mod key_limits;
mod key_text;
mod public_key_id;
mod scope;

use crate::{Id, Label, Timestamp, Version};

pub use key_hash::{InvalidKeyHash, KeyHash};
pub use key_limits::{InvalidQuota, KeyLimits, Quota};
pub use key_text::{InvalidKeyText, KeySecret, KeyText};
pub use public_key_id::{InvalidPublicKeyId, PublicKeyId};
pub use scope::{NoScope, Scope, Scopes, UnknownScope, UnknownScopes};

/// Identity of an [`ApiKey`] inside the store; people know it by its [`PublicKeyId`].
pub type ApiKeyId = Id<ApiKey>;

/// A key that opens the service to whoever presents it. What it opens never changes; a key is revoked, never removed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiKey {
    /// Identity.
    pub id: ApiKeyId,
    /// What people know it by.
    pub public_id: PublicKeyId,
    /// What it is for.
    pub name: Label,
    /// What is left of its secret.
    pub hash: KeyHash,
    /// What it opens.
    pub scopes: Scopes,
    /// How much whoever has it may ask for.
    pub limits: KeyLimits,
    /// When it was made.
    pub created_at: Timestamp,
    /// From when on it opens nothing; `None` is never.
    pub expires_at: Option<Timestamp>,
    /// When it was revoked, if it was.
    pub revoked_at: Option<Timestamp>,
    /// When it was last used, as of about a minute ago.
    pub last_used_at: Option<Timestamp>,
    /// Its place in the order of all changes; using a key is none.
    pub version: Version,
}

impl ApiKey {
    /// Whether it opens anything at this time.
    #[must_use]
    pub fn standing(&self, now: Timestamp) -> KeyStanding {
        match (self.revoked_at, self.expires_at) {
            (Some(_), _) => KeyStanding::Revoked,
            (None, Some(expires_at)) if expires_at <= now => KeyStanding::Expired,
            (None, _) => KeyStanding::Good,
        }
    }
}

/// A key to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewApiKey {
    /// What people know it by.
    pub public_id: PublicKeyId,
    /// What is left of its secret.
    pub hash: KeyHash,
    /// What it is for.
    pub name: Label,
    /// What it opens.
    pub scopes: Scopes,
    /// How much whoever has it may ask for.
    pub limits: KeyLimits,
    /// From when on it opens nothing; `None` is never.
    pub expires_at: Option<Timestamp>,
}

/// Whether a key opens anything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyStanding {
    /// It does.
    Good,
    /// Not any more, because its time is over.
    Expired,
    /// Not any more, because somebody took it back.
    Revoked,
}

impl KeyStanding {
    /// The standing's name as it is written in every interface.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Good => "active",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_good_until_its_time_is_over_or_somebody_takes_it_back() {
        let at = |micros| Timestamp::from_unix_micros(micros).unwrap();
        let key = |expires_at, revoked_at| ApiKey {
            id: ApiKeyId::generate(),
            public_id: PublicKeyId::from_random([7; 8]),
            name: Label::try_from("n").unwrap(),
            hash: KeyHash::new([1; 32]),
            scopes: Scopes::of(Scope::Read),
            limits: KeyLimits::default(),
            created_at: at(0),
            expires_at,
            revoked_at,
            last_used_at: None,
            version: Version::ZERO,
        };

        assert_eq!(key(None, None).standing(at(9)), KeyStanding::Good);
        assert_eq!(key(Some(at(10)), None).standing(at(9)), KeyStanding::Good);
        assert_eq!(key(Some(at(9)), None).standing(at(9)), KeyStanding::Expired);
        assert_eq!(key(Some(at(9)), Some(at(8))).standing(at(9)), KeyStanding::Revoked);
        assert_eq!(key(None, Some(at(99))).standing(at(9)), KeyStanding::Revoked);
    }
}
