//! Each connection asks again as soon as it is answered.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    mix::Mix,
    run::{Report, run},
};

/// How many ask whom, and for how long.
#[derive(Debug, Clone, Copy)]
pub struct ClosedLoop {
    /// The server.
    pub address: SocketAddr,
    /// How many connections ask, each one request at a time.
    pub connections: usize,
    /// For how long new requests are sent.
    pub time: Duration,
}

/// Asks in a closed loop. Latencies count from when a request is sent.
///
/// # Errors
///
/// When the connections cannot be made; what fails later is in the report.
pub fn closed_loop(settings: ClosedLoop, mix: &mut Mix) -> anyhow::Result<Report> {
    let ClosedLoop { address, connections, time } = settings;
    run(
        address,
        connections,
        time,
        mix,
        move |mut asker| async move {
            let end = asker.run().began() + time;
            loop {
                let now = Instant::now();
                if end <= now {
                    break;
                }
                asker.ask(now).await;
            }
        },
        |_| async {},
        || None,
    )
}
