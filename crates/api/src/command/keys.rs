//! `groovebase keys`: API keys at the command line, where nobody needs a key.

mod period;

use std::io::{self, Write};

use cache::{FreshKey, NoRandomness};
use clap::ValueEnum;
use domain::{
    ApiKey, Author, KeyLimits, KeyStanding, KeyText, Label, NewApiKey, NoScope, PublicKeyId, Quota,
    RepositoryError, Rotated, Rotation, Scope, Scopes, Timestamp,
};
use serde_json::json;
use storage::Store;

use self::period::Period;
use super::serve::{self, ServeError};
use crate::{
    access::{NoAccessSecret, access_secret, all_keys},
    config::Settings,
    routes::keys::view::KeyView,
};

/// What to do with API keys.
#[derive(Debug, Clone, clap::Args)]
pub struct Keys {
    /// How to write the result. A new key stands alone on standard output, or as `key` in the JSON; everything else that
    /// there is to say goes to standard error.
    #[arg(long, global = true, value_name = "FORMAT", default_value = "text")]
    format: Format,
    /// What to do.
    #[command(subcommand)]
    action: Action,
}

/// How the result is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// For people, and for `$(…)`.
    Text,
    /// One JSON document.
    Json,
}

#[derive(Debug, Clone, clap::Subcommand)]
enum Action {
    /// Make a key and show it, once.
    Create(NewKey),
    /// List all keys, oldest first.
    List,
    /// Make a key with the name, the scopes and the limits of another one, which expires.
    Rotate {
        /// The id of the key: what is between `gb_` and the next `_`.
        #[arg(value_name = "ID")]
        id: PublicKeyId,
        /// For how long the old key goes on, such as `1h`; not at all if not given.
        #[arg(long, value_name = "PERIOD", default_value = "0s")]
        grace: Period,
    },
    /// Revoke a key: from now on it opens nothing.
    Revoke {
        /// The id of the key: what is between `gb_` and the next `_`.
        #[arg(value_name = "ID", required_unless_present = "all")]
        id: Option<PublicKeyId>,
        /// Revoke every key that opens anything.
        #[arg(long, conflicts_with = "id")]
        all: bool,
    },
}

/// A key to make.
#[derive(Debug, Clone, clap::Args)]
struct NewKey {
    /// What it is for, 1 to 100 characters.
    #[arg(long, value_name = "NAME")]
    name: Label,
    /// What it opens: `read`, `write`, `generate` or `admin`, which includes the others. Can be given several times.
    #[arg(long = "scope", value_name = "SCOPE", required = true)]
    scopes: Vec<Scope>,
    /// After how long it opens nothing any more, such as `90d`; never if not given.
    #[arg(long, value_name = "PERIOD")]
    expires_in: Option<Period>,
    /// How many requests a second it may make in the long run; as the service is set up if not given.
    #[arg(long, value_name = "COUNT")]
    requests_per_second: Option<Quota>,
    /// How many requests it may make at once; as the service is set up if not given.
    #[arg(long, value_name = "COUNT")]
    burst: Option<Quota>,
    /// How many requests it may make in any hour; as the service is set up if not given.
    #[arg(long, value_name = "COUNT")]
    requests_per_hour: Option<Quota>,
}

impl Keys {
    /// Does it; what is not the result is told in `notices`.
    pub async fn run(
        self,
        settings: &Settings,
        output: &mut impl Write,
        notices: &mut impl Write,
    ) -> Result<(), KeysError> {
        let store = serve::open_store(&settings.database).await?;
        let fresh = async || {
            let hasher = access_secret(settings.access.access_secret.as_ref(), &store).await?;
            Ok::<_, KeysError>(hasher.fresh_key()?)
        };
        let done = match self.action {
            Action::Create(new) => match fresh().await {
                Ok(key) => new.create(&store, key).await.and_then(|(text, key)| {
                    issued(&store, &text, key, None, self.format, output, notices)
                }),
                Err(error) => Err(error),
            },
            Action::Rotate { id, grace } => match fresh().await {
                Ok(key) => rotate(&store, &id, grace, key).await.and_then(|(text, rotated)| {
                    let Rotated { new, old } = rotated;
                    issued(&store, &text, new, Some(&old), self.format, output, notices)
                }),
                Err(error) => Err(error),
            },
            Action::List => list(&store, self.format, output).await,
            Action::Revoke { id: Some(id), all: _ } => {
                revoke(&store, &id, self.format, output).await
            }
            Action::Revoke { id: None, all: _ } => revoke_all(&store, self.format, output).await,
        };
        store.close().await;
        done
    }
}

impl NewKey {
    async fn create(
        self,
        store: &Store,
        FreshKey { text, hash }: FreshKey,
    ) -> Result<(KeyText, ApiKey), KeysError> {
        let Self { name, scopes, expires_in, requests_per_second, burst, requests_per_hour } = self;
        let new = NewApiKey {
            public_id: text.public_id().clone(),
            hash,
            name,
            scopes: Scopes::new(scopes)?,
            limits: KeyLimits { requests_per_second, burst, requests_per_hour },
            expires_at: expires_in.map(|period| store.now().saturating_add_micros(period.micros())),
        };
        let key = store.api_keys().insert(&new, &Author::at_the_command_line()).await?;
        Ok((text, key))
    }
}

