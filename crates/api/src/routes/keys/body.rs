//! A key to make, as a request states it.

use domain::{KeyLimits, KeyName, Quota, Scope, Scopes, Timestamp};
use utoipa::ToSchema;

use crate::json::{Members, Node};

/// A key to make.
#[derive(Debug, ToSchema)]
#[schema(as = NewKey, example = json!({
    "name": "nightly import",
    "scopes": ["read", "write"],
    "expires_at": "2027-11-21T00:00:00Z",
    "limits": {"requests_per_second": 50, "burst": 100}
}))]
#[serde(deny_unknown_fields)]
pub(super) struct NewKey {
    /// What it is for.
    #[schema(value_type = String, min_length = 1, max_length = 100)]
    pub(super) name: KeyName,
    /// What it opens: `read`, `write`, `generate` or `admin`, which includes the others.
    #[schema(value_type = Vec<ScopeBody>, min_items = 1)]
    pub(super) scopes: Scopes,
    /// How much whoever has it may ask for; what is left out is as the service is set up.
    #[schema(value_type = Option<KeyLimitsBody>)]
    pub(super) limits: KeyLimits,
    /// From when on it opens nothing; never if left out.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub(super) expires_at: Option<Timestamp>,
}

/// How much whoever has a key may ask for; null is as the service is set up.
#[derive(Debug, Clone, Copy, serde::Serialize, ToSchema)]
#[schema(as = KeyLimits)]
pub(crate) struct KeyLimitsBody {
    /// Requests a second in the long run.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    requests_per_second: Option<u32>,
    /// Requests at once.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    burst: Option<u32>,
    /// Requests in any hour.
    #[schema(minimum = 1, maximum = 1_000_000_000)]
    requests_per_hour: Option<u32>,
}

impl From<KeyLimits> for KeyLimitsBody {
    fn from(limits: KeyLimits) -> Self {
        let KeyLimits { requests_per_second, burst, requests_per_hour } = limits;
        Self {
            requests_per_second: requests_per_second.map(Quota::get),
            burst: burst.map(Quota::get),
            requests_per_hour: requests_per_hour.map(Quota::get),
        }
    }
}

/// A part of what the service does.
#[derive(Debug, Clone, Copy, serde::Serialize, ToSchema)]
#[schema(as = Scope)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ScopeBody {
    /// Asking for what there is.
    Read,
    /// Changing artists, profiles and sources.
    Write,
    /// Recording generations.
    Generate,
    /// Keys and the audit log, and everything else too.
    Admin,
}

impl From<Scope> for ScopeBody {
    fn from(scope: Scope) -> Self {
        match scope {
            Scope::Read => Self::Read,
            Scope::Write => Self::Write,
            Scope::Generate => Self::Generate,
            Scope::Admin => Self::Admin,
        }
    }
}

impl NewKey {
    /// Reads a key to make and notes everything that is wrong with it.
    pub(super) fn read(node: &Node<'_>, now: Timestamp) -> Option<Self> {
        let mut members = node.members()?;
        let name = members
            .required("name")
            .and_then(|node| node.checked(KeyName::try_from(node.text()?.as_str())));
        let scopes = members.required("scopes").and_then(|node| read_scopes(&node));
        let limits = members.optional("limits").map(|node| read_limits(&node));
        let expires_at = members.optional("expires_at").map(|node| read_end(&node, now));
        members.end();
        Some(Self {
            name: name?,
            scopes: scopes?,
            limits: limits.unwrap_or_else(|| Some(KeyLimits::default()))?,
            expires_at: match expires_at {
                None => None,
                Some(end) => Some(end?),
            },
        })
    }
}

fn read_scopes(node: &Node<'_>) -> Option<Scopes> {
    let read = |node: &Node<'_>| node.checked(node.text()?.parse::<Scope>());
    let scopes: Vec<Option<Scope>> = node.elements()?.iter().map(read).collect();
    let scopes: Vec<Scope> = scopes.into_iter().collect::<Option<_>>()?;
    node.checked(Scopes::new(scopes))
}

fn read_limits(node: &Node<'_>) -> Option<KeyLimits> {
    let mut members = node.members()?;
    let requests_per_second = read_quota(&mut members, "requests_per_second");
    let burst = read_quota(&mut members, "burst");
    let requests_per_hour = read_quota(&mut members, "requests_per_hour");
    members.end();
    Some(KeyLimits { requests_per_second, burst, requests_per_hour })
}

/// What is wrong is noted, so that what is returned for it does not matter.
fn read_quota(members: &mut Members<'_>, name: &str) -> Option<Quota> {
    let node = members.optional(name)?;
    let number: u32 = node.whole_within(1, Quota::MOST)?;
    node.checked(Quota::try_from(u64::from(number)))
}

fn read_end(node: &Node<'_>, now: Timestamp) -> Option<Timestamp> {
    let end: Timestamp = node.checked(node.text()?.parse())?;
    if end <= now { node.refuse("must lie in the future") } else { Some(end) }
}
