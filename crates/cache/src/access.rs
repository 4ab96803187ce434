//! API keys in memory: who presents one is known without asking anybody.

mod hasher;
mod keeper;
mod keyring;
mod uses;

pub use hasher::{FreshKey, InvalidAccessSecret, KeyHasher, NoRandomness};
pub use keyring::{KeyRefusal, Keyring, KeyringStatus};
