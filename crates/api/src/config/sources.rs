//! Where settings come from, and which source wins.

use std::{
    error::Error,
    ffi::OsString,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use cache::{InvalidRedisSettings, KeyHasher, Redis};
use clap::{
    Arg, ArgMatches, Command, CommandFactory, FromArgMatches,
    error::{ContextKind, ContextValue},
    parser::ValueSource,
};
use secrecy::ExposeSecret;

use super::{CommandLine, ConfigurationError, Origin, Settings};

/// What the names of all settings begin with in the environment.
const PREFIX: &str = "GROOVEBASE_";

/// Names that belong to test runs.
const TEST_PREFIX: &str = "GROOVEBASE_TEST_";

/// What a process is started with.
#[derive(Debug, Clone)]
pub struct Surroundings {
    /// The arguments, the program's name first.
    pub arguments: Vec<OsString>,
    /// The environment.
    pub environment: Vec<(OsString, OsString)>,
    /// The working folder, where `.env` may be.
    pub folder: PathBuf,
}

impl Surroundings {
    /// Those of this process.
    #[must_use]
    pub fn of_process() -> Self {
        Self {
            arguments: std::env::args_os().collect(),
            environment: std::env::vars_os().collect(),
            folder: PathBuf::from("."),
        }
    }

    /// Reads what to do, with which settings.
    ///
    /// # Errors
    ///
    /// For the first setting that is unknown or invalid, and when help or the version was asked for.
    pub fn command_line(&self) -> Result<CommandLine, ConfigurationError> {
        let command = command();
        // Help, the version and wrong flags end here, whatever the other sources say.
        let flags = command.clone().try_get_matches_from(&self.arguments)?;
        let mut layers = vec![self.environment_layer()?, self.dotenv_layer()?];
        if let Some(file) = config_file(&flags, &layers) {
            layers.push(file_layer(&self.folder.join(file))?);
        }

        // A lower source is a default that stands unless a higher one speaks: clap decides between it and a flag.
        let mut informed = command.clone();
        for layer in layers.iter().rev() {
            for given in &layer.given {
                let Some(arg) = settings(&command).find(|arg| arg.get_id() == given.id.as_str())
                else {
                    continue;
                };
                layer.check(arg, given)?;
                let value = given.value.clone();
                informed = informed.mut_arg(&given.id, |arg| arg.default_value(value));
            }
        }
        let matches = informed.try_get_matches_from(&self.arguments)?;
        let command_line = CommandLine::from_arg_matches(&matches)?;
        Choices { command: &command, matches: &matches, layers: &layers }
            .check(&command_line.settings)?;
        Ok(command_line)
    }

    fn environment_layer(&self) -> Result<Layer, ConfigurationError> {
        let mut layer = Layer { origin: Origin::Environment, given: Vec::new() };
        for (name, value) in &self.environment {
            let Some(name) = name.to_str().filter(|name| name.starts_with(PREFIX)) else {
                continue;
            };
            let value = value.to_str().ok_or_else(|| layer.invalid(name, "it is not UTF-8"))?;
            layer.add_variable(name, value.to_owned())?;
        }
        Ok(layer)
    }

    fn dotenv_layer(&self) -> Result<Layer, ConfigurationError> {
        let mut layer = Layer { origin: Origin::DotEnv, given: Vec::new() };
        let text = match std::fs::read_to_string(self.folder.join(".env")) {
            Ok(text) => text,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(layer),
            Err(source) => return Err(layer.unreadable(source)),
        };
        for variable in dotenvy::from_read_iter(text.trim_start_matches('\u{feff}').as_bytes()) {
            match variable {
                Ok((name, value)) if name.starts_with(PREFIX) => {
                    layer.add_variable(&name, value)?;
                }
                Ok(_) => {}
                // The line itself may hold a password.
                Err(dotenvy::Error::LineParse(wrong, _)) => {
                    let line = text.lines().position(|line| line.contains(wrong.trim()));
                    let reason = "it must be NAME=value, quoted if the value holds spaces";
                    return Err(layer.malformed(line.map_or(1, |line| line + 1), reason));
                }
                Err(error) => return Err(layer.unreadable(io::Error::other(error))),
            }
        }
        Ok(layer)
    }
}

/// The command line, without clap's own look at the environment: that would come before the checks.
pub(super) fn command() -> Command {
    CommandLine::command().mut_args(|arg| {
        match arg.get_env().map(|name| name.display().to_string()) {
            None => arg,
            Some(name) => {
                let help = arg.get_help().map(ToString::to_string).unwrap_or_default();
                let id = name.trim_start_matches(PREFIX).to_lowercase();
                arg.help(format!("{help} [env: {name}]")).id(id).env(None::<&str>)
            }
        }
    })
}

/// The settings among the arguments: those that the environment can give.
pub(super) fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    command.get_arguments().filter(|arg| arg.is_global_set())
}

