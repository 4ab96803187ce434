//! Ports that stay ours while nobody listens on them.

use std::{
    hash::{BuildHasher, RandomState},
    net::{Ipv4Addr, TcpListener},
    ops::Range,
};

use anyhow::Context;

/// Below what systems hand out by themselves, so that no client of anybody sits on a port of ours while it refuses
/// connections; and apart from where the test servers listen.
const PORTS: Range<u16> = 16_000..20_000;

/// A listener on a port of this machine.
pub(super) fn listen() -> anyhow::Result<TcpListener> {
    (0..100)
        .find_map(|attempt| {
            let random = RandomState::new().hash_one(attempt) % u64::from(PORTS.end - PORTS.start);
            let port = PORTS.start + u16::try_from(random).ok()?;
            TcpListener::bind((Ipv4Addr::LOCALHOST, port)).ok()
        })
        .context("no port is free")
}
