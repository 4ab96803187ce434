//! Where a Redis is, as an address says it.

use percent_encoding::percent_decode_str;

use super::settings::InvalidRedisSettings;

/// A parsed address. It holds secrets, so it cannot be printed.
pub(super) struct Address {
    pub(super) tls: bool,
    pub(super) login: Login,
    pub(super) topology: Topology,
}

/// How Redis are laid out behind an address.
pub(super) enum Topology {
    /// One server.
    Single { node: Node, database: i64 },
    /// A master that sentinels know by name.
    Sentinel { sentinels: Vec<Node>, login: Login, master: String, database: i64 },
    /// A cluster that any of these nodes describes.
    Cluster { nodes: Vec<Node> },
}

/// A host and its port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Node {
    pub(super) host: String,
    pub(super) port: u16,
}

/// Who connects. Redis has a default user, so a password may stand alone.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Login {
    pub(super) user: Option<String>,
    pub(super) password: Option<String>,
}

const REDIS_PORT: u16 = 6_379;
const SENTINEL_PORT: u16 = 26_379;

#[derive(Clone, Copy)]
enum Kind {
    Single,
    Sentinel,
    Cluster,
}

impl Address {
    /// Reads an address. It is taken apart here because no URL library reads several hosts with ports.
    pub(super) fn parse(text: &str) -> Result<Self, InvalidRedisSettings> {
        let (scheme, rest) =
            text.trim().split_once("://").ok_or(InvalidRedisSettings::UnknownScheme)?;
        let (tls, kind) = match scheme {
            "redis" => (false, Kind::Single),
            "rediss" => (true, Kind::Single),
            "redis+sentinel" => (false, Kind::Sentinel),
            "rediss+sentinel" => (true, Kind::Sentinel),
            "redis+cluster" => (false, Kind::Cluster),
            "rediss+cluster" => (true, Kind::Cluster),
            _ => return Err(InvalidRedisSettings::UnknownScheme),
        };
        let (rest, query) = split(rest, '?');
        let (authority, path) = split(rest, '/');
        let (login, hosts) = match authority.rsplit_once('@') {
            Some((login, hosts)) => (login_of(login)?, hosts),
            None => (Login::default(), authority),
        };

        let topology = match kind {
            Kind::Single => {
                expect_no_query(query)?;
                Topology::Single { node: one(hosts)?, database: database(path)? }
            }
            Kind::Sentinel => {
                let (master, number) = split(path, '/');
                Topology::Sentinel {
                    sentinels: several(hosts, SENTINEL_PORT)?,
                    login: sentinel_login(query)?,
                    master: non_empty(decoded(master)?).ok_or(InvalidRedisSettings::NoMaster)?,
                    database: database(number)?,
                }
            }
            Kind::Cluster => {
                expect_no_query(query)?;
                if database(path)? != 0 {
                    return Err(InvalidRedisSettings::DatabaseOfCluster);
                }
                Topology::Cluster { nodes: several(hosts, REDIS_PORT)? }
            }
        };
        Ok(Self { tls, login, topology })
    }
}

fn split(text: &str, at: char) -> (&str, &str) {
    text.split_once(at).unwrap_or((text, ""))
}

fn expect_no_query(query: &str) -> Result<(), InvalidRedisSettings> {
    if query.is_empty() { Ok(()) } else { Err(InvalidRedisSettings::UnknownOption) }
}

fn login_of(text: &str) -> Result<Login, InvalidRedisSettings> {
    let (user, password) = split(text, ':');
    let login = Login { user: non_empty(decoded(user)?), password: non_empty(decoded(password)?) };
    login.checked()
}

impl Login {
    fn checked(self) -> Result<Self, InvalidRedisSettings> {
        if self.user.is_some() && self.password.is_none() {
            Err(InvalidRedisSettings::UserWithoutPassword)
        } else {
            Ok(self)
        }
    }
}

fn sentinel_login(query: &str) -> Result<Login, InvalidRedisSettings> {
    let mut login = Login::default();
    for option in query.split('&').filter(|option| !option.is_empty()) {
        let (name, value) = split(option, '=');
        let slot = match name {
            "sentinel_user" => &mut login.user,
            "sentinel_password" => &mut login.password,
            _ => return Err(InvalidRedisSettings::UnknownOption),
        };
        *slot = non_empty(decoded(value)?);
    }
    login.checked()
}

fn one(hosts: &str) -> Result<Node, InvalidRedisSettings> {
    if hosts.contains(',') {
        Err(InvalidRedisSettings::SeveralHosts)
    } else {
        node(hosts, REDIS_PORT)
    }
}

fn several(hosts: &str, port: u16) -> Result<Vec<Node>, InvalidRedisSettings> {
    hosts.split(',').map(|host| node(host, port)).collect()
}

