//! `groovebase roles`: the PostgreSQL roles that the owner, the application and readers connect as.

use std::io::{self, Write};

use migration::{InvalidRole, MigrationError, Role, Roles, Schema};
use secrecy::{ExposeSecret, SecretString};

use crate::config::{DatabaseSettings, secret};

/// What the roles are called, and their passwords.
#[derive(Debug, Clone, clap::Args)]
pub struct RolesArguments {
    /// Write the statements to standard output, for `psql`, and connect to nothing.
    #[arg(long)]
    pub print: bool,
    /// The role that owns the tables and runs `migrate`.
    #[arg(long, value_name = "NAME", default_value = "groovebase_owner")]
    pub owner: String,
    /// The role that the service connects as.
    #[arg(long, value_name = "NAME", default_value = "groovebase_app")]
    pub application: String,
    /// The role for whoever only reads.
    #[arg(long, value_name = "NAME", default_value = "groovebase_readonly")]
    pub readonly: String,
    /// The owner's password; without it, it keeps the one it has.
    #[arg(long, value_name = "PASSWORD", env = "GROOVEBASE_ROLES_OWNER_PASSWORD", hide_env_values = true, value_parser = secret)]
    pub owner_password: Option<SecretString>,
    /// The application's password; without it, it keeps the one it has.
    #[arg(long, value_name = "PASSWORD", env = "GROOVEBASE_ROLES_APPLICATION_PASSWORD", hide_env_values = true, value_parser = secret)]
    pub application_password: Option<SecretString>,
    /// The password of whoever only reads; without it, that role keeps the one it has.
    #[arg(long, value_name = "PASSWORD", env = "GROOVEBASE_ROLES_READONLY_PASSWORD", hide_env_values = true, value_parser = secret)]
    pub readonly_password: Option<SecretString>,
}

impl RolesArguments {
    /// Makes the roles, or writes how they are made.
    pub async fn run(
        self,
        settings: &DatabaseSettings,
        output: &mut impl Write,
    ) -> Result<(), RolesError> {
        let Self {
            print,
            owner,
            application,
            readonly,
            owner_password,
            application_password,
            readonly_password,
        } = self;
        let roles = Roles::new(
            role(&owner, owner_password.as_ref())?,
            role(&application, application_password.as_ref())?,
            role(&readonly, readonly_password.as_ref())?,
        )?;
        if print {
            write!(output, "{}", roles.script())?;
            return Ok(());
        }

        let schema = Schema::connect(settings.url().expose_secret()).await?;
        let made = schema.make_roles(&roles).await;
        schema.close().await?;
        made?;
        writeln!(output, "owner        {owner}: `groovebase migrate`, `groovebase index`")?;
        writeln!(output, "application  {application}: `groovebase serve` and everything else")?;
        writeln!(output, "reader       {readonly}: analytics, GROOVEBASE_DATABASE_READ_URL")?;
        Ok(())
    }
}

fn role(name: &str, password: Option<&SecretString>) -> Result<Role, InvalidRole> {
    Role::new(name, password.map(ExposeSecret::expose_secret))
}

/// Why the roles were not made. Nothing was changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RolesError {
    /// A name or a password cannot be used.
    #[error(transparent)]
    Invalid(#[from] InvalidRole),
    /// The database said no.
    #[error(transparent)]
    Migration(#[from] MigrationError),
    /// The result could not be written.
    #[error("cannot write the result")]
    Output(#[from] io::Error),
}
