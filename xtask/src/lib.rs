//! What tests and benches share with the developer tasks.

pub mod load;
pub mod synthetic_history;
