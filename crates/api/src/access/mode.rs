//! Whether access is on.

use std::net::SocketAddr;

/// Whether requests have to present a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum AccessMode {
    /// They have to when the service listens beyond this machine.
    #[default]
    Auto,
    /// They have to.
    On,
    /// They need not.
    Off,
}

/// What was decided, and why.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Decided {
    /// Whether requests have to present a key.
    pub on: bool,
    /// Why, for the log.
    pub because: &'static str,
}

impl AccessMode {
    /// Decides for a service that listens there.
    ///
    /// # Errors
    ///
    /// When everybody on the network would be let in, and nobody said that this is meant.
    pub const fn decide(
        self,
        listen: SocketAddr,
        open_to_the_network: bool,
    ) -> Result<Decided, OpenToTheNetwork> {
        let is_local = listen.ip().to_canonical().is_loopback();
        let (on, because) = match (self, is_local) {
            (Self::On, _) => (true, "it is set so"),
            (Self::Auto, false) => (true, "the service listens beyond this machine"),
            (Self::Auto, true) => (false, "the service listens to this machine alone"),
            (Self::Off, true) => (false, "it is set so"),
            (Self::Off, false) if open_to_the_network => {
                (false, "it is set so, open to the network")
            }
            (Self::Off, false) => return Err(OpenToTheNetwork { listen }),
        };
        Ok(Decided { on, because })
    }
}

/// Everybody on the network would be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "access is off and {listen} is open to the network: turn access on, listen on 127.0.0.1, or say --open-to-the-network \
     (GROOVEBASE_OPEN_TO_THE_NETWORK=true) to let everybody in"
)]
pub struct OpenToTheNetwork {
    /// Where the service would listen.
    pub listen: SocketAddr,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_on(mode: AccessMode, listen: &str, open: bool) -> Option<bool> {
        mode.decide(listen.parse().unwrap(), open).map(|decided| decided.on).ok()
    }

    #[test]
    fn loopback_is_open_and_the_network_is_not() {
        for local in ["127.0.0.1:1", "127.9.9.9:1", "[::1]:1", "[::ffff:127.0.0.1]:1"] {
            assert_eq!(is_on(AccessMode::Auto, local, false), Some(false), "{local}");
            assert_eq!(is_on(AccessMode::Auto, local, true), Some(false), "{local}");
            assert_eq!(is_on(AccessMode::On, local, false), Some(true), "{local}");
            assert_eq!(is_on(AccessMode::Off, local, false), Some(false), "{local}");
        }
        for beyond in ["0.0.0.0:1", "[::]:1", "192.168.1.7:1", "[::ffff:10.0.0.1]:1"] {
            assert_eq!(is_on(AccessMode::Auto, beyond, false), Some(true), "{beyond}");
            assert_eq!(is_on(AccessMode::Auto, beyond, true), Some(true), "{beyond}");
            assert_eq!(is_on(AccessMode::On, beyond, false), Some(true), "{beyond}");
            assert_eq!(is_on(AccessMode::Off, beyond, false), None, "{beyond}");
            assert_eq!(is_on(AccessMode::Off, beyond, true), Some(false), "{beyond}");
        }
    }
}
