//! Load on an HTTP server, and how long its answers take, for benches and tests.
//!
//! In a [closed loop](closed_loop) each connection asks again as soon as it is answered: that finds out how much a server
//! can do. It cannot find out how a server does under more than that, because a slow server slows the askers down as well.
//!
//! In an [open loop](open_loop) requests are due at a fixed rate whatever the answers do, and a latency counts from when the
//! request was due. A server that stalls for a second so makes every request of that second slow, as it would be for
//! people, and not only the few that were under way ("coordinated omission").
//!
//! Both run on the thread that calls them, so that whoever wants to can give the thread a processor of its own.

mod answers;
mod closed;
mod connection;
mod mix;
mod open;
mod run;

pub use answers::{Answers, Latencies};
pub use closed::{ClosedLoop, closed_loop};
pub use mix::Mix;
pub use open::{OpenLoop, open_loop};
pub use run::{Noted, Report};

#[cfg(test)]
mod tests;