fn node(text: &str, default_port: u16) -> Result<Node, InvalidRedisSettings> {
    // An IPv6 address stands in brackets, since it holds colons itself.
    let (host, port) = if let Some(rest) = text.strip_prefix('[') {
        let (host, rest) = rest.split_once(']').ok_or(InvalidRedisSettings::NoHost)?;
        (host, rest.strip_prefix(':').or(rest.is_empty().then_some("")))
    } else {
        let (host, port) = split(text, ':');
        (host, Some(port))
    };
    let port = match port.ok_or(InvalidRedisSettings::InvalidPort)? {
        "" => default_port,
        digits => digits
            .parse()
            .ok()
            .filter(|&port| port != 0)
            .ok_or(InvalidRedisSettings::InvalidPort)?,
    };
    if host.is_empty() || host.contains(|character: char| character.is_whitespace()) {
        return Err(InvalidRedisSettings::NoHost);
    }
    Ok(Node { host: host.to_owned(), port })
}

fn database(text: &str) -> Result<i64, InvalidRedisSettings> {
    match text {
        "" => Ok(0),
        digits => {
            digits.parse::<u16>().map(i64::from).map_err(|_| InvalidRedisSettings::InvalidDatabase)
        }
    }
}

fn decoded(text: &str) -> Result<String, InvalidRedisSettings> {
    let decoded = percent_decode_str(text).decode_utf8();
    decoded.map(Into::into).map_err(|_| InvalidRedisSettings::NotUtf8)
}

fn non_empty(text: String) -> Option<String> {
    Some(text).filter(|text| !text.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> Address {
        Address::parse(text).unwrap()
    }

    fn refused(text: &str) -> InvalidRedisSettings {
        Address::parse(text).err().unwrap()
    }

    fn at(host: &str, port: u16) -> Node {
        Node { host: host.to_owned(), port }
    }

    fn login(user: Option<&str>, password: Option<&str>) -> Login {
        Login { user: user.map(str::to_owned), password: password.map(str::to_owned) }
    }

    #[test]
    fn a_plain_address_has_a_login_a_port_and_a_database() {
        let address = parsed("rediss://groove%20base:p%40ss%2Fw%C3%B6rd@cache.internal:6380/3");

        assert!(address.tls);
        assert!(address.login == login(Some("groove base"), Some("p@ss/wörd")));
        let Topology::Single { node, database } = address.topology else { panic!("one server") };
        assert_eq!((node, database), (at("cache.internal", 6_380), 3));
    }

    #[test]
    fn what_is_left_out_is_the_usual() {
        let address = parsed("redis://:secret@[::1]");

        assert!(!address.tls);
        assert!(address.login == login(None, Some("secret")));
        let Topology::Single { node, database } = address.topology else { panic!("one server") };
        assert_eq!((node, database), (at("::1", 6_379), 0));
    }

    #[test]
    fn sentinels_come_with_the_name_of_the_master_and_a_login_of_their_own() {
        let address = parsed(
            "redis+sentinel://u:p@one,two:26380/my%20master/2?sentinel_user=s&sentinel_password=t",
        );

        let Topology::Sentinel { sentinels, login: sentinel, master, database } = address.topology
        else {
            panic!("sentinels")
        };
        assert_eq!(sentinels, [at("one", 26_379), at("two", 26_380)]);
        assert_eq!((master.as_str(), database), ("my master", 2));
        assert!(address.login == login(Some("u"), Some("p")));
        assert!(sentinel == login(Some("s"), Some("t")));
    }

    #[test]
    fn a_cluster_is_any_of_its_nodes() {
        let address = parsed("rediss+cluster://u:p@one:7000,two:7001");

        let Topology::Cluster { nodes } = address.topology else { panic!("a cluster") };
        assert_eq!(nodes, [at("one", 7_000), at("two", 7_001)]);
    }

    #[test]
    fn says_what_is_wrong_and_never_shows_a_secret() {
        use InvalidRedisSettings::*;

        for (text, expected) in [
            ("hunter2", UnknownScheme),
            ("http://hunter2@cache", UnknownScheme),
            ("redis://", NoHost),
            ("redis://:hunter2@", NoHost),
            ("redis://cache:hunter2", InvalidPort),
            ("redis://cache:0", InvalidPort),
            ("redis://[::1]hunter2", InvalidPort),
            ("redis://hunter2@cache", UserWithoutPassword),
            ("redis://:hunter2@one,two", SeveralHosts),
            ("redis://cache/hunter2", InvalidDatabase),
            ("redis://cache/-1", InvalidDatabase),
            ("redis://:hunter2%FF@cache", NotUtf8),
            ("redis://cache?password=hunter2", UnknownOption),
            ("redis+sentinel://one,two", NoMaster),
            ("redis+sentinel://one/main?hunter2", UnknownOption),
            ("redis+cluster://one,two/1", DatabaseOfCluster),
        ] {
            let error = refused(text);

            assert_eq!(error, expected, "{text}");
            assert!(!error.to_string().contains("hunter2"), "{error}");
        }
    }
}
