//! The access secret: from the settings, or from a file beside an embedded database.

use std::{
    ffi::OsString,
    fs::File,
    io::{self, ErrorKind, Read, Write},
    path::{Path, PathBuf},
};

use cache::{InvalidAccessSecret, KeyHasher, NoRandomness};
use domain::{ApiKey, KeyStanding, Limit, RepositoryError};
use secrecy::{ExposeSecret, SecretString};
use storage::Store;

/// What hashes the secrets of keys, with the access secret of the settings, or that of the file beside an embedded
/// database, which is made when it is first needed.
///
/// # Errors
///
/// When there is none, or none that can be used; also when the file is missing and there are keys, none of which would be
/// right any more.
pub async fn access_secret(
    setting: Option<&SecretString>,
    store: &Store,
) -> Result<KeyHasher, NoAccessSecret> {
    if let Some(secret) = setting {
        return Ok(KeyHasher::new(secret.expose_secret())?);
    }
    let Some(database) = store.file() else { return Err(NoAccessSecret::NotSet) };
    let file = beside(&database);
    let secret = match read(&file)? {
        Some(secret) => secret,
        None if has_good_keys(store).await? => {
            // Somebody who started at the same time may have made both.
            read(&file)?.ok_or_else(|| NoAccessSecret::Lost { file: file.clone() })?
        }
        None => make(&file)?,
    };
    KeyHasher::new(secret.trim_end()).map_err(|_| NoAccessSecret::Damaged { file })
}

fn beside(database: &Path) -> PathBuf {
    let mut name = OsString::from(database);
    name.push(".secret");
    name.into()
}

async fn has_good_keys(store: &Store) -> Result<bool, NoAccessSecret> {
    let keys = all_keys(store).await.map_err(NoAccessSecret::Keys)?;
    Ok(keys.iter().any(|key| key.standing(store.now()) == KeyStanding::Good))
}

/// Every key, whatever its standing, oldest first.
///
/// # Errors
///
/// When the store cannot be read.
pub(crate) async fn all_keys(store: &Store) -> Result<Vec<ApiKey>, RepositoryError> {
    let keys = store.api_keys();
    let (mut found, mut after) = (Vec::new(), None);
    loop {
        let page = keys.page(after, Limit::LARGEST).await?;
        found.extend(page.items);
        after = page.next;
        if after.is_none() {
            return Ok(found);
        }
    }
}

fn read(file: &Path) -> Result<Option<String>, NoAccessSecret> {
    let unreadable = |source| NoAccessSecret::Unreadable { file: file.to_owned(), source };
    let mut opened = match File::open(file) {
        Ok(opened) => opened,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(unreadable(error)),
    };
    warn_if_others_may_read(&opened, file);
    let mut secret = String::new();
    opened.read_to_string(&mut secret).map_err(unreadable)?;
    Ok(Some(secret))
}

/// Makes the file whole and at once, so that of several programs that start together each reads what one of them wrote.
fn make(file: &Path) -> Result<String, NoAccessSecret> {
    let failed = |source| NoAccessSecret::Unwritable { file: file.to_owned(), source };
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    let secret = KeyHasher::random_secret()?;
    // For the owner alone, and new (O_EXCL), which the name it gets has to be too.
    let mut written =
        tempfile::Builder::new().prefix(".secret-").tempfile_in(folder).map_err(failed)?;
    written.write_all(secret.as_bytes()).map_err(failed)?;
    written.as_file().sync_all().map_err(failed)?;
    match written.persist_noclobber(file) {
        Ok(_) => {
            tracing::info!(file = %file.display(), "Made the access secret; keys are good for nothing without it");
            Ok(secret)
        }
        Err(error) if error.error.kind() == ErrorKind::AlreadyExists => {
            read(file)?.ok_or_else(|| failed(error.error))
        }
        Err(error) => Err(failed(error.error)),
    }
}

#[cfg(unix)]
fn warn_if_others_may_read(opened: &File, file: &Path) {
    use std::os::unix::fs::PermissionsExt as _;

    let mode = opened.metadata().map(|about| about.permissions().mode());
    if mode.is_ok_and(|mode| mode & 0o077 != 0) {
        tracing::warn!(file = %file.display(), "Others may read the access secret: chmod 600 it");
    }
}

#[cfg(not(unix))]
fn warn_if_others_may_read(_: &File, _: &Path) {}

/// Why there is no access secret. No variant shows one.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NoAccessSecret {
    /// A server has no file beside it.
    #[error(
        "keys need an access secret: set GROOVEBASE_ACCESS_SECRET to at least 32 random characters, the same for every \
         instance, for example from `openssl rand -hex 32`"
    )]
    NotSet,
    /// The setting is too short.
    #[error(transparent)]
    Invalid(#[from] InvalidAccessSecret),
    /// The file is gone, and with it every key would be wrong.
    #[error(
        "{} is missing, and no API key is right without it: put it back, or set GROOVEBASE_ACCESS_SECRET to what it \
         held; if it is lost, `groovebase keys revoke --all` revokes every key, and the next start makes another secret",
        file.display()
    )]
    Lost {
        /// Which file.
        file: PathBuf,
    },
    /// Whether there are keys cannot be told.
    #[error("cannot read which API keys there are")]
    Keys(#[source] RepositoryError),
    /// The file was cut short.
    #[error("{} holds no access secret", file.display())]
    Damaged {
        /// Which file.
        file: PathBuf,
    },
    /// The file cannot be read.
    #[error("cannot read the access secret in {}", file.display())]
    Unreadable {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The file cannot be made.
    #[error("cannot keep an access secret in {}", file.display())]
    Unwritable {
        /// Which file.
        file: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The system gave no random bytes.
    #[error(transparent)]
    NoRandomness(#[from] NoRandomness),
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_secret_is_made_once_and_for_the_owner_alone() {
        let folder = tempfile::tempdir().unwrap();
        let file = beside(&folder.path().join("g.db"));

        let made = make(&file).unwrap();

        assert!(file.ends_with("g.db.secret"));
        assert_eq!(read(&file).unwrap().as_deref(), Some(made.as_str()));
        assert_eq!(make(&file).unwrap(), made, "whoever comes second reads it");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "nothing else is left");
        #[cfg(unix)]
        {
            use std::os::unix::fs::PermissionsExt as _;
            assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        }
    }
}
