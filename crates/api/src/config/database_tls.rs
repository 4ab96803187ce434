//! How connections to PostgreSQL are encrypted: what the settings say, as parts of the URL that every connection is
//! opened with.

use std::{fs, path::Path};

use clap::ValueEnum;
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use secrecy::{ExposeSecret, SecretString};

use super::DatabaseSettings;

/// How a connection to PostgreSQL is encrypted, and what is verified, as `sslmode` has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum DatabaseTls {
    /// Never encrypted.
    Disable,
    /// Encrypted if the server can. Nothing is verified.
    Prefer,
    /// Encrypted. Nothing is verified, so that somebody in between can read along.
    Require,
    /// Encrypted, by a certificate of an authority that is trusted.
    VerifyCa,
    /// Encrypted, by a certificate of an authority that is trusted, for the host of the URL.
    VerifyFull,
}

impl DatabaseTls {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Disable => "disable",
            Self::Prefer => "prefer",
            Self::Require => "require",
            Self::VerifyCa => "verify-ca",
            Self::VerifyFull => "verify-full",
        }
    }

    const fn verifies(self) -> bool {
        match self {
            Self::Disable | Self::Prefer | Self::Require => false,
            Self::VerifyCa | Self::VerifyFull => true,
        }
    }
}

/// What the driver calls the mode in a URL.
const MODE: [&str; 2] = ["sslmode", "ssl-mode"];

/// What the driver calls the file of authorities in a URL.
const AUTHORITIES: [&str; 3] = ["sslrootcert", "ssl-root-cert", "ssl-ca"];

impl DatabaseSettings {
    /// The URL of the database, with what the settings say about TLS.
    #[must_use]
    pub fn url(&self) -> SecretString {
        self.with_tls(&self.database_url)
    }

    /// The same for another URL.
    pub(super) fn with_tls(&self, url: &SecretString) -> SecretString {
        let url = url.expose_secret();
        let mut more = Vec::new();
        if let Some(mode) = self.tls() {
            more.push(format!("sslmode={}", mode.as_str()));
        }
        if let Some(file) = &self.database_ca_file {
            let file = file.to_string_lossy();
            more.push(format!("sslrootcert={}", utf8_percent_encode(&file, NON_ALPHANUMERIC)));
        }
        // The demo has a file of its own, whatever is configured.
        if more.is_empty() || url.starts_with("sqlite:") {
            return SecretString::from(url);
        }
        // What follows a # is no part of what is asked for.
        let url = url.split_once('#').map_or(url, |(url, _)| url);
        let joint = if url.contains('?') { '&' } else { '?' };
        SecretString::from(format!("{url}{joint}{}", more.join("&")))
    }

    /// Whoever names the authorities to trust wants certificates to be verified.
    fn tls(&self) -> Option<DatabaseTls> {
        self.database_tls
            .or_else(|| self.database_ca_file.as_ref().map(|_| DatabaseTls::VerifyFull))
    }

    /// Why these settings cannot be used with a URL: the setting that is to blame, and the reason.
    pub(super) fn tls_trouble(&self, url: &SecretString) -> Option<(&'static str, String)> {
        const TLS: &str = "database_tls";
        const FILE: &str = "database_ca_file";

        let url = url.expose_secret();
        let given = [
            (TLS, self.database_tls.is_some(), &MODE[..]),
            (FILE, self.database_ca_file.is_some(), &AUTHORITIES[..]),
        ];
        for (id, is_given, names) in given {
            if is_given && url.starts_with("sqlite:") {
                return Some((id, "an SQLite file is not reached over a network".to_owned()));
            }
            if is_given && let Some(name) = parameter(url, names) {
                return Some((id, format!("the URL of the database says {name} already")));
            }
        }
        let file = self.database_ca_file.as_deref()?;
        if self.tls().is_some_and(|mode| !mode.verifies()) {
            let reason = "certificates are verified with verify-ca and verify-full only";
            return Some((TLS, reason.to_owned()));
        }
        unusable(file).map(|reason| (FILE, reason))
    }
}

/// Why a file holds no certificates.
fn unusable(file: &Path) -> Option<String> {
    match fs::read_to_string(file) {
        Ok(pem) if pem.contains("-----BEGIN CERTIFICATE-----") => None,
        Ok(_) => Some(format!("{} holds no certificate in PEM", file.display())),
        Err(error) => Some(format!("cannot read {}: {error}", file.display())),
    }
}

/// The first of these parameters that a URL has.
fn parameter<'a>(url: &str, names: &[&'a str]) -> Option<&'a str> {
    let (_, query) = url.split_once('?')?;
    let given = |name: &str| {
        query.split('&').any(|pair| {
            let key = pair.split_once('=').map_or(pair, |(key, _)| key);
            percent_decode_str(key).decode_utf8_lossy() == name
        })
    };
    names.iter().copied().find(|name| given(name))
}