fn config_file(flags: &ArgMatches, layers: &[Layer]) -> Option<PathBuf> {
    let flag = flags.get_one::<PathBuf>("config").cloned();
    let given = || layers.iter().find_map(|layer| layer.value_of("config")).map(PathBuf::from);
    flag.or_else(given)
}

fn file_layer(path: &Path) -> Result<Layer, ConfigurationError> {
    let mut layer = Layer { origin: Origin::File(path.to_owned()), given: Vec::new() };
    let text = std::fs::read_to_string(path).map_err(|source| layer.unreadable(source))?;
    let table: toml::Table = toml::from_str(&text).map_err(|error| {
        let before = error.span().and_then(|span| text.get(..span.start)).unwrap_or_default();
        layer.malformed(before.matches('\n').count() + 1, error.message())
    })?;
    for (name, value) in table {
        let value = match value {
            toml::Value::String(text) => text,
            toml::Value::Integer(number) => number.to_string(),
            toml::Value::Boolean(truth) => truth.to_string(),
            toml::Value::Float(number) => number.to_string(),
            _ => return Err(layer.invalid(&name, "it must be a string, a number, true or false")),
        };
        // A file does not lead to another one.
        if name == "config" || !is_known(&name) {
            return Err(ConfigurationError::Unknown { name, origin: layer.origin });
        }
        layer.given.push(Given { id: name.clone(), name, value });
    }
    Ok(layer)
}

fn is_known(id: &str) -> bool {
    settings(&command()).any(|arg| arg.get_id() == id)
}

/// Whether a variable is read by one of the commands, for itself alone.
fn is_of_a_command(name: &str) -> bool {
    CommandLine::command().get_subcommands().any(|command| {
        command.get_arguments().any(|arg| arg.get_env().is_some_and(|variable| variable == name))
    })
}

/// What one source says.
struct Layer {
    origin: Origin,
    given: Vec<Given>,
}

/// One setting, as one source gives it.
struct Given {
    /// The setting.
    id: String,
    /// What it is called there.
    name: String,
    value: String,
}

impl Layer {
    fn add_variable(&mut self, name: &str, value: String) -> Result<(), ConfigurationError> {
        if name.starts_with(TEST_PREFIX) {
            return Ok(());
        }
        // A command reads what is its own, and looks nowhere else.
        if self.origin == Origin::Environment && is_of_a_command(name) {
            return Ok(());
        }
        let id = name.trim_start_matches(PREFIX).to_ascii_lowercase();
        let is_upper_case = !name.bytes().any(|byte| byte.is_ascii_lowercase());
        if !is_upper_case || !is_known(&id) {
            let (name, origin) = (name.to_owned(), self.origin.clone());
            return Err(ConfigurationError::Unknown { name, origin });
        }
        // A variable that is empty by accident must not lead to another database.
        if value.is_empty() {
            return Err(self.invalid(name, "it is empty; leave it out to get the default"));
        }
        // Of several lines for one name the first counts, as everywhere with .env.
        if self.value_of(&id).is_none() {
            self.given.push(Given { id, name: name.to_owned(), value });
        }
        Ok(())
    }

    fn value_of(&self, id: &str) -> Option<&str> {
        self.given.iter().find(|given| given.id == id).map(|given| given.value.as_str())
    }

    /// Has clap read this one value, which would not tell later where a default came from.
    fn check(&self, arg: &Arg, given: &Given) -> Result<(), ConfigurationError> {
        let flag = format!("--{}={}", arg.get_long().unwrap_or_default(), given.value);
        let alone = Command::new("setting").no_binary_name(true).arg(arg.clone());
        match alone.try_get_matches_from([flag]) {
            Ok(_) => Ok(()),
            Err(error) => Err(self.invalid(&given.name, &reason(&error))),
        }
    }

    fn invalid(&self, name: &str, reason: &str) -> ConfigurationError {
        invalid(name, self.origin.clone(), reason)
    }

