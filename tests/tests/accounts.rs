//! The account of generations, held against what many callers were told while processes, connections and the database
//! itself die: what was acknowledged is there, once and whole, and every sum is what the entries say.
//!
//! Each run prints its report. `GROOVEBASE_TEST_ACCOUNT_ROUNDS` makes the runs longer, `GROOVEBASE_TEST_ACCOUNT_SEED`
//! makes them different.

#[path = "accounts/artists.rs"]
mod artists;
#[path = "accounts/auditor.rs"]
mod auditor;
#[path = "accounts/books.rs"]
mod books;
#[path = "accounts/closing.rs"]
mod closing;
#[path = "accounts/instance.rs"]
mod instance;
#[path = "accounts/ledger.rs"]
mod ledger;
#[path = "accounts/nemesis.rs"]
mod nemesis;
#[path = "accounts/post.rs"]
mod post;
#[path = "accounts/reader.rs"]
mod reader;
#[path = "accounts/run.rs"]
mod run;
#[path = "accounts/runs.rs"]
mod runs;
#[path = "accounts/tally.rs"]
mod tally;
#[path = "accounts/violation.rs"]
mod violation;
#[path = "accounts/world.rs"]
mod world;
#[path = "accounts/writer.rs"]
mod writer;
