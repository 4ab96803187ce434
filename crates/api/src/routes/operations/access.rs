//! How what is known of API keys stands.

use cache::{Keyring, KeyringStatus};
use serde::Serialize;
use utoipa::ToSchema;

/// How what is known of API keys stands.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccessHealth)]
pub(super) struct AccessView {
    /// `ok`, `loading` (after the start), `late` (they cannot be confirmed; they open what they did when they last could be),
    /// `unavailable` (for so long that nobody is let in) or `off` (requests need no key).
    #[schema(value_type = String)]
    state: &'static str,
    /// Milliseconds since the keys were known to be complete; null before, and when access is off.
    age_ms: Option<u64>,
    /// How many keys are known, expired and revoked ones included.
    keys: u64,
}

impl AccessView {
    pub(super) fn of(keyring: Option<&Keyring>) -> Self {
        match keyring {
            None => Self { state: "off", age_ms: None, keys: 0 },
            Some(keyring) => Self::from_status(keyring.status(), keyring.is_usable()),
        }
    }

    fn from_status(status: KeyringStatus, is_usable: bool) -> Self {
        let KeyringStatus { keys, age, failing, reliable } = status;
        let state = match age {
            None if failing => "unavailable",
            None => "loading",
            Some(_) if reliable => "ok",
            Some(_) if is_usable => "late",
            Some(_) => "unavailable",
        };
        Self {
            state,
            age_ms: age.map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            keys: u64::try_from(keys).unwrap_or(u64::MAX),
        }
    }

    /// Whether a revocation could not be heard of, or nobody is let in.
    pub(super) fn is_wanting(&self) -> bool {
        matches!(self.state, "late" | "unavailable")
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn keys_that_cannot_be_confirmed_are_wanting() {
        let of = |age: Option<u64>, failing, is_usable| {
            let age = age.map(Duration::from_millis);
            let reliable = age.is_some_and(|age| age < Duration::from_secs(1));
            let status = KeyringStatus { keys: 3, age, failing, reliable };
            let view = AccessView::from_status(status, is_usable);
            (view.state, view.is_wanting())
        };

        assert_eq!(of(Some(7), false, true), ("ok", false));
        assert_eq!(of(Some(7_000), true, true), ("late", true));
        assert_eq!(of(Some(700_000), true, false), ("unavailable", true));
        assert_eq!(of(None, false, false), ("loading", false));
        assert_eq!(of(None, true, false), ("unavailable", true));
    }
}