    fn unreadable(&self, source: io::Error) -> ConfigurationError {
        ConfigurationError::Unreadable { origin: self.origin.clone(), source }
    }

    fn malformed(&self, line: usize, reason: &str) -> ConfigurationError {
        let (origin, reason) = (self.origin.clone(), reason.to_owned());
        ConfigurationError::Malformed { origin, line, reason }
    }
}

/// Which source each setting was taken from.
struct Choices<'a> {
    command: &'a Command,
    matches: &'a ArgMatches,
    layers: &'a [Layer],
}

impl Choices<'_> {
    /// What no setting can be checked for alone, or without showing a secret.
    fn check(&self, settings: &Settings) -> Result<(), ConfigurationError> {
        let database = &settings.database;
        if !has_scheme(database.database_url.expose_secret(), &["sqlite", "postgres", "postgresql"])
        {
            let reason = "it must begin with sqlite:// or postgres://";
            return Err(self.invalid("database_url", reason));
        }
        if let Some(read) = &database.database_read_url {
            let both = [&database.database_url, read]
                .map(|url| has_scheme(url.expose_secret(), &["postgres", "postgresql"]));
            let reason = match both {
                [_, false] => Some("it must begin with postgres://"),
                [false, true] => Some("an SQLite file is read where it is written"),
                [true, true] => None,
            };
            if let Some(reason) = reason {
                return Err(self.invalid("database_read_url", reason));
            }
            if let Some((id, reason)) = database.tls_trouble(read) {
                return Err(self.invalid(id, &reason));
            }
        }
        if let Some((id, reason)) = database.tls_trouble(&database.database_url) {
            return Err(self.invalid(id, &reason));
        }
        if let Some(redis) = settings.redis.without_certificates()
            && let Err(error) = Redis::open(&redis)
        {
            let id = match error {
                InvalidRedisSettings::InvalidPrefix => "redis_prefix",
                InvalidRedisSettings::InvalidConnections => "redis_connections",
                _ => "redis_url",
            };
            return Err(self.invalid(id, &error.to_string()));
        }
        if let Some(secret) = &settings.access.access_secret
            && let Err(error) = KeyHasher::new(secret.expose_secret())
        {
            return Err(self.invalid("access_secret", &error.to_string()));
        }
        let (kept, most) = (database.database_pool_kept, database.database_pool_most);
        if most < kept {
            let reason = format!("{kept} connections cannot be kept when {most} are open at most");
            // Whoever set the other one will look there.
            let id = match self.origin("database_pool_kept") {
                (_, Origin::Default) => "database_pool_most",
                _ => "database_pool_kept",
            };
            return Err(self.invalid(id, &reason));
        }
        Ok(())
    }

    fn invalid(&self, id: &str, reason: &str) -> ConfigurationError {
        let (name, origin) = self.origin(id);
        invalid(&name, origin, reason)
    }

    /// What a setting is called where its value comes from.
    fn origin(&self, id: &str) -> (String, Origin) {
        let given = || {
            self.layers.iter().find_map(|layer| {
                let given = layer.given.iter().find(|given| given.id == id)?;
                Some((given.name.clone(), layer.origin.clone()))
            })
        };
        if self.matches.value_source(id) == Some(ValueSource::CommandLine) {
            let flag = settings(self.command).find(|arg| arg.get_id() == id);
            let flag = flag.and_then(Arg::get_long).unwrap_or(id);
            return (format!("--{flag}"), Origin::CommandLine);
        }
        given().unwrap_or_else(|| (id.to_owned(), Origin::Default))
    }
}

fn has_scheme(url: &str, schemes: &[&str]) -> bool {
    url.split_once("://").is_some_and(|(scheme, _)| schemes.contains(&scheme))
}

fn invalid(name: &str, origin: Origin, reason: &str) -> ConfigurationError {
    ConfigurationError::Invalid { name: name.to_owned(), origin, reason: reason.to_owned() }
}

