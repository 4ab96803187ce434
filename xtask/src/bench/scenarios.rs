//! What is measured, one question a file.

mod history_page;
mod import;
mod memory;
mod memory_of_redis;
mod pool;
mod profile_from_postgres;
mod profile_from_redis;
mod profile_hit;
mod profile_unchanged;
mod save;
mod save_alone;
mod similar_from_postgres;
mod similar_kept;
mod similar_scanned;
mod start;
mod stats;
mod strict_read;

use clap::builder::PossibleValuesParser;

use super::{row::Row, site::Site};

/// One question.
pub(crate) struct Scenario {
    /// What `--only` knows it by.
    pub(crate) name: &'static str,
    pub(crate) run: fn(&mut Site) -> anyhow::Result<Row>,
}

/// All questions, in the order of the report.
pub(crate) const ALL: [Scenario; 22] = [
    Scenario { name: profile_hit::NAME, run: profile_hit::run },
    Scenario { name: profile_unchanged::NAME, run: profile_unchanged::run },
    Scenario { name: profile_from_redis::NAME, run: profile_from_redis::run },
    Scenario { name: profile_from_postgres::NAME, run: profile_from_postgres::run },
    Scenario { name: strict_read::NAME, run: strict_read::run },
    Scenario { name: similar_kept::NAME, run: similar_kept::run },
    Scenario { name: similar_scanned::NAME, run: similar_scanned::run },
    Scenario { name: similar_scanned::NAME_OF_MANY, run: similar_scanned::run_many },
    Scenario { name: similar_from_postgres::NAME, run: similar_from_postgres::run },
    Scenario { name: history_page::NAME, run: history_page::run },
    Scenario { name: stats::NAME, run: stats::run },
    Scenario { name: save::NAME, run: save::run },
    Scenario { name: save_alone::NAME, run: save_alone::run },
    Scenario { name: import::NAME_ON_SQLITE, run: import::on_sqlite },
    Scenario { name: import::NAME_OF_MANY_ON_SQLITE, run: import::many_on_sqlite },
    Scenario { name: import::NAME_ON_POSTGRES, run: import::on_postgres },
    Scenario { name: import::NAME_OF_MANY_ON_POSTGRES, run: import::many_on_postgres },
    Scenario { name: start::NAME, run: start::run },
    Scenario { name: start::NAME_ON_POSTGRES, run: start::run_on_postgres },
    Scenario { name: memory::NAME, run: memory::run },
    Scenario { name: memory_of_redis::NAME, run: memory_of_redis::run },
    Scenario { name: pool::NAME, run: pool::run },
];

/// What `--only` may be.
pub(crate) fn names() -> PossibleValuesParser {
    PossibleValuesParser::new(ALL.map(|scenario| scenario.name))
}
