//! The promises of the coherent cache, held against what many callers were told by several instances, in quiet and
//! while everything around them breaks.
//!
//! Each run prints its report. `GROOVEBASE_TEST_HISTORY_OPERATIONS` makes the runs longer.

#[path = "coherence/by_hand.rs"]
mod by_hand;
#[path = "coherence/callers.rs"]
mod callers;
#[path = "coherence/dying.rs"]
mod dying;
#[path = "coherence/in_process.rs"]
mod in_process;
#[path = "coherence/instance.rs"]
mod instance;
#[path = "coherence/ledger.rs"]
mod ledger;
#[path = "coherence/mistaken.rs"]
mod mistaken;
#[path = "coherence/nemesis.rs"]
mod nemesis;
#[path = "coherence/over_http.rs"]
mod over_http;
#[path = "coherence/run.rs"]
mod run;
#[path = "coherence/runs.rs"]
mod runs;
#[path = "coherence/unsteady.rs"]
mod unsteady;
#[path = "coherence/world.rs"]
mod world;
