//! What nothing could beat on this machine, measured beside the service.

mod constant_body;
mod memory;
mod pgbench;
pub(crate) mod redis;

pub(crate) use constant_body::ConstantBody;
pub(crate) use memory::Memory;
pub(crate) use pgbench::Pgbench;
