//! Whose clock local time is read from.

use std::{
    fmt,
    hash::{Hash, Hasher},
};

use jiff::tz::{TimeZone, TimeZoneDatabase};

/// A time zone of the IANA database, such as `Europe/Berlin`.
///
/// The database is part of the program, so that the same question has the same answer on every
/// machine. Zones are equal if their names are: of two names for one zone, such as `Asia/Calcutta`
/// and `Asia/Kolkata`, each is kept.
#[derive(Clone)]
pub struct Zone(TimeZone);

impl Zone {
    /// The time zone whose clock shows UTC.
    pub const UTC: Self = Self(TimeZone::UTC);

    /// The zone's name in the spelling of the database.
    #[must_use]
    pub fn name(&self) -> &str {
        // All have a name by construction.
        self.0.iana_name().unwrap_or("UTC")
    }

    pub(super) const fn rules(&self) -> &TimeZone {
        &self.0
    }
}

/// Finds a zone by its name, in which upper and lower case are the same.
impl TryFrom<&str> for Zone {
    type Error = UnknownZone;

    fn try_from(name: &str) -> Result<Self, Self::Error> {
        // Never the global database: a crate that asks for it by a feature would make it that of
        // the machine.
        TimeZoneDatabase::bundled()
            .get(name)
            .ok()
            // Placeholders are found, too: `Etc/Unknown`, which has no name then, and `Factory`.
            .filter(|rules| rules.iana_name().is_some_and(|name| name != "Factory"))
            .map(Self)
            .ok_or(UnknownZone)
    }
}

impl fmt::Debug for Zone {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_tuple("Zone").field(&self.name()).finish()
    }
}

impl PartialEq for Zone {
    fn eq(&self, other: &Self) -> bool {
        self.name() == other.name()
    }
}

impl Eq for Zone {}

impl Hash for Zone {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.name().hash(state);
    }
}

/// A text that is no name of a time zone. Offsets such as `+02:00` are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a time zone is given by its IANA name, for example Europe/Berlin")]
pub struct UnknownZone;

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    #[test]
    fn finds_names_in_any_case_and_keeps_their_spelling() {
        for (typed, name) in [
            ("Europe/Berlin", "Europe/Berlin"),
            ("america/argentina/COMODRIVADAVIA", "America/Argentina/ComodRivadavia"),
            ("Asia/Calcutta", "Asia/Calcutta"),
            ("utc", "UTC"),
            ("etc/gmt+12", "Etc/GMT+12"),
        ] {
            assert_eq!(Zone::try_from(typed).as_ref().map(Zone::name), Ok(name));
        }
    }

    #[test]
    fn knows_every_name_of_the_database() {
        for name in TimeZoneDatabase::bundled().available() {
            let name = name.as_str();
            let zone = Zone::try_from(name);
            assert!(name == "Factory" || zone.is_ok_and(|zone| zone.name() == name), "{name}");
        }
    }

    #[test]
    fn refuses_what_is_no_name() {
        let long = "Europe/Berlin".repeat(100_000);
        for text in [
            "",
            " ",
            "Europe",
            "Europe/",
            "Europe/Berlin ",
            "Europe/Berlin\0",
            "Europe/Berlin\n",
            "Europe/Bärlin",
            "../Europe/Berlin",
            "/etc/localtime",
            "+02:00",
            "-0330",
            "UTC+1",
            "Z",
            "CET-1CEST,M3.5.0,M10.5.0/3",
            "Etc/Unknown",
            "Factory",
            "local",
            &long,
        ] {
            assert_eq!(Zone::try_from(text), Err(UnknownZone), "{text:.40?}");
        }
    }

    #[test]
    fn is_its_name() {
        let zones = ["UTC", "utc", "Europe/Kiev", "Europe/Kyiv", "europe/kyiv"]
            .map(|name| Zone::try_from(name).unwrap());

        assert_eq!(zones[0], Zone::UTC);
        assert_ne!(zones[2], zones[3]);
        assert_eq!(format!("{:?}", zones[4]), r#"Zone("Europe/Kyiv")"#);
        assert_eq!(HashSet::from(zones).len(), 3);
    }

    proptest! {
        #[test]
        fn no_text_is_a_panic(text in any::<String>()) {
            let _ = Zone::try_from(text.as_str());
        }
    }
}
