//! Who is let in.

use clap::{ArgAction, Args};
use secrecy::SecretString;

use super::secret;
use crate::access::AccessMode;

/// Who is let in.
#[derive(Debug, Clone, Args)]
#[command(next_help_heading = "Access")]
pub struct AccessSettings {
    /// Whether requests have to present an API key. `auto`: when the service listens beyond this machine.
    #[arg(
        long,
        global = true,
        value_name = "WHEN",
        env = "GROOVEBASE_ACCESS",
        default_value = "auto"
    )]
    pub access: AccessMode,
    /// What hashes of keys are keyed with: at least 32 random characters, the same for every instance. With another one
    /// no key is right. For an embedded database it is made when needed, in a file beside it.
    #[arg(long, global = true, value_name = "SECRET", env = "GROOVEBASE_ACCESS_SECRET", value_parser = secret)]
    pub access_secret: Option<SecretString>,
    /// Let everybody in though the service listens beyond this machine and access is off.
    #[arg(
        long,
        global = true,
        value_name = "BOOL",
        env = "GROOVEBASE_OPEN_TO_THE_NETWORK",
        action = ArgAction::Set,
        num_args = 0..=1,
        require_equals = true,
        default_value = "false",
        default_missing_value = "true"
    )]
    pub open_to_the_network: bool,
}