/// What clap says about a value, without its advice for the command line.
fn reason(error: &clap::Error) -> String {
    if let Some(source) = error.source() {
        return source.to_string();
    }
    match error.get(ContextKind::ValidValue) {
        Some(ContextValue::Strings(values)) => format!("it must be one of {}", values.join(", ")),
        _ => "it cannot have this value".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::config::LogFormat;

    struct Given {
        folder: tempfile::TempDir,
        arguments: Vec<&'static str>,
        environment: Vec<(&'static str, &'static str)>,
    }

    fn given() -> Given {
        let folder = tempfile::tempdir().unwrap();
        Given { folder, arguments: vec!["groovebase"], environment: Vec::new() }
    }

    impl Given {
        fn arguments(mut self, arguments: &[&'static str]) -> Self {
            self.arguments.extend(arguments);
            self
        }

        fn environment(mut self, name: &'static str, value: &'static str) -> Self {
            self.environment.push((name, value));
            self
        }

        fn file(self, name: &str, text: &str) -> Self {
            fs::write(self.folder.path().join(name), text).unwrap();
            self
        }

        fn read(&self) -> Result<Settings, String> {
            let surroundings = Surroundings {
                arguments: self.arguments.iter().map(OsString::from).collect(),
                environment: self
                    .environment
                    .iter()
                    .map(|(name, value)| (name.into(), value.into()))
                    .collect(),
                folder: self.folder.path().to_owned(),
            };
            let folder = format!("{}/", self.folder.path().display());
            match surroundings.command_line() {
                Ok(command_line) => Ok(command_line.settings),
                Err(error) => Err(error.to_string().replace(&folder, "")),
            }
        }

        fn listens(&self) -> String {
            self.read().unwrap().http.listen.to_string()
        }

        fn fails(&self) -> String {
            self.read().unwrap_err()
        }
    }

    #[test]
    fn everything_has_a_default() {
        let settings = given().read().unwrap();

        assert_eq!(settings.http.listen.to_string(), "127.0.0.1:8080");
        assert_eq!(settings.http.http_workers, None);
        assert_eq!(settings.database.database_url.expose_secret(), "sqlite://groovebase.db");
        assert_eq!(
            (settings.database.database_pool_kept, settings.database.database_pool_most),
            (10, 30)
        );
        assert!(settings.redis.redis_url.is_none());
        assert_eq!(settings.log.log_format, None);
    }

    #[test]
    fn a_flag_beats_the_environment_beats_dotenv_beats_a_file() {
        let file = || given().file("g.toml", "listen = '127.0.0.1:4'\nhttp_workers = 4");
        let dotenv = || {
            file().file(".env", "GROOVEBASE_CONFIG=g.toml\nGROOVEBASE_LISTEN=127.0.0.1:3\nOTHER=1")
        };
        let environment = || dotenv().environment("GROOVEBASE_LISTEN", "127.0.0.1:2");

        assert_eq!(file().listens(), "127.0.0.1:8080");
        assert_eq!(file().arguments(&["--config", "g.toml"]).listens(), "127.0.0.1:4");
        assert_eq!(dotenv().listens(), "127.0.0.1:3");
        assert_eq!(environment().listens(), "127.0.0.1:2");
        assert_eq!(environment().arguments(&["--listen", "127.0.0.1:1"]).listens(), "127.0.0.1:1");
        assert_eq!(
            environment().arguments(&["serve", "--listen=127.0.0.1:1"]).listens(),
            "127.0.0.1:1"
        );
        assert_eq!(environment().read().unwrap().http.http_workers.map(usize::from), Some(4));
    }

    #[test]
    fn names_what_is_unknown() {
        assert_eq!(
            given().environment("GROOVEBASE_LISTN", "x").fails(),
            "unknown setting GROOVEBASE_LISTN in the environment"
        );
        assert_eq!(
            given().file(".env", "GROOVEBASE_Listen=x").fails(),
            "unknown setting GROOVEBASE_Listen in .env"
        );
        assert_eq!(
            given().file("g.toml", "a = 1").arguments(&["--config", "g.toml"]).fails(),
            "unknown setting a in g.toml"
        );
        assert!(given().environment("GROOVEBASE_TEST_REDIS_URL", "x").read().is_ok());
        assert!(given().environment("PATH", "x").read().is_ok());
    }

    #[test]
    fn names_what_is_invalid() {
        assert_eq!(
            given().environment("GROOVEBASE_LISTEN", "here").fails(),
            "GROOVEBASE_LISTEN in the environment is invalid: invalid socket address syntax"
        );
        assert_eq!(
            given().environment("GROOVEBASE_DATABASE_URL", "").fails(),
            "GROOVEBASE_DATABASE_URL in the environment is invalid: it is empty; leave it out to get the default"
        );
        assert_eq!(
            given().file(".env", "GROOVEBASE_LOG_FORMAT=xml").fails(),
            "GROOVEBASE_LOG_FORMAT in .env is invalid: it must be one of pretty, json"
        );
        assert_eq!(
            given()
                .file("g.toml", "database_pool_most = 0")
                .arguments(&["--config", "g.toml"])
                .fails(),
            "database_pool_most in g.toml is invalid: 0 is not in 1..=10000"
        );
        assert_eq!(
            given().file("g.toml", "log = ['a']").arguments(&["--config", "g.toml"]).fails(),
            "log in g.toml is invalid: it must be a string, a number, true or false"
        );
        assert_eq!(
            given().arguments(&["--database-pool-most", "5"]).fails(),
            "--database-pool-most in the command line is invalid: 10 connections cannot be kept when 5 are open at most"
        );
        assert_eq!(
            given().environment("GROOVEBASE_LOG_FORMAT", "json").read().unwrap().log.log_format,
            Some(LogFormat::Json)
        );
    }

    #[test]
    fn an_invalid_value_counts_even_where_another_one_wins() {
        let given = given()
            .environment("GROOVEBASE_LISTEN", "here")
            .arguments(&["--listen", "127.0.0.1:1"]);

        assert!(given.fails().starts_with("GROOVEBASE_LISTEN in the environment is invalid"));
    }

    #[test]
    fn names_the_line_of_a_file_that_cannot_be_read() {
        assert_eq!(
            given().file(".env", "A=1\nGROOVEBASE_LISTEN = two words\n").fails(),
            "cannot understand .env, line 2: it must be NAME=value, quoted if the value holds spaces"
        );
        assert!(
            given()
                .file("g.toml", "a = 1\nb = = 2")
                .arguments(&["--config", "g.toml"])
                .fails()
                .starts_with("cannot understand g.toml, line 2: ")
        );
        assert_eq!(given().arguments(&["--config", "no.toml"]).fails(), "cannot read no.toml");
    }

    #[test]
    fn a_choice_is_made_in_every_source() {
        let open = |given: &Given| given.read().map(|settings| settings.access.open_to_the_network);

        assert_eq!(open(&given()), Ok(false));
        assert_eq!(open(&given().arguments(&["--open-to-the-network"])), Ok(true));
        assert_eq!(open(&given().arguments(&["--open-to-the-network", "serve"])), Ok(true));
        assert_eq!(open(&given().environment("GROOVEBASE_OPEN_TO_THE_NETWORK", "true")), Ok(true));
        let file = given().file("g.toml", "open_to_the_network = true");
        assert_eq!(open(&file.arguments(&["--config", "g.toml"])), Ok(true));
        assert_eq!(
            open(&given().environment("GROOVEBASE_OPEN_TO_THE_NETWORK", "yes")),
            Err("GROOVEBASE_OPEN_TO_THE_NETWORK in the environment is invalid: it must be one of true, false".to_owned())
        );
    }

    #[test]
    fn an_access_secret_is_long() {
        let secret = "0123456789abcdef0123456789abcdef";
        let settings = given().environment("GROOVEBASE_ACCESS_SECRET", secret).read().unwrap();

        assert!(!format!("{settings:?}").contains(secret));
        assert_eq!(
            given().environment("GROOVEBASE_ACCESS_SECRET", &secret[1..]).fails(),
            "GROOVEBASE_ACCESS_SECRET in the environment is invalid: an access secret has at least 32 characters"
        );
    }

    #[test]
    fn never_shows_a_secret() {
        let url = "postgres://user:hunter2@host/db";
        let settings = given().environment("GROOVEBASE_DATABASE_URL", url).read().unwrap();
        let wrong =
            given().environment("GROOVEBASE_DATABASE_URL", "mysql://user:hunter2@host").fails();
        let flag = given().arguments(&["--redis-url", "hunter2"]).fails();
        let access = given().environment("GROOVEBASE_ACCESS_SECRET", "hunter2").fails();
        let dotenv = given().file(".env", "GROOVEBASE_DATABASE_URL='hunter2\n").fails();
        let file = given()
            .file("g.toml", "database_url = hunter2")
            .arguments(&["--config", "g.toml"])
            .fails();

        assert_eq!(settings.database.database_url.expose_secret(), url);
        assert_eq!(
            wrong,
            "GROOVEBASE_DATABASE_URL in the environment is invalid: it must begin with sqlite:// or postgres://"
        );
        for shown in [format!("{settings:?}"), wrong, flag, access, dotenv, file] {
            assert!(!shown.contains("hunter2"), "{shown}");
        }
    }
}
