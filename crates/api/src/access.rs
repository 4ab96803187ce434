//! Who is let in: the keys that requests present, and what each route needs.

pub mod admission;
pub mod caller;
mod credentials;
pub mod documented;
pub mod mode;
pub mod need;
pub mod secret;

pub use caller::{By, Caller};
pub use mode::{AccessMode, Decided, OpenToTheNetwork};
pub use need::Need;
pub use secret::{NoAccessSecret, access_secret};

pub(crate) use secret::all_keys;