async fn rotate(
    store: &Store,
    id: &PublicKeyId,
    grace: Period,
    FreshKey { text, hash }: FreshKey,
) -> Result<(KeyText, Rotated), KeysError> {
    let public_id = text.public_id().clone();
    let rotation = Rotation { public_id, hash, grace_micros: grace.micros() };
    match store.api_keys().rotate(id, &rotation, &Author::at_the_command_line()).await {
        Ok(Some(rotated)) => Ok((text, rotated)),
        Ok(None) => Err(KeysError::Unknown { prefix: id.prefix() }),
        Err(RepositoryError::Conflict) => Err(KeysError::Over { prefix: id.prefix() }),
        Err(error) => Err(error.into()),
    }
}

async fn revoke(
    store: &Store,
    id: &PublicKeyId,
    format: Format,
    output: &mut impl Write,
) -> Result<(), KeysError> {
    let revoked = store.api_keys().revoke(id, &Author::at_the_command_line()).await?;
    let revoked = revoked.ok_or_else(|| KeysError::Unknown { prefix: id.prefix() })?;
    match format {
        Format::Text => writeln!(output, "revoked {}", revoked.public_id.prefix())?,
        Format::Json => writeln!(output, "{}", json!(KeyView::as_of(store.now(), revoked)))?,
    }
    Ok(())
}

/// Revokes every key that opens anything, and adds each to those that are revoked.
async fn revoke_good(store: &Store, revoked: &mut Vec<ApiKey>) -> Result<(), KeysError> {
    let keys = store.api_keys();
    for key in all_keys(store).await? {
        if key.standing(store.now()) == KeyStanding::Good {
            revoked.extend(keys.revoke(&key.public_id, &Author::at_the_command_line()).await?);
        }
    }
    Ok(())
}

/// Revokes every key that opens anything, and tells which.
async fn revoke_all(
    store: &Store,
    format: Format,
    output: &mut impl Write,
) -> Result<(), KeysError> {
    let mut revoked = Vec::new();
    let ended = revoke_good(store, &mut revoked).await;
    // What was done is told however it ended.
    match format {
        Format::Text => {
            for key in revoked {
                writeln!(output, "revoked {}", key.public_id.prefix())?;
            }
        }
        Format::Json => {
            let now = store.now();
            let views = revoked.into_iter().map(|key| KeyView::as_of(now, key));
            writeln!(output, "{}", json!({ "keys": views.collect::<Vec<_>>() }))?;
        }
    }
    ended
}

async fn list(store: &Store, format: Format, output: &mut impl Write) -> Result<(), KeysError> {
    let keys = all_keys(store).await?;
    let now = store.now();
    match format {
        Format::Text => {
            for key in keys {
                writeln!(output, "{}", line(&key, now))?;
            }
        }
        Format::Json => {
            let keys: Vec<KeyView> = keys.into_iter().map(|key| KeyView::as_of(now, key)).collect();
            writeln!(output, "{}", json!({ "keys": keys }))?;
        }
    }
    Ok(())
}

fn line(key: &ApiKey, now: Timestamp) -> String {
    let time = |at: Option<Timestamp>| at.map_or_else(|| "never".to_owned(), |at| at.to_string());
    format!(
        "{:<35}  {:<7}  {:<25}  made {}  expires {}  used {}  {}",
        key.public_id.prefix(),
        key.standing(now).as_str(),
        key.scopes.to_string(),
        key.created_at,
        time(key.expires_at),
        time(key.last_used_at),
        key.name
    )
}

/// Shows a key to whoever asked for it.
fn issued(
    store: &Store,
    text: &KeyText,
    key: ApiKey,
    replaced: Option<&ApiKey>,
    format: Format,
    output: &mut impl Write,
    notices: &mut impl Write,
) -> Result<(), KeysError> {
    let end =
        key.expires_at.map_or_else(|| "never expires".to_owned(), |at| format!("expires {at}"));
    writeln!(
        notices,
        "Made {} for '{}' with {}; it {end}. It is shown once and cannot be shown again.",
        key.public_id.prefix(),
        key.name,
        key.scopes
    )?;
    if let Some(ApiKey { public_id, expires_at: Some(end), .. }) = replaced {
        writeln!(notices, "{} expires {end}.", public_id.prefix())?;
    }
    match format {
        Format::Text => writeln!(output, "{}", text.expose())?,
        Format::Json => {
            let view = KeyView::as_of(store.now(), key).showing(text);
            writeln!(output, "{}", json!(view))?;
        }
    }
    Ok(())
}

/// Why nothing was done with a key.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// The store cannot be opened.
    #[error(transparent)]
    Store(#[from] ServeError),
    /// There is nothing to key hashes with.
    #[error(transparent)]
    Secret(#[from] NoAccessSecret),
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
    /// A key that opens nothing.
    #[error(transparent)]
    NoScope(#[from] NoScope),
    /// There is no such key.
    #[error("there is no key {prefix}")]
    Unknown {
        /// How it would begin.
        prefix: String,
    },
    /// There is nothing to hand on.
    #[error("{prefix} has expired or was revoked; `groovebase keys create` makes a new one")]
    Over {
        /// How it begins.
        prefix: String,
    },
    /// The store cannot be read or written.
    #[error("the keys cannot be read or written")]
    Repository(#[from] RepositoryError),
    /// The result cannot be written.
    #[error("cannot write the result")]
    Output(#[from] io::Error),
}
