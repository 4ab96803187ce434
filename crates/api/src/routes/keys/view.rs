//! A key as an answer shows it.

use domain::{ApiKey, KeyText};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::body::{KeyLimitsBody, ScopeBody};
use crate::state::State;

/// A page of keys.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ApiKeyPage, example = json!({"keys": [example_of_a_key()], "next_cursor": null}))]
pub(super) struct KeyPageView {
    /// The keys, oldest first.
    pub(super) keys: Vec<KeyView>,
    /// What to ask for as `cursor` to get the next page; null on the last.
    pub(super) next_cursor: Option<String>,
}

/// A key. Nothing but the answer that makes it shows its secret.
#[derive(Serialize, ToSchema)]
#[schema(as = ApiKey, example = json!(example_of_a_key()))]
pub(crate) struct KeyView {
    /// What it is known by.
    id: String,
    /// How it begins.
    prefix: String,
    /// The key itself, to be kept now or never: only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(required = false)]
    key: Option<String>,
    /// What it is for.
    name: String,
    /// What it opens.
    scopes: Vec<ScopeBody>,
    /// `active`, `expired` or `revoked`.
    #[schema(value_type = String)]
    status: &'static str,
    /// How much whoever has it may ask for.
    limits: KeyLimitsBody,
    /// When it was made.
    #[schema(format = DateTime)]
    created_at: String,
    /// From when on it opens nothing; null is never.
    #[schema(format = DateTime)]
    expires_at: Option<String>,
    /// When it was revoked; null if it was not.
    #[schema(format = DateTime)]
    revoked_at: Option<String>,
    /// When it was last used, here or, as of about a minute ago, at other instances; null if it never was.
    #[schema(format = DateTime)]
    last_used_at: Option<String>,
    /// Moves whenever the key changes; using it does not count.
    version: u64,
}

/// One that was not made a moment ago.
fn example_of_a_key() -> Value {
    json!({
        "id": "LygHa16AHYF",
        "prefix": "gb_LygHa16AHYF",
        "name": "nightly import",
        "scopes": ["read", "write"],
        "status": "active",
        "limits": {"requests_per_second": 50, "burst": 100, "requests_per_hour": null},
        "created_at": "2026-11-21T08:30:00Z",
        "expires_at": null,
        "revoked_at": null,
        "last_used_at": "2026-11-21T09:15:00Z",
        "version": 42
    })
}

impl KeyView {
    /// What may be shown of a key, with its last use as this instance knows it.
    pub(crate) fn of(state: &State, mut key: ApiKey) -> Self {
        let used_here = state.keyring().and_then(|keyring| keyring.last_use(&key.public_id));
        key.last_used_at = key.last_used_at.max(used_here);
        Self::as_of(state.now(), key)
    }

    /// What may be shown of a key.
    pub(crate) fn as_of(now: domain::Timestamp, key: ApiKey) -> Self {
        let status = key.standing(now).as_str();
        let ApiKey {
            id: _, // That of the store, which nobody else knows it by.
            public_id,
            name,
            hash: _,
            scopes,
            limits,
            created_at,
            expires_at,
            revoked_at,
            last_used_at,
            version,
        } = key;
        Self {
            id: public_id.to_string(),
            prefix: public_id.prefix(),
            key: None,
            name: name.to_string(),
            scopes: scopes.iter().map(ScopeBody::from).collect(),
            status,
            limits: limits.into(),
            created_at: created_at.to_string(),
            expires_at: expires_at.map(|at| at.to_string()),
            revoked_at: revoked_at.map(|at| at.to_string()),
            last_used_at: last_used_at.map(|at| at.to_string()),
            version: version.number(),
        }
    }

    /// The same with the key itself, for its owner.
    pub(crate) fn showing(self, text: &KeyText) -> Self {
        Self { key: Some(text.expose()), ..self }
    }
}

/// Without the key itself.
impl std::fmt::Debug for KeyView {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("KeyView").field("id", &self.id).finish_non_exhaustive()
    }
}
