//! What nothing could beat on this machine, measured beside the service.

mod constant_body;
mod disk;
mod memory;
mod pgbench;
pub(crate) mod redis;

pub(crate) use constant_body::ConstantBody;
pub(crate) use disk::Disk;
pub(crate) use memory::Memory;
pub(crate) use pgbench::Pgbench;
