//! What the web framework and the machine can do when there is nothing to do: a constant answer of the same size.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    net::SocketAddr,
    process::{Child, Stdio},
};

use anyhow::Context as _;

use crate::bench::{machine, programs::Programs};

/// A running server, with as many threads as the service has. It is ended when this is dropped.
pub(crate) struct ConstantBody {
    child: Child,
    address: SocketAddr,
}

impl ConstantBody {
    /// Starts one that answers with this status and body.
    pub(crate) fn start(programs: &Programs, status: u16, body: &[u8]) -> anyhow::Result<Self> {
        let mut child = programs
            .constant_body()
            .args(["--workers", &machine::cores()?.to_string(), "--status", &status.to_string()])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .context("cannot start the server of a constant body")?;
        let address = told(&mut child, body);
        let address = address.inspect_err(|_| end(&mut child))?;
        Ok(Self { child, address })
    }

    /// Where it listens.
    pub(crate) const fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for ConstantBody {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It has ended, or is not needed any more.
    drop(child.kill());
    drop(child.wait());
}

/// Hands it the body, and reads where it listens.
fn told(child: &mut Child, body: &[u8]) -> anyhow::Result<SocketAddr> {
    // Dropped at the end of the statement, which is the end of the body.
    child.stdin.take().context("piped")?.write_all(body)?;
    let mut line = String::new();
    BufReader::new(child.stdout.take().context("piped")?).read_line(&mut line)?;
    line.trim().parse().context("the server of a constant body does not say where it listens")
}
